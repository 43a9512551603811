//! How far the scrubber has come: a line of text that survives a restart, or is lost and costs a
//! pass. Pure.
//!
//! ```text
//! scrub-1 FROM STARTED ENTRIES DAMAGED UNREADABLE BYTES COMPLETED SUM
//! ```
//!
//! Digests are spread evenly, so the place reached in their order is also the part that is done.

use super::checksum::checksum;
use super::layout::Prefix;

/// Names the format and its version.
const MAGIC: &str = "scrub-1";
/// Stands for no pass under way.
const NO_PASS: &str = "-";
/// Longest text, in bytes, with some to spare.
pub(crate) const LONGEST: u64 = 256;
/// Bits below a prefix's first byte, which is its shard.
const BELOW_SHARD: u32 = u128::BITS - u8::BITS;

/// The pass under way, and the last that was completed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::tiers) struct Course {
    /// The pass under way.
    pub(in crate::tiers) pass: Option<Pass>,
    /// The second in which the last pass ended; 0 where none has.
    pub(in crate::tiers) completed: u64,
}

/// One pass over all entries, in the order of their prefixes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::tiers) struct Pass {
    /// The first prefix that has not had its turn.
    pub(in crate::tiers) from: u128,
    /// The second of its start.
    pub(in crate::tiers) started: u64,
    /// Entries looked over.
    pub(in crate::tiers) entries: u64,
    /// Of these, damaged.
    pub(in crate::tiers) damaged: u64,
    /// Of these, not to be read.
    pub(in crate::tiers) unreadable: u64,
    /// Bytes looked over.
    pub(in crate::tiers) bytes: u64,
}

// === impl Course ===

impl Course {
    /// Writes it down.
    pub(in crate::tiers) fn encode(&self) -> String {
        let none = Pass::default();
        let (from, pass) = match &self.pass {
            Some(pass) => (format!("{:032x}", pass.from), pass),
            None => (NO_PASS.to_owned(), &none),
        };
        let line = format!(
            "{MAGIC} {from} {} {} {} {} {} {}",
            pass.started, pass.entries, pass.damaged, pass.unreadable, pass.bytes, self.completed
        );
        let sum = checksum(line.as_bytes());
        format!("{line} {sum:016x}\n")
    }

    /// Reads it back; `None` for whatever this type would not write.
    pub(in crate::tiers) fn decode(text: &str) -> Option<Self> {
        let mut words = text.split(' ').skip(1);
        let from = words.next()?;
        let mut number = || words.next()?.parse::<u64>().ok();
        let pass = Pass {
            from: u128::from_str_radix(from, 16).unwrap_or_default(),
            started: number()?,
            entries: number()?,
            damaged: number()?,
            unreadable: number()?,
            bytes: number()?,
        };
        let course = Self {
            pass: (from != NO_PASS).then_some(pass),
            completed: number()?,
        };
        (course.encode() == text).then_some(course)
    }

    /// The part of the pass that is done; all of it between two passes, none before the first.
    #[expect(clippy::cast_precision_loss, reason = "nobody needs it to 53 bits")]
    pub(in crate::tiers) fn progress(&self) -> f64 {
        match &self.pass {
            Some(pass) => pass.from as f64 / u128::MAX as f64,
            None if self.completed > 0 => 1.0,
            None => 0.0,
        }
    }
}

// === impl Pass ===

impl Pass {
    /// A pass that begins at `second`.
    pub(in crate::tiers) fn begun(second: u64) -> Self {
        Self {
            started: second,
            ..Self::default()
        }
    }

    /// The shard whose turn it is.
    pub(in crate::tiers) fn shard(&self) -> u8 {
        u8::try_from(self.from >> BELOW_SHARD).unwrap_or(u8::MAX)
    }

    /// Notes that a prefix has had its turn. The last one of all does not end the pass: its shard
    /// does.
    pub(in crate::tiers) fn step_past(&mut self, prefix: &Prefix) {
        self.from = prefix.number().saturating_add(1);
    }

    /// Goes on to the next shard; returns `false` where this was the last.
    pub(in crate::tiers) fn next_shard(&mut self) -> bool {
        let next = u128::from(self.shard()) + 1;
        self.from = next << BELOW_SHARD;
        next <= u128::from(u8::MAX)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::artifact::KeyDigest;

    fn course() -> Course {
        Course {
            pass: Some(Pass {
                from: 7 << BELOW_SHARD | 9,
                started: 1_760_000_000,
                entries: 70,
                damaged: 2,
                unreadable: 1,
                bytes: 1 << 40,
            }),
            completed: 1_750_000_000,
        }
    }

    #[test]
    fn every_change_of_a_byte_loses_the_course_and_nothing_else() {
        let text = course().encode();
        assert!(text.len() as u64 <= LONGEST);
        assert_eq!(Course::decode(&text), Some(course()));
        for position in 0..text.len() {
            let mut bytes = text.clone().into_bytes();
            bytes[position] ^= 1;
            let changed = String::from_utf8_lossy(&bytes);
            assert_eq!(Course::decode(&changed), None, "{changed}");
            assert_eq!(Course::decode(&text[..position]), None);
        }
        let idle = Course {
            pass: None,
            ..course()
        };
        assert_eq!(Course::decode(&idle.encode()), Some(idle));
    }

    #[test]
    fn a_pass_visits_every_shard_once() {
        let mut pass = Pass::begun(1);
        let mut shards = vec![pass.shard()];
        while pass.next_shard() {
            shards.push(pass.shard());
        }
        assert_eq!(shards, (0..=u8::MAX).collect::<Vec<_>>());
        let last = Prefix::of(&KeyDigest::from_bytes([0xff; 32]));
        pass.step_past(&last);
        assert_eq!(pass.shard(), u8::MAX, "its shard ends the pass");
    }

    #[test]
    fn the_progress_is_the_part_of_the_order_that_is_done() {
        let mut course = Course::default();
        assert!(course.progress() < 0.001);
        let half = Pass {
            from: 1 << (u128::BITS - 1),
            ..Pass::begun(1)
        };
        course.pass = Some(half);
        assert!((0.499..0.501).contains(&course.progress()));
        course.pass = None;
        course.completed = 1;
        assert!(course.progress() > 0.999);
    }

    proptest! {
        #[test]
        fn noise_is_no_course(text in ".{0,200}") {
            prop_assert_eq!(Course::decode(&text), None);
        }
    }
}
