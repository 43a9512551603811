//! What rests on the disk and how much room it takes: a table in memory. Opens nothing.
//!
//! It knows only entries of folders that were read, so everything in it may be evicted.

use std::collections::{BTreeMap, BTreeSet};

use super::doomed::Doomed;
use super::layout::{EntryName, Prefix};
use super::usage::{Trust, Usage, Word};
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
    is_closed: bool,
    kept: BTreeMap<Prefix, Kept>,
    by_use: BTreeSet<(Use, Prefix)>,
    by_age: BTreeSet<(u32, Prefix)>,
    last_use: Use,
    /// Keys that are neither found nor adopted.
    pub(crate) doomed: Doomed,
    /// What each folder holds, also those that were not read.
    pub(crate) usage: Usage,
}

/// The second of a use, and its turn among those of the second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Use(u32, u64);

/// One entry and how it was used.
#[derive(Clone, Copy, Debug)]
struct Kept {
    slot: Slot,
    last_use: Use,
    uses: u8,
}

/// How an entry was used before a restart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Remembered {
    /// The entry's key.
    pub(crate) prefix: Prefix,
    /// The second of its last use.
    pub(crate) used: u32,
    /// How often it was used; 255 stands for more.
    pub(crate) uses: u8,
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
    /// It must be known first what rests in folders that were not read.
    Unread,
}

impl Index {
    /// An index of nothing, for `capacity` bytes.
    pub(crate) fn new(capacity: u64) -> Self {
        Self {
            capacity,
            used: 0,
            reserved: 0,
            is_closed: false,
            kept: BTreeMap::new(),
            by_use: BTreeSet::new(),
            by_age: BTreeSet::new(),
            last_use: Use::default(),
            doomed: Doomed::default(),
            usage: Usage::empty(),
        }
    }

    /// Finds the entry of a key and counts it as used just now.
    pub(crate) fn find(&mut self, prefix: &Prefix) -> Option<Slot> {
        if self.doomed.contains(prefix) {
            return None;
        }
        self.touch(prefix);
        self.peek(prefix)
    }

    /// Finds the entry of a key without using it.
    pub(crate) fn peek(&self, prefix: &Prefix) -> Option<Slot> {
        self.kept.get(prefix).map(|kept| kept.slot)
    }

    /// Whether this very entry is the key's.
    pub(crate) fn holds(&self, name: &EntryName) -> bool {
        self.peek(&name.prefix)
            .is_some_and(|slot| slot.name.serial == name.serial)
    }

    /// Counts an entry as used just now.
    pub(crate) fn touch(&mut self, prefix: &Prefix) {
        let now = self.next_use();
        if let Some(kept) = self.kept.get_mut(prefix) {
            self.by_use.remove(&(kept.last_use, *prefix));
            self.by_use.insert((now, *prefix));
            kept.last_use = now;
            kept.uses = kept.uses.saturating_add(1);
        }
    }

    /// Counts an entry as intact.
    pub(crate) fn verify(&mut self, name: &EntryName) {
        if let Some(Kept { slot, .. }) = self.kept.get_mut(&name.prefix)
            && slot.name.serial == name.serial
        {
            slot.verified = true;
        }
    }

    /// Enters an entry this process has just written; returns the one it replaces.
    pub(crate) fn insert(&mut self, name: EntryName) -> Option<EntryName> {
        let last_use = self.next_use();
        let old = self.take(&name.prefix);
        self.put(Kept {
            slot: Slot {
                name,
                verified: true,
            },
            last_use,
            uses: 1,
        });
        old
    }

    /// Enters an entry found in a folder, with what is remembered of its use; returns the one of
    /// the two that lost, if the key had one.
    ///
    /// Of entries of which nothing is remembered it is known when they landed. Against a doomed key
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
        let now = self.next_use();
        let second = remembered.map_or(name.landed, |remembered| remembered.used);
        let old = self.take(&name.prefix);
        self.put(Kept {
            slot: Slot {
                name,
                verified: false,
            },
            // The clock may have been ahead.
            last_use: Use(second.min(now.0), now.1),
            uses: remembered.map_or(1, |remembered| remembered.uses),
        });
        let shard = name.prefix.shard();
        self.usage.find(shard, footprint(name.length));
        old
    }

    /// How the entries of a folder were used, the one used longest ago first.
    pub(crate) fn remembered(&self, shard: u8) -> Vec<Remembered> {
        let mut first = [0; 16];
        let mut last = [u8::MAX; 16];
        (first[0], last[0]) = (shard, shard);
        let range = Prefix::from_bytes(first)..=Prefix::from_bytes(last);
        let mut kept: Vec<&Kept> = self.kept.range(range).map(|(_, kept)| kept).collect();
        kept.sort_unstable_by_key(|kept| kept.last_use);
        kept.iter()
            .map(|kept| Remembered {
                prefix: kept.slot.name.prefix,
                used: kept.last_use.0,
                uses: kept.uses,
            })
            .collect()
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

    /// The least recently used entry.
    pub(crate) fn candidate(&self) -> Option<EntryName> {
        let (_, prefix) = self.by_use.first()?;
        self.peek(prefix).map(|slot| slot.name)
    }

    /// Puts off the eviction of an entry whose file cannot be removed.
    pub(crate) fn postpone(&mut self, name: &EntryName) {
        self.touch(&name.prefix);
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
        self.by_age
            .iter()
            .take_while(|(landed, _)| *landed <= second)
            .skip(skipped)
            .take(limit)
            .filter_map(|(_, prefix)| self.peek(prefix))
            .map(|slot| slot.name)
            .collect()
    }

    /// When the oldest entry landed.
    pub(crate) fn oldest(&self) -> Option<Landed> {
        let (landed, _) = self.by_age.first()?;
        Some(Landed::from_secs(u64::from(*landed)))
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
        self.kept.len()
    }

    /// This moment, later than every other.
    fn next_use(&mut self) -> Use {
        let Use(second, turn) = self.last_use;
        let now = EntryName::second(Landed::now());
        self.last_use = Use(second.max(now), turn + 1);
        self.last_use
    }

    fn put(&mut self, kept: Kept) {
        let name = kept.slot.name;
        let bytes = footprint(name.length);
        self.used = self.used.saturating_add(bytes);
        self.usage.count(name.prefix.shard(), bytes);
        self.by_age.insert((name.landed, name.prefix));
        self.by_use.insert((kept.last_use, name.prefix));
        self.kept.insert(name.prefix, kept);
    }

    fn take(&mut self, prefix: &Prefix) -> Option<EntryName> {
        let kept = self.kept.remove(prefix)?;
        let name = kept.slot.name;
        let bytes = footprint(name.length);
        self.used = self.used.saturating_sub(bytes);
        self.usage.discount(prefix.shard(), bytes);
        self.by_age.remove(&(name.landed, *prefix));
        self.by_use.remove(&(kept.last_use, *prefix));
        Some(name)
    }
}
