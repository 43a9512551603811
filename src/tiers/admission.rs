//! May an artifact of this size enter this tier? Sizes in, answers out.

use super::disk::MAX_BODY;
use crate::artifact::Bypass;
use crate::config;

/// The largest artifact of each tier; `None` where the tier is off.
#[derive(Clone, Copy, Debug)]
pub(super) struct Admission {
    memory: Option<u64>,
    disk: Option<u64>,
}

// === impl Admission ===

impl Admission {
    /// Reads the limits of both tiers; the disk tier may be off whatever its capacity.
    pub(super) fn new(config: &config::Tier, has_disk: bool) -> Self {
        let limit = |capacity: u64, max: u64| (capacity > 0).then_some(max.min(capacity));
        Self {
            memory: limit(config.memory.capacity, config.memory.max_artifact),
            disk: limit(config.disk.capacity, config.disk.max_artifact.min(MAX_BODY))
                .filter(|_| has_disk),
        }
    }

    /// Whether an artifact of `size` bytes may rest in memory.
    pub(super) fn memory(&self, size: u64) -> bool {
        self.memory.is_some_and(|max| size <= max)
    }

    /// The largest artifact that may rest in memory.
    pub(super) fn largest_in_memory(&self) -> u64 {
        self.memory.unwrap_or(0)
    }

    /// Whether an artifact of `size` bytes may rest on the disk.
    pub(super) fn disk(&self, size: u64) -> Result<(), Bypass> {
        match self.disk {
            Some(max) if size <= max => Ok(()),
            Some(_) => Err(Bypass::TooLarge),
            None => Err(Bypass::NoRoom),
        }
    }

    /// Whether an artifact may rest anywhere; one of unknown size may as long as any tier is on.
    pub(super) fn anywhere(&self, size: Option<u64>) -> Result<(), Bypass> {
        if self.memory.is_none() && self.disk.is_none() {
            return Err(Bypass::NoRoom);
        }
        match size {
            Some(size) if !self.memory(size) && self.disk(size).is_err() => Err(Bypass::TooLarge),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Duration;

    use super::*;

    fn admission(memory: u64, disk: u64) -> Admission {
        Admission::new(&tiers(memory, disk), true)
    }

    fn tiers(memory: u64, disk: u64) -> config::Tier {
        config::Tier {
            in_flight: 128 << 20,
            memory: config::MemoryTier {
                capacity: memory,
                max_artifact: 100,
            },
            disk: config::DiskTier {
                capacity: disk,
                max_artifact: 1000,
                verify: config::Verify::FirstRead,
                max_age: Duration::from_mins(1),
                min_free: 0,
                scrub_rate: 0,
            },
        }
    }

    #[test]
    fn each_tier_has_its_own_largest_artifact() {
        let both = admission(500, 5000);
        assert!(both.memory(100) && !both.memory(101));
        assert_eq!(both.disk(1000), Ok(()));
        assert_eq!(both.disk(1001), Err(Bypass::TooLarge));
        assert_eq!(both.anywhere(Some(1000)), Ok(()));
        assert_eq!(both.anywhere(Some(1001)), Err(Bypass::TooLarge));
        assert_eq!(both.anywhere(None), Ok(()));
    }

    #[test]
    fn nothing_is_admitted_beyond_a_capacity() {
        assert!(!admission(50, 0).memory(51));
        assert_eq!(admission(50, 800).disk(801), Err(Bypass::TooLarge));
    }

    #[test]
    fn a_tier_that_is_off_admits_nothing() {
        let memory_only = admission(500, 0);
        assert_eq!(memory_only.anywhere(Some(100)), Ok(()));
        assert_eq!(memory_only.anywhere(Some(101)), Err(Bypass::TooLarge));
        assert_eq!(memory_only.disk(0), Err(Bypass::NoRoom));
        let without_disk = Admission::new(&tiers(500, 5000), false);
        assert_eq!(without_disk.disk(0), Err(Bypass::NoRoom));
        let none = admission(0, 0);
        assert_eq!(none.anywhere(None), Err(Bypass::NoRoom));
        assert_eq!(none.anywhere(Some(1)), Err(Bypass::NoRoom));
    }
}
