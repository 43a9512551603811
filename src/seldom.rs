//! What is said no more than once a minute: it must show in the log, and must not fill it.

use std::collections::HashMap;
use std::hash::Hash;

use parking_lot::Mutex;
use tokio::time::{Duration, Instant};

/// How long one word about a thing is enough.
const ENOUGH: Duration = Duration::from_mins(1);

/// Which kinds of things were said, and when; as many as the closed set `K` has.
#[derive(Debug)]
pub struct Seldom<K>(Mutex<HashMap<K, Instant>>);

impl<K: Eq + Hash> Seldom<K> {
    /// Whether this is to be said now; if so, it counts as said.
    pub fn is_due(&self, kind: K) -> bool {
        let mut said = self.0.lock();
        let now = Instant::now();
        let is_due = said
            .get(&kind)
            .is_none_or(|at| now.duration_since(*at) >= ENOUGH);
        if is_due {
            said.insert(kind, now);
        }
        is_due
    }

    /// Nothing was said so far.
    pub fn reset(&self) {
        self.0.lock().clear();
    }
}

impl<K> Default for Seldom<K> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn each_kind_is_due_once_a_minute() {
        let seldom = Seldom::default();
        assert!(seldom.is_due('a'));
        assert!(!seldom.is_due('a'));
        assert!(seldom.is_due('b'));
        advance(ENOUGH).await;
        assert!(seldom.is_due('a'));
        seldom.reset();
        assert!(seldom.is_due('a'));
    }
}
