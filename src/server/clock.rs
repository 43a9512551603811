//! One timer for one connection: says when its client has taken too long.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

use super::Limits;
use super::guard::Watch;
use super::phase::{Bound, Wait};
use crate::metrics::{Limit, Metrics};

/// How long a client may take to hang up after we did.
pub(super) const LINGER: Duration = Duration::from_secs(2);

/// How long a client may be below the least rate: as many bytes are asked of it in that time as the rate
/// comes to, and it may send or take them in as few pieces as it likes.
pub(super) const LAP: Duration = Duration::from_mins(1);

/// How long a handshake or a head that has begun may take once the process stops.
const HEAD_AT_STOP: Duration = Duration::from_secs(1);

/// The timer of one connection.
#[derive(Debug)]
pub(super) struct Clock {
    /// Shared: they are as large as all else that is known of a connection.
    limits: Arc<Limits>,
    watch: Watch,
    /// Who counts what its bounds do.
    cuts: Cuts,
    waiting: Option<Waiting>,
    paused: Option<Paused>,
    /// Armed at or before the deadline of what is waited for. Requests come far more often than
    /// deadlines: a timer that fires early and is set again costs less than one set per request.
    sleep: Option<Pin<Box<Sleep>>>,
}

/// A wait, and when it ends.
#[derive(Clone, Copy, Debug)]
struct Waiting {
    wait: Wait,
    /// None where the limit lies beyond the clock's range.
    deadline: Option<Instant>,
    /// The same for the rate.
    lap: Option<Instant>,
}

/// A wait on a lap, and since when it is none.
#[derive(Clone, Copy, Debug)]
struct Paused {
    waiting: Waiting,
    since: Instant,
}

/// Counts the clients that took too long; clones share it.
#[derive(Clone, Debug, Default)]
pub(super) struct Cuts(Option<Arc<Metrics>>);

// === impl Clock ===

impl Clock {
    /// Judges the connection that `watch` knows, and tells `cuts` of each client that took too long.
    pub(super) fn new(limits: Arc<Limits>, watch: Watch, cuts: Cuts) -> Self {
        Self {
            limits,
            watch,
            cuts,
            waiting: None,
            paused: None,
            sleep: None,
        }
    }

    /// The process stops: a handshake or a head that is not whole yet is hardly waited for.
    pub(super) fn hurry(&mut self) {
        let Limits {
            handshake_timeout,
            header_timeout,
            idle_timeout,
            ..
        } = Arc::make_mut(&mut self.limits);
        *handshake_timeout = (*handshake_timeout).min(HEAD_AT_STOP);
        *header_timeout = (*header_timeout).min(HEAD_AT_STOP);
        // HTTP/2 says farewell and waits to hear that it arrived.
        *idle_timeout = (*idle_timeout).min(LINGER);
        self.waiting = None;
    }

    /// Who counts what bounds do.
    pub(super) fn cuts(&self) -> &Cuts {
        &self.cuts
    }

    /// Whose time it keeps.
    pub(super) fn watch(&self) -> &Watch {
        &self.watch
    }

    /// Completes when the client has taken too long.
    ///
    /// It must be polled after the connection, in the same task: what the connection did is how it
    /// learns that a wait has begun.
    pub(super) async fn expired(&mut self) -> Bound {
        poll_fn(|cx| self.poll_expired(cx)).await
    }

    /// The same, for whoever polls by itself.
    pub(super) fn poll_expired(&mut self, cx: &mut Context<'_>) -> Poll<Bound> {
        let Some(wait) = self.watch.wait() else {
            self.pause();
            return Poll::Pending;
        };
        let Some((deadline, bound)) = self.waiting(wait, cx).end() else {
            return Poll::Pending;
        };
        let sleep = self
            .sleep
            .get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        loop {
            if deadline < sleep.deadline() {
                sleep.as_mut().reset(deadline);
            }
            ready!(sleep.as_mut().poll(cx));
            if sleep.deadline() >= deadline {
                self.cuts.count(bound);
                return Poll::Ready(bound);
            }
            sleep.as_mut().reset(deadline);
        }
    }

    /// Nothing is waited for: a lap goes on where it was, should the same be waited for again.
    fn pause(&mut self) {
        let Some(waiting) = self.waiting.take() else {
            return;
        };
        self.paused = waiting.lap.map(|_| Paused {
            waiting,
            since: Instant::now(),
        });
    }

    fn waiting(&mut self, wait: Wait, cx: &Context<'_>) -> Waiting {
        let before = self.waiting;
        if let Some(same) = before
            && same.wait == wait
        {
            return same;
        }
        let now = Instant::now();
        self.watch.waits(now, cx.waker());
        let paused = self.paused.take();
        let lap = before.or(paused.map(|paused| paused.waiting));
        let lap = lap.filter(|before| before.wait.is_in_lap_of(wait));
        let lap = lap.and_then(|before| before.lap).map(|lap| {
            let since = paused.map_or(now, |paused| paused.since);
            lap + now.saturating_duration_since(since)
        });
        let waiting = Waiting {
            wait,
            deadline: now.checked_add(self.limit(wait.bound)),
            lap: lap.or(wait.lap.and_then(|_| now.checked_add(LAP))),
        };
        *self.waiting.insert(waiting)
    }

    fn limit(&self, bound: Bound) -> Duration {
        match bound {
            Bound::Handshake => self.limits.handshake_timeout,
            Bound::Head => self.limits.header_timeout,
            Bound::Idle => self.limits.idle_timeout,
            Bound::Body => self.limits.body_timeout,
            Bound::Stall => self.limits.stall_timeout,
            Bound::Linger => LINGER,
            Bound::Rate => LAP,
            Bound::Crowd => Duration::ZERO,
        }
    }
}

// === impl Waiting ===

impl Waiting {
    /// When it ends, and for what.
    fn end(self) -> Option<(Instant, Bound)> {
        let deadline = self.deadline.map(|at| (at, self.wait.bound));
        let lap = self.lap.map(|at| (at, Bound::Rate));
        match (deadline, lap) {
            (Some(deadline), Some(lap)) if lap.0 < deadline.0 => Some(lap),
            (deadline, lap) => deadline.or(lap),
        }
    }
}

// === impl Cuts ===

impl Cuts {
    /// Counts in `metrics`, if given.
    pub(super) fn new(metrics: Option<Arc<Metrics>>) -> Self {
        Self(metrics)
    }

    /// A client was cut for this. One that was idle did nothing wrong, nor one that was asked to go.
    fn count(&self, bound: Bound) {
        let limit = match bound {
            Bound::Handshake | Bound::Head => Limit::HeadTime,
            Bound::Body => Limit::BodyTime,
            Bound::Stall => Limit::AnswerTime,
            Bound::Rate => Limit::Rate,
            Bound::Idle | Bound::Linger | Bound::Crowd => return,
        };
        self.note(limit);
    }

    /// Another bound held.
    pub(super) fn note(&self, limit: Limit) {
        if let Some(metrics) = &self.0 {
            metrics.limits.count(limit);
        }
    }
}
