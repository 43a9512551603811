//! A ring of records: the newest so many, each with its number. Whose lock it is under is not its business.

use std::collections::VecDeque;

use super::Record;

/// Records looked at under one lock: some ten microseconds.
const STRETCH: usize = 256;

/// The newest records, up to a number of them. Room for all is asked for at once and touched only as it
/// fills, so that nothing is moved, or asked for, when a request ends.
#[derive(Debug)]
pub(super) struct Ring {
    records: VecDeque<Record>,
    capacity: usize,
    /// How many there were: the number of the next.
    total: u64,
}

// === impl Ring ===

impl Ring {
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            records: VecDeque::with_capacity(capacity),
            capacity,
            total: 0,
        }
    }

    /// Takes a record in, in place of the oldest where it is full.
    pub(super) fn push(&mut self, record: Record) {
        if self.records.len() == self.capacity {
            self.records.pop_front();
        }
        self.records.push_back(record);
        self.total += 1;
    }

    pub(super) fn len(&self) -> usize {
        self.records.len()
    }

    /// A stretch of what is older than number `before`, newest first, and the number to go on with, where
    /// there is more.
    pub(super) fn before(&self, before: u64) -> (impl Iterator<Item = &Record>, Option<u64>) {
        let oldest = self.total - self.records.len() as u64;
        let behind = self.total.saturating_sub(before);
        let skipped = usize::try_from(behind).unwrap_or(usize::MAX);
        let stretch = self.records.iter().rev().skip(skipped).take(STRETCH);
        let next = before.min(self.total).saturating_sub(STRETCH as u64);
        (stretch, (next > oldest).then_some(next))
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;
    use crate::artifact::{ArtifactHash, RouteName};
    use crate::recent::{Short, Subject};
    use crate::telemetry::Answered;

    fn record(number: u64) -> Record {
        Record {
            time: SystemTime::UNIX_EPOCH,
            subject: Subject {
                hash: ArtifactHash::parse("aa").unwrap(),
                team: Short::default(),
                user_agent: Short::default(),
                peer: None,
            },
            answered: Answered {
                bytes_out: number,
                ..Answered::not_yet(RouteName::Get)
            },
        }
    }

    /// All that is told in stretches, while `between` happens after each.
    fn told(ring: &mut Ring, mut between: impl FnMut(&mut Ring)) -> Vec<u64> {
        let mut told = Vec::new();
        let mut next = Some(u64::MAX);
        while let Some(before) = next {
            let (stretch, left) = ring.before(before);
            told.extend(stretch.map(|record| record.answered.bytes_out));
            next = left;
            between(ring);
        }
        told
    }

    #[test]
    fn what_comes_while_it_is_looked_at_is_told_neither_twice_nor_in_place_of_another() {
        let mut ring = Ring::new(3 * STRETCH);
        (0..1000).for_each(|number| ring.push(record(number)));
        let all: Vec<_> = (1000 - 3 * STRETCH as u64..1000).rev().collect();
        assert_eq!(told(&mut ring, |_| {}), all);
        let meanwhile = told(&mut ring, |ring| {
            (0..10).for_each(|_| ring.push(record(5000)));
        });
        // Twenty of the oldest are gone by the time that they would have been told.
        assert_eq!(meanwhile, all[..all.len() - 20]);
    }

    #[test]
    fn an_empty_ring_has_nothing_and_nothing_more() {
        assert_eq!(told(&mut Ring::new(8), |_| {}), [0; 0]);
    }
}
