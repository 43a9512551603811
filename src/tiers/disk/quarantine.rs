//! Taking entries away: for room, for age, for good, or because they are damaged.
//!
//! Every removal happens in the section of its key: whoever finds the key in no table also finds
//! none of its files.

use std::io;
use std::sync::atomic::Ordering;

use tracing::warn;

use super::Disk;
use super::fault::{Fault, passes};
use super::health::Deed;
use super::layout::{EntryName, Prefix, Serial};
use super::recover::list;
use crate::artifact::{Bypass, Tier};
use crate::metrics::Eviction;

/// Damaged entries kept for somebody to look at: at most this many …
const KEPT: usize = 16;
/// … and none larger than this, since they count in no capacity.
const LARGEST_KEPT: u64 = 16 << 20;

// === impl Disk ===

impl Disk {
    /// Removes an entry; returns `false` where its key has another by now, or none.
    pub(in crate::tiers) fn evict(
        &self,
        name: &EntryName,
        reason: Eviction,
    ) -> Result<bool, Bypass> {
        let _section = self.epochs.enter(name.prefix.as_bytes());
        if !self.index.lock().holds(name) {
            return Ok(false);
        }
        let removed = self.remove(name, reason);
        if removed.is_err() {
            self.index.lock().postpone(name);
        }
        removed.map(|()| true)
    }

    /// Removes the entry that a key has. Only in the key's section.
    pub(in crate::tiers) fn remove(
        &self,
        name: &EntryName,
        reason: Eviction,
    ) -> Result<(), Bypass> {
        // The file first: the index counts its bytes until they are free.
        if let Err(error) = self.unlink_last(name) {
            return Err(self.faults.note("remove", Deed::Tidying, &error));
        }
        self.drop_slot(name, reason);
        Ok(())
    }

    /// Removes every file of a key. Only in the key's section.
    ///
    /// Where that fails the key is doomed: what is left of it keeps its room and is not found.
    pub(in crate::tiers) fn remove_all(
        &self,
        prefix: &Prefix,
        reason: Eviction,
    ) -> Result<(), Bypass> {
        if self.faults.is_off() {
            self.doom(prefix);
            return Err(Bypass::DiskFault);
        }
        // What a later reading of the folder would find must be known before it is removed.
        let removed = self
            .read_shard(prefix.shard())
            .and_then(|()| self.unlink_below(prefix, None));
        if let Err(error) = removed {
            self.doom(prefix);
            return Err(self.faults.note("remove", Deed::Tidying, &error));
        }
        let (known, may_be_found) = {
            // Somebody may have been promised, while we were at it, that nothing is found.
            let moment = self.epochs.stop(prefix.as_bytes());
            let mut index = self.index.lock();
            let may_be_found = moment.is_undisturbed() && index.doomed.remove(prefix);
            index.outlived.remove(prefix);
            (
                index.peek(prefix),
                may_be_found || !index.doomed.contains(prefix),
            )
        };
        if let Some(slot) = known {
            self.drop_slot(&slot.name, reason);
        }
        may_be_found.then_some(()).ok_or(Bypass::DiskFault)
    }

    /// Tries once more to remove what could not be removed.
    pub(in crate::tiers) fn remove_doomed(&self) {
        self.remove_outlived();
        let doomed = self.index.lock().doomed.keys();
        for prefix in &doomed {
            let _section = self.epochs.enter(prefix.as_bytes());
            if self.is_doomed(prefix) {
                self.remove_all(prefix, Eviction::Replaced)
                    .unwrap_or_default();
            }
        }
        self.remove_everything();
    }

    /// Tries once more to remove the files that entries have outlived.
    fn remove_outlived(&self) {
        let outlived = self.index.lock().outlived.keys();
        for prefix in &outlived {
            let _section = self.epochs.enter(prefix.as_bytes());
            let newest = self.index.lock().peek(prefix).map(|slot| slot.name.serial);
            if let Err(error) = self.unlink_older(prefix, newest) {
                self.faults.note("remove", Deed::Tidying, &error);
            }
        }
    }

    /// Whether a key is not to be found because old files of it may be left.
    pub(in crate::tiers) fn is_doomed(&self, prefix: &Prefix) -> bool {
        self.index.lock().doomed.contains(prefix)
    }

    /// Whether a key may have older files beside its entry.
    pub(in crate::tiers) fn is_outlived(&self, prefix: &Prefix) -> bool {
        self.index.lock().outlived.contains(prefix)
    }

    /// Whether a key has an entry that would be found if the tier were not off.
    pub(in crate::tiers) fn hides(&self, prefix: &Prefix) -> bool {
        let index = self.index.lock();
        !index.doomed.contains(prefix) && index.peek(prefix).is_some()
    }

    /// Removes an entry that lost against another before anybody could find it.
    pub(super) fn discard(&self, name: &EntryName) {
        if let Err(error) = self.unlink(name) {
            self.faults.note("remove", Deed::Tidying, &error);
            self.doom(&name.prefix);
        }
    }

