//! Files that stay open between hits, so that the next hit on an entry asks no file system before
//! its bytes leave. Reads nothing.
//!
//! Only entries that may leave unchecked are kept, and each only for as long as its key has it: whoever
//! takes an entry out of the index lets go of it here. Then its readers are the last who have it open, and
//! its blocks are free when they have left.

use std::mem;
use std::sync::Arc;

use hashlink::LruCache;
use rustix::process::{Resource, getrlimit};

use super::Disk;
use super::layout::{EntryName, Prefix};
use super::source::Source;
use crate::artifact::KeyDigest;
use crate::config::Verify;

/// Most files kept open: what a busy hour asks for again and again, at a few hundred bytes each.
const MOST: usize = 1024;
/// And no more than one in so many of the descriptors that the process may have: connections, fills
/// and drafts want the others.
const SHARE: u64 = 8;

/// The entries kept open, by key: the one that was used longest ago gives way.
pub(super) struct Kept<T> {
    most: usize,
    open: LruCache<Prefix, (EntryName, T)>,
}

/// How many files may be kept open.
pub(super) fn most() -> usize {
    share(getrlimit(Resource::Nofile).current)
}

fn share(descriptors: Option<u64>) -> usize {
    let share = descriptors.map(|all| all / SHARE);
    share
        .and_then(|share| usize::try_from(share).ok())
        .map_or(MOST, |share| share.min(MOST))
}

// === impl Disk ===

impl Disk {
    /// An entry's open file, if that is kept.
    pub(super) fn kept(&self, name: &EntryName, key: &KeyDigest) -> Option<Arc<Source>> {
        let source = self.kept.lock().get(name)?;
        source.is_of(key).then_some(source)
    }

    /// Keeps the file of an entry open for the hits to come.
    pub(super) fn keep(&self, source: &Arc<Source>) {
        if self.verify == Verify::Always || self.faults.is_off() {
            return;
        }
        let name = source.name();
        let mut kept = self.kept.lock();
        // Under the lock: whoever takes the entry out of the index, or dooms its key, comes by here afterwards.
        let given_way = if self.rests(name) {
            kept.put(*name, Arc::clone(source))
        } else {
            None
        };
        drop(kept);
        drop(given_way);
    }

    /// Lets go of the file of an entry that its key does not have any more.
    pub(super) fn let_go(&self, name: &EntryName) {
        let gone = self.kept.lock().take(&name.prefix, Some(name));
        drop(gone);
    }

    /// Lets go of whatever file of a key is kept.
    pub(super) fn let_go_of_key(&self, prefix: &Prefix) {
        let gone = self.kept.lock().take(prefix, None);
        drop(gone);
    }

    /// The entries whose files are kept open.
    #[cfg(test)]
    pub(in crate::tiers) fn names_kept(&self) -> Vec<EntryName> {
        let kept = self.kept.lock();
        kept.open.iter().map(|(_, (name, _))| *name).collect()
    }

    /// Closes every file that nobody is reading. What somebody removed by hand is missed from then on,
    /// and gives its blocks back.
    pub(in crate::tiers) fn let_go_of_all(&self) {
        let gone = self.kept.lock().take_all();
        drop(gone);
    }
}

// === impl Kept ===

impl<T: Clone> Kept<T> {
    /// Nothing, and never more than `most`.
    pub(super) fn new(most: usize) -> Self {
        Self {
            most,
            open: LruCache::new_unbounded(),
        }
    }

    /// The open file of this very entry; that counts as a use.
    fn get(&mut self, name: &EntryName) -> Option<T> {
        let (known, open) = self.open.get(&name.prefix)?;
        (known.serial == name.serial).then(|| open.clone())
    }

    /// Keeps an open file; returns what is to be closed for it.
    fn put(&mut self, name: EntryName, open: T) -> Option<T> {
        let replaced = self.open.insert(name.prefix, (name, open));
        let given_way = if self.open.len() > self.most {
            self.open.remove_lru().map(|(_, oldest)| oldest)
        } else {
            None
        };
        given_way.or(replaced).map(|(_, closed)| closed)
    }

    /// Takes out what is kept of a key, or only this entry of it.
    fn take(&mut self, prefix: &Prefix, only: Option<&EntryName>) -> Option<T> {
        let (known, _) = self.open.peek(prefix)?;
        if only.is_some_and(|only| only.serial != known.serial) {
            return None;
        }
        self.open.remove(prefix).map(|(_, open)| open)
    }

    fn take_all(&mut self) -> LruCache<Prefix, (EntryName, T)> {
        mem::replace(&mut self.open, LruCache::new_unbounded())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tiers::disk::layout::Serial;

    fn name(key: u8, serial: u64) -> EntryName {
        EntryName {
            prefix: Prefix::of(&KeyDigest::from_bytes([key; 32])),
            serial: Serial::from_number(serial),
            length: 1,
            landed: 1,
            millis: 0,
        }
    }

    #[test]
    fn where_there_is_no_room_what_was_used_longest_ago_gives_way() {
        let mut kept = Kept::new(3);
        for key in 0..3 {
            assert_eq!(kept.put(name(key, 1), key), None);
        }
        assert_eq!(kept.get(&name(0, 1)), Some(0));
        assert_eq!(kept.put(name(3, 1), 3), Some(1));
        assert_eq!(kept.get(&name(1, 1)), None);
        let left: Vec<_> = [0, 2, 3].map(|key| kept.get(&name(key, 1))).into();
        assert_eq!(left, [Some(0), Some(2), Some(3)]);
    }

    #[test]
    fn only_the_very_entry_is_found_and_let_go() {
        let mut kept = Kept::new(3);
        kept.put(name(1, 2), "newer");
        assert_eq!(kept.get(&name(1, 1)), None);
        let older = name(1, 1);
        assert_eq!(kept.take(&older.prefix, Some(&older)), None);
        assert_eq!(kept.put(name(1, 3), "newest"), Some("newer"));
        assert_eq!(kept.take(&older.prefix, None), Some("newest"));
        assert!(kept.open.is_empty());
    }

    #[test]
    fn nothing_is_kept_where_nothing_may_be() {
        let mut kept = Kept::new(0);
        assert_eq!(kept.put(name(1, 1), 1), Some(1));
        assert_eq!(kept.get(&name(1, 1)), None);
    }

    #[test]
    fn a_process_with_few_descriptors_keeps_most_of_them_for_others() {
        assert_eq!(share(Some(1024)), 128);
        assert_eq!(share(Some(1 << 20)), MOST);
        assert_eq!(share(None), MOST);
    }
}
