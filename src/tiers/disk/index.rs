//! What rests on the disk and how much room it takes: a table in memory. Opens nothing.
//!
//! It knows only entries of folders that were read, so everything in it may be evicted.

use std::collections::BTreeSet;

use hashlink::LinkedHashMap;

use super::doomed::Doomed;
use super::layout::{EntryName, Prefix};
use crate::artifact::Landed;

/// What a file system hands out; an entry counts in whole units.
const UNIT: u64 = 4096;

/// The room that a file of `length` bytes takes.
pub(crate) fn footprint(length: u64) -> u64 {
    length.div_ceil(UNIT).saturating_mul(UNIT)
}

/// The entries at rest, least recently used first, and the bytes promised to drafts.
pub(crate) struct Index {
    capacity: u64,
    used: u64,
    reserved: u64,
    slots: LinkedHashMap<Prefix, Slot>,
    by_age: BTreeSet<(u32, Prefix)>,
    /// Keys that are neither found nor adopted.
    pub(crate) doomed: Doomed,
}

/// One entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Slot {
    /// The file.
    pub(crate) name: EntryName,
    /// Whether this process wrote it, or has seen all of it intact.
    pub(crate) verified: bool,
}

/// Why bytes cannot be promised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shortage {
    /// Eviction can help.
    Full,
    /// It cannot: drafts hold too much already.
    Crowded,
}

impl Index {
    /// An index of nothing, for `capacity` bytes.
    pub(crate) fn new(capacity: u64) -> Self {
        Self {
            capacity,
            used: 0,
            reserved: 0,
            slots: LinkedHashMap::new(),
            by_age: BTreeSet::new(),
            doomed: Doomed::default(),
        }
    }

    /// Finds the entry of a key and counts it as used just now.
    pub(crate) fn find(&mut self, prefix: &Prefix) -> Option<Slot> {
        if self.doomed.contains(prefix) {
            return None;
        }
        self.slots.to_back(prefix).copied()
    }

    /// Finds the entry of a key without using it.
    pub(crate) fn peek(&self, prefix: &Prefix) -> Option<Slot> {
        self.slots.get(prefix).copied()
    }

    /// Whether this very entry is the key's.
    pub(crate) fn holds(&self, name: &EntryName) -> bool {
        self.slots
            .get(&name.prefix)
            .is_some_and(|slot| slot.name.serial == name.serial)
    }

    /// Counts an entry as used just now.
    pub(crate) fn touch(&mut self, prefix: &Prefix) {
        self.slots.to_back(prefix);
    }

    /// Counts an entry as intact.
    pub(crate) fn verify(&mut self, name: &EntryName) {
        if let Some(slot) = self.slots.get_mut(&name.prefix)
            && slot.name.serial == name.serial
        {
            slot.verified = true;
        }
    }

    /// Enters an entry this process has just written; returns the one it replaces.
    pub(crate) fn insert(&mut self, name: EntryName) -> Option<EntryName> {
        let slot = Slot {
            name,
            verified: true,
        };
        self.count(&name);
        let old = self.slots.insert(name.prefix, slot)?;
        self.slots.to_back(&name.prefix);
        self.discount(&old.name);
        Some(old.name)
    }

    /// Enters an entry found in a folder; returns the one of the two that lost, if the key had one.
    ///
    /// What was found counts as used before everything that was used in this process. Against a
    /// doomed key every entry has lost.
    pub(crate) fn adopt(&mut self, name: EntryName) -> Option<EntryName> {
        if self.doomed.contains(&name.prefix) {
            return Some(name);
        }
        let known = self.slots.get(&name.prefix).map(|slot| slot.name);
        if known.is_some_and(|known| known.serial >= name.serial) {
            return Some(name).filter(|_| !self.holds(&name));
        }
        let slot = Slot {
            name,
            verified: false,
        };
        self.count(&name);
        self.slots.insert_front(name.prefix, slot);
        self.slots.to_front(&name.prefix);
        known.inspect(|known| self.discount(known))
    }

