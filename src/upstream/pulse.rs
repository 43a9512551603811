//! When the upstream last delivered something, or took it: such a line is slow, not dead.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

/// How long a delivery shows that the line lives: as long as clients and budgets call a moment.
const LATELY: Duration = Duration::from_secs(5);

/// The moment of the last delivery.
#[derive(Debug)]
pub(super) struct Pulse {
    begun: Instant,
    /// Milliseconds since then, and one more; 0 before the first.
    delivered: AtomicU64,
}

impl Pulse {
    pub(super) fn new() -> Self {
        Self {
            begun: Instant::now(),
            delivered: AtomicU64::new(0),
        }
    }

    /// Takes note of bytes of an artifact, either way.
    pub(super) fn delivered(&self, now: Instant) {
        let since = now.saturating_duration_since(self.begun).as_millis();
        let since = u64::try_from(since).unwrap_or(u64::MAX).saturating_add(1);
        self.delivered.fetch_max(since, Ordering::Relaxed);
    }

    /// Whether there were any in the last moment.
    pub(super) fn is_felt(&self, now: Instant) -> bool {
        let delivered = self.delivered.load(Ordering::Relaxed);
        let last = self.begun + Duration::from_millis(delivered.saturating_sub(1));
        delivered > 0 && now.saturating_duration_since(last) < LATELY
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delivery_is_felt_for_a_moment() {
        let pulse = Pulse::new();
        let now = pulse.begun + Duration::from_secs(100);
        assert!(!pulse.is_felt(now));
        pulse.delivered(now);
        assert!(pulse.is_felt(now));
        assert!(pulse.is_felt(now + LATELY / 2));
        assert!(!pulse.is_felt(now + LATELY));
        pulse.delivered(now - LATELY);
        assert!(pulse.is_felt(now), "an older one takes nothing back");
    }
}
