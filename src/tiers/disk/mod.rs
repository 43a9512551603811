//! The disk tier: plain files, one an artifact; the directory is the index. Knows nothing of HTTP
//! and nothing of the other tier.
//!
//! A file is written in `tmp`, renamed into its folder and never changed; its name is unique, so a
//! late removal cannot hit a newer one. Nothing is synced: a torn file fails its footer and is a
//! miss. A folder is read when somebody first asks for a key in it.

mod checksum;
mod course;
mod cursor;
mod doomed;
mod draft;
mod entry;
mod extension;
mod fault;
mod file_body;
pub(in crate::tiers) mod files;
mod findings;
mod folders;
mod fsck;
mod health;
mod ids;
mod index;
#[cfg(test)]
mod index_tests;
mod jobs;
mod kept;
mod layout;
mod listed;
mod lookup;
#[cfg(test)]
mod order_tests;
mod outgoing;
pub(in crate::tiers) mod owner;
mod probe;
mod quarantine;
mod ranking;
mod reader;
mod recency;
mod recover;
mod resting;
mod room;
mod scrub;
mod serials;
mod slots;
mod snapshot;
mod source;
mod uncopied;
mod usage;
mod versions;

use std::hash::{BuildHasher, RandomState};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};

use tokio::sync::{Notify, Semaphore};
use tokio::time::Duration;

use self::file_body::WHOLE_READS;
use self::files::Files;
use self::folders::Shard;
use self::health::Deed;
use self::index::Index;
use self::kept::Kept;
use self::layout::Layout;
use self::room::Free;
use self::serials::Serials;
use self::source::Source;
use self::usage::{Usage, Word};
use super::budget::Budget;
use super::epochs::Epochs;
use super::locks::{Lock, Rank};
use super::memory::gauge;
use crate::artifact::{Bypass, Landed, Tier};
use crate::config::{DiskTier, Verify};
use crate::metrics::{DiskState, Eviction, Metrics};

pub use self::draft::{Draft, Expected};
pub use self::file_body::{Damaged, FileBody};
pub use self::findings::{Damage, Failure, Findings, Sum, Told};
pub use self::fsck::{Fsck, FsckError, Repair};
pub use self::reader::DraftReader;
pub use self::recover::OpenError;
pub use self::versions::{OtherVersion, held, holds_entries, other_versions, own_version};

pub(super) use self::checksum::{MAX_BODY, Table};
pub(super) use self::course::{Course, Pass};
pub(super) use self::draft::Staged;
pub(super) use self::entry::{Footer, longest_footer};
pub(super) use self::fault::{Fault, Faults, Obstacle};
pub(super) use self::file_body::Body;
pub(super) use self::index::Named;
#[cfg(test)]
pub(super) use self::index::Remembered;
pub(super) use self::jobs::{Jobs, run_alone};
pub(super) use self::layout::{EntryName, Prefix};
pub(super) use self::outgoing::Outgoing;
pub(super) use self::owner::Owner;
#[cfg(test)]
pub(super) use self::recency::encode as encode_recency;
pub(super) use self::scrub::Checking;

/// The disk tier.
pub(super) struct Disk {
    layout: Layout,
    files: Files,
    index: Lock<Index>,
    kept: Lock<Kept<Arc<Source>>>,
    shards: Vec<Shard>,
    /// Held by the one that reads folders because it needs room.
    reading_ahead: Lock<()>,
    waiting_ahead: AtomicUsize,
    last_word: Lock<Option<Word>>,
    owner: Arc<Owner>,
    /// The start that serials are given out after; 0 where the directory was not opened yet.
    epoch: AtomicU32,
    /// Entries of earlier starts are none of ours.
    floor: AtomicU32,
    serials: Serials,
    drafts: AtomicU64,
    touched: Lock<Vec<Prefix>>,
    free: Free,
    pub(super) faults: Arc<Faults>,
    unexpired: AtomicUsize,
    epochs: Arc<Epochs>,
    metrics: Arc<Metrics>,
    jobs: Jobs,
    /// One permit a byte.
    pub(super) whole_reads: Arc<Semaphore>,
    pub(super) budget: Budget,
    max_age: Duration,
    max_artifact: u64,
    verify: Verify,
    /// Told when the high-water mark is passed.
    pub(super) crowded: Notify,
    /// Told when the tier works again.
    pub(super) came_back: Notify,
}

