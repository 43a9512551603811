//! What a case of frames consists of: what is sent on a connection of its own, and what comes of it.
//!
//! Values only. `{}` in a head stands for a mark that only this case has, so that all of them can be played
//! at once.

use super::wire::{END_HEADERS, END_STREAM, HEADERS, block, frame};
use crate::conformance::passed::Passed;

/// One dialogue.
#[derive(Clone, Debug)]
pub struct Case {
    /// What it shows, as a sentence.
    pub name: &'static str,
    /// Whether the connection begins as connections do.
    pub is_greeted: bool,
    pub steps: Vec<Step>,
    /// The requests that the origin sees of it.
    pub passed: Passed,
}

/// What happens next.
#[derive(Clone, Debug)]
pub enum Step {
    Send(Vec<u8>),
    /// An answer begins on a stream.
    Status(u32, u16),
    /// An answer is over.
    Ended(u32),
    /// A stream is reset, for one of these reasons.
    Reset(u32, Vec<u32>),
    /// A stream is reset as malformed, or answered with that status.
    ResetOr(u32, u16),
    /// A stream that is over is reset for that, or the connection is broken off.
    StreamClosed(u32),
    /// The connection is broken off, for one of these reasons.
    Broken(Vec<u32>),
    /// The connection ends, whatever is said before.
    Gone,
    /// A frame of that kind comes, with these flags.
    Comes(u8, u8),
    /// The connection takes another request, on that stream.
    Kept(u32),
}

/// The fields of a request that nothing is wrong with, for a path.
pub fn fields<'a>(method: &'a str, path: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![
        (":method", method),
        (":scheme", "http"),
        (":authority", "localhost"),
        (":path", path),
    ]
}

/// A path of which the origin tells.
pub const PATH: &str = "/v2/{}";

/// A request without a body.
pub fn get(stream: u32) -> Vec<u8> {
    head(stream, END_STREAM, &fields("GET", PATH))
}

/// The head of a request with one.
pub fn post(stream: u32) -> Vec<u8> {
    head(stream, 0, &fields("POST", PATH))
}

/// A head that is whole, in one frame.
pub fn head(stream: u32, flags: u8, fields: &[(&str, &str)]) -> Vec<u8> {
    frame(HEADERS, END_HEADERS | flags, stream, &block(fields))
}

/// A case that begins as connections do, with these bytes behind.
pub fn case(name: &'static str, sends: &[u8]) -> Case {
    let case = Case {
        name,
        is_greeted: true,
        steps: Vec::new(),
        passed: Passed::Nothing,
    };
    case.sends(sends)
}

/// One that begins with these.
pub fn raw(name: &'static str, sends: &[u8]) -> Case {
    Case {
        is_greeted: false,
        ..case(name, sends)
    }
}

/// A request with these fields behind its own.
pub fn with(name: &'static str, more: &[(&str, &str)]) -> Case {
    let all = [&fields("GET", PATH)[..], more].concat();
    case(name, &head(1, END_STREAM, &all))
}

impl Case {
    pub fn sends(self, bytes: &[u8]) -> Self {
        self.step(Step::Send(bytes.to_vec()))
    }

    pub fn answered(self, stream: u32, status: u16) -> Self {
        self.step(Step::Status(stream, status))
    }

    pub fn ended(self, stream: u32) -> Self {
        self.step(Step::Ended(stream))
    }

    /// The stream is reset, and the connection goes on.
    pub fn reset(self, stream: u32, codes: &[u32]) -> Self {
        self.step(Step::Reset(stream, codes.to_vec())).kept()
    }

    /// The same, and what becomes of the connection is another matter.
    pub fn step_reset(self, stream: u32, codes: &[u32]) -> Self {
        self.step(Step::Reset(stream, codes.to_vec()))
    }

    /// Is malformed, or answered so: either is a server's choice.
    pub fn reset_or(self, status: u16) -> Self {
        self.step(Step::ResetOr(1, status)).kept()
    }

    /// Belongs to no stream any more: that or the connection ends.
    pub fn stream_closed(self, stream: u32) -> Self {
        self.step(Step::StreamClosed(stream))
    }

    /// The connection is broken off.
    pub fn broken(self, codes: &[u32]) -> Self {
        self.step(Step::Broken(codes.to_vec()))
    }

    pub fn gone(self) -> Self {
        self.step(Step::Gone)
    }

    pub fn comes(self, kind: u8, flags: u8) -> Self {
        self.step(Step::Comes(kind, flags))
    }

    pub fn kept(self) -> Self {
        self.step(Step::Kept(1001))
    }

    pub fn passes(mut self, passed: Passed) -> Self {
        self.passed = passed;
        self
    }

    fn step(mut self, step: Step) -> Self {
        self.steps.push(step);
        self
    }
}
