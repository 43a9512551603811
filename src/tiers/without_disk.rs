//! What is found of a key changed without a file call: while the disk tier is off, or where it does not
//! answer in time.
//!
//! Nothing here waits for a section, in which a call may hang; none of it blocks.

use std::sync::Arc;

use super::Shared;
use super::admission::Admission;
use super::disk::{Disk, Prefix};
use super::landing::{Entrance, Landing, LandingBody, NotLanded, joined};
use super::memory::Stored;
use crate::artifact::{Bypass, KeyDigest, Landed, Meta};

impl Shared {
    /// Lets nothing of a key be found but `stored`, without a file call and without waiting for a
    /// section, in which one may hang; returns whether `stored` is in memory.
    pub(super) fn disown(&self, key: &KeyDigest, stored: Option<Arc<Stored>>) -> bool {
        let moment = self.epochs.stop(key.as_bytes());
        if let Some(disk) = &self.disk {
            disk.doom(&Prefix::of(key));
        }
        let in_memory = self.memory.replace(key, stored);
        moment.bump();
        in_memory
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
            Entrance::Upload => self.disown(&key, stored),
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
    let stored = Stored {
        meta: Arc::new(meta),
        body,
    };
    admission.memory(landing.size).then(|| Arc::new(stored))
}
