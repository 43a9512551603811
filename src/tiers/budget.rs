//! The memory that bodies on their way may take, all together. Whoever holds bytes says so; once there are
//! too many of them, everybody makes do with less, and what can wait on the disk does.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use tokio::sync::Notify;

use crate::metrics::{Limit, Metrics};

/// What bodies hold at least where everybody makes do with 64 KiB, of as many connections as there may be unless
/// somebody says otherwise. In HTTP/2 a connection may have a hundred: they could hold any amount.
const LEAST_OF_ALL: u64 = 4096 * 64 * 1024;

/// The part of what is left that one body may take.
const SHARE: u64 = 16;

/// What bodies on their way hold, and may hold; clones share it.
#[derive(Clone, Debug)]
pub struct Budget(Arc<State>);

#[derive(Debug)]
struct State {
    most: u64,
    held: AtomicU64,
    /// Told when there is less than too much.
    less: Notify,
    metrics: Arc<Metrics>,
}

/// Bytes that are held, until this is dropped.
#[derive(Debug)]
pub struct Held {
    budget: Budget,
    bytes: u64,
}

/// The owner of bytes that are held until they are read.
struct Carried {
    bytes: Bytes,
    _held: Held,
}

// === impl Budget ===

impl Budget {
    /// Of `most` bytes.
    pub fn new(most: u64, metrics: Arc<Metrics>) -> Self {
        Self(Arc::new(State {
            most,
            held: AtomicU64::new(0),
            less: Notify::new(),
            metrics,
        }))
    }

    /// Bytes held now.
    pub fn held(&self) -> u64 {
        self.0.held.load(Ordering::Relaxed)
    }

    /// Brings the gauge up to date.
    pub(super) fn report(&self) {
        let held = i64::try_from(self.held()).unwrap_or(i64::MAX);
        self.0.metrics.in_flight_bytes.set(held);
    }

    /// Whether no more should be held than cannot be done without.
    pub fn is_spent(&self) -> bool {
        self.held() >= self.0.most
    }

    /// The same, where somebody does with less for it.
    pub fn makes_do(&self) -> bool {
        let is_spent = self.is_spent();
        if is_spent {
            self.0.metrics.limits.count(Limit::Memory);
        }
        is_spent
    }

    /// Waits until bodies hold less than there is for the least of so many as may be connected, beside what they
    /// may. For whoever holds nothing and is about to: those that are waited for are cut in time if they
    /// take nothing.
    pub async fn less(&self) {
        loop {
            let told = self.0.less.notified();
            if self.held() < self.ceiling() {
                return;
            }
            told.await;
        }
    }

    fn ceiling(&self) -> u64 {
        self.0.most.saturating_add(LEAST_OF_ALL)
    }

    fn give_back(&self, bytes: u64) {
        let before = self.0.held.fetch_sub(bytes, Ordering::Relaxed);
        let ceiling = self.ceiling();
        if before >= ceiling && before - bytes < ceiling {
            self.0.less.notify_waiters();
        }
    }

    /// What one of many may hold that would like to hold `usually`: a share of what is left, and at least
    /// `least`, which it cannot do without. So what all of them hold comes close to the whole and goes beyond
    /// it by the least of each, however many there are and whoever stands still meanwhile.
    pub fn share(&self, usually: u64, least: u64) -> u64 {
        let left = self.0.most.saturating_sub(self.held());
        let share = (left / SHARE).clamp(least, usually.max(least));
        if share < usually {
            self.0.metrics.limits.count(Limit::Memory);
        }
        share
    }

    /// Holds `bytes`, if there is room for them.
    pub fn try_hold(&self, bytes: u64) -> Option<Held> {
        let held = self.hold(bytes);
        (self.held() <= self.0.most).then_some(held)
    }

    /// Holds `bytes`, whether there is room or not: they are there already, or cannot be done without.
    pub fn hold(&self, bytes: u64) -> Held {
        self.0.held.fetch_add(bytes, Ordering::Relaxed);
        Held {
            budget: self.clone(),
            bytes,
        }
    }
}

// === impl Held ===

impl Held {
    /// Of what they are held.
    pub fn budget(&self) -> &Budget {
        &self.budget
    }

    /// The same bytes, held until the last of them has been read.
    pub fn until_read(self, bytes: Bytes) -> Bytes {
        Bytes::from_owner(Carried { bytes, _held: self })
    }

    /// Holds as many bytes from now on.
    pub fn resize(&mut self, bytes: u64) {
        if bytes >= self.bytes {
            let held = &self.budget.0.held;
            held.fetch_add(bytes - self.bytes, Ordering::Relaxed);
        } else {
            self.budget.give_back(self.bytes - bytes);
        }
        self.bytes = bytes;
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.budget.give_back(self.bytes);
    }
}

// === impl Carried ===

impl AsRef<[u8]> for Carried {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_counts_until_it_is_dropped() {
        let budget = Budget::new(100, Arc::new(Metrics::new().unwrap()));
        let mut some = budget.try_hold(60).unwrap();
        assert!(budget.try_hold(50).is_none());
        assert_eq!(budget.held(), 60, "what was not given is not held");
        let needed = budget.hold(50);
        assert!(budget.is_spent());
        some.resize(10);
        assert_eq!(budget.held(), 60);
        assert!(!budget.is_spent());
        some.resize(50);
        assert!(budget.is_spent());
        drop((some, needed));
        assert_eq!(budget.held(), 0);
        let bytes = budget.hold(3).until_read(Bytes::from_static(b"abc"));
        let rest = bytes.slice(2..);
        drop(bytes);
        assert_eq!((&rest[..], budget.held()), (&b"c"[..], 3));
        drop(rest);
        assert_eq!(budget.held(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_is_about_to_hold_more_than_all_may_need_waits() {
        let budget = Budget::new(100, Arc::new(Metrics::new().unwrap()));
        let (some, more) = (budget.hold(LEAST_OF_ALL), budget.hold(160));
        let soon = tokio::time::Duration::from_secs(1);
        assert!(tokio::time::timeout(soon, budget.less()).await.is_err());
        let leaving = async {
            tokio::task::yield_now().await;
            drop(more);
        };
        tokio::join!(budget.less(), leaving);
        drop(some);
    }

    #[test]
    fn however_many_take_their_share_the_rest_is_never_taken_twice() {
        let budget = Budget::new(64 << 20, Arc::new(Metrics::new().unwrap()));
        let (usually, least) = (512 << 10, 64 << 10);
        assert_eq!(budget.share(usually, least), usually);
        let mut all = Vec::new();
        for _ in 0..10_000 {
            all.push(budget.hold(budget.share(usually, least)));
        }
        assert_eq!(budget.share(usually, least), least);
        assert!(budget.held() <= (64 << 20) + 10_000 * least);
    }
}
