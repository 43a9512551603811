//! Where artifacts rest, fastest first: memory, then disk.
//!
//! A look-up asks both; a landing changes both, meta and body as one unit. A fault in a tier costs a
//! hit, never an answer. The tiers know nothing of HTTP routes, callers' rights or the upstream.

mod admission;
mod budget;
mod conflicts;
mod contrast;
mod disk;
mod epochs;
mod filter;
mod found;
mod landing;
mod listing;
mod locks;
mod memory;
mod purging;
mod scrubbing;
mod spread;
#[cfg(test)]
mod tests;
mod upkeep;
mod without_disk;

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Mutex;
use tokio::task::spawn_blocking;
use tokio::time::{Duration, timeout};
use tracing::warn;

use self::admission::Admission;
use self::contrast::{MOST_UNREAD, READERS};
use self::disk::files::Files;
use self::disk::{Disk, Faults, Jobs, Owner, Shares};
use self::epochs::Epochs;
use self::landing::Entrance;
use self::memory::Memory;
use crate::artifact::{ArtifactKey, Bypass, KeyDigest};
use crate::config;
use crate::metrics::Metrics;
use crate::tasks::Tasks;

pub use self::budget::{Budget, Held};
pub use self::conflicts::{Conflict, Conflicts, Version};
pub use self::disk::owner::used_by;
pub use self::disk::{
    Damage, Damaged, Draft, DraftReader, Expected, Failure, FileBody, Findings, Fsck, FsckError,
    OpenError, OtherVersion, Repair, Sum, Told, held, holds_entries, other_versions, own_version,
};
pub use self::epochs::Epoch;
pub use self::filter::Filter;
pub use self::found::{Artifact, ArtifactBody, Found, Resting};
pub use self::landing::{Landing, LandingBody, NotLanded};
pub use self::listing::{Listed, MOST_LOOKED_AT, NoPlace, Page, Place};
pub use self::memory::Stored;

/// What a stop waits for the tiers to write down.
const CLOSING: Duration = Duration::from_secs(1);
/// Entries checked or promoted at once; each has its turn.
const TURNS: usize = 256;

/// Both tiers of one data directory.
pub struct Tiers {
    shared: Arc<Shared>,
}

/// What jobs on other threads need of the tiers.
struct Shared {
    memory: Arc<Memory>,
    disk: Option<Arc<Disk>>,
    epochs: Arc<Epochs>,
    admission: Admission,
    budget: Budget,
    jobs: Jobs,
    turns: Vec<Mutex<()>>,
    owner: Arc<Owner>,
    conflicts: Arc<Conflicts>,
    /// Where fills land.
    landing: Jobs,
    /// Where the footers of replaced entries are read.
    comparing: Jobs,
}

// === impl Tiers ===

impl Tiers {
    /// Opens the tiers in `data_dir`, which nobody else may be using. Reads no entry: that happens
    /// in a task of its own, and whenever somebody asks.
    pub async fn open(
        config: &config::Tier,
        data_dir: &Path,
        metrics: Arc<Metrics>,
        tasks: Tasks,
    ) -> Result<Arc<Self>, OpenError> {
        let (config, owned) = (config.clone(), data_dir.to_owned());
        let rate = config.disk.scrub_rate;
        let opening =
            spawn_blocking(move || Shared::open(&config, &owned, &metrics, Files::default()));
        let shared = opening.await.map_err(|error| OpenError::Unusable {
            path: data_dir.to_owned(),
            source: error.into(),
        })??;
        tasks.spawn(upkeep::run(
            Arc::clone(&shared),
            data_dir.to_owned(),
            tasks.clone(),
        ));
        tasks.spawn(scrubbing::run(Arc::clone(&shared), rate, tasks.clone()));
        Ok(Arc::new(Self { shared }))
    }

    /// Finds an artifact, in memory first, then on the disk; one that is too old is not found. What
    /// is in memory is found without waiting for anything.
    pub async fn lookup(&self, key: &KeyDigest) -> Option<Found> {
        let shared = &self.shared;
        // Noted before anything is looked at: a promotion of what is found gives way to all that
        // happens from here on.
        let noted = self.epoch(key);
        if let Some(stored) = self.lookup_in_memory(key) {
            return Some(Found::Memory(stored));
        }
        let disk = shared.disk.as_ref()?;
        let name = disk.find(key).await?;
        Some(Found::Disk(Resting::new(shared, disk, *key, name, noted)))
    }

