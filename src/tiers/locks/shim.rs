//! What a test sees of the locks: each in its order, and who may go on where somebody steers.

use std::cell::RefCell;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use parking_lot::MutexGuard;
use tokio::time::Duration;

use super::{Lock, Rank};

/// Says when a thread may take a lock.
pub(in crate::tiers) trait Steer {
    /// Called before a thread waits for the lock at `address`; returns when nobody holds it.
    fn wants(&self, rank: Rank, address: usize);

    /// Called before a step that takes no lock and that others notice.
    fn passes(&self, step: &'static str);

    /// Called when the lock at `address` was given back.
    fn released(&self, address: usize);
}

/// A mutex' guard whose end is noticed.
pub(in crate::tiers) struct Watched<'a, T> {
    // The first to be dropped, so that what is told of is true.
    guard: MutexGuard<'a, T>,
    _held: Held,
}

struct Held {
    rank: Rank,
    address: usize,
}

/// A thread is steered as long as this lives.
pub(in crate::tiers) struct Steered;

thread_local! {
    static RANKS: RefCell<Vec<Rank>> = const { RefCell::new(Vec::new()) };
    static STEER: RefCell<Option<Arc<dyn Steer>>> = const { RefCell::new(None) };
}

/// Lets `steer` say when this thread goes on.
pub(in crate::tiers) fn steered_by(steer: Arc<dyn Steer>) -> Steered {
    STEER.replace(Some(steer));
    Steered
}

/// Whether a test says when this thread goes on.
pub(in crate::tiers) fn is_steered() -> bool {
    STEER.with_borrow(Option::is_some)
}

/// Whether this thread holds a lock of this rank.
pub(in crate::tiers) fn holds(rank: Rank) -> bool {
    RANKS.with_borrow(|ranks| ranks.contains(&rank))
}

/// Lets others go first where somebody steers.
pub(in crate::tiers) fn pass(step: &'static str) {
    if let Some(steer) = steer() {
        steer.passes(step);
    }
}

fn steer() -> Option<Arc<dyn Steer>> {
    STEER.with_borrow(Clone::clone)
}

// === impl Lock ===

impl<T> Lock<T> {
    pub(in crate::tiers) fn lock(&self) -> Watched<'_, T> {
        RANKS.with_borrow(|held| {
            let is_next = |held: &Rank| *held < self.rank && *held < Rank::Index;
            assert!(
                held.iter().all(is_next),
                "{:?} is wanted by who holds {held:?}",
                self.rank
            );
        });
        if let Some(steer) = steer() {
            steer.wants(self.rank, self.address());
        }
        self.watched(self.mutex.lock())
    }

    pub(in crate::tiers) fn try_lock(&self) -> Option<Watched<'_, T>> {
        Some(self.watched(self.mutex.try_lock()?))
    }

    pub(in crate::tiers) fn try_lock_for(&self, wait: Duration) -> Option<Watched<'_, T>> {
        Some(self.watched(self.mutex.try_lock_for(wait)?))
    }

    fn watched<'a>(&'a self, guard: MutexGuard<'a, T>) -> Watched<'a, T> {
        RANKS.with_borrow_mut(|held| held.push(self.rank));
        let (rank, address) = (self.rank, self.address());
        Watched {
            guard,
            _held: Held { rank, address },
        }
    }

    fn address(&self) -> usize {
        std::ptr::from_ref(self).addr()
    }
}

// === impl Watched ===

impl<T> Deref for Watched<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.guard
    }
}

impl<T> DerefMut for Watched<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.guard
    }
}

// === impl Held ===

impl Drop for Held {
    fn drop(&mut self) {
        RANKS.with_borrow_mut(|ranks| {
            if let Some(last) = ranks.iter().rposition(|rank| *rank == self.rank) {
                ranks.remove(last);
            }
        });
        if let Some(steer) = steer() {
            steer.released(self.address);
        }
    }
}

// === impl Steered ===

impl Drop for Steered {
    fn drop(&mut self) {
        STEER.replace(None);
    }
}

mod tests {
    use super::*;

    #[test]
    #[should_panic(expected = "Section is wanted by who holds [Folder]")]
    fn a_lock_taken_out_of_order_fails_the_test_that_takes_it() {
        let (section, folder) = (Lock::new(Rank::Section, ()), Lock::new(Rank::Folder, ()));
        let _folder = folder.lock();
        drop(section.lock());
    }

    #[test]
    #[should_panic(expected = "Room is wanted by who holds [Index]")]
    fn nothing_is_locked_under_a_leaf() {
        let (index, room) = (Lock::new(Rank::Index, ()), Lock::new(Rank::Room, ()));
        let _index = index.lock();
        drop(room.lock());
    }
}
