//! Who waits for a place, and who is next. Values only.
//!
//! Bodies that are here and bodies that come no further before they are sent take turns, each kind first come,
//! first served: a crowd of the one keeps nobody of the other waiting. What is still to come goes last.

use std::collections::VecDeque;

/// What stands behind one who waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rank {
    /// A whole body.
    Here,
    /// One that comes no further before it is sent.
    HeldUp,
    /// One that is still coming.
    Coming,
}

/// What becomes of an upload that leaves its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Loser {
    /// It is sent anew.
    Waits,
    /// It fails: only for a body that is here.
    Fails,
}

/// Places, and who waits for them.
#[derive(Debug)]
pub(super) struct Queue<T> {
    free: usize,
    here: VecDeque<T>,
    held_up: VecDeque<T>,
    coming: VecDeque<T>,
    /// Places whose holders are about to leave them.
    leaving: usize,
    /// It is the turn of a body that is held up.
    is_other_turn: bool,
}

impl<T: PartialEq> Queue<T> {
    pub(super) fn new(free: usize) -> Self {
        Self {
            free,
            here: VecDeque::new(),
            held_up: VecDeque::new(),
            coming: VecDeque::new(),
            leaving: 0,
            is_other_turn: false,
        }
    }

    pub(super) fn free(&self) -> usize {
        self.free
    }

    /// One more waits.
    pub(super) fn join(&mut self, one: T, rank: Rank) {
        self.of(rank).push_back(one);
    }

    /// One waits no longer.
    pub(super) fn leave(&mut self, one: &T, rank: Rank) {
        self.of(rank).retain(|other| other != one);
    }

    /// A place is free.
    pub(super) fn release(&mut self) {
        self.free += 1;
    }

    /// Gives a free place to whoever is next.
    pub(super) fn next(&mut self) -> Option<T> {
        if self.free == 0 {
            return None;
        }
        let (first, second) = if self.is_other_turn {
            (&mut self.held_up, &mut self.here)
        } else {
            (&mut self.here, &mut self.held_up)
        };
        let next = match first.pop_front() {
            Some(next) => {
                self.is_other_turn = !self.is_other_turn;
                Some(next)
            }
            None => second.pop_front().or_else(|| self.coming.pop_front()),
        };
        self.free -= usize::from(next.is_some());
        next
    }

    /// Whether one more holder is to leave; then it is taken to.
    pub(super) fn asks_to_leave(&mut self, loser: Loser) -> bool {
        let worth_it = match loser {
            Loser::Waits => self.here.len() + self.held_up.len(),
            Loser::Fails => self.here.len(),
        };
        let is_asked = self.leaving < worth_it;
        self.leaving += usize::from(is_asked);
        is_asked
    }

    /// One who was asked to has left.
    pub(super) fn has_left(&mut self) {
        self.leaving = self.leaving.saturating_sub(1);
    }

    fn of(&mut self, rank: Rank) -> &mut VecDeque<T> {
        match rank {
            Rank::Here => &mut self.here,
            Rank::HeldUp => &mut self.held_up,
            Rank::Coming => &mut self.coming,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all<T: PartialEq>(queue: &mut Queue<T>) -> Vec<T> {
        std::iter::from_fn(|| queue.next()).collect()
    }

    #[test]
    fn what_is_here_and_what_is_held_up_take_turns_and_the_rest_goes_last() {
        let mut queue = Queue::new(10);
        queue.join("coming", Rank::Coming);
        for one in ["here 1", "here 2", "here 3"] {
            queue.join(one, Rank::Here);
        }
        for one in ["held 1", "held 2"] {
            queue.join(one, Rank::HeldUp);
        }
        let order = ["here 1", "held 1", "here 2", "held 2", "here 3", "coming"];
        assert_eq!(all(&mut queue), order);
        assert_eq!(queue.free(), 4);
    }

    #[test]
    fn there_are_so_many_places_and_no_more() {
        let mut queue = Queue::new(1);
        queue.join(1, Rank::Here);
        queue.join(2, Rank::Here);
        assert_eq!(all(&mut queue), [1]);
        queue.release();
        queue.leave(&2, Rank::Here);
        assert_eq!(all(&mut queue), [0; 0]);
        assert_eq!(queue.free(), 1);
    }

    #[test]
    fn as_many_are_asked_to_leave_as_wait_with_something_to_send() {
        let mut queue = Queue::new(0);
        queue.join(1, Rank::Coming);
        assert!(!queue.asks_to_leave(Loser::Waits));
        queue.join(2, Rank::HeldUp);
        assert!(
            !queue.asks_to_leave(Loser::Fails),
            "for a body that is not here"
        );
        assert!(queue.asks_to_leave(Loser::Waits));
        assert!(!queue.asks_to_leave(Loser::Waits));
        queue.has_left();
        assert!(
            queue.asks_to_leave(Loser::Waits),
            "whoever left was not enough"
        );
        queue.join(3, Rank::Here);
        queue.has_left();
        assert!(queue.asks_to_leave(Loser::Fails));
    }
}
