//! What rests on the disk and how much room it takes: a table in memory. Opens nothing.
//!
//! It knows entries only of folders that were read, so everything in it may be evicted; of the others it
//! knows how much they are said to hold.

use super::doomed::Doomed;
use super::layout::{EntryName, Prefix};
use super::ranking::{HALF_LIFE, Ranking, Uses, worth};
use super::slots::{Slot, Slots};
use super::usage::{Trust, Usage, Word};
use crate::artifact::Landed;

/// What a file system hands out; an entry counts in whole units.
const UNIT: u64 = 4096;

/// The room that a file of `length` bytes takes.
pub(crate) fn footprint(length: u64) -> u64 {
    length.div_ceil(UNIT).saturating_mul(UNIT)
}

/// The entries at rest, in the order they go in, and the bytes promised to drafts.
pub(crate) struct Index {
    capacity: u64,
    used: u64,
    reserved: u64,
    is_closed: bool,
    slots: Slots,
    ranking: Ranking,
    /// The second this process began: what it did not use was used before.
    started: u32,
    /// Keys that are neither found nor adopted.
    pub(crate) doomed: Doomed,
    /// Keys with older files beside their entry, which go before it does.
    pub(crate) outlived: Doomed,
    /// What each folder holds, also those that were not read.
    pub(crate) usage: Usage,
}

/// How an entry was used: all of the order that a restart must not lose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Remembered {
    /// Which key.
    pub(crate) prefix: Prefix,
    /// The second of its last use.
    pub(crate) used: u32,
    /// How often it was used; 255 are many.
    pub(crate) uses: u8,
}

/// An entry, and when it was last used.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Named {
    /// The file.
    pub(crate) name: EntryName,
    /// The second of its last use.
    pub(crate) used: u32,
}

/// Why bytes cannot be promised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shortage {
    /// Eviction can help.
    Full,
    /// It cannot: drafts hold too much already.
    Crowded,
    /// It must be known first what rests in folders that were not read.
    Unread,
}

impl Index {
    /// An index of nothing, for `capacity` bytes, begun at the second `started`.
    pub(crate) fn new(capacity: u64, started: u32) -> Self {
        Self {
            capacity,
            used: 0,
            reserved: 0,
            is_closed: false,
            slots: Slots::new(),
            ranking: Ranking::new(HALF_LIFE),
            started,
            doomed: Doomed::default(),
            outlived: Doomed::default(),
            usage: Usage::empty(),
        }
    }

    /// Finds the entry of a key and counts it as used at the second `now`.
    pub(crate) fn find(&mut self, prefix: &Prefix, now: u32) -> Option<Slot> {
        if self.doomed.contains(prefix) {
            return None;
        }
        let id = self.slots.id(prefix)?;
        self.ranking.touch(id, now.max(self.started));
        self.slots.get(id).copied()
    }

    /// Finds the entry of a key without using it.
    pub(crate) fn peek(&self, prefix: &Prefix) -> Option<Slot> {
        self.slots.get(self.slots.id(prefix)?).copied()
    }

    /// Whether this very entry is the key's.
    pub(crate) fn holds(&self, name: &EntryName) -> bool {
        self.peek(&name.prefix)
            .is_some_and(|slot| slot.name.serial == name.serial)
    }

    /// Counts an entry as used at the second `now`.
    pub(crate) fn touch(&mut self, prefix: &Prefix, now: u32) {
        if let Some(id) = self.slots.id(prefix) {
            self.ranking.touch(id, now.max(self.started));
        }
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
        let old = self.take(&name.prefix);
        let uses = Uses {
            last: name.landed.max(self.started),
            count: 1,
        };
        self.put(name, true, uses);
        old
    }

    /// Enters an entry found in a folder; returns the one of the two that lost, if the key had one.
    ///
    /// What is remembered of it counts, up to this process's beginning. What is not counts as used
    /// once, when it landed and before everything that was used in this process. Against a doomed key
    /// every entry has lost.
    pub(crate) fn adopt(
        &mut self,
        name: EntryName,
        remembered: Option<&Remembered>,
    ) -> Option<EntryName> {
        if self.doomed.contains(&name.prefix) {
            return Some(name);
        }
        let known = self.peek(&name.prefix).map(|slot| slot.name);
        if known.is_some_and(|known| known.serial >= name.serial) {
            return Some(name).filter(|_| !self.holds(&name));
        }
        let uses = match remembered {
            Some(remembered) => Uses {
                last: remembered.used.min(self.started),
                count: remembered.uses,
            },
            None => Uses {
                last: name.landed.min(self.started.saturating_sub(1)),
                count: 1,
            },
        };
        let lost = self.take(&name.prefix);
        self.put(name, false, uses);
        let shard = name.prefix.shard();
        self.usage.find(shard, footprint(name.length));
        lost
    }

    /// How the entries of one shard were used, the one used longest ago first: what [`Self::adopt`]
    /// wants to know after a restart, in this order.
    pub(crate) fn remembered(&self, shard: u8) -> Vec<Remembered> {
        let slots = self.slots.of_shard(shard);
        let remembered = slots.filter_map(|(id, slot)| {
            let uses = self.ranking.uses(id)?;
            let remembered = Remembered {
                prefix: slot.name.prefix,
                used: uses.last,
                uses: uses.count,
            };
            Some((self.ranking.turn(id)?, remembered))
        });
        let mut remembered: Vec<_> = remembered.collect();
        remembered.sort_unstable_by_key(|(turn, remembered)| (remembered.used, *turn));
        remembered.into_iter().map(|(_, entry)| entry).collect()
    }

