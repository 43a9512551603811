//! What a case consists of: a dialogue on one connection, and what is left of it behind Larder.
//!
//! Values only. `{}` in what is sent or expected stands for a mark that only this case has, so that all of
//! them can be played at once.

use super::passed::Passed;

/// How the head of an upload begins that nothing is wrong with.
const UPLOAD: &[u8] = b"PUT /v8/artifacts/{}?slug=acme HTTP/1.1\r\nhost: localhost\r\n";
/// How the head of a read begins that nothing is wrong with.
const READ: &[u8] = b"GET /v8/artifacts/{}?slug=acme HTTP/1.1\r\nhost: localhost\r\n";

/// One dialogue.
#[derive(Clone, Debug)]
pub struct Case {
    /// What it shows, as a sentence.
    pub name: &'static str,
    pub steps: Vec<Step>,
    /// The requests that the origin sees of it.
    pub passed: Passed,
    /// The artifact that rests under its mark afterwards.
    pub leaves: Option<&'static [u8]>,
    pub place: Place,
    /// What the origin answers to the one request that it sees, as it is.
    pub origin_says: Option<&'static [u8]>,
    /// And closes the connection behind it.
    pub origin_closes: bool,
}

/// Where a case is played.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    Anywhere,
    Before,
    Alone,
}

/// What happens next.
#[derive(Clone, Debug)]
pub enum Step {
    Send(Vec<u8>),
    /// An interim answer comes.
    Interim(u16),
    /// An answer comes, before an origin and alone.
    Answer(Answer, Answer),
    /// The client says that it sends no more.
    HalfClose,
    /// Nothing more comes, and the connection is closed.
    Closed,
    /// The connection takes another request.
    Kept,
    /// One of the two, as the answer says.
    KeptIfSoSaid,
}

/// An answer.
#[derive(Clone, Copy, Debug)]
pub enum Answer {
    /// Made below Larder: it has no body.
    Bare(u16),
    /// An error of Larder's own, with its code.
    Error(u16, &'static str),
    /// One with this status, whatever else it says.
    Status(u16),
    /// The same, in answer to a `HEAD`.
    Bodiless(u16),
    /// One with this body.
    Body(u16, &'static [u8]),
}

pub use Answer::{Bare, Bodiless, Body, Error, Status};

/// A case that begins with these bytes.
pub fn case(name: &'static str, sends: &[u8]) -> Case {
    Case {
        name,
        steps: Vec::new(),
        passed: Passed::Nothing,
        leaves: None,
        place: Place::Anywhere,
        origin_says: None,
        origin_closes: false,
    }
    .sends(sends)
}

/// An upload with these lines in its head.
pub fn upload(name: &'static str, lines: &[u8], body: &[u8]) -> Case {
    case(name, &[UPLOAD, lines, b"\r\n", body].concat())
}

/// A read with these lines in its head.
pub fn read(name: &'static str, lines: &[u8]) -> Case {
    case(name, &[READ, lines, b"\r\n"].concat())
}

/// What is known, asked for with these lines.
pub fn known(method: &str, version: &str, lines: &str) -> Vec<u8> {
    format!(
        "{method} /v8/artifacts/known?slug=acme HTTP/{version}\r\nhost: localhost\r\n{lines}\r\n"
    )
    .into_bytes()
}

impl Case {
    pub fn sends(self, bytes: &[u8]) -> Self {
        self.step(Step::Send(bytes.to_vec()))
    }

    pub fn interim(self, status: u16) -> Self {
        self.step(Step::Interim(status))
    }

    pub fn gets(self, answer: Answer) -> Self {
        self.step(Step::Answer(answer, answer))
    }

    /// Gets one answer where there is an origin, another where there is none.
    pub fn gets_each(self, before: Answer, alone: Answer) -> Self {
        self.step(Step::Answer(before, alone))
    }

    pub fn half_closes(self) -> Self {
        self.step(Step::HalfClose)
    }

    pub fn closed(self) -> Self {
        self.step(Step::Closed)
    }

    pub fn kept(self) -> Self {
        self.step(Step::Kept)
    }

    pub fn kept_if_so_said(self) -> Self {
        self.step(Step::KeptIfSoSaid)
    }

    /// Is answered below Larder, and the last on its connection.
    pub fn refused_below(self, status: u16) -> Self {
        self.gets(Bare(status)).closed()
    }

    /// Is answered by Larder, and the last on its connection.
    pub fn refused(self, status: u16, code: &'static str) -> Self {
        self.gets(Error(status, code)).closed()
    }

    pub fn passes(mut self, passed: Passed) -> Self {
        self.passed = passed;
        self
    }

    pub fn leaves(mut self, body: &'static [u8]) -> Self {
        self.leaves = Some(body);
        self
    }

    pub fn only(mut self, place: Place) -> Self {
        self.place = place;
        self
    }

    /// Is about what the origin says.
    pub fn origin_says(mut self, bytes: &'static [u8]) -> Self {
        self.origin_says = Some(bytes);
        self.only(Place::Before)
    }

    pub fn origin_closes(mut self) -> Self {
        self.origin_closes = true;
        self
    }

    fn step(mut self, step: Step) -> Self {
        self.steps.push(step);
        self
    }
}
