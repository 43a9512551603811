//! A connection that speaks HTTP/2: how the library is set up for it, and how it ends.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use http::header::{CONTENT_LENGTH, COOKIE, HeaderMap, HeaderValue};
use http::{Method, Request, Response};
use hyper::body::{Body, Incoming};
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;
use tracing::debug;

use super::answer::Answer;
use super::clock::LINGER;
use super::connection::{Client, Session};
use super::guard::Watch;
use super::phase::Bound;
use super::request::RequestBody;
use super::{Limits, Serve, connection};

mod frames;
mod stream;

pub(super) use self::frames::{Flood, Meter};
pub(super) use self::stream::Stream;
use self::stream::{Streams, Taken};

/// Bytes of one request's body that may come ahead of whoever reads it: what a line of 1 Gbit/s and
/// 16 ms has on its way.
const STREAM_WINDOW: u32 = 2 << 20;

/// And of all together: one body that stands still leaves room for others.
const CONNECTION_WINDOW: u32 = 4 * STREAM_WINDOW;

/// Bytes of one answer that lie ready for a client that takes none for now.
const SEND_BUFFER: usize = 128 * 1024;

/// Requests that a client has taken back and that were not looked at yet; a client that makes more of
/// them means harm (CVE-2023-44487).
const MAX_TAKEN_BACK: usize = 20;

/// Requests that had to be refused for their form, in the life of a connection (CVE-2025-8671).
const MAX_MALFORMED: usize = 64;

/// A client that vanished is noticed after this much silence, and so much more without an answer to a
/// ping. In HTTP/1 the bounds of the one request under way do that; here others keep a connection busy.
const PING_INTERVAL: Duration = Duration::from_secs(45);
const PING_TIMEOUT: Duration = Duration::from_secs(20);

/// Serves a connection to its end.
pub(super) async fn serve<S, I>(io: I, session: Session<S>)
where
    S: Serve,
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let Session {
        client,
        watch,
        ration,
        mut clock,
        cuts,
        limits,
        tasks,
    } = session;
    let streams = Streams::new(limits, tasks.clone(), cuts.clone());
    let service = {
        let streams = streams.clone();
        service_fn(move |request: Request<Incoming>| {
            let stream = streams.begin(!request.body().is_end_stream());
            answer(Arc::clone(&client), request, watch.clone(), stream)
        })
    };
    let mut connection =
        pin!(protocol(streams, &limits).serve_connection(TokioIo::new(io), service));
    tokio::select! {
        biased;
        expired = connection::attend(connection.as_mut(), &ration, &mut clock, &cuts) => {
            // Whoever takes nothing takes no farewell.
            if let Some(Bound::Idle | Bound::Head | Bound::Crowd) = expired {
                connection.as_mut().graceful_shutdown();
                drop(timeout(LINGER, connection).await);
            }
            return;
        }
        () = tasks.stopping() => connection.as_mut().graceful_shutdown(),
    }
    clock.hurry();
    let rest = connection::attend(connection, &ration, &mut clock, &cuts);
    if timeout(limits.shutdown_grace, rest).await.is_err() {
        debug!("a connection outlasted the shutdown grace");
    }
}

fn protocol(streams: Streams, limits: &Limits) -> http2::Builder<Streams> {
    let mut builder = http2::Builder::new(streams);
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits.max_streams)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buf_size(SEND_BUFFER)
        .max_header_list_size(u32::try_from(limits.max_head).unwrap_or(u32::MAX))
        .max_pending_accept_reset_streams(MAX_TAKEN_BACK)
        .max_local_error_reset_streams(MAX_MALFORMED)
        .keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_TIMEOUT);
    builder
}

async fn answer<S: Serve>(
    client: Arc<Client<S>>,
    mut request: Request<Incoming>,
    watch: Watch,
    stream: Stream,
) -> Result<Response<Taken<Answer<S::Body>>>, h2::Error> {
    let (turn, _) = watch.begin(!request.body().is_end_stream());
    let is_head = request.method() == Method::HEAD;
    join_cookies(request.headers_mut());
    let request = request.map(|body| RequestBody::among(body, stream.clone()));
    let mut response = stream.unless_cut(client.answer(request)).await?;
    if is_head {
        say_length(&mut response);
    }
    Ok(response.map(|body| Taken::new(Answer::new(body, turn), stream, is_head)))
}

/// What a body would be as long as that is not sent: the library says it only of one that is.
fn say_length(response: &mut Response<impl Body>) {
    let length = response.body().size_hint().exact();
    if let Some(length) = length.filter(|length| *length > 0) {
        let fields = response.headers_mut();
        fields.entry(CONTENT_LENGTH).or_insert(length.into());
    }
}

/// A client may send each of its cookies in a field of its own, and whoever is not asked in HTTP/2 is to
/// find them in one (RFC 9113 §8.2.3).
fn join_cookies(headers: &mut HeaderMap) {
    if headers.get_all(COOKIE).iter().nth(1).is_none() {
        return;
    }
    let crumbs: Vec<&[u8]> = headers
        .get_all(COOKIE)
        .iter()
        .map(HeaderValue::as_bytes)
        .collect();
    if let Ok(mut whole) = HeaderValue::from_bytes(&crumbs.join(&b"; "[..])) {
        whole.set_sensitive(true);
        headers.insert(COOKIE, whole);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_crumbs_of_a_cookie_are_one_field_again() {
        let mut headers = HeaderMap::new();
        join_cookies(&mut headers);
        assert!(headers.is_empty());
        for crumb in ["a=1", "b=2", "c=3"] {
            headers.append(COOKIE, HeaderValue::from_static(crumb));
        }
        join_cookies(&mut headers);
        let cookies: Vec<_> = headers.get_all(COOKIE).iter().collect();
        assert_eq!(cookies, ["a=1; b=2; c=3"]);
    }
}