    /// Takes an entry out, if the key still has this one.
    pub(crate) fn remove(&mut self, name: &EntryName) -> bool {
        if !self.holds(name) {
            return false;
        }
        let removed = self.slots.remove(&name.prefix);
        removed.inspect(|slot| self.discount(&slot.name)).is_some()
    }

    /// Promises `bytes` more to a draft that holds `held`.
    ///
    /// All drafts together hold at most half the capacity, or one of them up to all of it: a burst
    /// of uploads must not empty the tier.
    pub(crate) fn reserve(&mut self, held: u64, bytes: u64) -> Result<(), Shortage> {
        let wanted = self.reserved.saturating_add(bytes);
        let alone = self.reserved <= held;
        if wanted > self.capacity || (!alone && wanted > self.capacity / 2) {
            return Err(Shortage::Crowded);
        }
        if self.used.saturating_add(wanted) > self.capacity {
            return Err(Shortage::Full);
        }
        self.reserved = wanted;
        Ok(())
    }

    /// Takes a promise back.
    pub(crate) fn release(&mut self, bytes: u64) {
        self.reserved = self.reserved.saturating_sub(bytes);
    }

    /// The least recently used entry.
    pub(crate) fn candidate(&self) -> Option<EntryName> {
        self.slots.front().map(|(_, slot)| slot.name)
    }

    /// Puts off the eviction of an entry whose file cannot be removed.
    pub(crate) fn postpone(&mut self, name: &EntryName) {
        self.slots.to_back(&name.prefix);
    }

    /// Whether so little room is left that eviction should begin before somebody needs it.
    pub(crate) fn is_high(&self) -> bool {
        self.used.saturating_add(self.reserved) > self.capacity - self.capacity / 32
    }

    /// Whether eviction, once begun, should go on.
    pub(crate) fn is_above_low(&self) -> bool {
        self.used.saturating_add(self.reserved) > self.capacity - self.capacity / 16
    }

    /// Up to `limit` entries that landed at `second` or before, oldest first but for `skipped`.
    pub(crate) fn landed_until(&self, second: u32, skipped: usize, limit: usize) -> Vec<EntryName> {
        self.by_age
            .iter()
            .take_while(|(landed, _)| *landed <= second)
            .skip(skipped)
            .take(limit)
            .filter_map(|(_, prefix)| self.peek(prefix))
            .map(|slot| slot.name)
            .collect()
    }

    /// Every entry in these folders.
    pub(crate) fn names_in(&self, shards: &[u8]) -> Vec<EntryName> {
        let names = self.slots.values().map(|slot| slot.name);
        names
            .filter(|name| shards.contains(&name.prefix.shard()))
            .collect()
    }

    /// When the oldest entry landed.
    pub(crate) fn oldest(&self) -> Option<Landed> {
        let (landed, _) = self.by_age.first()?;
        Some(Landed::from_secs(u64::from(*landed)))
    }

    /// Bytes at rest.
    pub(crate) fn used(&self) -> u64 {
        self.used
    }

    /// Bytes promised to drafts.
    #[cfg(test)]
    pub(crate) fn reserved(&self) -> u64 {
        self.reserved
    }

