//! What rests on the disk, for whoever lists it: names from the index, labels from footers.

use std::io;

use super::Disk;
use super::fault::Fault;
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

    /// Whose entry it is and what its footer says of it; none where it is gone or damaged: the scrubber deals
    /// with that. What had to come from the disk leaves the page cache again. Blocks.
    ///
    /// # Errors
    ///
    /// The disk does not say, which may pass.
    pub(in crate::tiers) fn labelled(
        &self,
        name: &EntryName,
    ) -> io::Result<Option<(KeyDigest, Meta)>> {
        match self.begin_check(name) {
            Ok(checking) => Ok(checking.map(|it| (it.key(), it.meta().clone()))),
            Err(Fault::Missing | Fault::Corrupt(_)) => Ok(None),
            Err(Fault::Failing(error)) => Err(error),
        }
    }

    /// The entry of a key that may be found.
    pub(in crate::tiers) fn resting(&self, key: &KeyDigest) -> Option<EntryName> {
        let prefix = Prefix::of(key);
        let index = self.index.lock();
        let slot = index.peek(&prefix)?;
        (!index.doomed.contains(&prefix)).then_some(slot.name)
    }
}
