//! Says what is wrong with the upstream, each kind of failure once a minute: an outage must show in
//! the log, and must not fill it.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::artifact::Failure;
use crate::seldom::Seldom;

/// What was said of the upstream.
#[derive(Debug, Default)]
pub(super) struct Complaints {
    said: Seldom<Failure>,
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
        let due = self.said.due(failure);
        if let Some(unsaid) = due {
            tracing::warn!(
                failure = failure.as_str(),
                cause,
                unsaid,
                "the upstream cannot be used (said once a minute)"
            );
        } else {
            tracing::debug!(
                failure = failure.as_str(),
                cause,
                "the upstream cannot be used"
            );
        }
        due.is_some()
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::{Duration, advance};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn each_kind_is_said_once_a_minute() {
        let complaints = Complaints::default();
        assert!(complaints.say(Failure::Timeout, "a"));
        assert!(!complaints.say(Failure::Timeout, "b"));
        assert!(complaints.say(Failure::Cut, "c"));
        advance(Duration::from_mins(1)).await;
        assert!(complaints.say(Failure::Timeout, "d"));
        complaints.mute();
        advance(Duration::from_mins(1)).await;
        assert!(!complaints.say(Failure::Timeout, "e"));
    }
}