    /// Finds an artifact in memory.
    pub fn lookup_in_memory(&self, key: &KeyDigest) -> Option<Arc<Stored>> {
        let shared = &self.shared;
        let stored = shared.memory.get(key)?;
        if let Some(disk) = &shared.disk {
            disk.touch(key);
        }
        Some(stored)
    }

    /// The key's epoch, which a fill notes before it asks the upstream.
    pub fn epoch(&self, key: &KeyDigest) -> Epoch {
        self.shared.epochs.note(key.as_bytes())
    }

    /// Whether an artifact of this length may rest anywhere.
    pub fn admit(&self, length: Option<u64>) -> Result<(), Bypass> {
        let shared = &self.shared;
        shared.admission.anywhere(length)?;
        match &shared.disk {
            Some(disk) if !shared.admission.memory(length.unwrap_or(0)) => disk.faults.may_store(),
            _ => Ok(()),
        }
    }

    /// Begins an entry on the disk, with room for some of the `expected` bytes.
    pub async fn draft(
        &self,
        key: &ArtifactKey,
        expected: impl Into<Expected>,
    ) -> Result<Draft, Bypass> {
        let (shared, expected) = (&self.shared, expected.into());
        shared.admission.disk(expected.length.unwrap_or(0))?;
        let disk = Arc::clone(shared.disk.as_ref().ok_or(Bypass::NoRoom)?);
        disk.faults.may_store()?;
        let key = key.digest;
        let begun = shared
            .jobs
            .run_within(move || Draft::begin(&disk, &key, expected));
        begun.await.map_err(|_| Bypass::DiskFault)?
    }

    /// Lands a fill in every tier that takes it, unless its key changed since `noted`. Where the disk
    /// does not answer in time it is given up.
    pub async fn land(&self, landing: Landing, noted: Epoch) -> Result<(), NotLanded> {
        self.enter(Box::new(landing), Entrance::Fill(noted)).await
    }

    /// Lands an accepted upload in place of whatever the tiers have of its key. Where no tier takes
    /// it, or none in time, the key is forgotten before this returns.
    ///
    /// Not cancel-safe before it has begun: call it from a task that nobody drops.
    pub async fn publish(&self, landing: Landing) -> Result<(), Bypass> {
        let key = landing.key.digest;
        match self.enter(Box::new(landing), Entrance::Upload).await {
            Ok(()) => Ok(()),
            Err(NotLanded::Bypassed(bypass)) => Err(bypass),
            // The disk did not answer, or the job was lost on its way, wherever it was.
            Err(NotLanded::Overtaken) => {
                self.shared.disown(&key, None);
                Err(Bypass::DiskFault)
            }
        }
    }

    /// Takes a key out of both tiers, with every file it has; where the disk does not answer in time
    /// its files are removed later, and not found until then. Whatever is under way for it gives way.
    ///
    /// Not cancel-safe before it has begun: call it from a task that nobody drops.
    pub async fn forget(&self, key: &KeyDigest) {
        if !self.shared.is_off() {
            let (shared, key) = (Arc::clone(&self.shared), *key);
            let forgotten = self.shared.jobs.run_surely(move || shared.forget(&key));
            if forgotten.await.is_ok() {
                return;
            }
        }
        self.shared.disown(key, None);
    }

    /// Lets no fill or promotion land that has begun, of any key; uploads go on.
    pub fn outdate(&self) {
        self.shared.epochs.outdate();
    }

    /// Takes nothing new, removes what should be gone and writes down what the next start may know:
    /// how entries were used, how much rests. Takes a second at most.
    pub async fn close(&self) {
        let Some(disk) = self.shared.disk.as_ref() else {
            return;
        };
        if !disk.faults.is_working() {
            return;
        }
        let disk = Arc::clone(disk);
        let closing = self.shared.jobs.run(move || {
            // The next process does not know what must not be found.
            disk.remove_doomed();
            disk.close(CLOSING)
        });
        let closed = timeout(CLOSING, closing).await;
        let closed = closed.map_or_else(|_| Err(io::ErrorKind::TimedOut.into()), Result::flatten);
        if let Err(error) = closed {
            warn!(%error, "not all of how entries were used could be written down");
        }
    }

