//! What is found of a key changed without a file call: while the disk tier is off, or where it does not
//! answer in time.
//!
//! Nothing here waits for a section, in which a call may hang; none of it blocks.

use std::sync::Arc;

use super::Shared;
use super::admission::Admission;
use super::contrast::Contrast;
use super::disk::{Disk, Prefix};
use super::landing::{Entrance, Landing, LandingBody, NotLanded, joined};
use super::memory::Stored;
use crate::artifact::{Bypass, KeyDigest, Landed, Meta};

/// What became of memory's part of a key.
pub(super) struct Disowned {
    /// What it had.
    before: Option<Arc<Stored>>,
    /// Whether it has what it was given.
    is_in: bool,
}

impl Shared {
    /// Lets nothing of a key be found but `stored`, without a file call and without waiting for a
    /// section, in which one may hang.
    pub(super) fn disown(&self, key: &KeyDigest, stored: Option<Arc<Stored>>) -> Disowned {
        let moment = self.epochs.stop(key.as_bytes());
        if let Some(disk) = &self.disk {
            disk.doom(&Prefix::of(key));
        }
        let before = self.memory.get(key);
        let is_in = self.memory.replace(key, stored);
        moment.bump();
        Disowned { before, is_in }
    }

    /// Lands what memory takes while the disk tier is off, without a file call.
    pub(super) fn land_in_memory(
        &self,
        disk: &Disk,
        landing: Landing,
        entrance: Entrance,
    ) -> Result<(), NotLanded> {
        let key = landing.key.digest;
        let stored = in_memory(landing, &self.admission);
        let is_in = match entrance {
            Entrance::Upload => {
                let Disowned { before, is_in } = self.disown(&key, stored.clone());
                if let (Some(before), Some(after), true) = (before, stored, is_in) {
                    self.compare(Contrast::in_memory(&before, &after));
                }
                is_in
            }
            Entrance::Fill(noted) => {
                let prefix = Prefix::of(&key);
                let moment = self.epochs.stop(key.as_bytes());
                if !moment.is_still(noted) {
                    return Err(NotLanded::Overtaken);
                }
                // The entry that a passing fault hides is not given up for it, and the two must not
                // both be found, now the one and then the other.
                if stored.is_some() && !disk.is_read(prefix.shard()) {
                    disk.doom(&prefix);
                }
                stored.is_some() && !disk.hides(&prefix) && self.memory.replace(&key, stored)
            }
        };
        let bypass =
            NotLanded::Bypassed(disk.faults.may_store().err().unwrap_or(Bypass::DiskFault));
        is_in.then_some(()).ok_or(bypass)
    }
}

/// What memory takes of a landing.
fn in_memory(landing: Landing, admission: &Admission) -> Option<Arc<Stored>> {
    let LandingBody::Memory(chunks) = landing.body else {
        return None;
    };
    let meta = Meta {
        label: landing.label,
        size: landing.size,
        landed: Landed::now(),
    };
    let body = joined(&chunks, landing.size).ok()?;
    let stored = Stored::new(Arc::new(meta), body);
    admission.memory(landing.size).then(|| Arc::new(stored))
}
