//! HTTP/2 to the upstream: how exchanges share a connection, and how a dead one is noticed.

use std::time::Duration;

use hyper_util::client::legacy::Builder;
use hyper_util::rt::TokioTimer;

/// What one answer may send ahead of its reader. A line of 300 ms carries 3 MiB/s with it, one of
/// 30 ms ten times that. It is not adapted to the line: the client would make it the window of the
/// whole connection as well, and one reader that stands still could hold up all others.
const STREAM_WINDOW: u32 = 1 << 20;
/// RFC 9113 §6.9.1.
const MAX_WINDOW: u32 = (1 << 31) - 1;
/// What of a request body lies in the client, beside the piece in hand: what the origin has not let
/// through yet need not be there.
const SEND_BUFFER: usize = 64 * 1024;
/// The largest head of an answer, as HTTP counts it; servers commonly send no more than half of it.
const MAX_HEAD: u32 = 64 * 1024;
/// A connection on which nothing was heard for so long, though something is under way, is asked
/// whether it is still there. Not while it is idle: who uses it next asks at once.
const PING_INTERVAL: Duration = Duration::from_secs(10);
/// A ping waits behind what was written before it: up to 4 MiB of an upload lie in the kernel, for which
/// a line of 2 Mbit/s needs 17 s. Until then exchanges keep their own bounds, and nobody joins a
/// connection that was silent for one of them.
const PING_TIMEOUT: Duration = Duration::from_secs(30);

/// Sets the client up for `max` exchanges at once. Each of their windows may be full, and no other
/// exchange is held up by it.
pub(super) fn tune(builder: &mut Builder, max: usize) -> &mut Builder {
    let max = u32::try_from(max).unwrap_or(u32::MAX);
    let window = STREAM_WINDOW.saturating_mul(max.max(1)).min(MAX_WINDOW);
    builder
        .timer(TokioTimer::new())
        .http2_initial_stream_window_size(STREAM_WINDOW)
        .http2_initial_connection_window_size(window)
        .http2_max_send_buf_size(SEND_BUFFER)
        .http2_max_header_list_size(MAX_HEAD)
        .http2_keep_alive_interval(PING_INTERVAL)
        .http2_keep_alive_timeout(PING_TIMEOUT)
        .http2_keep_alive_while_idle(false)
}