/// What the disk tier shares with the memory tier.
pub(super) struct Shares {
    pub(super) files: Files,
    pub(super) owner: Arc<Owner>,
    pub(super) faults: Arc<Faults>,
    pub(super) epochs: Arc<Epochs>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) jobs: Jobs,
    pub(super) budget: Budget,
}

// === impl Disk ===

impl Disk {
    /// Opens the tier in a directory that is owned. Reads no entry. On a disk too full to count the
    /// start the tier is off until a probe opens it.
    pub(super) fn open(
        config: &DiskTier,
        data_dir: &Path,
        shares: Shares,
    ) -> Result<Arc<Self>, OpenError> {
        let layout = Layout::new(data_dir);
        let epoch = match recover::boot(&shares.files, &layout, 0) {
            Ok(epoch) => {
                shares.faults.show(DiskState::Working);
                epoch
            }
            Err(error) => match error.source() {
                Some(source) if error.is_for_want_of_room() => {
                    shares.faults.note("open", Deed::Watching, source);
                    0
                }
                _ => return Err(error),
            },
        };
        let tier = shares.metrics.tier(Tier::Disk);
        tier.capacity.set(gauge(config.capacity));
        let mut index = Index::new(config.capacity, this_second());
        if !snapshot::is_fresh(&shares.files, &layout) {
            let word = snapshot::read_word(&shares.files, &layout);
            index.usage = Usage::told(word, epoch, config.capacity);
        }
        let disk = Arc::new(Self {
            layout,
            files: shares.files,
            index: Lock::new(Rank::Index, index),
            kept: Lock::new(Rank::Kept, Kept::new(kept::most())),
            shards: (0..=u8::MAX).map(|_| Shard::unread()).collect(),
            reading_ahead: Lock::new(Rank::Ahead, ()),
            waiting_ahead: AtomicUsize::new(0),
            last_word: Lock::new(Rank::Word, None),
            owner: shares.owner,
            epoch: AtomicU32::new(epoch),
            floor: AtomicU32::new(0),
            serials: Serials::after(epoch),
            drafts: AtomicU64::new(somewhere()),
            touched: Lock::new(Rank::Touched, Vec::new()),
            free: Free::new(config.min_free),
            faults: shares.faults,
            unexpired: AtomicUsize::new(0),
            epochs: shares.epochs,
            budget: shares.budget,
            metrics: shares.metrics,
            jobs: shares.jobs,
            whole_reads: Arc::new(Semaphore::new(WHOLE_READS)),
            max_age: config.max_age,
            max_artifact: config.max_artifact.min(config.capacity).min(MAX_BODY),
            verify: config.verify,
            crowded: Notify::new(),
            came_back: Notify::new(),
        });
        disk.report();
        Ok(disk)
    }

