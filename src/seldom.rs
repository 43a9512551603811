//! What is said no more than once a minute: it must show in the log, and must not fill it.

use std::collections::HashMap;
use std::hash::Hash;

use parking_lot::Mutex;
use tokio::time::{Duration, Instant};

/// How long one word about a thing is enough.
const ENOUGH: Duration = Duration::from_mins(1);

/// Which kinds of things were said, and when; as many as the closed set `K` has.
#[derive(Debug)]
pub struct Seldom<K>(Mutex<HashMap<K, Said>>);

/// When a thing was last said, and how often it would have been since.
#[derive(Debug)]
struct Said {
    at: Instant,
    unsaid: u64,
}

impl<K: Eq + Hash> Seldom<K> {
    /// Whether this is to be said now; if so, it counts as said.
    pub fn is_due(&self, kind: K) -> bool {
        self.due(kind).is_some()
    }

    /// Where this is to be said now, how often it was left unsaid since it was said last.
    pub fn due(&self, kind: K) -> Option<u64> {
        let mut table = self.0.lock();
        let at = Instant::now();
        if let Some(said) = table.get_mut(&kind)
            && at.duration_since(said.at) < ENOUGH
        {
            said.unsaid += 1;
            return None;
        }
        let last = table.insert(kind, Said { at, unsaid: 0 });
        Some(last.map_or(0, |last| last.unsaid))
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

    #[tokio::test(start_paused = true)]
    async fn what_was_left_unsaid_is_counted_until_it_is_said_again() {
        let seldom = Seldom::default();
        assert_eq!(seldom.due('a'), Some(0));
        assert_eq!(
            [seldom.due('a'), seldom.due('a'), seldom.due('b')],
            [None, None, Some(0)]
        );
        advance(ENOUGH).await;
        assert_eq!([seldom.due('a'), seldom.due('a')], [Some(2), None]);
        advance(ENOUGH).await;
        assert_eq!([seldom.due('a'), seldom.due('b')], [Some(1), Some(0)]);
    }
}
