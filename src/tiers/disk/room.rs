//! Room on the disk: promised before it is written, made by eviction, bounded by the capacity and by
//! what must stay free for others.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::time::{Duration, Instant};

use super::Disk;
use super::files::Files;
use super::index::{Shortage, footprint};
use crate::artifact::Bypass;
use crate::metrics::Eviction;
use crate::tiers::locks::{Guard, Lock, Rank};

/// The file system is asked again for its free space after this time …
const FREE_FOR: Duration = Duration::from_secs(1);
/// … and after this many bytes were promised, whichever comes first.
const FREE_BYTES: u64 = 64 << 20;
/// Entries that give way when the file system refuses what it seemed to have room for.
const GIVE_WAY: u64 = 64;
/// How long a job reads folders and evicts before it leaves the rest to the next. A writer may do so
/// twice in the time that an answer waits for the disk; longer would look like a disk that hangs.
const AT_IT: Duration = Duration::from_secs(1);
/// Uses heeded before look-ups get their turn: some tenths of a millisecond.
const SETTLED_AT_ONCE: usize = 128;
/// Writers that wait for the one who reads folders ahead: a quarter of the threads for file calls.
const MOST_AHEAD: usize = 8;

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
    known: Lock<Option<Known>>,
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
            known: Lock::new(Rank::Room, None),
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

    /// Takes `bytes`, or says how many are missing before they may be taken. One step, so that two
    /// writers never count on the same bytes.
    fn take(&self, files: &Files, folder: &Path, bytes: u64) -> u64 {
        let mut known = self.known.lock();
        let is_fresh = |known: &Known| known.at.elapsed() < FREE_FOR && known.taken < FREE_BYTES;
        let Some(fresh) = known
            .take()
            .filter(is_fresh)
            .or_else(|| self.ask(files, folder))
        else {
            // A file system that does not answer is found out by the next write.
            self.unwritten.fetch_add(bytes, Ordering::Relaxed);
            return 0;
        };
        let known = known.insert(fresh);
        let wanted = self.for_others.saturating_add(bytes);
        let short = wanted.saturating_sub(known.available);
        if short == 0 {
            known.available -= bytes;
            known.taken = known.taken.saturating_add(bytes);
            self.unwritten.fetch_add(bytes, Ordering::Relaxed);
        }
        short
    }

    fn ask(&self, files: &Files, folder: &Path) -> Option<Known> {
        let found = files.space(folder).ok()?;
        // Those that do not count their files say that they have none at all.
        if found.f_files > 0 && found.f_favail == 0 {
            self.owed.store(GIVE_WAY, Ordering::Relaxed);
        }
        let free = found.f_bavail.saturating_mul(found.f_frsize);
        Some(Known {
            available: free.saturating_sub(self.unwritten.load(Ordering::Relaxed)),
            taken: 0,
            at: Instant::now(),
        })
    }

    /// Gives back what was taken and is not wanted after all.
    fn untake(&self, bytes: u64) {
        self.see_written(bytes);
        self.give(bytes);
    }

    fn give(&self, bytes: u64) {
        if let Some(known) = self.known.lock().as_mut() {
            known.available = known.available.saturating_add(bytes);
        }
    }
}

// === impl Disk ===

impl Disk {
    /// Evicts down to the low-water mark if the high one is passed, at most `limit` entries and not
    /// for long; returns whether there is more to evict.
    pub(in crate::tiers) fn trim(&self, limit: usize) -> bool {
        let began = Instant::now();
        self.settle();
        for _ in 0..limit {
            let candidate = {
                let mut index = self.index.lock();
                if !self.free.owes() && !index.is_above_low() {
                    return false;
                }
                if began.elapsed() >= AT_IT {
                    return true;
                }
                if index.usage.waiting().is_some() {
                    drop(index);
                    if self.read_ahead(Duration::ZERO) {
                        continue;
                    }
                    return false;
                }
                index.candidate()
            };
            let Some(name) = candidate else { return false };
            if self.evict(&name, Eviction::Size).is_err() {
                return false;
            }
            self.free.repay(1);
        }
        true
    }

