//! What the writer and the readers of a spool share, and when there is room to write more.

use parking_lot::{Mutex, MutexGuard};
use tokio::sync::Notify;

use super::progress::Progress;
use super::seats::Seats;
use super::spool::Unwanted;
use crate::tiers::DraftReader;

/// Bytes a window holds for its slowest reader.
const WINDOW: u64 = 1024 * 1024;

/// What both sides hold.
#[derive(Default)]
pub(super) struct Shared {
    state: Mutex<State>,
    /// Told when a reader moves on or leaves.
    pub(super) room: Notify,
    /// Told when the writer waits for a reader.
    pub(super) held_up: Notify,
}

/// Where the spool stands.
#[derive(Default)]
pub(super) struct State {
    pub(super) progress: Progress,
    pub(super) seats: Seats,
    pub(super) file: Option<DraftReader>,
    /// Most bytes written ahead of the slowest reader.
    pub(super) pace: Option<u64>,
    pub(super) is_window: bool,
    pub(super) is_unwanted: bool,
    /// No reader is ended for being slow.
    pub(super) is_patient: bool,
}

/// Whether more may be written.
pub(super) enum Room {
    /// Yes.
    Enough,
    /// Not before the slowest reader has left this position.
    Behind {
        slowest: u64,
        /// It holds up nobody but the writer.
        is_alone: bool,
    },
}

// === impl Shared ===

impl Shared {
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    /// A reader moved on or left.
    pub(super) fn moved(&self) {
        self.room.notify_one();
    }
}

// === impl State ===

impl State {
    pub(super) fn room(&mut self) -> Result<Room, Unwanted> {
        if self.is_unwanted {
            return Err(Unwanted);
        }
        let Some(slowest) = self.seats.slowest() else {
            // Nobody reads: a window has no other purpose, a spool that lands has.
            return if self.is_window {
                Err(Unwanted)
            } else {
                Ok(Room::Enough)
            };
        };
        let most = match (self.is_window, self.pace) {
            (true, _) => WINDOW,
            (false, Some(pace)) => pace,
            (false, None) => return Ok(Room::Enough),
        };
        if self.is_window {
            self.progress.release(slowest);
        }
        let ahead = self
            .progress
            .written()
            .saturating_sub(slowest.max(self.floor()));
        Ok(if ahead < most {
            Room::Enough
        } else {
            let is_alone = self.seats.is_one();
            Room::Behind { slowest, is_alone }
        })
    }

    /// In a window, what the file holds costs no memory.
    fn floor(&self) -> u64 {
        if self.is_window {
            self.progress.filed()
        } else {
            0
        }
    }

    pub(super) fn end_laggards(&mut self, position: u64) {
        if self.is_window && !self.is_patient {
            self.seats.end_laggards(position);
        }
    }
}
