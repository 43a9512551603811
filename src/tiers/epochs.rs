//! What keeps the old from overwriting the new: one epoch a stripe of keys.
//!
//! A fill or a promotion notes the epoch of its key when it begins and lands only if it is
//! unchanged; whatever makes older bytes wrong (an accepted upload, a forgotten key) bumps it.
//! Checking and landing are one section, so nothing comes between. Two keys may share a stripe: a
//! false conflict costs a store, never an answer.

use std::sync::atomic::{AtomicU64, Ordering};

use super::locks::{Guard, Lock, Rank, pass};

/// Enough that two keys in flight rarely meet, few enough to be nothing.
const STRIPES: u16 = 1024;

/// The epoch of a key at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Epoch(u64);

/// The epochs of all keys.
#[derive(Debug)]
pub(super) struct Epochs {
    stripes: Vec<Stripe>,
}

/// The right to change what a stripe's keys mean. Held for a few file calls, so only on threads
/// that may block.
pub(super) struct Section<'a> {
    stripe: &'a Stripe,
    _held: Guard<'a, ()>,
}

/// A moment in which nothing else is decided about a stripe's keys. Ends before anything that may
/// wait, so it can be had while file calls of a section hang.
pub(super) struct Moment<'a> {
    stripe: &'a Stripe,
    _held: Guard<'a, ()>,
}

#[derive(Debug)]
struct Stripe {
    changing: Lock<()>,
    deciding: Lock<()>,
    epoch: AtomicU64,
    /// The epoch as the section that runs knows it.
    entered: AtomicU64,
}

#[cfg(test)]
impl Epoch {
    /// One for tests that need no tiers.
    pub fn first() -> Self {
        Self(0)
    }

    /// The one after it.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

// === impl Epochs ===

impl Epochs {
    /// Every key in its first epoch.
    pub(super) fn new() -> Self {
        Self {
            stripes: (0..STRIPES).map(|_| Stripe::new()).collect(),
        }
    }

    /// Notes the epoch of the key whose digest begins with `digest`; never waits.
    pub(super) fn note(&self, digest: &[u8]) -> Epoch {
        pass("note");
        Epoch(self.stripe(digest).epoch.load(Ordering::Acquire))
    }

    /// Waits for the right to change what the key whose digest begins with `digest` means.
    pub(super) fn enter(&self, digest: &[u8]) -> Section<'_> {
        self.stripe(digest).enter()
    }

    /// Waits for a moment to decide what the key whose digest begins with `digest` means; never for
    /// a section.
    pub(super) fn stop(&self, digest: &[u8]) -> Moment<'_> {
        let stripe = self.stripe(digest);
        Moment {
            stripe,
            _held: stripe.deciding.lock(),
        }
    }

    /// Makes everything noted so far of any key out of date, each stripe in a section of its own.
    pub(super) fn bump_all(&self) {
        for stripe in &self.stripes {
            stripe.enter().bump();
        }
    }

    #[expect(
        clippy::indexing_slicing,
        reason = "the remainder is below the number of stripes"
    )]
    fn stripe(&self, digest: &[u8]) -> &Stripe {
        let number = match digest {
            [first, second, ..] => u16::from_be_bytes([*first, *second]),
            _ => 0,
        };
        &self.stripes[usize::from(number % STRIPES)]
    }
}

// === impl Stripe ===

impl Stripe {
    fn new() -> Self {
        Self {
            changing: Lock::new(Rank::Section, ()),
            deciding: Lock::new(Rank::Moment, ()),
            epoch: AtomicU64::new(0),
            entered: AtomicU64::new(0),
        }
    }

    fn enter(&self) -> Section<'_> {
        let held = self.changing.lock();
        let epoch = self.epoch.load(Ordering::Acquire);
        self.entered.store(epoch, Ordering::Release);
        Section {
            stripe: self,
            _held: held,
        }
    }
}

// === impl Section ===

impl Section<'_> {
    /// Whether nothing has been bumped since `noted`.
    pub(super) fn is_still(&self, noted: Epoch) -> bool {
        self.stripe.epoch.load(Ordering::Acquire) == noted.0
    }

    /// Makes everything noted so far out of date.
    ///
    /// Consumes the section: a bump comes after the change it announces. Somebody who notes the new
    /// epoch must not find the old entry.
    pub(super) fn bump(self) {
        pass("bump");
        let before = self.stripe.epoch.fetch_add(1, Ordering::AcqRel);
        self.stripe.entered.store(before + 1, Ordering::Release);
    }
}

// === impl Moment ===

impl Moment<'_> {
    /// Whether nothing has been bumped since `noted`.
    pub(super) fn is_still(&self, noted: Epoch) -> bool {
        self.stripe.epoch.load(Ordering::Acquire) == noted.0
    }

    /// Whether nothing has been bumped since the section began that asks.
    pub(super) fn is_undisturbed(&self) -> bool {
        self.is_still(Epoch(self.stripe.entered.load(Ordering::Acquire)))
    }

    /// Makes everything noted so far out of date, what a section is about to do included. Comes
    /// after the change it announces, like [`Section::bump`].
    pub(super) fn bump(self) {
        self.stripe.epoch.fetch_add(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bump_outdates_what_was_noted_before_it() {
        let epochs = Epochs::new();
        let noted = epochs.note(&[1, 2, 3]);
        assert!(epochs.enter(&[1, 2, 9]).is_still(noted));
        epochs.enter(&[1, 2]).bump();
        assert!(!epochs.enter(&[1, 2, 3]).is_still(noted));
        let again = epochs.note(&[1, 2, 3]);
        assert!(epochs.enter(&[1, 2, 3]).is_still(again));
    }

    #[test]
    fn a_section_is_disturbed_by_whoever_could_not_wait_for_it_and_by_nobody_else() {
        let epochs = Epochs::new();
        epochs.stop(&[1, 2]).bump();
        let section = epochs.enter(&[1, 2]);
        assert!(epochs.stop(&[1, 2]).is_undisturbed());
        epochs.stop(&[1, 3]).bump();
        assert!(epochs.stop(&[1, 2]).is_undisturbed());
        epochs.stop(&[1, 2]).bump();
        assert!(!epochs.stop(&[1, 2]).is_undisturbed());
        section.bump();
        drop(epochs.enter(&[1, 2]));
        assert!(epochs.stop(&[1, 2]).is_undisturbed());
    }

    #[test]
    fn a_bump_leaves_other_stripes_alone() {
        let epochs = Epochs::new();
        let noted = epochs.note(&[1, 2]);
        epochs.enter(&[1, 3]).bump();
        assert!(epochs.enter(&[1, 2]).is_still(noted));
    }
}
