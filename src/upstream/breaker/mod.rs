//! When an upstream that fails is left alone, and when it is tried again: the rule alone, told the
//! time and what happened by others.

mod recent;
#[cfg(test)]
mod tests;

use std::time::Duration;

use tokio::time::Instant;

use self::recent::Recent;
use crate::artifact::Failure;
use crate::config;

/// How long others wait for word of the one that tries: a line of 300 ms needs this for a new
/// connection with TLS, and a server that is well again answers sooner.
pub(super) const TRY_WAIT: Duration = Duration::from_secs(1);

/// How long one that tries may take before another one does: a slow upload must not keep the rest out.
const LONGEST_TRY: Duration = Duration::from_secs(15);

/// Leaves one kind of requests alone while the upstream fails them.
#[derive(Debug)]
pub(super) struct Breaker {
    rule: config::Breaker,
    state: State,
    recent: Recent,
}

/// Whether a request may go out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Admission {
    /// It may.
    Go,
    /// It may, alone: what becomes of it decides for all. After this failure.
    Try(Failure),
    /// Another one tries just now: there may be word of it until then.
    Wait(Instant),
    /// It may not: this is what comes of it.
    No(Failure),
}

/// A failure, as far as it counts here.
#[derive(Clone, Copy, Debug)]
pub(super) struct Strike {
    /// What failed.
    pub(super) failure: Failure,
    /// The artifact it failed for; none where no connection to the upstream was to be had.
    pub(super) key: Option<u64>,
    /// How long the server asks to be left alone.
    pub(super) rest: Option<Duration>,
}

/// What changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// The upstream is left alone from now on.
    Opened(Failure),
    /// It no longer is.
    Closed,
}

#[derive(Debug)]
enum State {
    /// Requests go out.
    Closed(Run),
    /// None does until then.
    Open {
        why: Reason,
        since: Instant,
        until: Instant,
    },
    /// One does.
    Trying { why: Reason, since: Instant },
}

/// What opened it, or kept it open.
#[derive(Clone, Copy, Debug)]
struct Reason {
    failure: Failure,
    /// There was no connection to the upstream.
    is_way: bool,
}

/// Failures in a row.
#[derive(Debug, Default)]
struct Run {
    failures: usize,
    key: Option<u64>,
    /// They are about more than one artifact.
    is_general: bool,
}

// === impl Breaker ===

impl Breaker {
    pub(super) fn new(rule: config::Breaker) -> Self {
        Self {
            rule,
            state: State::Closed(Run::default()),
            recent: Recent::new(),
        }
    }

    pub(super) fn is_closed(&self) -> bool {
        self.why().is_none()
    }

    /// What failed, while the upstream is left alone.
    pub(super) fn why(&self) -> Option<Failure> {
        match self.state {
            State::Closed(_) => None,
            State::Open { why, .. } | State::Trying { why, .. } => Some(why.failure),
        }
    }

    /// Whether a request may go out. Whoever is told to try says what became of it.
    pub(super) fn admit(&mut self, now: Instant) -> Admission {
        match self.state {
            State::Closed(_) => Admission::Go,
            State::Open { why, until, .. } if now >= until => {
                self.state = State::Trying { why, since: now };
                Admission::Try(why.failure)
            }
            State::Trying { since, .. } if now < since + TRY_WAIT => {
                Admission::Wait(since + TRY_WAIT)
            }
            State::Trying { why, since } if now >= since + LONGEST_TRY => {
                self.state = State::Trying { why, since: now };
                Admission::Try(why.failure)
            }
            State::Open { why, .. } | State::Trying { why, .. } => Admission::No(why.failure),
        }
    }

    /// A request was answered, whoever sent it: the upstream lives.
    pub(super) fn succeeded(&mut self, now: Instant) -> Option<Change> {
        self.recent.note(now, false);
        self.close()
    }

    /// A connection was made at that time. It ends what nothing but the want of one has begun.
    pub(super) fn connected(&mut self, at: Instant) -> Option<Change> {
        match self.state {
            State::Open { why, since, .. } | State::Trying { why, since }
                if why.is_way && at > since =>
            {
                self.close()
            }
            _ => None,
        }
    }

    /// A request failed; `tried` where it was the one to try. Of others, nothing is learnt while the
    /// upstream is left alone: they began before.
    pub(super) fn failed(&mut self, now: Instant, strike: Strike, tried: bool) -> Option<Change> {
        match &mut self.state {
            State::Trying { .. } if tried => {
                self.open(now, strike);
                None
            }
            State::Open { .. } | State::Trying { .. } => None,
            State::Closed(run) => {
                run.count(strike);
                let is_long = run.is_long(self.rule.failures);
                self.recent.note(now, true);
                let is_bad = is_long || strike.rest.is_some() || self.recent.is_bad(now);
                (is_bad && self.rule.failures > 0).then(|| {
                    self.open(now, strike);
                    Change::Opened(strike.failure)
                })
            }
        }
    }

    /// Whoever was to try went away without a result: the next one tries.
    pub(super) fn gave_up(&mut self, now: Instant) {
        if let State::Trying { why, since } = self.state {
            self.state = State::Open {
                why,
                since,
                until: now,
            };
        }
    }

    fn open(&mut self, now: Instant, strike: Strike) {
        let pause = self.rule.cooldown.max(strike.rest.unwrap_or_default());
        self.state = State::Open {
            why: Reason {
                failure: strike.failure,
                is_way: strike.key.is_none(),
            },
            since: now,
            until: now + pause,
        };
    }

    fn close(&mut self) -> Option<Change> {
        let was_closed = self.is_closed();
        self.state = State::Closed(Run::default());
        if was_closed {
            return None;
        }
        self.recent = Recent::new();
        Some(Change::Closed)
    }
}

// === impl Run ===

impl Run {
    fn count(&mut self, strike: Strike) {
        self.failures = self.failures.saturating_add(1);
        match (self.key, strike.key) {
            (_, None) => self.is_general = true,
            (Some(before), Some(key)) if before != key => self.is_general = true,
            (before, key) => self.key = before.or(key),
        }
    }

    /// One artifact that always fails is that artifact's affair, unless the first failure is to count.
    fn is_long(&self, bound: usize) -> bool {
        self.failures >= bound && (self.is_general || bound == 1)
    }
}