    /// Takes an entry out, if the key still has this one.
    pub(crate) fn remove(&mut self, name: &EntryName) -> bool {
        self.holds(name) && self.take(&name.prefix).is_some()
    }

    /// Promises `bytes` more to a draft that holds `held`.
    ///
    /// All drafts together hold at most half the capacity, or one of them up to all of it: a burst
    /// of uploads must not empty the tier.
    pub(crate) fn reserve(&mut self, held: u64, bytes: u64) -> Result<(), Shortage> {
        let wanted = self.reserved.saturating_add(bytes);
        let alone = self.reserved <= held;
        if self.is_closed || wanted > self.capacity || (!alone && wanted > self.capacity / 2) {
            return Err(Shortage::Crowded);
        }
        if self.used().saturating_add(wanted) > self.capacity {
            return Err(Shortage::Full);
        }
        if !self.usage.grant(bytes) {
            return Err(Shortage::Unread);
        }
        self.reserved = wanted;
        Ok(())
    }

    /// Takes a promise back.
    pub(crate) fn release(&mut self, bytes: u64) {
        self.reserved = self.reserved.saturating_sub(bytes);
    }

    /// Promises nothing any more.
    pub(crate) fn close(&mut self) {
        self.is_closed = true;
    }

    /// What the next process may know of the bytes at rest, if this is the `epoch`th start.
    pub(crate) fn word(&self, epoch: u32) -> Word {
        let trust = if !self.usage.is_known() || self.used() > self.capacity {
            Trust::Guessed
        } else if self.is_closed && self.reserved == 0 {
            Trust::Last
        } else {
            Trust::Known
        };
        self.usage.word(epoch, trust)
    }

    /// The entry that goes next. After many uses, best asked once [`Self::settle`] agrees.
    pub(crate) fn candidate(&mut self) -> Option<EntryName> {
        let id = self.ranking.victim()?;
        self.slots.get(id).map(|slot| slot.name)
    }

    /// Puts up to `limit` used entries where they belong in the order; returns whether the candidate
    /// is known.
    pub(crate) fn settle(&mut self, limit: usize) -> bool {
        self.ranking.settle(limit)
    }

    /// Puts off the eviction of an entry whose file cannot be removed.
    pub(crate) fn postpone(&mut self, name: &EntryName) {
        if let Some(id) = self.slots.id(&name.prefix) {
            self.ranking.postpone(id);
        }
    }

    /// Whether so little room is left that eviction should begin before somebody needs it.
    pub(crate) fn is_high(&self) -> bool {
        self.used().saturating_add(self.reserved) > self.capacity - self.capacity / 32
    }

    /// Whether eviction, once begun, should go on.
    pub(crate) fn is_above_low(&self) -> bool {
        self.used().saturating_add(self.reserved) > self.capacity - self.capacity / 16
    }

    /// Up to `limit` entries that landed at `second` or before, oldest first but for `skipped`.
    pub(crate) fn landed_until(&self, second: u32, skipped: usize, limit: usize) -> Vec<EntryName> {
        self.slots
            .by_age()
            .take_while(|slot| slot.name.landed <= second)
            .skip(skipped)
            .take(limit)
            .map(|slot| slot.name)
            .collect()
    }

    /// Every entry in a folder.
    pub(crate) fn names_in(&self, shard: u8) -> Vec<EntryName> {
        let slots = self.slots.of_shard(shard);
        slots.map(|(_, slot)| slot.name).collect()
    }

    /// Every entry in a folder that may be found, and when it was last used.
    pub(crate) fn listed(&self, shard: u8) -> Vec<Named> {
        let slots = self.slots.of_shard(shard);
        let found = slots.filter(|(_, slot)| !self.doomed.contains(&slot.name.prefix));
        let listed = found.map(|(id, slot)| Named {
            name: slot.name,
            used: self.ranking.uses(id).map_or(0, |uses| uses.last),
        });
        listed.collect()
    }

    /// When the oldest entry landed.
    pub(crate) fn oldest(&self) -> Option<Landed> {
        self.slots.by_age().next().map(|slot| slot.name.landed())
    }

    /// Bytes at rest; of folders that were not read what is said of them.
    pub(crate) fn used(&self) -> u64 {
        self.used.saturating_add(self.usage.unread().bytes)
    }

    /// Bytes promised to drafts.
    #[cfg(test)]
    pub(crate) fn reserved(&self) -> u64 {
        self.reserved
    }

    /// Entries at rest, as far as folders were read.
    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }

    fn put(&mut self, name: EntryName, verified: bool, uses: Uses) {
        let room = footprint(name.length);
        if let Some(id) = self.slots.insert(Slot { name, verified }) {
            self.used = self.used.saturating_add(room);
            self.usage.count(name.prefix.shard(), room);
            self.ranking.insert(id, worth(room), uses);
        }
    }

    fn take(&mut self, prefix: &Prefix) -> Option<EntryName> {
        let (id, slot) = self.slots.remove(prefix)?;
        self.ranking.remove(id);
        let room = footprint(slot.name.length);
        self.used = self.used.saturating_sub(room);
        self.usage.discount(prefix.shard(), room);
        Some(slot.name)
    }
}
