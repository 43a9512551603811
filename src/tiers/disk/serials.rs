//! Serials of one process. Pure.

use std::sync::atomic::{AtomicU64, Ordering};

use super::layout::Serial;

/// Hands out serials, each above every one that was seen.
pub(super) struct Serials(AtomicU64);

// === impl Serials ===

impl Serials {
    /// Those given out after the `epoch`th start.
    pub(super) fn after(epoch: u32) -> Self {
        Self(AtomicU64::new(Serial::first_of(epoch).number()))
    }

    /// The next one.
    pub(super) fn next(&self) -> Serial {
        Serial::from_number(self.0.fetch_add(1, Ordering::Relaxed))
    }

    /// Goes on after the `epoch`th start.
    pub(super) fn see_epoch(&self, epoch: u32) {
        self.0
            .fetch_max(Serial::first_of(epoch).number(), Ordering::Relaxed);
    }

    /// Stays above a serial found in a folder, should the count of starts have been lost.
    pub(super) fn see(&self, serial: Serial) {
        self.0
            .fetch_max(serial.number().saturating_add(1), Ordering::Relaxed);
    }
}
