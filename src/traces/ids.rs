//! Numbers for traces and spans: unlike all others, and cheap. Nobody is to be kept from guessing them.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use super::context::{SpanId, TraceId};

/// The golden ratio's share of 2^64: an odd step that comes to every number before it comes to one twice.
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// Where numbers come from.
#[derive(Debug)]
pub(super) struct Ids {
    next: AtomicU64,
    /// What sets the halves of a trace's number apart.
    salt: u64,
}

impl Ids {
    pub(super) fn new() -> Self {
        Self {
            next: AtomicU64::new(seed()),
            salt: seed(),
        }
    }

    pub(super) fn trace(&self) -> TraceId {
        let drawn = self.step();
        let halves = [mixed(drawn), mixed(drawn.wrapping_add(self.salt))];
        let number = (u128::from(halves[0]) << 64) | u128::from(halves[1]);
        // Nought is no number.
        number.max(1).to_be_bytes()
    }

    pub(super) fn span(&self) -> SpanId {
        self.draw().max(1).to_be_bytes()
    }

    /// Any number, each as likely as the other.
    pub(super) fn draw(&self) -> u64 {
        mixed(self.step())
    }

    fn step(&self) -> u64 {
        self.next.fetch_add(STEP, Ordering::Relaxed)
    }
}

fn seed() -> u64 {
    // A system without randomness has a clock: traces of two processes are told apart nearly as well.
    getrandom::u64().unwrap_or_else(|_| {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        since.map_or(STEP, |since| {
            u64::from(since.subsec_nanos()) ^ since.as_secs().rotate_left(32)
        })
    })
}

/// The finish of `SplitMix64`: no two numbers become the same.
fn mixed(mut number: u64) -> u64 {
    number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_number_comes_twice_and_all_parts_of_it_differ() {
        let ids = Ids::new();
        let traces: HashSet<_> = (0..1000).map(|_| ids.trace()).collect();
        let halves: HashSet<_> = traces
            .iter()
            .flat_map(|trace| [&trace[..8], &trace[8..]])
            .collect();
        let spans: HashSet<_> = (0..1000).map(|_| ids.span()).collect();
        assert_eq!(
            (traces.len(), halves.len(), spans.len()),
            (1000, 2000, 1000)
        );
        assert_ne!(Ids::new().trace(), Ids::new().trace());
    }
}
