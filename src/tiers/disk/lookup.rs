//! Finding the entry of a key, and noting that it was used. Opens no entry.

use std::mem;
use std::sync::Arc;

use super::layout::{EntryName, Prefix};
use super::{Disk, this_second};
use crate::artifact::KeyDigest;

/// Keys touched in memory before the index hears of it.
const TOUCHES: usize = 256;

// === impl Disk ===

impl Disk {
    /// Finds the entry of a key, reading its folder first where nobody has; too old is not found.
    pub(in crate::tiers) async fn find(self: &Arc<Self>, key: &KeyDigest) -> Option<EntryName> {
        if self.faults.is_off() {
            return None;
        }
        let prefix = Prefix::of(key);
        if !self.is_read(prefix.shard()) {
            let disk = Arc::clone(self);
            let read = self
                .jobs
                .run_within(move || disk.read_shard(prefix.shard()));
            match read.await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => {
                    self.cannot_list(&error);
                    return None;
                }
                // Whoever waited has noted it.
                Err(_) => return None,
            }
        }
        let name = self.index.lock().find(&prefix, this_second())?.name;
        self.change(prefix.shard());
        (name.landed().age() < self.max_age).then_some(name)
    }

    /// Notes a use of a key in a faster tier. Told to the index in batches; some may be lost.
    pub(in crate::tiers) fn touch(&self, key: &KeyDigest) {
        let is_full = self.touched.try_lock().is_some_and(|mut touched| {
            touched.push(Prefix::of(key));
            touched.len() >= TOUCHES
        });
        if is_full {
            self.tell_touches();
        }
    }

    /// Tells the index which keys were used in a faster tier.
    pub(super) fn tell_touches(&self) {
        let touched = mem::take(&mut *self.touched.lock());
        if !touched.is_empty() {
            let now = this_second();
            let mut index = self.index.lock();
            for prefix in &touched {
                index.touch(prefix, now);
            }
            drop(index);
            for prefix in &touched {
                self.change(prefix.shard());
            }
        }
    }

    /// Whether this very entry is the one its key has.
    pub(in crate::tiers) fn holds(&self, name: &EntryName) -> bool {
        self.index.lock().holds(name)
    }
}
