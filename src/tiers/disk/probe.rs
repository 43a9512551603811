//! Looking after the directory: whether it is still ours, whether the tier works again, and what
//! somebody removed from under it. Everything here blocks.

use std::io::{self, IoSlice};
use std::sync::atomic::Ordering;

use tracing::{info, warn};

use super::Disk;
use super::draft::retry_in_folder;
use super::fault::{Obstacle, kind_of};
use super::health::Deed;
use super::layout::{EntryName, Serial};
use super::recover::{self, OpenError};
use crate::artifact::{Bypass, Tier};
use crate::metrics::{DiskFault, DiskState, Eviction};

/// What a probe writes: one unit of a file system.
const PROBE: [u8; 4096] = [0x5a; 4096];
/// Entries taken out of the index at one go, so that nobody waits long for it.
const DROPPED_AT_ONCE: usize = 256;

// === impl Disk ===

impl Disk {
    /// Whether the directory is there as it was opened.
    pub(in crate::tiers) fn look_after(&self) -> io::Result<()> {
        self.look_at_lock()?;
        self.files.look(&self.layout.epoch()).map(drop)
    }

    /// Whether the path still leads to the directory that is locked.
    pub(super) fn look_at_lock(&self) -> io::Result<()> {
        let is_ours = self.owner.is_owner(&self.files)?;
        is_ours.then_some(()).ok_or_else(|| {
            let what = "the data directory was removed or replaced";
            io::Error::new(io::ErrorKind::NotFound, what)
        })
    }

    /// Notes that the directory is not the one that was opened, or does not say.
    pub(in crate::tiers) fn is_lost(&self, error: &io::Error) -> Bypass {
        self.faults
            .note("look at the directory", Deed::Watching, error)
    }

    /// Notes that a folder cannot be read.
    pub(in crate::tiers) fn cannot_list(&self, error: &io::Error) {
        self.faults.note("read a folder", Deed::Tidying, error);
    }

    /// Does all that the tier does with files, with a small one; first takes the directory again
    /// where that was lost, and opens it where it was not opened yet.
    pub(in crate::tiers) fn probe(&self) -> Result<(), Obstacle> {
        self.open_again().map_err(|error| {
            let kind = error.source().map_or(DiskFault::Gone, kind_of);
            obstacle(DiskState::Off, kind, &error)
        })?;
        if self.jobs.are_stuck() {
            let what = "file calls still hang";
            return Err(obstacle(DiskState::Off, DiskFault::Slow, &what));
        }
        self.store_and_read()
            .map_err(|error| obstacle(DiskState::ReadOnly, kind_of(&error), &error))?;
        self.free.forgive();
        Ok(())
    }

    /// Drops entries whose folder was removed; returns how many.
    pub(in crate::tiers) fn drop_missing(&self) -> usize {
        let suspects = self.folders_gone(0..=u8::MAX);
        if suspects.is_empty() {
            return 0;
        }
        // In this order: what lands from here on makes its folder anew and is not among the names.
        let names = self.names_in(suspects.iter().copied());
        let gone = self.folders_gone(suspects);
        // Where all of the directory is away this is for whoever watches it: it may come back.
        if self.look_at_lock().is_err() {
            return 0;
        }
        let missing: Vec<_> = names
            .into_iter()
            .filter(|name| gone.contains(&name.prefix.shard()))
            .collect();
        if !missing.is_empty() {
            self.drop_all(&missing);
            warn!(
                entries = missing.len(),
                folders = gone.len(),
                "folders of the disk tier were removed; their entries are forgotten"
            );
        }
        missing.len()
    }

    /// The entries of folders, one folder after the other, so that nobody waits long for the index.
    fn names_in(&self, shards: impl Iterator<Item = u8>) -> Vec<EntryName> {
        let names = shards.map(|shard| self.index.lock().names_in(shard));
        names.flatten().collect()
    }

    fn folders_gone(&self, shards: impl IntoIterator<Item = u8>) -> Vec<u8> {
        let is_gone = |shard: &u8| {
            let found = self.files.look(&self.layout.shard(*shard));
            found.is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
        };
        let read = shards.into_iter().filter(|shard| self.is_read(*shard));
        read.filter(is_gone).collect()
    }

    fn open_again(&self) -> Result<(), OpenError> {
        let unusable = |source| OpenError::Unusable {
            path: self.layout.root().to_owned(),
            source,
        };
        if !self.owner.is_owner(&self.files).map_err(unusable)? {
            self.owner.retake()?;
        }
        let epoch = self.epoch.load(Ordering::Acquire);
        let last = recover::read_epoch(&self.files, &self.layout.epoch()).map_err(unusable)?;
        // Nobody has opened it since we did.
        if epoch > 0 && last == Some(epoch) {
            return Ok(());
        }
        let next = recover::boot(&self.files, &self.layout, epoch)?;
        self.serials.see_epoch(next);
        if epoch > 0 {
            info!(epoch = next, "the data directory is opened anew");
            // What may turn up there now was not written by us, or has a past we do not know: an
            // upload since then may have outdated it.
            self.floor.store(next, Ordering::Release);
        }
        self.epoch.store(next, Ordering::Release);
        self.start_anew(next);
        Ok(())
    }

    /// Makes every folder count as unread, and forgets what was in them.
    fn start_anew(&self, epoch: u32) {
        *self.last_word.lock() = None;
        for (number, shard) in (0..=u8::MAX).zip(&self.shards) {
            let _turn = shard.reading.lock();
            shard.is_read.store(false, Ordering::Release);
            shard.foreign.store(0, Ordering::Relaxed);
            // What lies there now takes its room until it was read.
            self.index.lock().usage.doubt(number);
        }
        self.metrics.disk.foreign.set(0);
        let mut names = self.names_in(0..=u8::MAX);
        names.retain(|name| name.serial < Serial::first_of(epoch));
        self.drop_all(&names);
        self.report();
    }

    fn drop_all(&self, names: &[EntryName]) {
        for some in names.chunks(DROPPED_AT_ONCE) {
            let mut index = self.index.lock();
            for name in some {
                if index.remove(name) {
                    self.metrics.evicted(Tier::Disk, Eviction::Replaced);
                }
            }
            drop(index);
            for name in some {
                self.let_go(name);
            }
        }
        self.report();
    }

    /// Writes a small file, reads it back, gives it another name and removes it.
    fn store_and_read(&self) -> io::Result<()> {
        let (first, second) = (
            self.layout.draft(self.next_draft()),
            self.layout.draft(self.next_draft()),
        );
        let stored = (|| {
            let file = retry_in_folder(&self.files, &first, || self.files.create(&first))?;
            self.files.write_at(&file, &mut [IoSlice::new(&PROBE)], 0)?;
            // The page cache would take it, and give it back, without any disk.
            self.files.sync(&file)?;
            drop(file);
            self.files.rename(&first, &second)?;
            let mut back = [0; PROBE.len()];
            self.files
                .read_at(&self.files.open(&second)?, &mut back, 0)?;
            (back == PROBE)
                .then_some(())
                .ok_or(io::ErrorKind::InvalidData.into())
        })();
        let removed = self.files.remove(&second);
        if stored.is_err() {
            // Wherever it stopped; what is left is removed at the next start.
            drop(self.files.remove(&first));
        }
        stored.and(removed)
    }
}

fn obstacle(state: DiskState, kind: DiskFault, what: &impl ToString) -> Obstacle {
    Obstacle {
        state,
        kind,
        what: what.to_string(),
    }
}
