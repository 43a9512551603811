//! What the writer and the readers of a spool share, and when there is room to write more.

use parking_lot::{Mutex, MutexGuard};
use tokio::sync::Notify;

use super::progress::{Ending, Progress};
use super::seats::Seats;
use super::spool::Unwanted;
use crate::tiers::DraftReader;

/// Bytes a window holds for its slowest reader.
const WINDOW: u64 = 1024 * 1024;

/// Bytes that stay in memory, though the file has them, for readers who are a little behind: a hundred of
/// them would read each byte back a hundred times.
const LATELY: u64 = 1024 * 1024;

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

    /// Notes that the file holds everything before `filed`.
    pub(super) fn file(&mut self, filed: u64) {
        let wanted = match self.progress.ending() {
            Some(_) => filed,
            None => self.seats.slowest().map_or(filed, |slowest| {
                slowest.max(self.progress.written().saturating_sub(LATELY))
            }),
        };
        self.progress.file(filed, wanted);
    }

    /// Notes how it ended. From now on whoever is behind reads from the file what that holds: a slow reader
    /// must not keep memory.
    pub(super) fn end(&mut self, ending: Ending) {
        self.progress.end(ending);
        self.file(self.progress.filed());
        self.seats.wake();
    }

    pub(super) fn end_laggards(&mut self, position: u64) {
        if self.is_window && !self.is_patient {
            self.seats.end_laggards(position);
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::super::progress::Next;
    use super::*;

    const HALF: usize = 512 * 1024;

    fn is_in_memory(state: &State, position: usize) -> bool {
        matches!(state.progress.next(position as u64), Next::Chunk(_))
    }

    #[test]
    fn what_a_reader_who_is_a_little_behind_wants_stays_in_memory_until_all_is_written() {
        let mut state = State::default();
        let seat = state.seats.take();
        let push = |state: &mut State| {
            state.progress.push(vec![0; HALF].into());
            state.file(state.progress.written());
        };
        for _ in 0..4 {
            push(&mut state);
        }
        assert!(!is_in_memory(&state, HALF), "far behind");
        assert!(is_in_memory(&state, 2 * HALF));
        state.seats.advance(&seat, 4 * HALF as u64);
        push(&mut state);
        assert!(!is_in_memory(&state, 3 * HALF), "nobody wants it");
        assert!(is_in_memory(&state, 4 * HALF));
        state.end(Ending::Complete);
        assert!(!is_in_memory(&state, 4 * HALF), "all is written");
    }

    #[test]
    fn where_nobody_reads_nothing_stays_in_memory() {
        let mut state = State::default();
        state.progress.push(Bytes::from_static(b"abc"));
        state.file(3);
        assert!(!is_in_memory(&state, 0));
    }
}
