//! Room on the disk: promised before it is written, made by eviction, bounded by the capacity and by
//! what must stay free for others.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use tokio::time::{Duration, Instant};

use super::Disk;
use super::files::Files;
use super::index::{Shortage, footprint};
use crate::artifact::Bypass;
use crate::metrics::Eviction;

/// The file system is asked again for its free space after this time …
const FREE_FOR: Duration = Duration::from_secs(1);
/// … and after this many bytes were promised, whichever comes first.
const FREE_BYTES: u64 = 64 << 20;
/// Entries that give way when the file system refuses what it seemed to have room for.
const GIVE_WAY: u64 = 64;

/// Bytes promised to one writer; dropping it gives them back.
pub(super) struct Reservation {
    disk: Arc<Disk>,
    bytes: u64,
    written: u64,
}

/// What the file system has left, asked now and then.
#[derive(Debug)]
pub(super) struct Free {
    for_others: u64,
    known: Mutex<Option<Known>>,
    /// Promised bytes that the file system has not seen, so that it still calls them free.
    unwritten: AtomicU64,
    /// Entries that must go before anything is written.
    owed: AtomicU64,
}

#[derive(Debug)]
struct Known {
    available: u64,
    taken: u64,
    at: Instant,
}

// === impl Reservation ===

impl Reservation {
    /// Promises nothing yet.
    pub(super) fn none(disk: &Arc<Disk>) -> Self {
        Self {
            disk: Arc::clone(disk),
            bytes: 0,
            written: 0,
        }
    }

    /// Makes room for a file of `length` bytes in all, evicting where it must.
    pub(super) fn grow(&mut self, length: u64) -> Result<(), Bypass> {
        let more = footprint(length).saturating_sub(self.bytes);
        if more > 0 {
            self.disk.make_room(self.bytes, more)?;
            self.bytes += more;
        }
        Ok(())
    }

    /// Notes that the file takes the room of `length` bytes by now.
    pub(super) fn wrote(&mut self, length: u64) {
        let written = footprint(length).clamp(self.written, self.bytes);
        self.disk.free.see_written(written - self.written);
        self.written = written;
    }

    /// The tier the bytes are promised by.
    pub(super) fn disk(&self) -> Arc<Disk> {
        Arc::clone(&self.disk)
    }

    /// How long the file may become without asking again.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.disk.free.see_written(self.bytes - self.written);
        self.disk.index.lock().release(self.bytes);
    }
}

// === impl Free ===

impl Free {
    /// Leaves `min_free` bytes to others.
    pub(super) fn new(min_free: u64) -> Self {
        Self {
            for_others: min_free,
            known: Mutex::new(None),
            unwritten: AtomicU64::new(0),
            owed: AtomicU64::new(0),
        }
    }

    /// Notes that a call was refused for want of room, of which the figures say nothing: files may
    /// be counted, or a share of the disk.
    pub(super) fn exhaust(&self) {
        self.owed.store(GIVE_WAY, Ordering::Relaxed);
        *self.known.lock() = None;
    }

    /// Whether entries must go before anything is written.
    pub(super) fn owes(&self) -> bool {
        self.owed.load(Ordering::Relaxed) > 0
    }

    /// Nothing must go any more: the file system has room again.
    pub(super) fn forgive(&self) {
        self.owed.store(0, Ordering::Relaxed);
    }

    fn repay(&self, entries: u64) {
        let repaid = |owed: u64| Some(owed.saturating_sub(entries));
        self.owed
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, repaid)
            .unwrap_or_default();
    }

    /// Promised bytes have become the file system's, or nobody's.
    fn see_written(&self, bytes: u64) {
        self.unwritten.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// How many bytes are missing before `bytes` may be taken.
    fn short_by(&self, files: &Files, folder: &Path, bytes: u64) -> u64 {
        let mut known = self.known.lock();
        let is_fresh = |known: &Known| known.at.elapsed() < FREE_FOR && known.taken < FREE_BYTES;
        if !known.as_ref().is_some_and(is_fresh) {
            // A file system that does not answer is found out by the next write.
            let Ok(found) = files.space(folder) else {
                return 0;
            };
            // Those that do not count their files say that they have none at all.
            if found.f_files > 0 && found.f_favail == 0 {
                self.owed.store(GIVE_WAY, Ordering::Relaxed);
            }
            let free = found.f_bavail.saturating_mul(found.f_frsize);
            *known = Some(Known {
                available: free.saturating_sub(self.unwritten.load(Ordering::Relaxed)),
                taken: 0,
                at: Instant::now(),
            });
        }
        let available = known.as_ref().map_or(0, |known| known.available);
        self.for_others
            .saturating_add(bytes)
            .saturating_sub(available)
    }

    fn take(&self, bytes: u64) {
        self.unwritten.fetch_add(bytes, Ordering::Relaxed);
        if let Some(known) = self.known.lock().as_mut() {
            known.available = known.available.saturating_sub(bytes);
            known.taken = known.taken.saturating_add(bytes);
        }
    }

    fn give(&self, bytes: u64) {
        if let Some(known) = self.known.lock().as_mut() {
            known.available = known.available.saturating_add(bytes);
        }
    }
}

// === impl Disk ===

impl Disk {
    /// Evicts down to the low-water mark if the high one is passed, at most `limit` entries; returns
    /// whether there is more to evict.
    pub(in crate::tiers) fn trim(&self, limit: usize) -> bool {
        self.tell_touches();
        for _ in 0..limit {
            let candidate = {
                let index = self.index.lock();
                let is_needed = self.free.owes() || index.is_above_low();
                is_needed.then(|| index.candidate()).flatten()
            };
            let Some(name) = candidate else { return false };
            if self.evict(&name, Eviction::Size).is_err() {
                return false;
            }
            self.free.repay(1);
        }
        true
    }

    /// Promised bytes that were not written.
    #[cfg(test)]
    pub(in crate::tiers) fn unwritten(&self) -> u64 {
        self.free.unwritten.load(Ordering::Relaxed)
    }

    /// Promises `bytes` more to a writer that holds `held`.
    fn make_room(&self, held: u64, bytes: u64) -> Result<(), Bypass> {
        self.tell_touches();
        loop {
            let short = self.free.short_by(&self.files, self.layout.root(), bytes);
            let candidate = {
                let mut index = self.index.lock();
                if short == 0 && !self.free.owes() {
                    match index.reserve(held, bytes) {
                        Ok(()) => break,
                        Err(Shortage::Full) => {}
                        Err(Shortage::Crowded) => return Err(Bypass::NoRoom),
                    }
                } else if short > index.used() {
                    // Not even an empty tier would leave enough to others.
                    return Err(Bypass::NoRoom);
                }
                index.candidate()
            };
            let Some(name) = candidate else {
                // There is nothing to repay it with; the next writer may try.
                self.free.repay(GIVE_WAY);
                return Err(Bypass::NoRoom);
            };
            if self.evict(&name, Eviction::Size)? {
                self.free.give(footprint(name.length));
                self.free.repay(1);
            }
        }
        self.free.take(bytes);
        if self.index.lock().is_high() {
            self.crowded.notify_one();
        }
        Ok(())
    }
}
