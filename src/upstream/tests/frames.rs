//! HTTP/2 on the wire: frames as they come, and what a test has an origin answer.

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::sync::watch;

pub(super) const DATA: u8 = 0;
pub(super) const HEADERS: u8 = 1;
pub(super) const RST_STREAM: u8 = 3;
pub(super) const SETTINGS: u8 = 4;
pub(super) const PING: u8 = 6;
const GOAWAY: u8 = 7;
pub(super) const WINDOW_UPDATE: u8 = 8;

pub(super) const ACK: u8 = 1;
pub(super) const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

pub(super) const NO_ERROR: u32 = 0;
pub(super) const INTERNAL_ERROR: u32 = 2;
pub(super) const REFUSED_STREAM: u32 = 7;
pub(super) const CANCEL: u32 = 8;

/// `SETTINGS_MAX_CONCURRENT_STREAMS` and `SETTINGS_INITIAL_WINDOW_SIZE`.
pub(super) const MAX_STREAMS: u16 = 3;
pub(super) const WINDOW: u16 = 4;

/// One thing an origin does about a frame.
#[derive(Clone, Debug)]
pub(super) enum Act {
    /// Sends these bytes.
    Send(Vec<u8>),
    /// Reads nothing until the gate opens.
    Wait(watch::Receiver<bool>),
    /// Closes the connection.
    Close,
}

/// A frame as it came, and the number of its connection.
#[derive(Clone, Debug)]
pub(super) struct Frame {
    pub(super) kind: u8,
    pub(super) flags: u8,
    pub(super) stream: u32,
    pub(super) payload: Vec<u8>,
    pub(super) connection: usize,
}

/// Does what `play` says where a request begins.
pub(super) fn at_head(play: impl Fn(&Frame) -> Vec<Act>) -> impl Fn(&Frame) -> Vec<Act> {
    at(Frame::is_head, play)
}

/// Does what `play` says where a request has ended.
pub(super) fn at_end(play: impl Fn(&Frame) -> Vec<Act>) -> impl Fn(&Frame) -> Vec<Act> {
    at(Frame::is_end, play)
}

fn at(
    is_time: impl Fn(&Frame) -> bool,
    play: impl Fn(&Frame) -> Vec<Act>,
) -> impl Fn(&Frame) -> Vec<Act> {
    move |frame| {
        if is_time(frame) {
            play(frame)
        } else {
            Vec::new()
        }
    }
}

// === impl Frame ===

impl Frame {
    /// Whether a request begins.
    pub(super) fn is_head(&self) -> bool {
        self.kind == HEADERS
    }

    /// Whether a request ends, with or without a body.
    pub(super) fn is_end(&self) -> bool {
        matches!(self.kind, HEADERS | DATA) && self.flags & END_STREAM != 0
    }

    /// A whole answer to it.
    pub(super) fn answered(&self, status: &str, body: &str) -> Vec<Act> {
        let length = body.len().to_string();
        vec![
            self.head(status, &[("content-length", &length)], 0),
            self.data(body, END_STREAM),
        ]
    }

    pub(super) fn head(&self, status: &str, fields: &[(&str, &str)], flags: u8) -> Act {
        let mut block = field(":status", status);
        for (name, value) in fields {
            block.extend(field(name, value));
        }
        Act::Send(frame(HEADERS, flags | END_HEADERS, self.stream, &block))
    }

    pub(super) fn data(&self, bytes: &str, flags: u8) -> Act {
        data(self.stream, bytes, flags)
    }

    pub(super) fn reset(&self, reason: u32) -> Act {
        Act::Send(frame(RST_STREAM, 0, self.stream, &reason.to_be_bytes()))
    }
}

pub(super) fn data(stream: u32, bytes: &str, flags: u8) -> Act {
    Act::Send(frame(DATA, flags, stream, bytes.as_bytes()))
}

/// The origin has done nothing about streams after `last`, and takes no others.
pub(super) fn going_away(last: u32, reason: u32) -> Act {
    let payload = [last.to_be_bytes(), reason.to_be_bytes()].concat();
    Act::Send(frame(GOAWAY, 0, 0, &payload))
}

/// RFC 9113 §4.1.
pub(super) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut bytes = vec![length[1], length[2], length[3], kind, flags];
    bytes.extend(stream.to_be_bytes());
    bytes.extend(payload);
    bytes
}

/// RFC 7541 §6.2.2: a field that is remembered by nobody, short and in clear.
fn field(name: &str, value: &str) -> Vec<u8> {
    let mut bytes = vec![0];
    for text in [name, value] {
        bytes.push(u8::try_from(text.len()).unwrap());
        bytes.extend(text.as_bytes());
    }
    bytes
}

pub(super) async fn read_frame(
    stream: &mut (impl AsyncRead + Unpin),
    connection: usize,
) -> Option<Frame> {
    let mut head = [0; 9];
    stream.read_exact(&mut head).await.ok()?;
    let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
    let mut payload = vec![0; length as usize];
    stream.read_exact(&mut payload).await.ok()?;
    Some(Frame {
        kind: head[3],
        flags: head[4],
        stream: u32::from_be_bytes([head[5], head[6], head[7], head[8]]),
        payload,
        connection,
    })
}
