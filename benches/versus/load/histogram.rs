//! How long answers took, in buckets that are a sixty-fourth of their value wide.

use std::time::Duration;

/// Buckets in each doubling.
const FINE: u64 = 64;
const FINE_BITS: u32 = FINE.ilog2();
/// Doublings of a nanosecond: the last one begins at 9.8 hours, and no row takes that long.
const DOUBLINGS: u32 = 41;

/// Counts by duration.
#[derive(Debug)]
pub(crate) struct Histogram {
    counts: Vec<u64>,
    total: u64,
}

impl Histogram {
    /// One that has counted nothing.
    pub(crate) fn new() -> Self {
        let buckets = (u64::from(DOUBLINGS) * FINE) as usize;
        Self {
            counts: vec![0; buckets],
            total: 0,
        }
    }

    /// Counts one answer.
    pub(crate) fn add(&mut self, taken: Duration) {
        let last = self.counts.len() - 1;
        self.counts[bucket(taken.as_nanos() as u64).min(last)] += 1;
        self.total += 1;
    }

    /// The duration that this share of the answers stayed below, in microseconds; 0 for no answers.
    pub(crate) fn micros(&self, share: f64) -> f64 {
        let wanted = (self.total as f64 * share).ceil().max(1.0) as u64;
        let mut seen = 0;
        for (number, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= wanted {
                return middle(number as u64) / 1000.0;
            }
        }
        0.0
    }
}

fn bucket(nanos: u64) -> usize {
    if nanos < FINE {
        return nanos as usize;
    }
    let shift = nanos.ilog2() - FINE_BITS;
    ((u64::from(shift) + 1) * FINE + ((nanos >> shift) - FINE)) as usize
}

fn middle(bucket: u64) -> f64 {
    if bucket < FINE {
        return bucket as f64;
    }
    let shift = bucket / FINE - 1;
    let least = (FINE + bucket % FINE) << shift;
    least as f64 + (1_u64 << shift) as f64 / 2.0
}