    /// The memory that bodies on their way share.
    pub fn budget(&self) -> &Budget {
        &self.shared.budget
    }

    /// The uploads that replaced another body.
    pub fn conflicts(&self) -> Arc<Conflicts> {
        Arc::clone(&self.shared.conflicts)
    }

    /// Brings the tiers' gauges up to date, for whoever is about to read them.
    pub fn report(&self) {
        self.shared.memory.settle();
        self.shared.budget.report();
        if let Some(disk) = &self.shared.disk {
            disk.report();
        }
    }

    async fn enter(&self, landing: Box<Landing>, entrance: Entrance) -> Result<(), NotLanded> {
        let shared = Arc::clone(&self.shared);
        if let Some(disk) = shared.disk.as_ref().filter(|disk| disk.faults.is_off()) {
            return shared.land_in_memory(disk, *landing, entrance);
        }
        let given_up = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&given_up);
        let job = {
            let shared = Arc::clone(&shared);
            move || shared.land(*landing, entrance, &told)
        };
        let jobs = match entrance {
            Entrance::Fill(_) => &shared.landing,
            // Its client waits.
            Entrance::Upload => &shared.jobs,
        };
        let landed = jobs.run_patiently(job).await;
        landed.unwrap_or_else(|_| {
            given_up.store(true, Ordering::Release);
            Err(NotLanded::Overtaken)
        })
    }
}

impl fmt::Debug for Tiers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tiers")
            .field("admission", &self.shared.admission)
            .finish_non_exhaustive()
    }
}

// === impl Shared ===

impl Shared {
    fn open(
        config: &config::Tier,
        data_dir: &Path,
        metrics: &Arc<Metrics>,
        files: Files,
    ) -> Result<Arc<Self>, OpenError> {
        let owner = Arc::new(Owner::take(data_dir)?);
        let epochs = Arc::new(Epochs::new());
        let faults = Arc::new(Faults::new(Arc::clone(metrics)));
        let jobs = Jobs::new(Arc::clone(&faults));
        let landing = Jobs::of_landings(Arc::clone(&faults));
        let budget = Budget::new(config.in_flight, Arc::clone(metrics));
        let comparing = Jobs::bounded(READERS, MOST_UNREAD, Arc::clone(&faults));
        let disk = if config.disk.capacity > 0 {
            let shares = Shares {
                files,
                owner: Arc::clone(&owner),
                faults,
                epochs: Arc::clone(&epochs),
                metrics: Arc::clone(metrics),
                jobs: jobs.clone(),
                budget: budget.clone(),
            };
            Some(Disk::open(&config.disk, data_dir, shares)?)
        } else {
            None
        };
        let max_age = config.disk.max_age;
        let memory = Memory::new(&config.memory, max_age, Arc::clone(metrics), budget.clone());
        Ok(Arc::new(Self {
            memory: Arc::new(memory),
            budget,
            epochs,
            admission: Admission::new(config, disk.is_some()),
            disk,
            jobs,
            turns: (0..TURNS).map(|_| Mutex::new(())).collect(),
            owner,
            conflicts: Arc::new(Conflicts::new(Arc::clone(metrics))),
            landing,
            comparing,
        }))
    }

    /// Whether the memory tier takes an artifact of this length. While readers hold more than they should
    /// it takes none: whatever had to go for it might still be read, and be held besides.
    fn admits_to_memory(&self, size: u64) -> bool {
        self.admission.memory(size) && !self.budget.makes_do()
    }

    /// Whether nobody wants the disk just now.
    fn is_idle(&self) -> bool {
        self.jobs.are_idle() && self.landing.are_idle()
    }

    fn is_off(&self) -> bool {
        self.disk.as_ref().is_some_and(|disk| disk.faults.is_off())
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        // A job that nobody waits for may still have the disk tier.
        self.owner.give_back();
    }
}
