//! What rests on the disk, for whoever lists it: names from the index, labels from footers.

use std::io;

use super::Disk;
use super::index::Named;
use super::layout::{EntryName, Prefix};
use crate::artifact::{KeyDigest, Landed, Meta};

// === impl Named ===

impl Named {
    /// When it was last used.
    pub(in crate::tiers) fn used(&self) -> Landed {
        Landed::from_secs(u64::from(self.used))
    }
}

// === impl Disk ===

impl Disk {
    /// The entries of a folder that a look-up would find, in no order. Reads the folder first where nobody
    /// has. Blocks.
    pub(in crate::tiers) fn listed(&self, shard: u8) -> io::Result<Vec<Named>> {
        if let Err(error) = self.read_shard(shard) {
            self.cannot_list(&error);
            return Err(error);
        }
        self.tell_touches();
        let mut listed = self.index.lock().listed(shard);
        listed.retain(|named| named.name.landed().age() < self.max_age);
        Ok(listed)
    }

    /// Whose entry it is and what its footer says of it; none where it is gone, damaged or cannot be read:
    /// the scrubber deals with that. What had to come from the disk leaves the page cache again. Blocks.
    pub(in crate::tiers) fn labelled(&self, name: &EntryName) -> Option<(KeyDigest, Meta)> {
        let checking = self.begin_check(name).ok()??;
        Some((checking.key(), checking.meta().clone()))
    }

    /// When the entry landed that the index has of a key.
    pub(in crate::tiers) fn landed(&self, key: &KeyDigest) -> Option<Landed> {
        let known = self.index.lock().peek(&Prefix::of(key))?;
        Some(known.name.landed())
    }
}
