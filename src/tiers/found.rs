//! What a look-up found: an artifact in memory, or an entry at rest that still has to prove itself.

use std::fmt;
use std::io;
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::MutexGuard;

use super::disk::{Body, Damaged, Disk, EntryName, FileBody};
use super::memory::Stored;
use super::{Epoch, Shared};
use crate::artifact::{KeyDigest, Meta, Tier};

/// An artifact that a tier has.
#[derive(Debug)]
pub enum Found {
    /// In memory, whole.
    Memory(Arc<Stored>),
    /// On the disk, not opened yet.
    Disk(Resting),
}

/// An entry on the disk, known by name only.
pub struct Resting {
    shared: Arc<Shared>,
    disk: Arc<Disk>,
    key: KeyDigest,
    name: EntryName,
    noted: Epoch,
}

/// An artifact ready to be served.
#[derive(Debug)]
pub struct Artifact {
    /// What is known of it.
    pub meta: Arc<Meta>,
    /// The tier the look-up found it in.
    pub tier: Tier,
    /// Its bytes.
    pub body: ArtifactBody,
}

/// An artifact's bytes.
#[derive(Debug)]
pub enum ArtifactBody {
    /// All of them.
    Whole(Bytes),
    /// From a file, piece by piece.
    File(FileBody),
}

// === impl Found ===

impl Found {
    /// The tier that has it.
    pub fn tier(&self) -> Tier {
        match self {
            Self::Memory(_) => Tier::Memory,
            Self::Disk(_) => Tier::Disk,
        }
    }

    /// What is known of the artifact, without its body.
    pub async fn meta(&self) -> Result<Arc<Meta>, Damaged> {
        match self {
            Self::Memory(stored) => Ok(Arc::clone(&stored.meta)),
            Self::Disk(resting) => resting.meta().await,
        }
    }

    /// Opens the artifact; for those who may read it. An entry nobody has checked since the start is
    /// checked: up to 16 MiB before this returns, larger ones on the way. What fits into memory is
    /// promoted.
    ///
    /// # Errors
    ///
    /// The entry turned out not to be there: the look-up was a miss.
    pub async fn open(self) -> Result<Artifact, Damaged> {
        match self {
            Self::Memory(stored) => Ok(stored.artifact()),
            Self::Disk(resting) => resting.open().await,
        }
    }
}

// === impl Resting ===

impl Resting {
    pub(super) fn new(
        shared: &Arc<Shared>,
        disk: &Arc<Disk>,
        key: KeyDigest,
        name: EntryName,
        noted: Epoch,
    ) -> Self {
        Self {
            shared: Arc::clone(shared),
            disk: Arc::clone(disk),
            key,
            name,
            noted,
        }
    }

    async fn meta(&self) -> Result<Arc<Meta>, Damaged> {
        if self.disk.faults.is_off() {
            return Err(Damaged);
        }
        if let Some((meta, _)) = self.disk.open_kept(&self.name, &self.key) {
            return Ok(meta);
        }
        let (disk, name, key) = (Arc::clone(&self.disk), self.name, self.key);
        let job = move || disk.newest_of(name, |name| disk.stat(name, &key));
        let met = self.shared.jobs.run_within(job).await;
        met.map_err(|_| Damaged)?
    }

    async fn open(self) -> Result<Artifact, Damaged> {
        if self.disk.faults.is_off() {
            return Err(Damaged);
        }
        if let Some((meta, body)) = self.disk.open_kept(&self.name, &self.key) {
            return Ok(on_disk(meta, ArtifactBody::File(body)));
        }
        // The turn counts: many may be waiting for it, one after the other. In a box, for what is kept open
        // is not to carry the room for it.
        let jobs = self.shared.jobs.clone();
        let opened = Box::pin(jobs.within(self.open_in_turn())).await;
        opened.map_err(|_| Damaged)?
    }

    async fn open_in_turn(self) -> io::Result<Result<Artifact, Damaged>> {
        let shared = Arc::clone(&self.shared);
        let _turn = self.turn(&shared).await;
        // Whoever had the turn before may have promoted it.
        if let Some(stored) = shared.memory.get(&self.key) {
            return Ok(Ok(on_disk(
                Arc::clone(&stored.meta),
                ArtifactBody::Whole(stored.body.clone()),
            )));
        }
        shared.jobs.run(move || self.read()).await
    }

    /// Checking and promoting happen once, however many ask at once; reading what is checked and
    /// stays on the disk needs no turn.
    async fn turn<'a>(&self, shared: &'a Shared) -> Option<MutexGuard<'a, ()>> {
        if !self.disk.is_first_read(&self.name) && !shared.admission.memory(self.name.length) {
            return None;
        }
        let turn = shared.turns.get(usize::from(self.name.prefix.shard()))?;
        Some(turn.lock().await)
    }

    fn read(&self) -> Result<Artifact, Damaged> {
        let in_memory = self.shared.admission.largest_in_memory();
        let open = |name: &EntryName| self.disk.open_entry(name, &self.key, in_memory);
        let (meta, body) = self.disk.newest_of(self.name, open)?;
        let body = match body {
            Body::Whole(whole) => {
                self.promote(&meta, &whole.bytes);
                ArtifactBody::Whole(whole.on_the_way())
            }
            Body::File(body) => ArtifactBody::File(body),
        };
        Ok(on_disk(meta, body))
    }

    pub(super) fn promote(&self, meta: &Arc<Meta>, body: &Bytes) {
        if !self.shared.admits_to_memory(meta.size) {
            return;
        }
        let _section = self.shared.epochs.enter(self.key.as_bytes());
        let moment = self.shared.epochs.stop(self.key.as_bytes());
        // Evicted and filled anew, the key has had no bump.
        if moment.is_still(self.noted) && self.disk.holds(&self.name) {
            let stored = Stored::new(Arc::clone(meta), body.clone());
            self.shared
                .memory
                .replace(&self.key, Some(Arc::new(stored)));
        }
    }
}

impl fmt::Debug for Resting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Resting({})", self.name)
    }
}

fn on_disk(meta: Arc<Meta>, body: ArtifactBody) -> Artifact {
    Artifact {
        meta,
        tier: Tier::Disk,
        body,
    }
}