    /// Makes a staged file the key's entry. Only in the key's section.
    pub(super) fn commit(&self, mut staged: Staged) -> Result<(), Bypass> {
        if self.faults.is_off() {
            return Err(Bypass::DiskFault);
        }
        let name = staged.name();
        if self.is_doomed(&name.prefix) {
            self.remove_all(&name.prefix, Eviction::Replaced)?;
        }
        let old = self.index.lock().peek(&name.prefix).map(|slot| slot.name);
        // Two uploads may reach this point in the other order than their serials; the higher one
        // would come back at the next start.
        let (before, after) = match old {
            Some(old) if old.serial > name.serial => (Some(old), None),
            old => (None, old),
        };
        if let Some(old) = before {
            self.unlink(&old)
                .map_err(|error| self.faults.note("remove", Deed::Tidying, &error))?;
        }
        staged
            .rename(&self.files, &self.layout.entry(&name))
            .map_err(|error| self.fault("rename", &error))?;
        let replaced = self.index.lock().insert(name);
        if let Some(old) = replaced {
            self.metrics.evicted(Tier::Disk, Eviction::Replaced);
            self.let_go(&old);
        }
        match after.map_or(Ok(()), |old| self.unlink(&old)) {
            Ok(()) => self.faults.stored(),
            Err(error) => {
                self.index.lock().outlived.insert(name.prefix);
                // What stays behind counts nowhere: where that happens again and again, nothing
                // more must be stored.
                self.faults.note("remove", Deed::Storing, &error);
            }
        }
        drop(staged);
        self.change(name.prefix.shard());
        self.report();
        Ok(())
    }

    /// Tries to remove up to `limit` entries that are too old; returns whether to go on at once.
    pub(super) fn expire(&self, limit: usize) -> bool {
        let now = Landed::now().as_secs();
        let Some(until) = now.checked_sub(self.max_age.as_secs()) else {
            return false;
        };
        let until = u32::try_from(until).unwrap_or(u32::MAX);
        // Those that cannot be removed are the oldest from now on; others must not wait for them.
        let skipped = self.unexpired.load(Ordering::Relaxed);
        let old = self.index.lock().landed_until(until, skipped, limit);
        let failed = old
            .iter()
            .filter(|name| self.evict(name, Eviction::Age).is_err())
            .count();
        let is_full = old.len() == limit;
        let skipped = if is_full { skipped + failed } else { 0 };
        self.unexpired.store(skipped, Ordering::Relaxed);
        is_full && failed < limit
    }

    /// Whether so little room is left that eviction should begin.
    pub(super) fn is_crowded(&self) -> bool {
        self.free.owes() || self.index.lock().is_high()
    }

    /// Entries at rest, as far as folders were read.
    pub(super) fn entries(&self) -> usize {
        self.index.lock().len()
    }

    /// Files and folders in the tier's folders that are none of ours.
    pub(super) fn foreign(&self) -> u64 {
        let read = self.shards.iter().map(|shard| &shard.foreign);
        read.map(|foreign| foreign.load(Ordering::Relaxed)).sum()
    }

    /// Brings the gauges up to date.
    pub(super) fn report(&self) {
        let (used, entries, oldest) = {
            let index = self.index.lock();
            let entries = index
                .usage
                .unread()
                .entries
                .saturating_add(index.len() as u64);
            (index.used(), entries, index.oldest())
        };
        let tier = self.metrics.tier(Tier::Disk);
        tier.bytes.set(gauge(used));
        tier.entries.set(gauge(entries));
        let age = oldest.map_or(0, |landed| landed.age().as_secs());
        tier.oldest.set(gauge(age));
    }

    /// Bytes promised to writers.
    #[cfg(test)]
    pub(super) fn reserved(&self) -> u64 {
        self.index.lock().reserved()
    }

    /// Notes a failed file call and says what it means for an artifact that was to be stored.
    pub(super) fn fault(&self, call: &str, error: &io::Error) -> Bypass {
        let bypass = self.faults.note(call, Deed::Storing, error);
        if bypass == Bypass::NoRoom {
            self.free.exhaust();
            self.crowded.notify_one();
        }
        bypass
    }

    fn next_draft(&self) -> u64 {
        self.drafts.fetch_add(1, Ordering::Relaxed)
    }
}

/// Where a process begins to number its drafts. Two that meet in one directory, which was taken from
/// the one, must not take each other's.
fn somewhere() -> u64 {
    RandomState::new().hash_one(())
}

fn this_second() -> u32 {
    EntryName::second(Landed::now())
}
