//! Fetching an issuer's keys: at once, again before they are old, and when a token names a newer one.
//!
//! One task for each issuer, so that there is one fetch at a time, and whoever waits only watches. How
//! keys are fetched is not known here.

use std::sync::Arc;

use tokio::sync::{Notify, watch};
use tokio::time::{Duration, Instant, sleep};

use super::key_set::KeySet;
use super::keys::Ring;
use crate::metrics::Metrics;
use crate::tasks::Tasks;

/// When keys are fetched anew: with time to try again before they are an hour old, which is how long a
/// key that the issuer has withdrawn may still count.
const RENEW: Duration = Duration::from_mins(50);
/// The pause after a first failure; each further one doubles it.
const FIRST_RETRY: Duration = Duration::from_secs(1);
/// And the longest: an issuer that is back is noticed within a minute.
const LAST_RETRY: Duration = Duration::from_mins(1);

/// The one who fetches.
pub(super) struct Renewal {
    ring: watch::Sender<Ring>,
    wanted: Arc<Notify>,
    health: Health,
    retry: Duration,
}

/// Whether the keys of an issuer can be had, as the operator is told.
pub(super) struct Health {
    issuer: String,
    metrics: Arc<Metrics>,
    is_failing: bool,
}

// === impl Renewal ===

impl Renewal {
    pub(super) fn new(ring: watch::Sender<Ring>, wanted: Arc<Notify>, health: Health) -> Self {
        Self {
            ring,
            wanted,
            health,
            retry: FIRST_RETRY,
        }
    }

    /// Fetches until nobody holds the keys any more, or the process stops.
    pub(super) async fn run<F>(mut self, fetch: impl Fn() -> F + Send, tasks: Tasks)
    where
        F: Future<Output = Result<KeySet, String>> + Send,
    {
        let ring = self.ring.clone();
        tokio::select! {
            () = self.renew(fetch) => {}
            () = ring.closed() => {}
            () = tasks.stopping() => {}
        }
    }

    async fn renew<F>(&mut self, fetch: impl Fn() -> F)
    where
        F: Future<Output = Result<KeySet, String>>,
    {
        loop {
            self.ring.send_modify(|ring| ring.is_fetching = true);
            let pause = match fetch().await {
                Ok(set) => self.note_fetched(set),
                Err(cause) => self.note_failed(&cause),
            };
            tokio::select! {
                () = sleep(pause) => {}
                () = self.wanted.notified() => {}
            }
        }
    }

    /// Puts a set in the place of the last; returns the pause until the next is due.
    fn note_fetched(&mut self, set: KeySet) -> Duration {
        self.health.note_fetched();
        self.ring.send_modify(|ring| {
            if *ring.set != set {
                ring.set = Arc::new(set);
                ring.edition += 1;
            }
            ring.fetched = Some(Instant::now());
            ring.is_fetching = false;
            ring.fetches += 1;
        });
        self.retry = FIRST_RETRY;
        RENEW
    }

    /// Leaves what there is; returns the pause until it is tried again.
    fn note_failed(&mut self, cause: &str) -> Duration {
        self.health.note_failed(cause);
        self.ring.send_modify(|ring| {
            ring.is_fetching = false;
            ring.fetches += 1;
        });
        let pause = self.retry;
        self.retry = (pause * 2).min(LAST_RETRY);
        pause
    }
}

// === impl Health ===

impl Health {
    /// Nothing has failed yet.
    pub(super) fn new(issuer: &str, metrics: Arc<Metrics>) -> Self {
        Self {
            issuer: issuer.to_owned(),
            metrics,
            is_failing: false,
        }
    }

    fn note_fetched(&mut self) {
        if std::mem::take(&mut self.is_failing) {
            self.metrics.oidc_keys_stale.dec();
            let issuer = self.issuer.as_str();
            tracing::info!(issuer, "the keys of this issuer can be fetched again");
        }
    }

    fn note_failed(&mut self, cause: &str) {
        if !std::mem::replace(&mut self.is_failing, true) {
            self.metrics.oidc_keys_stale.inc();
            let issuer = self.issuer.as_str();
            tracing::warn!(
                issuer,
                cause,
                "the keys of this issuer cannot be fetched: those that are known count for a day after \
                 they were, without any its jobs are refused"
            );
        }
    }
}

impl Drop for Health {
    /// An issuer that is not asked any more does not fail any more.
    fn drop(&mut self) {
        if self.is_failing {
            self.metrics.oidc_keys_stale.dec();
        }
    }
}