    /// Draws the consequence of an entry that could not be read.
    pub(in crate::tiers) fn condemn(&self, name: &EntryName, fault: &Fault) {
        match fault {
            Fault::Missing => {
                let _section = self.epochs.enter(name.prefix.as_bytes());
                self.drop_slot(name, Eviction::Replaced);
            }
            Fault::Corrupt(how) => self.quarantine(name, how),
            Fault::Failing(error) => {
                // Whoever waited in vain has noted it.
                if error.raw_os_error().is_some() {
                    self.faults.note("read", Deed::Reading, error);
                }
                if !passes(error) {
                    self.give_up(name);
                }
            }
        }
    }

    pub(super) fn unlink(&self, name: &EntryName) -> io::Result<()> {
        match self.files.remove(&self.layout.entry(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Removes an entry's file, and before it those it has outlived: the next start would find them.
    fn unlink_last(&self, name: &EntryName) -> io::Result<()> {
        if self.is_outlived(&name.prefix) {
            self.unlink_older(&name.prefix, Some(name.serial))?;
        }
        self.unlink(name)
    }

    /// Removes the files that a key's newest entry has outlived. Only in the key's section.
    fn unlink_older(&self, prefix: &Prefix, newest: Option<Serial>) -> io::Result<()> {
        self.unlink_below(prefix, newest)?;
        self.index.lock().outlived.remove(prefix);
        Ok(())
    }

    pub(super) fn drop_slot(&self, name: &EntryName, reason: Eviction) {
        let was_there = self.index.lock().remove(name);
        if was_there {
            self.let_go(name);
            self.metrics.evicted(Tier::Disk, reason);
            self.report();
        }
    }

    /// The key's highest entry is damaged: the key is a miss from now on, whatever lower entries an
    /// interrupted replacement may have left.
    fn quarantine(&self, name: &EntryName, how: &str) {
        let _section = self.epochs.enter(name.prefix.as_bytes());
        if !self.index.lock().holds(name) {
            return;
        }
        self.metrics.tier(Tier::Disk).corrupt.inc();
        self.faults.tell_damage(name, how);
        if self.may_keep(name) {
            let (from, to) = (self.layout.entry(name), self.layout.quarantined(name));
            let kept = self.files.rename(&from, &to);
            if let Err(error) = kept {
                self.faults.note("put aside", Deed::Tidying, &error);
            }
        }
        self.remove_all(&name.prefix, Eviction::Corrupt)
            .unwrap_or_default();
    }

    /// The disk does not say what is in an entry and will not say it next time: nobody shall find
    /// the entry again. There is nothing to be kept of it.
    fn give_up(&self, name: &EntryName) {
        let _section = self.epochs.enter(name.prefix.as_bytes());
        if self.index.lock().holds(name) {
            self.remove_all(&name.prefix, Eviction::Corrupt)
                .unwrap_or_default();
        }
    }

    /// Lets nothing of a key be found until its files are gone. Asks no disk.
    pub(in crate::tiers) fn doom(&self, prefix: &Prefix) {
        let are_too_many = self.index.lock().doomed.insert(*prefix);
        self.let_go_of_key(prefix);
        if are_too_many {
            warn!(
                "too many files cannot be removed; nothing is found on the disk until all are gone"
            );
        }
    }

    /// Where too many keys were doomed: tries to remove every file there is.
    pub(in crate::tiers) fn remove_everything(&self) {
        let beyond = self.index.lock().doomed.beyond();
        if beyond == 0 {
            return;
        }
        let epoch = self.epoch.load(Ordering::Acquire);
        for shard in 0..=u8::MAX {
            let Ok(listing) = list(&self.files, &self.layout, shard, epoch) else {
                return;
            };
            for name in &listing.names {
                let _section = self.epochs.enter(name.prefix.as_bytes());
                if self.unlink(name).is_err() {
                    return;
                }
                self.drop_slot(name, Eviction::Replaced);
            }
        }
        self.index.lock().doomed.clear(beyond);
    }

    fn may_keep(&self, name: &EntryName) -> bool {
        let kept = self.files.list(&self.layout.quarantine());
        let kept = kept.map_or(usize::MAX, Iterator::count);
        kept < KEPT && name.length <= LARGEST_KEPT
    }

    /// Removes the files of a key below a serial, or all, the oldest first: wherever this ends, what
    /// is left to be found is the newest.
    fn unlink_below(&self, prefix: &Prefix, serial: Option<Serial>) -> io::Result<()> {
        let epoch = self.epoch.load(Ordering::Acquire);
        let mut names = list(&self.files, &self.layout, prefix.shard(), epoch)?.names;
        names.retain(|name| name.prefix == *prefix && serial.is_none_or(|end| name.serial < end));
        names.sort_unstable_by_key(|name| name.serial);
        names.iter().try_for_each(|name| self.unlink(name))
    }
}
