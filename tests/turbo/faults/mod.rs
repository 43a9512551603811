//! What an upstream may do wrong, as a table, and a front that plays each row before the honest origin.

mod builds;
mod front;
mod play;
mod port;
mod request;
mod tls;

pub(crate) use front::Front;
pub(crate) use port::BlackHole;

use request::{Kind, Request};

/// A row: what is wrong, and with which requests.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Class {
    pub(crate) name: &'static str,
    pub(crate) hits: Hits,
    pub(crate) fault: Fault,
}

/// The requests that a fault hits; the others reach the origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hits {
    All,
    /// Artifacts asked for, by GET or HEAD.
    Reads,
    Uploads,
}

/// What happens instead of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Nobody listens.
    Refused,
    /// No connection is ever made, and nothing says so.
    BlackHole,
    UnknownHost,
    /// A certificate that nobody vouches for.
    UntrustedTls,
    /// The request is taken, and nothing follows.
    Silence,
    /// The request is taken whole, and answered like this.
    Status(u16),
    /// The same with `Retry-After: 2`.
    RetryLater(u16),
    /// Answered like this before the body is read.
    Early(u16),
    /// Bytes that are no HTTP.
    Garbage,
    /// The origin's answer, three seconds late.
    Late,
    /// The origin's head, and no body.
    Stall,
    /// The origin's answer up to the middle of its body.
    Cut,
    /// The origin's answer at 200 bytes a second.
    Drip,
    /// The connection is reset in the middle of the request's body.
    Reset,
}

#[rustfmt::skip]
pub(crate) const CLASSES: [Class; 19] = [
    Class::new("connection refused", Hits::All, Fault::Refused),
    Class::new("black hole: a connection is never answered", Hits::All, Fault::BlackHole),
    Class::new("host name unknown", Hits::All, Fault::UnknownHost),
    Class::new("certificate not trusted", Hits::All, Fault::UntrustedTls),
    Class::new("accepts and never answers", Hits::All, Fault::Silence),
    Class::new("500", Hits::All, Fault::Status(500)),
    Class::new("503 with `Retry-After: 2`", Hits::All, Fault::RetryLater(503)),
    Class::new("429 with `Retry-After: 2`", Hits::All, Fault::RetryLater(429)),
    Class::new("garbage instead of a head", Hits::All, Fault::Garbage),
    Class::new("every head 3 s late", Hits::All, Fault::Late),
    Class::new("reads: a head, then silence", Hits::Reads, Fault::Stall),
    Class::new("reads: body cut at half", Hits::Reads, Fault::Cut),
    Class::new("reads: body at 200 B/s", Hits::Reads, Fault::Drip),
    Class::new("uploads: 500", Hits::Uploads, Fault::Status(500)),
    Class::new("uploads: never answered", Hits::Uploads, Fault::Silence),
    Class::new("uploads: reset in the body", Hits::Uploads, Fault::Reset),
    Class::new("uploads: 413 before the body", Hits::Uploads, Fault::Early(413)),
    Class::new("uploads: 403 `forbidden`", Hits::Uploads, Fault::Status(403)),
    Class::new("uploads: 429 with `Retry-After: 2`", Hits::Uploads, Fault::RetryLater(429)),
];

// === impl Class ===

impl Class {
    const fn new(name: &'static str, hits: Hits, fault: Fault) -> Self {
        Self { name, hits, fault }
    }

    /// Uploads answered like this, and nothing else wrong.
    pub(crate) const fn uploads_answered(status: u16) -> Self {
        Self::new("uploads", Hits::Uploads, Fault::Status(status))
    }

    fn hits(&self, request: &Request) -> bool {
        match self.hits {
            Hits::All => true,
            Hits::Reads => request.kind() == Kind::Read,
            Hits::Uploads => request.kind() == Kind::Upload,
        }
    }
}
