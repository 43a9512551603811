//! An exchange without an answer, and what it may have been but a fault of the upstream.

use tokio::time::Instant;

use super::places::Leaving;
use super::sending::Sending;
use super::wire::Wire;
use crate::artifact::Failure;

/// An exchange without an answer.
#[derive(Clone, Debug)]
pub(super) struct Broken {
    pub(super) failure: Failure,
    /// The same for people.
    pub(super) cause: String,
    /// The request's body had gone out whole.
    pub(super) sent_whole: bool,
    /// What else it may have been.
    pub(super) excuse: Excuse,
}

/// What a broken exchange may have been but a fault of the upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Excuse {
    /// It was nothing else.
    None,
    /// A slow line looks just like this.
    Slow,
    /// The origin had closed the pooled connection while it was idle: it has most likely seen nothing.
    Idle,
    /// The origin says that it did nothing about the request.
    Disavowed,
    /// The request's own body broke off: the origin has no part in it.
    Withdrawn,
    /// Another needed its place.
    Displaced,
    /// A proxy in between did not let it pass, for what it is shown: the origin has seen nothing, and will see
    /// no more of another one.
    Barred,
}

impl Broken {
    /// Nothing was sent, as far as is known.
    pub(super) fn new(failure: Failure, cause: String) -> Self {
        Self {
            failure,
            cause,
            sent_whole: false,
            excuse: Excuse::None,
        }
    }

    /// Nothing was heard in time.
    pub(super) fn silence() -> Self {
        Self {
            excuse: Excuse::Slow,
            ..Self::new(Failure::Timeout, "no answer in time".to_owned())
        }
    }

    /// An upload that left its place.
    pub(super) fn left(leaving: Leaving) -> Self {
        let (excuse, cause) = match leaving {
            Leaving::Displaced => (Excuse::Displaced, "its place was needed"),
            Leaving::Over => (Excuse::Withdrawn, "its body broke off"),
        };
        Self {
            excuse,
            ..Self::new(Failure::Cut, cause.to_owned())
        }
    }

    /// Adds what the connection knows, and ends the exchange there.
    pub(super) fn on(self, wire: Option<&Wire>, sending: &Sending, begun: Instant) -> Self {
        let Some(wire) = wire else {
            return self;
        };
        let is_broken = self.failure == Failure::Cut && self.excuse == Excuse::None;
        let is_stale = is_broken && wire.is_stale(begun);
        // The client closes a connection whose answer nobody wants, but not one that is stuck
        // writing. A stream among others it does reset.
        // Either way no byte goes out from here on that would make the body whole.
        if wire.is_shared() {
            sending.abandon(wire);
        } else {
            wire.sever();
        }
        Self {
            // What the origin did nothing about it cannot hold.
            sent_whole: sending.is_whole()
                && !matches!(self.excuse, Excuse::Disavowed | Excuse::Barred),
            excuse: if is_stale { Excuse::Idle } else { self.excuse },
            ..self
        }
    }
}
