//! A cell of the table: an artifact of its own, and what the origin does with it.

use std::fmt;

use super::axes::{Asker, Fault, Place, Protocol};
use super::rule;
use crate::support::{Request, Script, artifact, bytes, script};

/// An artifact as it is fetched, and an upload that any buffer would take.
const SMALL: usize = 40_000;
/// What is left of an upload when the origin fails: more than Larder's HTTP client and the system
/// (4 MiB of `tcp_wmem`) take ahead of an origin that does not read.
const UNREAD: usize = 6 * 1024 * 1024;
/// What large uploads repeat, for bytes are slow to make. No buffer's length: one part is not to look
/// like another.
const PIECE: usize = 65_521;
/// What is there of an upload's key before.
const OLDER: usize = 3000;
/// By how much a length is a lie.
pub const LIE: usize = 10;
/// Nothing that an answer could begin with, nor the size of a chunk.
const GARBAGE: &[u8] = b"220 mail.example ESMTP\r\n\r\n";
/// A fatal alert, `handshake_failure`.
const ALERT: &[u8] = &[21, 3, 3, 0, 2, 2, 40];
/// `GOAWAY`, the last stream being none, for no error.
const GOAWAY: &[u8] = &[0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
/// What an origin says of an upload that it has taken.
pub const TAKEN: &[u8] = br#"{"urls":["acme/here"]}"#;

/// One cell of the table, with a hash of its own.
#[derive(Clone, Copy, Debug)]
pub struct Cell {
    pub protocol: Protocol,
    pub place: Place,
    pub fault: Fault,
    pub asker: Asker,
    number: usize,
}

// === impl Cell ===

impl Cell {
    /// Every cell of a protocol's part of the table, those without sense too.
    pub fn product(protocol: Protocol) -> Vec<Self> {
        let mut all = Vec::new();
        for place in Place::ALL {
            for fault in Fault::ALL {
                for asker in Asker::ALL {
                    let number = all.len();
                    all.push(Self {
                        protocol,
                        place,
                        fault,
                        asker,
                        number,
                    });
                }
            }
        }
        all
    }

    /// Every cell that can be played.
    pub fn all(protocol: Protocol) -> Vec<Self> {
        let mut all = Self::product(protocol);
        all.retain(|cell| rule::senseless(cell).is_none());
        all
    }

    pub fn hash(&self) -> String {
        format!("cell{}", self.number)
    }

    /// Where the origin waits before it fails.
    pub fn gate(&self) -> String {
        format!("gate{}", self.number)
    }

    /// What is fetched, or uploaded.
    pub fn body(&self) -> Vec<u8> {
        let piece = bytes(self.seed(), PIECE.min(self.length()));
        let mut body = piece.repeat(self.length().div_ceil(piece.len()));
        body.truncate(self.length());
        body
    }

    pub fn length(&self) -> usize {
        match self.place {
            // One that has been sent whole before the fault may be at the origin.
            Place::Connect if self.asker.is_upload() => UNREAD,
            Place::Body(quarters) if self.asker.is_upload() => UNREAD / (4 - quarters) * 4,
            _ => SMALL,
        }
    }

    /// What is here of the key before.
    pub fn older(&self) -> Vec<u8> {
        bytes(self.seed() + 1, OLDER)
    }

    /// How many bytes of the body pass before the fault.
    pub fn passed(&self) -> usize {
        let length = self.length();
        match self.place {
            Place::Connect | Place::Handshake | Place::Head => 0,
            Place::Body(quarters) => length * quarters / 4,
            Place::End => length,
        }
    }

    /// The question.
    pub fn request(&self) -> Request {
        let request = Request::new(self.asker.method(), &artifact(&self.hash()));
        match self.asker {
            Asker::Put => request.body(&self.body()),
            Asker::PutChunked => request.body(&self.body()).chunked(),
            _ => request,
        }
    }

    /// Whether the origin never hears of the question.
    pub fn is_unheard(&self) -> bool {
        self.place == Place::Connect && matches!(self.fault, Fault::Refuse | Fault::Stall)
    }

    /// Whether somebody reads an answer that has begun before the origin fails.
    pub fn is_begun(&self) -> bool {
        self.asker.fetches() && matches!(self.place, Place::Body(_) | Place::End)
    }

    /// What the origin does with the question, or with the connection before any.
    pub fn script(&self) -> Script {
        match (self.place, self.asker.is_upload()) {
            (Place::Connect | Place::Handshake | Place::Head, _) => {
                self.fail(script().hold(&self.gate()))
            }
            (Place::Body(_), true) => self.fail(script().after(self.passed())),
            (Place::End, true) => self.answer_to_upload(),
            (Place::Body(_) | Place::End, false) => self.artifact(),
        }
    }

    /// The artifact's head, what passes of its body, and the fault.
    fn artifact(&self) -> Script {
        let (body, passed) = (self.body(), self.passed());
        let head = script().head(200);
        match (self.fault, self.place) {
            (Fault::TooLong | Fault::TooShort, _) => {
                let (first, second) = body.split_at(self.before_gate());
                let head = head.length(self.said(body.len())).chunk(first);
                head.hold(&self.gate()).chunk(second)
            }
            // Only between chunks are bytes not just an artifact's, and its end not said by its length.
            (Fault::Garbage, _) | (_, Place::End) => {
                let head = head.chunked().chunk(&body[..passed]);
                self.fail(head.hold(&self.gate()))
            }
            _ => {
                let head = head.length(body.len()).chunk(&body[..passed]);
                self.fail(head.hold(&self.gate()))
            }
        }
    }

    /// How much of an artifact is sent before the origin waits.
    pub fn before_gate(&self) -> usize {
        if self.fault.is_lie() {
            self.passed() / 2
        } else {
            self.passed()
        }
    }

    fn answer_to_upload(&self) -> Script {
        let head = script()
            .head(202)
            .header("content-type", "application/json");
        match self.fault {
            Fault::TooLong | Fault::TooShort => head.length(self.said(TAKEN.len())).chunk(TAKEN),
            _ => self.fail(head.chunked().chunk(TAKEN)),
        }
    }

    /// What is said of a length.
    pub fn said(&self, length: usize) -> usize {
        match self.fault {
            Fault::TooLong => length + LIE,
            Fault::TooShort => length - LIE,
            _ => length,
        }
    }

    fn fail(&self, script: Script) -> Script {
        match self.fault {
            Fault::Refuse if self.place == Place::Handshake => script.loose(ALERT).cut(),
            Fault::Refuse => script.refuse(),
            Fault::GoAway => script.loose(GOAWAY).cut(),
            Fault::Stall => script.stall(),
            Fault::Reset => script.reset(),
            // A close behind unread bytes could take the garbage along.
            Fault::Garbage => script.loose(GARBAGE).stall(),
            Fault::Close => script.cut(),
            Fault::TooLong | Fault::TooShort => panic!("a lie comes with a head"),
        }
    }

    fn seed(&self) -> u64 {
        self.number as u64 * 2
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            protocol,
            place,
            fault,
            asker,
            ..
        } = self;
        write!(f, "{protocol:?} × {place:?} × {fault:?} × {asker:?}")
    }
}
