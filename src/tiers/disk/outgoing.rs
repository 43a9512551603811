//! An entry that an upload is about to replace: opened before its file goes, read when it is gone.
//! Compares nothing.

use std::io;

use super::Disk;
use super::entry::Footer;
use super::layout::{EntryName, Prefix};
use super::reader::Handle;
use super::resting::{ReadAt, footer_of};
use crate::artifact::KeyDigest;

/// An entry on its way out, of which nothing but its name is known.
pub(in crate::tiers) struct Outgoing {
    key: KeyDigest,
    name: EntryName,
    handle: Handle,
}

// === impl Disk ===

impl Disk {
    /// Opens the entry that would be found under a key; reads nothing of it. Only in the key's section,
    /// before a landing there.
    ///
    /// The removal that is to follow looks for the same name and the same file, so nobody waits here who
    /// would not wait there. A disk that is sick is not asked, and a file that cannot be opened is no
    /// news: it goes anyway.
    pub(in crate::tiers) fn outgoing(&self, key: &KeyDigest) -> Option<Outgoing> {
        if !self.faults.is_working() {
            return None;
        }
        let prefix = Prefix::of(key);
        if !self.is_read(prefix.shard()) {
            self.read_shard(prefix.shard()).ok()?;
        }
        let name = self.findable(&prefix)?;
        let file = self.files.open(&self.layout.entry(&name)).ok()?;
        // Closed by whoever drops it: on threads that may block, and no later than it would have been
        // freed by its removal.
        let handle = Handle::new(self.files.clone(), file, Some(name.length), None);
        Some(Outgoing {
            key: *key,
            name,
            handle,
        })
    }

    /// The entry that would be found under a key, without using it.
    fn findable(&self, prefix: &Prefix) -> Option<EntryName> {
        let index = self.index.lock();
        let name = index.peek(prefix)?.name;
        let is_found = !index.doomed.contains(prefix) && name.landed().age() < self.max_age;
        is_found.then_some(name)
    }
}

// === impl Outgoing ===

impl Outgoing {
    /// The entry's footer, if the page cache has all of it: waits for no disk.
    pub(in crate::tiers) fn peek(&self) -> Option<Footer> {
        self.footer(&mut |handle, buffer, offset| {
            if handle.peek_at(buffer, offset)? == buffer.len() {
                Ok(())
            } else {
                Err(io::ErrorKind::WouldBlock.into())
            }
        })
    }

    /// Reads the entry's footer; none where that cannot be read or is damaged. Blocks.
    pub(in crate::tiers) fn read(&self) -> Option<Footer> {
        self.footer(&mut Handle::read_at)
    }

    fn footer(&self, read: &mut ReadAt<'_>) -> Option<Footer> {
        let footer = footer_of(&self.handle, &self.name, read).ok()?;
        (footer.key == self.key).then_some(footer)
    }
}
