//! What a client is told when there is nothing to serve.

use crate::access::Denial;
use crate::artifact::{Failure, Ground, InvalidHash, Outcome, SignatureFault};
use crate::caller::RepeatedAuthorization;
use crate::transfer::{Doubt, Received};
use crate::upstream::BadTarget;

/// Nothing to serve, and why; the router turns it into an answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProxyError {
    /// The path names no artifact.
    #[error(transparent)]
    InvalidHash(#[from] InvalidHash),
    /// The credential is ambiguous.
    #[error(transparent)]
    RepeatedAuthorization(#[from] RepeatedAuthorization),
    /// The path cannot be passed on safely.
    #[error(transparent)]
    BadTarget(#[from] BadTarget),
    /// The body is not what the route takes.
    #[error("{0}")]
    BadBody(&'static str),
    /// More header fields than an entry holds.
    #[error("the x-artifact-* header fields exceed 32 fields or 6 KiB")]
    TooManyFields,
    /// The body is larger than may be.
    #[error("the body is larger than {0} bytes")]
    TooLarge(u64),
    /// Not signed with the key that artifacts must be signed with here.
    #[error(transparent)]
    InvalidSignature(#[from] SignatureFault),
    /// The list here says no.
    #[error("{0}")]
    Denied(#[from] Denial),
    /// There is no such artifact here, and nowhere else to ask.
    #[error("there is no such artifact")]
    Absent,
    /// There is no such route here, and nowhere else to ask.
    #[error("there is no such route on a Larder without an upstream")]
    NoRoute,
    /// A read the upstream could not answer: a miss.
    #[error("{0}")]
    Unanswered(Failure),
    /// The same, where the operator wants to see it as the fault it is.
    #[error("{0}")]
    Unserved(Failure),
    /// An existence check the upstream could not answer: clients ask one by one then.
    #[error("{0}")]
    BatchUnanswered(Failure),
    /// An upload that did not reach the upstream.
    #[error("the upstream has not accepted this upload: {0}")]
    Undelivered(Failure),
    /// An upload that the upstream sends elsewhere, which old clients would take for stored.
    #[error("the upstream sends this upload elsewhere, and Larder does not follow")]
    Redirected,
    /// An upload that came too slowly.
    #[error("this upload did not come in time")]
    TooSlow,
    /// Another request that did not reach the upstream.
    #[error("{0}")]
    Unpassed(Failure),
    /// An upload that broke off.
    #[error("the upload broke off")]
    Cut,
    /// An upload there is no room to spool.
    #[error("there is no room here for this upload")]
    NoRoom,
}

impl ProxyError {
    /// Why an upload of which at most `limit` bytes may come has led to nothing.
    pub(super) fn of_received(received: &Received, limit: u64) -> Self {
        match received {
            Received::TooLarge => Self::TooLarge(limit),
            Received::Doubtful(Doubt::Signature(fault)) => Self::InvalidSignature(*fault),
            Received::Unwanted | Received::Doubtful(Doubt::Unreadable) => Self::NoRoom,
            Received::Cut | Received::Whole(_) => Self::Cut,
        }
    }

    /// How the request was answered.
    pub fn outcome(&self) -> Outcome {
        match self {
            Self::InvalidHash(_) => Outcome::Error("invalid_hash"),
            Self::RepeatedAuthorization(_)
            | Self::BadTarget(_)
            | Self::BadBody(_)
            | Self::TooManyFields => Outcome::Error("bad_request"),
            Self::TooLarge(_) => Outcome::Error("too_large"),
            Self::Denied(denial) => Outcome::Denied(denial.ground()),
            Self::InvalidSignature(_) => Outcome::Denied(Ground::InvalidSignature),
            Self::Absent => Outcome::Absent,
            Self::NoRoute => Outcome::Error("not_found"),
            Self::Unanswered(failure) | Self::Unserved(failure) => Outcome::Degraded(*failure),
            Self::BatchUnanswered(failure)
            | Self::Undelivered(failure)
            | Self::Unpassed(failure) => Outcome::Undelivered(*failure),
            Self::Redirected => Outcome::UploadRefused,
            Self::TooSlow => Outcome::Error("upload_too_slow"),
            Self::Cut => Outcome::Error("upload_cut"),
            Self::NoRoom => Outcome::Error("no_room"),
        }
    }
}
