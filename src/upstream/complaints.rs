//! Says what is wrong with the upstream, each kind of failure once a minute: an outage must show in
//! the log, and must not fill it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use tokio::time::{Duration, Instant};

use crate::artifact::Failure;

/// How long one word about a kind of failure is enough.
const ENOUGH: Duration = Duration::from_mins(1);

/// What was said, and when.
#[derive(Debug, Default)]
pub(super) struct Complaints {
    said: Mutex<HashMap<Failure, Instant>>,
    is_mute: AtomicBool,
}

impl Complaints {
    /// Leaves it to others from now on to say what is wrong.
    pub(super) fn mute(&self) {
        self.is_mute.store(true, Ordering::Relaxed);
    }

    /// Says that the upstream failed, and why; says whether it did.
    pub(super) fn say(&self, failure: Failure, cause: &str) -> bool {
        if self.is_mute.load(Ordering::Relaxed) {
            return false;
        }
        let is_due = self.is_due(failure);
        if is_due {
            tracing::warn!(
                failure = failure.as_str(),
                cause,
                "the upstream cannot be used (said once a minute)"
            );
        } else {
            tracing::debug!(
                failure = failure.as_str(),
                cause,
                "the upstream cannot be used"
            );
        }
        is_due
    }

    fn is_due(&self, failure: Failure) -> bool {
        let mut said = self.said.lock();
        let now = Instant::now();
        let is_due = said
            .get(&failure)
            .is_none_or(|at| now.duration_since(*at) >= ENOUGH);
        if is_due {
            said.insert(failure, now);
        }
        is_due
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn each_kind_is_said_once_a_minute() {
        let complaints = Complaints::default();
        assert!(complaints.say(Failure::Timeout, "a"));
        assert!(!complaints.say(Failure::Timeout, "b"));
        assert!(complaints.say(Failure::Cut, "c"));
        advance(ENOUGH).await;
        assert!(complaints.say(Failure::Timeout, "d"));
        complaints.mute();
        advance(ENOUGH).await;
        assert!(!complaints.say(Failure::Timeout, "e"));
    }
}
