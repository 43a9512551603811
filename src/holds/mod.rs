//! Artifacts that are held back: answered as absent, whatever rests here or upstream, until a new upload of
//! them is accepted or the operator releases them.
//!
//! Where the list is kept over a restart, and who may change it, is not decided here.

mod table;
mod written;

use std::fmt;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use parking_lot::Mutex;
use tokio::sync::Notify;

use self::table::Table;
use crate::artifact::{ArtifactHash, ArtifactKey, Landed};

pub use self::written::Damaged;

/// Artifacts held at once, counted for each team that is named: the list is read as a whole, and whoever holds
/// more wants to purge a team.
pub const MOST_HOLDS: usize = 1024;

/// Bytes of a team's name.
pub const LONGEST_TEAM: usize = 256;

/// What is held back.
pub struct Holds {
    /// How many; what a request looks at where nothing is held.
    count: AtomicUsize,
    /// The number of the next.
    next: AtomicU64,
    table: Mutex<Table>,
    changed: Notify,
}

/// One artifact that is held back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// The client's name for it.
    pub hash: ArtifactHash,
    /// Of this team; none: of every team.
    pub team: Option<String>,
    /// Since when.
    pub since: Landed,
    /// The queries under which an upload has healed it since.
    pub healed: usize,
}

/// A point in the order of holds: what an upload that begins can heal are those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mark(u64);

/// Why something is not held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotHeld {
    /// There are so many already.
    #[error("{MOST_HOLDS} artifacts are held already: release some first")]
    TooMany,
    /// No team is called so.
    #[error("a team's name has 1 to {LONGEST_TEAM} bytes")]
    Team,
}

// === impl Holds ===

impl Holds {
    /// Nothing is held.
    pub fn new() -> Self {
        Self::of(Table::default())
    }

    /// What was written down by [`Holds::to_bytes`].
    ///
    /// # Errors
    ///
    /// When it is not that, to the last byte: of what else was held there is no telling.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Damaged> {
        written::read(bytes).map(Self::of)
    }

    /// Everything, to be written down.
    pub fn to_bytes(&self) -> Vec<u8> {
        written::write(&self.table.lock())
    }

    fn of(table: Table) -> Self {
        let count = table.len();
        Self {
            count: AtomicUsize::new(count),
            next: AtomicU64::new(count as u64),
            table: Mutex::new(table),
            changed: Notify::new(),
        }
    }

    /// Whether an artifact is held back under its scope. Where nothing is held at all this costs a load.
    pub fn cover(&self, key: &ArtifactKey) -> bool {
        // A request that begins once the operator has heard of a hold comes after it anyway.
        self.count.load(Ordering::Relaxed) > 0 && self.table.lock().covers(key)
    }

    /// Where an upload that begins now stands among the holds.
    pub fn mark(&self) -> Mark {
        Mark(self.next.load(Ordering::Acquire))
    }

    /// Holds an artifact back from now on, also from whom an upload has healed it for.
    pub fn hold(&self, hash: ArtifactHash, team: Option<String>) -> Result<Held, NotHeld> {
        let is_team = |team: &String| (1..=LONGEST_TEAM).contains(&team.len());
        if !team.as_ref().is_none_or(is_team) {
            return Err(NotHeld::Team);
        }
        let held = Held {
            hash,
            team,
            since: Landed::now(),
            healed: 0,
        };
        let mut table = self.table.lock();
        // Whoever has the number of a hold or a later one began after it.
        let number = self.next.fetch_add(1, Ordering::AcqRel);
        table.insert(held.clone(), number)?;
        self.count(&table);
        Ok(held)
    }

    /// Ends the hold of an artifact for exactly this team, or for every team; whether there was one.
    pub fn release(&self, hash: &ArtifactHash, team: Option<&str>) -> bool {
        let mut table = self.table.lock();
        let was_there = table.remove(hash, team);
        self.count(&table);
        was_there
    }

    /// Takes note that an upload which began at `mark` was accepted.
    ///
    /// Call it once what it replaces here is gone.
    pub fn heal(&self, key: &ArtifactKey, mark: Mark) {
        if self.count.load(Ordering::Relaxed) == 0 {
            return;
        }
        if self.table.lock().heal(key, mark.0) {
            tracing::info!(hash = %key.hash, team = key.scope.team(), "a new upload has healed what was held back");
            self.changed.notify_one();
        }
    }

    /// What is held, newest first.
    pub fn list(&self) -> Vec<Held> {
        self.table.lock().list()
    }

    /// Completes when an upload has healed something since this was last asked.
    pub async fn changed(&self) {
        self.changed.notified().await;
    }

    fn count(&self, table: &Table) {
        self.count.store(table.len(), Ordering::Relaxed);
    }
}

impl Default for Holds {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Holds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Holds")
            .field("count", &self.count)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