    /// Reads a folder that waits for it: what is least recently used is known when all were read.
    ///
    /// Returns `false` where somebody else is at it and stays at it for `wait`. No more than a few
    /// wait for it: hits want their turn too.
    fn read_ahead(&self, wait: Duration) -> bool {
        let Some(_turn) = self.turn_to_read_ahead(wait) else {
            return false;
        };
        let waiting = self.index.lock().usage.waiting();
        if let Some(shard) = waiting
            && let Err(error) = self.read_shard(shard)
        {
            self.cannot_list(&error);
            self.index.lock().usage.give_up(shard);
        }
        true
    }

    fn turn_to_read_ahead(&self, wait: Duration) -> Option<Guard<'_, ()>> {
        let turn = self.reading_ahead.try_lock();
        if turn.is_some() {
            return turn;
        }
        let is_one_of_few = self.waiting_ahead.fetch_add(1, Ordering::Relaxed) < MOST_AHEAD;
        let turn = is_one_of_few.then(|| self.reading_ahead.try_lock_for(wait));
        self.waiting_ahead.fetch_sub(1, Ordering::Relaxed);
        turn.flatten()
    }

    /// Keeps everybody else from reading ahead.
    #[cfg(test)]
    pub(in crate::tiers) fn hold_reading_ahead(&self) -> Guard<'_, ()> {
        self.reading_ahead.lock()
    }

    /// Promised bytes that were not written.
    #[cfg(test)]
    pub(in crate::tiers) fn unwritten(&self) -> u64 {
        self.free.unwritten.load(Ordering::Relaxed)
    }

    /// Heeds what was used, a little at a time, so that no look-up waits for it.
    fn settle(&self) {
        self.tell_touches();
        while !self.index.lock().settle(SETTLED_AT_ONCE) {}
    }

    /// Promises `bytes` more to a writer that holds `held`. Whoever cannot have them soon is refused;
    /// what was done for it is done for the next.
    fn make_room(&self, held: u64, bytes: u64) -> Result<(), Bypass> {
        let began = Instant::now();
        self.settle();
        loop {
            let short = self.free.take(&self.files, self.layout.root(), bytes);
            let (must_read, may_help, candidate) = {
                let mut index = self.index.lock();
                let must_read = index.usage.waiting().is_some();
                let may_help = if short == 0 && !self.free.owes() {
                    match index.reserve(held, bytes) {
                        Ok(()) => break,
                        Err(Shortage::Full | Shortage::Unread) => true,
                        Err(Shortage::Crowded) => false,
                    }
                } else {
                    // Not even an empty tier would leave enough to others.
                    short <= index.used() || must_read
                };
                (must_read, may_help, index.candidate())
            };
            if short == 0 {
                self.free.untake(bytes);
            }
            if !may_help {
                return Err(Bypass::NoRoom);
            }
            if began.elapsed() >= AT_IT {
                self.crowded.notify_one();
                return Err(Bypass::NoRoom);
            }
            if must_read {
                if self.read_ahead(AT_IT.saturating_sub(began.elapsed())) {
                    continue;
                }
                return Err(Bypass::NoRoom);
            }
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
        if self.index.lock().is_high() {
            self.crowded.notify_one();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_writers_never_count_on_the_same_bytes() {
        let free = Free::new(10);
        *free.known.lock() = Some(Known {
            available: 110,
            taken: 0,
            at: Instant::now(),
        });
        let take = |bytes| free.take(&Files::default(), Path::new("/"), bytes);
        assert_eq!(take(60), 0);
        assert_eq!(take(60), 20, "what must stay free for others");
        assert_eq!(take(40), 0);
        free.untake(60);
        assert_eq!(take(61), 1);
        assert_eq!(take(60), 0);
        assert_eq!(free.unwritten.load(Ordering::Relaxed), 100);
    }
}
