//! How many of the last exchanges failed.

use std::time::Duration;

use tokio::time::Instant;

/// How far back one looks.
const SPAN: Duration = Duration::from_secs(10);
/// Fewer exchanges than this say nothing about a share.
const LEAST: u32 = 20;
/// One slot for each second of the span.
const SLOTS: usize = 10;

/// Exchanges of the last seconds.
#[derive(Debug)]
pub(super) struct Recent {
    slots: [Slot; SLOTS],
    begun: Option<Instant>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    second: u64,
    failed: u32,
    all: u32,
}

impl Recent {
    pub(super) fn new() -> Self {
        Self {
            slots: [Slot::default(); SLOTS],
            begun: None,
        }
    }

    /// Takes note of an exchange.
    pub(super) fn note(&mut self, now: Instant, failed: bool) {
        let second = self.second(now);
        let number = usize::try_from(second).unwrap_or_default() % SLOTS;
        let Some(slot) = self.slots.get_mut(number) else {
            return;
        };
        if slot.second != second {
            *slot = Slot {
                second,
                ..Slot::default()
            };
        }
        slot.all = slot.all.saturating_add(1);
        slot.failed = slot.failed.saturating_add(u32::from(failed));
    }

    /// Whether three of five failed, and there were enough to say so. A server behind which one of two
    /// is gone is worth asking; one behind which two of three are is not.
    pub(super) fn is_bad(&mut self, now: Instant) -> bool {
        let oldest = self.second(now).saturating_sub(SPAN.as_secs() - 1);
        let recent = self.slots.iter().filter(|slot| slot.second >= oldest);
        let (failed, all) = recent.fold((0_u32, 0_u32), |(failed, all), slot| {
            (
                failed.saturating_add(slot.failed),
                all.saturating_add(slot.all),
            )
        });
        all >= LEAST && failed.saturating_mul(5) >= all.saturating_mul(3)
    }

    fn second(&mut self, now: Instant) -> u64 {
        let begun = *self.begun.get_or_insert(now);
        now.saturating_duration_since(begun).as_secs()
    }
}
