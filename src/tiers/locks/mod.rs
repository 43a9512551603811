//! The tiers' locks and the one order they are taken in, which tests assert at every lock.
//!
//! A thread waits for a lock only while all that it holds comes before it, so no two can wait for
//! each other. Before all of these comes the turn of `Resting::open`, which futures hold and threads
//! do not; behind them come the memory tier's own locks, under which nothing of ours is called.
//!
//! | lock | held over | in it |
//! |---|---|---|
//! | section | file calls | all below |
//! | ahead | file calls | all below |
//! | folder | file calls | all below |
//! | word | file calls | those below |
//! | owner | file calls | those below |
//! | moment | a few lines | those below |
//! | kept | a few lines | index |
//! | index, room, touched, jobs, faults, conflicts | a few lines; room over one question to the file system | none |

#[cfg(test)]
pub(in crate::tiers) mod shim;

use parking_lot::Mutex;

/// What a lock guards, in the order in which locks are taken. Those from the index on are leaves:
/// who holds one takes no other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::tiers) enum Rank {
    /// What a stripe's keys mean.
    Section,
    /// Who reads folders because room is needed.
    Ahead,
    /// Whose turn it is to read a folder.
    Folder,
    /// What was last written down of the folders.
    Word,
    /// Who holds the lock of the directory.
    Owner,
    /// What is being decided about a stripe's keys.
    Moment,
    /// Files that stay open between hits.
    Kept,
    /// The disk tier's table.
    Index,
    /// What the file system has left.
    Room,
    /// Keys of which the index has not heard.
    Touched,
    /// Jobs that wait for a thread.
    Jobs,
    /// What the tier can do, and what was not said of it yet.
    Faults,
    /// Which uploads replaced another body.
    Conflicts,
}

/// A lock that knows its place; outside of tests nothing but a mutex.
#[derive(Debug)]
pub(in crate::tiers) struct Lock<T> {
    #[cfg(test)]
    rank: Rank,
    mutex: Mutex<T>,
}

/// The right to what a lock guards.
#[cfg(not(test))]
pub(in crate::tiers) type Guard<'a, T> = parking_lot::MutexGuard<'a, T>;
#[cfg(test)]
pub(in crate::tiers) type Guard<'a, T> = shim::Watched<'a, T>;

// === impl Lock ===

impl<T> Lock<T> {
    /// A lock of this rank that nobody holds.
    #[cfg_attr(not(test), expect(unused_variables, reason = "a test looks at it"))]
    pub(in crate::tiers) fn new(rank: Rank, value: T) -> Self {
        Self {
            #[cfg(test)]
            rank,
            mutex: Mutex::new(value),
        }
    }
}

#[cfg(not(test))]
impl<T> Lock<T> {
    /// Waits for the lock.
    pub(in crate::tiers) fn lock(&self) -> Guard<'_, T> {
        self.mutex.lock()
    }

    /// Takes the lock where nobody holds it.
    pub(in crate::tiers) fn try_lock(&self) -> Option<Guard<'_, T>> {
        self.mutex.try_lock()
    }

    /// Waits for the lock, but no longer than `wait`.
    pub(in crate::tiers) fn try_lock_for(
        &self,
        wait: tokio::time::Duration,
    ) -> Option<Guard<'_, T>> {
        self.mutex.try_lock_for(wait)
    }
}

/// Whether a test says when this thread goes on: then it runs its jobs itself and waits for no
/// clock.
#[cfg(not(test))]
pub(in crate::tiers) const fn is_steered() -> bool {
    false
}

/// Passes a place where a test may let other threads go first.
#[cfg(not(test))]
pub(in crate::tiers) const fn pass(_: &'static str) {}
#[cfg(test)]
pub(in crate::tiers) use shim::{is_steered, pass};
