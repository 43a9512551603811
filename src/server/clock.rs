//! One timer for one connection: says when its client has taken too long.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

use super::Limits;
use super::guard::Watch;
use super::phase::{Bound, Wait};

/// How long a client may take to hang up after we did.
pub(super) const LINGER: Duration = Duration::from_secs(2);

/// How long a handshake or a head that has begun may take once the process stops.
const HEAD_AT_STOP: Duration = Duration::from_secs(1);

/// The timer of one connection.
#[derive(Debug)]
pub(super) struct Clock {
    limits: Limits,
    watch: Watch,
    waiting: Option<(Wait, Option<Instant>)>,
    /// Armed at or before the deadline of what is waited for. Requests come far more often than
    /// deadlines: a timer that fires early and is set again costs less than one set per request.
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Clock {
    /// Judges the connection that `watch` knows.
    pub(super) fn new(limits: Limits, watch: Watch) -> Self {
        Self {
            limits,
            watch,
            waiting: None,
            sleep: None,
        }
    }

    /// The process stops: a handshake or a head that is not whole yet is hardly waited for.
    pub(super) fn hurry(&mut self) {
        self.limits.handshake_timeout = self.limits.handshake_timeout.min(HEAD_AT_STOP);
        self.limits.header_timeout = self.limits.header_timeout.min(HEAD_AT_STOP);
        self.waiting = None;
    }

    /// Completes when the client has taken too long.
    ///
    /// It must be polled after the connection, in the same task: what the connection did is how it
    /// learns that a wait has begun.
    pub(super) async fn expired(&mut self) -> Bound {
        poll_fn(|cx| self.poll_expired(cx)).await
    }

    fn poll_expired(&mut self, cx: &mut Context<'_>) -> Poll<Bound> {
        let Some(wait) = self.watch.wait() else {
            self.waiting = None;
            return Poll::Pending;
        };
        let Some(deadline) = self.deadline(wait) else {
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
                return Poll::Ready(wait.bound);
            }
            sleep.as_mut().reset(deadline);
        }
    }

    /// The end of `wait`; none where the limit lies beyond the clock's range.
    fn deadline(&mut self, wait: Wait) -> Option<Instant> {
        if let Some((same, deadline)) = self.waiting
            && same == wait
        {
            return deadline;
        }
        let deadline = Instant::now().checked_add(self.limit(wait.bound));
        self.waiting = Some((wait, deadline));
        deadline
    }

    fn limit(&self, bound: Bound) -> Duration {
        match bound {
            Bound::Handshake => self.limits.handshake_timeout,
            Bound::Head => self.limits.header_timeout,
            Bound::Idle => self.limits.idle_timeout,
            Bound::Body => self.limits.body_idle,
            Bound::Stall => self.limits.write_stall,
            Bound::Linger => LINGER,
        }
    }
}