    /// Entries at rest.
    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }

    fn count(&mut self, name: &EntryName) {
        self.used = self.used.saturating_add(footprint(name.length));
        self.by_age.insert((name.landed, name.prefix));
    }

    fn discount(&mut self, name: &EntryName) {
        self.used = self.used.saturating_sub(footprint(name.length));
        let landed_again = self
            .peek(&name.prefix)
            .is_some_and(|slot| slot.name.landed == name.landed);
        if !landed_again {
            self.by_age.remove(&(name.landed, name.prefix));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::super::layout::Serial;
    use super::*;
    use crate::artifact::KeyDigest;

    fn name(key: u8, serial: u64, length: u64) -> EntryName {
        EntryName {
            prefix: Prefix::of(&KeyDigest::from_bytes([key; 32])),
            serial: Serial::from_number(serial),
            length,
            landed: u32::try_from(serial).unwrap(),
            millis: 0,
        }
    }

    #[test]
    fn the_least_recently_used_goes_first() {
        let mut index = Index::new(10 * UNIT);
        for key in 1..=3 {
            index.insert(name(key, u64::from(key), 1));
        }
        index.find(&name(1, 1, 1).prefix);
        assert_eq!(index.candidate(), Some(name(2, 2, 1)));
        index.adopt(name(4, 4, 1));
        assert_eq!(index.candidate(), Some(name(4, 4, 1)));
    }

    #[test]
    fn a_late_removal_cannot_take_a_newer_entry() {
        let mut index = Index::new(10 * UNIT);
        index.insert(name(1, 1, 1));
        assert_eq!(index.insert(name(1, 2, 1)), Some(name(1, 1, 1)));
        assert!(!index.remove(&name(1, 1, 1)));
        assert!(index.remove(&name(1, 2, 1)));
        assert_eq!((index.used(), index.len(), index.oldest()), (0, 0, None));
    }

    #[test]
    fn of_two_found_entries_of_a_key_the_higher_serial_wins() {
        for (first, second) in [(1, 2), (2, 1)] {
            let mut index = Index::new(10 * UNIT);
            assert_eq!(index.adopt(name(1, first, 1)), None);
            assert_eq!(index.adopt(name(1, second, 1)), Some(name(1, 1, 1)));
            assert!(index.holds(&name(1, 2, 1)));
            assert_eq!((index.used(), index.len()), (UNIT, 1));
        }
    }

    #[test]
    fn drafts_share_half_the_capacity_unless_one_is_alone() {
        let mut index = Index::new(100 * UNIT);
        assert_eq!(index.reserve(0, 80 * UNIT), Ok(()));
        assert_eq!(index.reserve(80 * UNIT, 20 * UNIT), Ok(()));
        assert_eq!(index.reserve(100 * UNIT, UNIT), Err(Shortage::Crowded));
        index.release(60 * UNIT);
        assert_eq!(index.reserve(0, 10 * UNIT), Ok(()));
        assert_eq!(index.reserve(0, UNIT), Err(Shortage::Crowded));
        index.release(20 * UNIT);
        index.insert(name(1, 1, 60 * UNIT));
        assert_eq!(index.reserve(0, 15 * UNIT), Err(Shortage::Full));
    }

    proptest! {
        #[test]
        fn the_sums_are_those_of_the_entries(
            steps in vec((0..4_u8, 0..6_u8, 1..6_u64, 1..20_000_u64), 0..80),
        ) {
            let mut index = Index::new(u64::MAX);
            let mut model: HashMap<Prefix, EntryName> = HashMap::new();
            for (step, key, serial, length) in steps {
                let name = name(key, serial, length);
                let known = model.get(&name.prefix).copied();
                match step {
                    0 => {
                        prop_assert_eq!(index.insert(name), known);
                        model.insert(name.prefix, name);
                    }
                    1 => {
                        index.adopt(name);
                        if known.is_none_or(|known| known.serial < name.serial) {
                            model.insert(name.prefix, name);
                        }
                    }
                    2 => {
                        let is_held = known.is_some_and(|known| known.serial == name.serial);
                        prop_assert_eq!(index.remove(&name), is_held);
                        if is_held {
                            model.remove(&name.prefix);
                        }
                    }
                    _ => index.touch(&name.prefix),
                }
                let used: u64 = model.values().map(|name| footprint(name.length)).sum();
                prop_assert_eq!(index.used(), used);
                prop_assert_eq!(index.len(), model.len());
                let oldest = model.values().map(EntryName::landed).min();
                prop_assert_eq!(index.oldest(), oldest);
            }
        }
    }
}
