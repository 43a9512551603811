//! Entries that an operator wants gone.

use std::io;
use std::sync::Arc;

use super::listing::Listed;
use super::{Shared, Tiers};
use crate::artifact::KeyDigest;
use crate::metrics::Eviction;

/// Entries removed in one job, so that a job's thread is not held for long.
const BATCH: usize = 64;

// === impl Tiers ===

impl Tiers {
    /// Whether all that rests can be listed: not where the disk tier has something and is off.
    pub fn can_list_all(&self) -> bool {
        !self.shared.is_off()
    }

    /// Lets nothing land that was on its way before. Uploads land all the same.
    ///
    /// # Errors
    ///
    /// A landing hangs, and the disk does not answer in time.
    pub async fn outdate_all(&self) -> io::Result<()> {
        let shared = Arc::clone(&self.shared);
        let jobs = &self.shared.jobs;
        jobs.run_surely(move || shared.epochs.bump_all()).await
    }

    /// Takes entries that were listed out of both tiers, as [`Tiers::forget`] does, but for those that an
    /// upload or a fill has replaced since. Returns which are gone.
    pub async fn remove(&self, listed: &[Listed]) -> Vec<KeyDigest> {
        let mut gone = Vec::with_capacity(listed.len());
        for batch in listed.chunks(BATCH) {
            let (shared, wanted) = (Arc::clone(&self.shared), batch.to_vec());
            let removing = self.shared.jobs.run_surely(move || {
                let removed = wanted.iter().filter(|listed| shared.remove(listed));
                removed.map(|listed| listed.key).collect::<Vec<_>>()
            });
            match removing.await {
                Ok(removed) => gone.extend(removed),
                // The disk did not answer: nothing of theirs is found until their files are gone.
                Err(_) => gone.extend(batch.iter().map(|listed| {
                    self.shared.disown(&listed.key, None);
                    listed.key
                })),
            }
        }
        gone
    }
}

// === impl Shared ===

impl Shared {
    /// Takes an entry out of both tiers, unless its key has another by now.
    fn remove(&self, listed: &Listed) -> bool {
        let key = &listed.key;
        let section = self.epochs.enter(key.as_bytes());
        if !self.is_still(listed) {
            return false;
        }
        if self.removes_file_of(listed) {
            self.memory.replace(key, None);
        } else {
            self.clear(&section, key);
        }
        section.bump();
        true
    }

    /// Whether its key has no other entry by now; a promoted one is the same.
    fn is_still(&self, listed: &Listed) -> bool {
        let on_disk = self.disk.as_ref();
        if let Some(name) = on_disk.and_then(|disk| disk.resting(&listed.key)) {
            return listed.name == Some(name);
        }
        self.memory.get(&listed.key).is_none_or(|stored| {
            let is_promoted = !listed.in_memory && stored.meta.landed <= listed.meta.landed;
            is_promoted || Arc::ptr_eq(&stored.meta, &listed.meta)
        })
    }

    /// Removes its file by the name that is known, as an eviction does: whoever looks for every file of a key lists
    /// a folder of thousands. Returns whether that is all there was to remove.
    fn removes_file_of(&self, listed: &Listed) -> bool {
        let disk = self.disk.as_ref();
        let (Some(disk), Some(name)) = (disk.filter(|it| !it.faults.is_off()), &listed.name) else {
            return false;
        };
        disk.holds(name) && disk.remove(name, Eviction::Replaced).is_ok()
    }
}
