//! The folders of entries: each is read once, when somebody first asks for a key in it, or before.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::snapshot::Memories;
use super::{Disk, EntryName, recover};
use crate::tiers::locks::{Lock, Rank};
use crate::tiers::memory::gauge;

/// Entries of a folder entered into the index at one go, so that nobody waits long for it.
const ADOPTED_AT_ONCE: usize = 256;

/// Whether a folder was read, whose turn it is to read it, and whether an entry was used since that
/// was written down.
pub(super) struct Shard {
    pub(super) is_read: AtomicBool,
    pub(super) is_changed: AtomicBool,
    pub(super) foreign: AtomicU64,
    pub(super) reading: Lock<()>,
}

// === impl Shard ===

impl Shard {
    pub(super) fn unread() -> Self {
        Self {
            is_read: AtomicBool::new(false),
            is_changed: AtomicBool::new(false),
            foreign: AtomicU64::new(0),
            reading: Lock::new(Rank::Folder, ()),
        }
    }
}

// === impl Disk ===

impl Disk {
    /// Reads a folder, unless that was done.
    pub(in crate::tiers) fn read_shard(&self, number: u8) -> io::Result<()> {
        let Some(shard) = self.shards.get(usize::from(number)) else {
            return Ok(());
        };
        let _turn = shard.reading.lock();
        if shard.is_read.load(Ordering::Acquire) {
            return Ok(());
        }
        let epoch = self.epoch.load(Ordering::Acquire);
        let listing = recover::list(&self.files, &self.layout, number, epoch)?;
        shard.foreign.store(listing.foreign, Ordering::Relaxed);
        let (mut newest, mut older) = recover::contest(listing.names);
        let floor = self.floor.load(Ordering::Acquire);
        older.extend(newest.extract_if(.., |name| name.serial.epoch() < floor));
        // Before anything is found or evicted: no older entry may outlive a newer one.
        for name in &older {
            self.discard(name);
        }
        let memories = Memories::read(&self.files, &self.layout, number);
        memories.sort(&mut newest);
        for names in newest.chunks(ADOPTED_AT_ONCE) {
            for lost in self.adopt_remembered(names, &memories) {
                self.discard(&lost);
            }
        }
        let waiting = {
            let mut index = self.index.lock();
            index.usage.settle(number);
            index.usage.waiting()
        };
        shard.is_read.store(true, Ordering::Release);
        if waiting.is_none() {
            // From here on it is known what rests; where it cannot be written down, a later time will do.
            self.write_usage().unwrap_or_default();
        }
        self.metrics.disk.foreign.set(gauge(self.foreign()));
        self.report();
        Ok(())
    }

    /// Whether a folder was read.
    pub(in crate::tiers) fn is_read(&self, number: u8) -> bool {
        self.shards
            .get(usize::from(number))
            .is_some_and(|shard| shard.is_read.load(Ordering::Acquire))
    }

    /// Whether every folder was read.
    pub(in crate::tiers) fn is_all_read(&self) -> bool {
        (0..=u8::MAX).all(|number| self.is_read(number))
    }

    /// Whether entries of a folder were used since that was last written down.
    pub(in crate::tiers) fn is_changed(&self, number: u8) -> bool {
        let shard = self.shards.get(usize::from(number));
        shard.is_some_and(|shard| shard.is_changed.load(Ordering::Relaxed))
    }

    /// Notes that an entry of a folder was used.
    pub(super) fn change(&self, number: u8) {
        // Looked at first: every hit comes by here, and a line that is only read can be shared.
        if let Some(shard) = self.shards.get(usize::from(number))
            && !shard.is_changed.load(Ordering::Relaxed)
        {
            shard.is_changed.store(true, Ordering::Relaxed);
        }
    }

    /// Enters found entries of which nothing is remembered.
    #[cfg(test)]
    pub(in crate::tiers) fn adopt(&self, names: &[EntryName]) -> Vec<EntryName> {
        self.adopt_remembered(names, &Memories::default())
    }

    /// Enters found entries into the index; returns those that lost against another of their key.
    fn adopt_remembered(&self, names: &[EntryName], memories: &Memories) -> Vec<EntryName> {
        let mut index = self.index.lock();
        let mut lost = Vec::new();
        for name in names {
            self.serials.see(name.serial);
            lost.extend(index.adopt(*name, memories.of(name)));
        }
        lost
    }
}
