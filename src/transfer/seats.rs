//! Who reads a spool, how far each has come, and whom to wake. Pure but for the wakers.

use std::task::Waker;

/// The readers of one spool.
#[derive(Debug, Default)]
pub(super) struct Seats {
    seats: Vec<Option<Seat>>,
}

/// Which seat a reader has; given back when it leaves.
#[derive(Debug)]
pub(super) struct SeatNumber(usize);

#[derive(Debug)]
struct Seat {
    position: u64,
    waker: Option<Waker>,
    lagged: bool,
}

impl Seats {
    /// Seats a reader at the first byte.
    pub(super) fn take(&mut self) -> SeatNumber {
        let seat = Some(Seat {
            position: 0,
            waker: None,
            lagged: false,
        });
        if let Some((number, free)) = self
            .seats
            .iter_mut()
            .enumerate()
            .find(|(_, seat)| seat.is_none())
        {
            *free = seat;
            return SeatNumber(number);
        }
        self.seats.push(seat);
        SeatNumber(self.seats.len() - 1)
    }

    /// A reader left.
    pub(super) fn leave(&mut self, number: &SeatNumber) {
        if let Some(seat) = self.seats.get_mut(number.0) {
            *seat = None;
        }
    }

    /// A reader has come to `position`.
    pub(super) fn advance(&mut self, number: &SeatNumber, position: u64) {
        if let Some(seat) = self.seat(number) {
            seat.position = position;
        }
    }

    /// Remembers whom to wake; whoever was woken registers anew.
    pub(super) fn wait(&mut self, number: &SeatNumber, waker: &Waker) {
        if let Some(seat) = self.seat(number) {
            match &mut seat.waker {
                Some(known) => known.clone_from(waker),
                none => *none = Some(waker.clone()),
            }
        }
    }

    /// Whether this reader was ended for falling behind.
    pub(super) fn has_lagged(&self, number: &SeatNumber) -> bool {
        self.seats
            .get(number.0)
            .and_then(Option::as_ref)
            .is_none_or(|seat| seat.lagged)
    }

    /// Wakes everybody who waits.
    pub(super) fn wake(&mut self) {
        for seat in self.seats.iter_mut().flatten() {
            if let Some(waker) = seat.waker.take() {
                waker.wake();
            }
        }
    }

    /// The slowest reader's position; none where nobody reads.
    pub(super) fn slowest(&self) -> Option<u64> {
        self.reading().map(|seat| seat.position).min()
    }

    /// The same of those that have come as far as `position`.
    pub(super) fn slowest_from(&self, position: u64) -> Option<u64> {
        let positions = self.reading().map(|seat| seat.position);
        positions.filter(|reached| *reached >= position).min()
    }

    /// Ends the readers that are at or behind `position`.
    pub(super) fn end_laggards(&mut self, position: u64) {
        for seat in self
            .seats
            .iter_mut()
            .flatten()
            .filter(|seat| seat.position <= position)
        {
            seat.lagged = true;
            if let Some(waker) = seat.waker.take() {
                waker.wake();
            }
        }
    }

    /// Whether nobody else waits for the slowest reader.
    pub(super) fn is_one(&self) -> bool {
        self.reading().count() == 1
    }

    fn reading(&self) -> impl Iterator<Item = &Seat> {
        self.seats.iter().flatten().filter(|seat| !seat.lagged)
    }

    fn seat(&mut self, number: &SeatNumber) -> Option<&mut Seat> {
        self.seats.get_mut(number.0).and_then(Option::as_mut)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_laggard_no_longer_counts_and_a_left_seat_is_taken_again() {
        let mut seats = Seats::default();
        let (slow, fast) = (seats.take(), seats.take());
        seats.advance(&fast, 10);
        assert_eq!(seats.slowest(), Some(0));
        seats.end_laggards(0);
        assert!(seats.has_lagged(&slow));
        assert!(!seats.has_lagged(&fast));
        assert_eq!(seats.slowest(), Some(10));
        seats.leave(&slow);
        let again = seats.take();
        assert_eq!((again.0, seats.has_lagged(&again)), (slow.0, false));
        seats.leave(&again);
        seats.leave(&fast);
        assert_eq!(seats.slowest(), None);
    }
}
