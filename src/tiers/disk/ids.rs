//! Which number a key's entry has: a small hash table for each shard. Pure.
//!
//! It keeps nothing but the numbers, four bytes each; the keys are where the numbers lead. No table
//! has more than a 256th of all entries, so growing one takes nobody's time.

use std::hash::{BuildHasher, RandomState};

use super::layout::Prefix;

/// Cells of the smallest table.
const FEWEST: usize = 8;
/// A cell of nobody; also the one number that no entry has.
pub(super) const NOBODY: u32 = u32::MAX;

/// The numbers of all entries.
pub(super) struct Ids {
    shards: Vec<Cells>,
    /// Clients choose what keys are made of: they must not choose where they lie.
    seed: RandomState,
}

/// One shard's: a number lies in the cell its key hashes to, or in the next that was free.
#[derive(Default)]
struct Cells {
    cells: Vec<u32>,
    taken: usize,
}

// === impl Ids ===

impl Ids {
    /// No entries.
    pub(super) fn new() -> Self {
        Self {
            shards: (0..=u8::MAX).map(|_| Cells::default()).collect(),
            seed: RandomState::new(),
        }
    }

    /// The number of a key's entry.
    pub(super) fn find(
        &self,
        prefix: &Prefix,
        key_of: impl Fn(u32) -> Option<Prefix>,
    ) -> Option<u32> {
        let cells = self.shards.get(usize::from(prefix.shard()))?;
        cells.find(self.seed.hash_one(prefix), |id| {
            key_of(id).as_ref() == Some(prefix)
        })
    }

    /// Enters a number that is not there.
    pub(super) fn insert(
        &mut self,
        prefix: &Prefix,
        id: u32,
        key_of: impl Fn(u32) -> Option<Prefix>,
    ) {
        let Some(cells) = self.shards.get_mut(usize::from(prefix.shard())) else {
            return;
        };
        if (cells.taken + 1) * 4 > cells.cells.len() * 3 {
            let hash_of = |id| key_of(id).map(|key| self.seed.hash_one(key));
            cells.grow(hash_of);
        }
        cells.put(self.seed.hash_one(prefix), id);
        cells.taken += 1;
    }

    /// Takes the number of a key's entry out.
    pub(super) fn remove(
        &mut self,
        prefix: &Prefix,
        key_of: impl Fn(u32) -> Option<Prefix>,
    ) -> Option<u32> {
        let id = self.find(prefix, &key_of)?;
        let cells = self.shards.get_mut(usize::from(prefix.shard()))?;
        let hash_of = |id| key_of(id).map(|key| self.seed.hash_one(key));
        cells.remove(self.seed.hash_one(prefix), id, hash_of);
        cells.taken -= 1;
        Some(id)
    }

    /// All numbers of one shard.
    pub(super) fn of_shard(&self, shard: u8) -> impl Iterator<Item = u32> {
        let cells = self.shards.get(usize::from(shard));
        let cells = cells.into_iter().flat_map(|cells| &cells.cells);
        cells.copied().filter(|id| *id != NOBODY)
    }
}

// === impl Cells ===

impl Cells {
    /// From the cell of a hash on, around the end; a power of two many, of which some are free.
    fn from(&self, hash: u64) -> impl Iterator<Item = (usize, u32)> {
        let start = self.place(hash);
        let (before, after) = self.cells.split_at(start.min(self.cells.len()));
        let after = after.iter().enumerate().map(move |(i, id)| (start + i, id));
        let around = after.chain(before.iter().enumerate());
        around.map(|(place, id)| (place, *id))
    }

    fn place(&self, hash: u64) -> usize {
        // The lower bits are as good as any, whatever a machine's word drops of the upper.
        #[expect(clippy::cast_possible_truncation, reason = "the rest is masked anyway")]
        let hash = hash as usize;
        hash & self.cells.len().wrapping_sub(1)
    }

    fn find(&self, hash: u64, is_it: impl Fn(u32) -> bool) -> Option<u32> {
        let mut taken = self.from(hash).map(|(_, id)| id);
        let mut taken = taken.by_ref().take_while(|id| *id != NOBODY);
        taken.find(|id| is_it(*id))
    }

    fn put(&mut self, hash: u64, id: u32) {
        let free = self.from(hash).find(|(_, other)| *other == NOBODY);
        let cell = free.and_then(|(place, _)| self.cells.get_mut(place));
        if let Some(cell) = cell {
            *cell = id;
        }
    }

    fn grow(&mut self, hash_of: impl Fn(u32) -> Option<u64>) {
        let length = (self.cells.len() * 2).max(FEWEST);
        let old = std::mem::replace(&mut self.cells, vec![NOBODY; length]);
        for id in old.into_iter().filter(|id| *id != NOBODY) {
            if let Some(hash) = hash_of(id) {
                self.put(hash, id);
            }
        }
    }

    /// Frees the cell of `id` and moves those up that were put behind it for want of their own.
    fn remove(&mut self, hash: u64, id: u32, hash_of: impl Fn(u32) -> Option<u64>) {
        let run: Vec<_> = self
            .from(hash)
            .skip_while(|(_, other)| *other != id)
            .take_while(|(_, other)| *other != NOBODY)
            .collect();
        for (place, _) in &run {
            if let Some(cell) = self.cells.get_mut(*place) {
                *cell = NOBODY;
            }
        }
        for (_, other) in run.into_iter().skip(1) {
            if let Some(hash) = hash_of(other) {
                self.put(hash, other);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::artifact::KeyDigest;

    fn key(number: u32) -> Prefix {
        let mut digest = [0; 32];
        // Two shards, so that both fill.
        digest[0] = u8::from(number.is_multiple_of(3));
        digest[1..5].copy_from_slice(&number.to_be_bytes());
        Prefix::of(&KeyDigest::from_bytes(digest))
    }

    proptest! {
        #[test]
        fn a_key_has_the_number_it_was_given_last(
            steps in vec((any::<bool>(), 0..60_u32), 0..300),
        ) {
            let mut ids = Ids::new();
            let mut model = BTreeMap::new();
            let key_of = |id: u32| Some(key(id));
            for (is_insert, number) in steps {
                let prefix = key(number);
                if !is_insert {
                    prop_assert_eq!(ids.remove(&prefix, key_of), model.remove(&number));
                } else if model.insert(number, number).is_none() {
                    ids.insert(&prefix, number, key_of);
                }
                for number in 0..60 {
                    let known = model.get(&number).copied();
                    prop_assert_eq!(ids.find(&key(number), key_of), known);
                }
                let mut all: Vec<_> = (0..=1).flat_map(|shard| ids.of_shard(shard)).collect();
                all.sort_unstable();
                prop_assert_eq!(all, model.keys().copied().collect::<Vec<_>>());
            }
        }
    }
}
