//! What the writer and the readers of a spool share, and when there is room to write more.

use bytes::Bytes;
use parking_lot::{Mutex, MutexGuard};
use tokio::sync::Notify;

use super::progress::{Ending, Progress};
use super::seats::Seats;
use super::spool::{Growth, Unwanted};
use crate::tiers::{Budget, DraftReader, Held};

/// Bytes a window holds for its slowest reader.
const WINDOW: u64 = 1024 * 1024;

/// Bytes that stay in memory, though the file has them, for readers who are a little behind: a hundred of
/// them would read each byte back a hundred times.
const LATELY: u64 = 1024 * 1024;

/// The same two where memory for bodies is short.
const LITTLE: u64 = 64 * 1024;

/// What both sides hold.
pub(super) struct Shared {
    state: Mutex<State>,
    pub(super) budget: Budget,
    /// Told when a reader moves on or leaves.
    pub(super) room: Notify,
    /// Told when the writer waits for a reader.
    pub(super) held_up: Notify,
    /// Told then too, and when it has ended.
    pub(super) turned: Notify,
}

/// Where the spool stands.
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
    /// What lies in memory.
    held: Held,
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
    /// With nothing written, sharing memory with all other bodies.
    pub(super) fn new(budget: Budget) -> Self {
        Self {
            state: Mutex::new(State::new(&budget)),
            budget,
            room: Notify::new(),
            held_up: Notify::new(),
            turned: Notify::new(),
        }
    }

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
    fn new(budget: &Budget) -> Self {
        Self {
            progress: Progress::default(),
            seats: Seats::default(),
            file: None,
            pace: None,
            is_window: false,
            is_unwanted: false,
            is_patient: false,
            held: budget.hold(0),
        }
    }

    /// Adds bytes at the end.
    pub(super) fn push(&mut self, chunk: Bytes) {
        self.progress.push(chunk);
        self.held.resize(self.progress.in_memory());
        self.seats.wake();
    }

    /// How far ahead of a reader bytes stay in memory that `usually` may.
    fn ahead(&self, usually: u64) -> u64 {
        if self.progress.is_crumbled() {
            0
        } else {
            self.held.budget().share(usually, LITTLE)
        }
    }

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
        if self.is_window {
            self.progress.release(slowest);
            self.held.resize(self.progress.in_memory());
        }
        let most = match (self.is_window, self.pace) {
            (true, _) => self.ahead(WINDOW),
            (false, Some(pace)) => pace,
            (false, None) => return Ok(Room::Enough),
        };
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

    pub(super) fn growth(&mut self) -> Growth {
        match self.progress.ending() {
            Some(Ending::Complete) => return Growth::Whole,
            Some(Ending::Broken(_)) => return Growth::Broken,
            None => {}
        }
        match self.room() {
            Err(Unwanted) => Growth::Broken,
            Ok(Room::Behind { .. }) => Growth::HeldUp,
            Ok(Room::Enough) if self.seats.slowest() < Some(self.progress.written()) => {
                Growth::Behind
            }
            Ok(Room::Enough) => Growth::Paused {
                is_kept: !self.is_window,
            },
        }
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
        // Whoever is far behind reads from the file in any case, and so does everybody at the end.
        let wanted = if self.progress.ending().is_some() {
            filed
        } else {
            let lately = self.progress.written().saturating_sub(self.ahead(LATELY));
            self.seats.slowest_from(lately).unwrap_or(filed)
        };
        self.progress.file(filed, wanted);
        self.held.resize(self.progress.in_memory());
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
    use std::sync::Arc;

    use super::super::progress::Next;
    use super::*;
    use crate::metrics::Metrics;

    const HALF: usize = 512 * 1024;

    fn state(most: u64) -> State {
        State::new(&Budget::new(most, Arc::new(Metrics::new().unwrap())))
    }

    fn is_in_memory(state: &State, position: usize) -> bool {
        matches!(state.progress.next(position as u64), Next::Chunk(_))
    }

    #[test]
    fn what_a_reader_who_is_a_little_behind_wants_stays_in_memory_until_all_is_written() {
        let mut state = state(u64::MAX);
        let seat = state.seats.take();
        let push = |state: &mut State| {
            state.push(vec![0; HALF].into());
            state.file(state.progress.written());
        };
        for _ in 0..4 {
            push(&mut state);
        }
        assert!(!is_in_memory(&state, 3 * HALF), "far behind");
        state.seats.advance(&seat, 4 * HALF as u64);
        push(&mut state);
        assert!(!is_in_memory(&state, 3 * HALF), "nobody wants it");
        assert!(is_in_memory(&state, 4 * HALF));
        let _behind = state.seats.take();
        push(&mut state);
        assert!(is_in_memory(&state, 4 * HALF), "the other wants it");
        state.end(Ending::Complete);
        assert!(!is_in_memory(&state, 4 * HALF), "all is written");
    }

    #[test]
    fn where_nobody_reads_nothing_stays_in_memory() {
        let mut state = state(u64::MAX);
        state.push(Bytes::from_static(b"abc"));
        state.file(3);
        assert!(!is_in_memory(&state, 0));
    }

    #[test]
    fn what_lies_in_memory_is_held_and_where_it_is_short_less_does() {
        let mut state = state(HALF as u64);
        let seat = state.seats.take();
        state.push(vec![0; 1000].into());
        assert_eq!(state.held.budget().held(), 1000 + 64);
        state.file(1000);
        assert_eq!(
            state.held.budget().held(),
            1000 + 64,
            "the reader is a little behind"
        );
        for _ in 0..2 {
            state.push(vec![0; HALF].into());
        }
        let a_little_behind = state.progress.written() - 1000;
        state.seats.advance(&seat, a_little_behind);
        state.file(state.progress.written());
        assert_eq!(
            state.held.budget().held(),
            HALF as u64 + 64,
            "no more than the last piece"
        );
        state.seats.advance(&seat, state.progress.written());
        state.end(Ending::Complete);
        assert_eq!(state.held.budget().held(), 0);
    }

    #[test]
    fn a_window_whose_crumbs_have_all_been_read_has_room() {
        let mut state = state(u64::MAX);
        state.is_window = true;
        let seat = state.seats.take();
        for _ in 0..2000 {
            state.push(Bytes::from_static(b"c"));
        }
        assert!(matches!(state.room(), Ok(Room::Behind { slowest: 0, .. })));
        state.seats.advance(&seat, 2000);
        assert!(matches!(state.room(), Ok(Room::Enough)));
    }
}
