//! The entries at rest, by number, by key and by age: a compact table. Pure.

use std::collections::BTreeSet;

use super::ids::{Ids, NOBODY};
use super::layout::{EntryName, Prefix};
use super::ranking::reserve;

/// One entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Slot {
    /// The file.
    pub(crate) name: EntryName,
    /// Whether this process wrote it, or has seen all of it intact.
    pub(crate) verified: bool,
}

/// The entries. A number is given again once its entry is gone; the table never shrinks.
pub(super) struct Slots {
    numbered: Vec<Slot>,
    free: Vec<u32>,
    ids: Ids,
    by_age: BTreeSet<(u32, u32)>,
}

// === impl Slots ===

impl Slots {
    /// No entries.
    pub(super) fn new() -> Self {
        Self {
            numbered: Vec::new(),
            free: Vec::new(),
            ids: Ids::new(),
            by_age: BTreeSet::new(),
        }
    }

    /// The number of a key's entry.
    pub(super) fn id(&self, prefix: &Prefix) -> Option<u32> {
        self.ids.find(prefix, key_of(&self.numbered))
    }

    /// The entry with a number.
    pub(super) fn get(&self, id: u32) -> Option<&Slot> {
        self.numbered.get(id as usize)
    }

    /// A key's entry, to be marked.
    pub(super) fn get_mut(&mut self, prefix: &Prefix) -> Option<&mut Slot> {
        let id = self.id(prefix)?;
        self.numbered.get_mut(id as usize)
    }

    /// Enters an entry of a key that has none; returns its number, unless there are four billion.
    pub(super) fn insert(&mut self, slot: Slot) -> Option<u32> {
        let id = match self.free.pop() {
            Some(id) => id,
            None => u32::try_from(self.numbered.len())
                .ok()
                .filter(|id| *id != NOBODY)?,
        };
        if let Some(free) = self.numbered.get_mut(id as usize) {
            *free = slot;
        } else {
            reserve(&mut self.numbered);
            self.numbered.push(slot);
        }
        self.ids
            .insert(&slot.name.prefix, id, key_of(&self.numbered));
        self.by_age.insert((slot.name.landed, id));
        Some(id)
    }

    /// Takes a key's entry out.
    pub(super) fn remove(&mut self, prefix: &Prefix) -> Option<(u32, Slot)> {
        let id = self.ids.remove(prefix, key_of(&self.numbered))?;
        let slot = *self.get(id)?;
        self.by_age.remove(&(slot.name.landed, id));
        reserve(&mut self.free);
        self.free.push(id);
        Some((id, slot))
    }

    /// The entries of one shard, with their numbers.
    pub(super) fn of_shard(&self, shard: u8) -> impl Iterator<Item = (u32, &Slot)> {
        let ids = self.ids.of_shard(shard);
        ids.filter_map(|id| Some((id, self.get(id)?)))
    }

    /// All entries, oldest first.
    pub(super) fn by_age(&self) -> impl Iterator<Item = &Slot> {
        self.by_age.iter().filter_map(|(_, id)| self.get(*id))
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.by_age.len()
    }
}

fn key_of(slots: &[Slot]) -> impl Fn(u32) -> Option<Prefix> {
    |id| Some(slots.get(id as usize)?.name.prefix)
}
