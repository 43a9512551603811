//! Frames of HTTP/2 as bytes, and what a server says in them as far as the tests ask.
//!
//! Deliberately no HTTP library: what is tested is what is on the wire.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

pub const DATA: u8 = 0;
pub const HEADERS: u8 = 1;
pub const PRIORITY: u8 = 2;
pub const RST_STREAM: u8 = 3;
pub const SETTINGS: u8 = 4;
pub const PUSH_PROMISE: u8 = 5;
pub const PING: u8 = 6;
pub const GOAWAY: u8 = 7;
pub const WINDOW_UPDATE: u8 = 8;
pub const CONTINUATION: u8 = 9;

pub const END_STREAM: u8 = 1;
pub const ACK: u8 = 1;
pub const END_HEADERS: u8 = 4;
pub const PADDED: u8 = 8;
pub const WITH_PRIORITY: u8 = 32;

/// The codes of errors that are asked for here (RFC 9113 §7).
pub const NO_ERROR: u32 = 0;
pub const PROTOCOL_ERROR: u32 = 1;
pub const FLOW_CONTROL_ERROR: u32 = 3;
pub const STREAM_CLOSED: u32 = 5;
pub const FRAME_SIZE_ERROR: u32 = 6;
pub const REFUSED_STREAM: u32 = 7;
pub const COMPRESSION_ERROR: u32 = 9;
pub const ENHANCE_YOUR_CALM: u32 = 11;

/// A setting that forbids a table of fields that came before: heads can be read by themselves then.
const NO_TABLE: &[u8] = &[0, 1, 0, 0, 0, 0];

/// A connection that sends what it is told to.
#[derive(Debug)]
pub struct Line(TcpStream);

/// A frame as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    pub kind: u8,
    pub flags: u8,
    pub stream: u32,
    pub payload: Vec<u8>,
}

/// A frame as bytes.
pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("short").to_be_bytes();
    let mut frame = length[1..].to_vec();
    frame.extend_from_slice(&[kind, flags]);
    frame.extend_from_slice(&stream.to_be_bytes());
    frame.extend_from_slice(payload);
    frame
}

/// Fields as a block, none of them kept in a table.
pub fn block(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in fields {
        block.push(0);
        for text in [name, value] {
            push_length(&mut block, text.len());
            block.extend_from_slice(text.as_bytes());
        }
    }
    block
}

/// A length in seven bits, or in more (RFC 7541 §5.1).
fn push_length(block: &mut Vec<u8>, length: usize) {
    if length < 127 {
        block.push(u8::try_from(length).expect("short"));
        return;
    }
    block.push(127);
    let mut rest = length - 127;
    while rest >= 128 {
        block.push(u8::try_from(rest % 128).expect("seven bits") | 128);
        rest /= 128;
    }
    block.push(u8::try_from(rest).expect("seven bits"));
}

// === impl Line ===

impl Line {
    /// On which nothing was said.
    pub fn new(stream: TcpStream) -> Self {
        stream.set_nodelay(true).expect("an option");
        Self(stream)
    }

    /// Says what every client says first.
    pub async fn greet(&mut self) {
        let settings = frame(SETTINGS, 0, 0, NO_TABLE);
        self.send(&[PREFACE, &settings].concat()).await;
    }

    /// That nobody listens any more shows in what comes.
    pub async fn send(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).await.ok();
    }

    /// The next frame; nothing at the connection's end.
    pub async fn next(&mut self) -> Option<Frame> {
        let mut head = [0; 9];
        self.0.read_exact(&mut head).await.ok()?;
        let [high, middle, low, kind, flags, stream @ ..] = head;
        let length = u32::from_be_bytes([0, high, middle, low]);
        let mut payload = vec![0; usize::try_from(length).expect("short")];
        self.0.read_exact(&mut payload).await.ok()?;
        Some(Frame {
            kind,
            flags,
            stream: u32::from_be_bytes(stream) & 0x7fff_ffff,
            payload,
        })
    }
}

// === impl Frame ===

impl Frame {
    pub fn is(&self, kind: u8, stream: u32) -> bool {
        self.kind == kind && self.stream == stream
    }

    /// The code of a `RST_STREAM` or a `GOAWAY`.
    pub fn code(&self) -> u32 {
        let at = if self.kind == GOAWAY { 4 } else { 0 };
        let code = self.payload[at..at + 4].try_into().expect("four bytes");
        u32::from_be_bytes(code)
    }

    /// The status in `HEADERS`, where no table is kept: the first field of all.
    pub fn status(&self) -> u16 {
        let known = [200, 204, 206, 304, 400, 404, 500];
        // Behind a word on the table's size.
        let block: Vec<u8> = self
            .payload
            .iter()
            .copied()
            .skip_while(|byte| byte >> 5 == 1)
            .collect();
        match block[0] {
            index @ 0x88..=0x8e => known[usize::from(index - 0x88)],
            0x08 | 0x18 | 0x48 => {
                let (length, text) = (usize::from(block[1] & 127), &block[2..]);
                if block[1] < 128 {
                    let digits = String::from_utf8_lossy(&text[..length]);
                    return digits.parse().expect("a status");
                }
                digits(&text[..length])
            }
            other => panic!("no status first: {other:x}"),
        }
    }
}

/// Three digits in the code of RFC 7541, appendix B.
fn digits(text: &[u8]) -> u16 {
    let mut bits = text
        .iter()
        .flat_map(|byte| (0..8).rev().map(move |at| u16::from(byte >> at & 1)));
    let mut take = |number: usize| {
        bits.by_ref()
            .take(number)
            .fold(0, |code, bit| code * 2 + bit)
    };
    (0..3).fold(0, |status, _| {
        let digit = match take(5) {
            short @ 0..=2 => short,
            long => long * 2 + take(1) - 25 + 3,
        };
        status * 10 + digit
    })
}

#[test]
fn a_status_is_read_as_it_is_written() {
    for (written, status) in [
        (&[0x88][..], 200),
        (&[0x20, 0x8d], 404),
        (&[0x48, 3, b'4', b'0', b'1'], 401),
        // 413: 011010, 00001, 011001.
        (&[0x08, 0x83, 0b0110_1000, 0b0010_1100, 0b1111_1111], 413),
    ] {
        let frame = Frame {
            kind: HEADERS,
            flags: 0,
            stream: 1,
            payload: written.to_vec(),
        };
        assert_eq!(frame.status(), status);
    }
}
