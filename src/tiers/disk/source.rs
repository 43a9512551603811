//! What an entry's body is read from: its open file, what is known of it, and what must be checked.

use std::sync::Arc;

use bytes::Bytes;

use super::checksum::Table;
use super::fault::Fault;
use super::file_body::Damaged;
use super::reader::{Reader, Stretch};
use super::resting::Opened;
use super::uncopied::Uncopied;
use super::{Disk, EntryName};
use crate::artifact::{KeyDigest, Meta};
use crate::outlet::Outlet;
use crate::tiers::Budget;

/// Bytes a frame, unless a block is larger.
pub(super) const FRAME: u64 = 256 * 1024;

/// The same where memory for bodies is short: what a socket takes at once.
const SMALL_FRAME: u64 = 64 * 1024;

/// Shared by all who read the entry.
pub(super) struct Source {
    name: EntryName,
    key: KeyDigest,
    pub(super) meta: Arc<Meta>,
    reader: Reader,
    frame: u64,
    unverified: Option<Table>,
    uncopied: Uncopied,
}

// === impl Source ===

impl Source {
    /// What was opened as `name`; it leaves unchecked if it `is_verified`.
    pub(super) fn new(disk: &Disk, name: EntryName, opened: Opened, is_verified: bool) -> Self {
        Self {
            name,
            key: opened.key,
            meta: opened.meta,
            reader: Reader::new(opened.handle, disk.jobs.clone()),
            // Both are powers of two, so a frame is a whole number of blocks.
            frame: FRAME.max(opened.table.block),
            unverified: (!is_verified).then_some(opened.table),
            uncopied: Uncopied::default(),
        }
    }

    /// The entry it is.
    pub(super) fn name(&self) -> &EntryName {
        &self.name
    }

    /// Whether it is an entry of this very key.
    pub(super) fn is_of(&self, key: &KeyDigest) -> bool {
        self.key == *key
    }

    /// The frame at `offset`, whole and intact.
    pub(super) async fn frame_at(
        self: Arc<Self>,
        offset: u64,
        disk: Arc<Disk>,
    ) -> Result<Stretch, Damaged> {
        match self.checked(offset, &disk.budget).await {
            Ok(stretch) => Ok(stretch),
            Err(fault) => {
                let jobs = disk.jobs.clone();
                jobs.run_aside(move || disk.condemn(&self.name, &fault));
                Err(Damaged)
            }
        }
    }

    async fn checked(&self, offset: u64, budget: &Budget) -> Result<Stretch, Fault> {
        budget.less().await;
        let frame = match self.unverified {
            // What is checked is checked in whole blocks.
            None if budget.makes_do() => SMALL_FRAME,
            _ => self.frame,
        };
        let length = frame.min(self.meta.size - offset);
        let held = budget.hold(length);
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        let mut stretch = self.reader.read_exact(offset, length).await?;
        stretch.bytes = held.until_read(stretch.bytes);
        match &self.unverified {
            Some(table) if !table.is_intact(offset, &stretch.bytes) => {
                Err(Fault::Corrupt("its body is damaged"))
            }
            _ => Ok(stretch),
        }
    }

    /// Bytes at `offset` that neither have to be fetched nor checked, offered to `outlet`.
    pub(super) fn uncopied_at(&self, offset: u64, outlet: &Outlet) -> Option<Bytes> {
        if self.unverified.is_some() {
            return None;
        }
        self.uncopied
            .offer(&self.reader, self.meta.size, offset, outlet)
    }

    /// Every frame has been checked by now, if they had to be.
    pub(super) fn all_left(&self, disk: &Disk) {
        if self.unverified.is_some() {
            disk.index.lock().verify(&self.name);
        }
    }
}
