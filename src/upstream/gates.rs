//! The way to the upstream, open or shut for each kind of request: where breakers learn what became
//! of requests, and where requests learn that they are spared.

use std::fmt;
use std::pin::pin;
use std::sync::Arc;

use parking_lot::Mutex;
use serde::Serialize;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

use super::breaker::{Admission, Breaker, Change, Strike, TRY_WAIT};
use super::passage::Passage;
use super::pulse::Pulse;
use super::setback::Setback;
use crate::artifact::Failure;
use crate::config;
use crate::metrics::Gauge;
use crate::seldom::Seldom;

/// Kinds of requests that fail for reasons of their own: storage may be full, and reading go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Class {
    /// `GET` and `HEAD` of artifacts.
    Reads,
    /// `PUT` of artifacts.
    Uploads,
    /// Everything else.
    Others,
}

/// Which kinds of requests the upstream is not asked for, because it keeps failing them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Breakers {
    /// `GET` and `HEAD` of artifacts.
    pub reads: bool,
    /// `PUT` of artifacts.
    pub uploads: bool,
    /// Everything else.
    pub others: bool,
}

/// A breaker for each class.
pub(super) struct Gates {
    breakers: Mutex<[Breaker; 3]>,
    /// Something changed for those who wait.
    word: Notify,
    pulse: Pulse,
    said: Seldom<(Class, bool)>,
    open: Gauge,
}

// === impl Class ===

impl Class {
    const ALL: [Self; 3] = [Self::Reads, Self::Uploads, Self::Others];

    fn as_str(self) -> &'static str {
        match self {
            Self::Reads => "reads",
            Self::Uploads => "uploads",
            Self::Others => "other requests",
        }
    }
}

// === impl Gates ===

impl Gates {
    /// `open` is 1 while any class is left alone.
    pub(super) fn new(rule: config::Breaker, open: Gauge) -> Self {
        Self {
            breakers: Mutex::new(Class::ALL.map(|_| Breaker::new(rule))),
            word: Notify::new(),
            pulse: Pulse::new(),
            said: Seldom::default(),
            open,
        }
    }

    /// Lets a request about `key` through, or says what would come of it. Waits a moment at most, for
    /// word of one that tries.
    pub(super) async fn enter(
        self: &Arc<Self>,
        class: Class,
        key: u64,
    ) -> Result<Passage, Setback> {
        let patience = Instant::now() + TRY_WAIT;
        loop {
            let mut word = pin!(self.word.notified());
            word.as_mut().enable();
            let now = Instant::now();
            let (admission, why) = self.with(class, |breaker| {
                let why = breaker.why();
                (breaker.admit(now), why)
            });
            let tries = match (admission, why) {
                (Admission::Go, _) => None,
                (Admission::Try(why), _) => Some(why),
                // Those who try one after the other leave without a word.
                (Admission::Wait(_), Some(why)) if now >= patience => {
                    return Err(Setback::spared(why));
                }
                (Admission::No(failure), _) => return Err(Setback::spared(failure)),
                (Admission::Wait(until), _) => {
                    // Whichever it was, the breaker knows.
                    drop(timeout_at(until.min(patience), word).await);
                    continue;
                }
            };
            return Ok(Passage::new(Arc::clone(self), class, key, tries));
        }
    }

    /// A request that goes on was not answered for longer than it should be.
    pub(super) fn silence(self: &Arc<Self>, class: Class, key: u64) {
        let silence = Setback::upstream(Failure::Timeout);
        Passage::new(Arc::clone(self), class, key, None).failed(silence);
    }

    /// Completes when a class is left alone, with what failed.
    pub(super) async fn until_shut(&self, class: Class) -> Failure {
        loop {
            let mut word = pin!(self.word.notified());
            word.as_mut().enable();
            if let Some(failure) = self.with(class, |breaker| breaker.why()) {
                return failure;
            }
            word.await;
        }
    }

    /// Bytes of an artifact came, or were taken.
    pub(super) fn delivered(&self, now: Instant) {
        self.pulse.delivered(now);
    }

    /// Whether any came lately: then the line lives.
    pub(super) fn is_felt(&self) -> bool {
        self.pulse.is_felt(Instant::now())
    }

    /// A connection was made.
    pub(super) fn connected(&self) {
        let now = Instant::now();
        self.change(Class::ALL, |_, breaker| breaker.connected(now));
    }

    /// One of a class was answered.
    pub(super) fn succeeded(&self, class: Class) {
        let now = Instant::now();
        self.change([class], |_, breaker| breaker.succeeded(now));
    }

    /// One led to nothing.
    pub(super) fn failed(&self, passage: &Passage, setback: Setback) {
        let now = Instant::now();
        let is_dead = setback.failure == Failure::Unreachable && !setback.is_foreign;
        let strike = Strike {
            failure: setback.failure,
            key: (!is_dead).then_some(passage.key()),
            rest: setback.rest,
        };
        let struck = Class::ALL.into_iter().filter(|class| {
            // The way is the same for all.
            *class == passage.class() || is_dead
        });
        self.change(struck, |class, breaker| {
            let tried = class == passage.class() && passage.tries().is_some();
            breaker.failed(now, strike, tried)
        });
        self.word.notify_waiters();
    }

    /// The one to try left without a result.
    pub(super) fn gave_up(&self, class: Class) {
        self.with(class, |breaker| breaker.gave_up(Instant::now()));
        self.word.notify_waiters();
    }

    /// Which classes are left alone.
    pub(super) fn open(&self) -> Breakers {
        let [reads, uploads, others] = &*self.breakers.lock();
        Breakers {
            reads: !reads.is_closed(),
            uploads: !uploads.is_closed(),
            others: !others.is_closed(),
        }
    }

    fn with<T>(&self, class: Class, look: impl FnOnce(&mut Breaker) -> T) -> T {
        let [reads, uploads, others] = &mut *self.breakers.lock();
        look(match class {
            Class::Reads => reads,
            Class::Uploads => uploads,
            Class::Others => others,
        })
    }

    /// Lets breakers learn something, and makes known what that changed.
    fn change(
        &self,
        classes: impl IntoIterator<Item = Class>,
        learn: impl Fn(Class, &mut Breaker) -> Option<Change>,
    ) {
        let changed: Vec<_> = classes
            .into_iter()
            .filter_map(|class| Some((class, self.with(class, |breaker| learn(class, breaker))?)))
            .collect();
        let Some((first, change)) = changed.first() else {
            return;
        };
        {
            let breakers = self.breakers.lock();
            let is_open = !breakers.iter().all(Breaker::is_closed);
            self.open.set(i64::from(is_open));
        }
        self.word.notify_waiters();
        if self.said.is_due((*first, *change == Change::Closed)) {
            let named: Vec<_> = changed.iter().map(|(class, _)| class.as_str()).collect();
            say(&named.join(", "), *change);
        }
    }
}

fn say(requests: &str, change: Change) {
    match change {
        Change::Opened(failure) => tracing::warn!(
            requests,
            failure = failure.as_str(),
            "the upstream keeps failing and is left alone, but for one request now and then"
        ),
        Change::Closed => tracing::info!(requests, "the upstream answers again"),
    }
}

impl fmt::Debug for Gates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gates").finish_non_exhaustive()
    }
}

#[cfg(test)]
#[path = "gates_tests.rs"]
mod tests;
