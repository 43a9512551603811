//! Who goes first when room is needed: by last use, and by what a miss would cost. Pure.
//!
//! An entry's rank is a moment: that of its last use, and on top some time for each halving by which
//! it is worth more than others. The lowest goes. A rank never falls and needs no clock of its own, so
//! last use and number of uses are all that must survive a restart; and an entry's being used changes
//! nobody else's rank, so it is noted at once and heeded when somebody must go.
//!
//! `benches/policies` replays traces against this very file; docs/adr/0013 has the reasons.

/// An entry worth twice as much as another, byte for byte, stays as if used so much later. Times in
/// seconds.
pub(crate) const HALF_LIFE: u32 = 30 * 60;
/// A fetch waits for its round trip, storage and TLS included, as long as the line takes for so many
/// bytes: a tenth of a second at 100 Mbit/s.
pub(crate) const ROUND_TRIP: u64 = 1_250_000;
/// Halvings are counted in parts of this.
const PART: u16 = 256;
/// No place: the seat is free.
const NOWHERE: u32 = u32::MAX;

/// How often an entry was used and when last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Uses {
    /// The second of the last one.
    pub(crate) last: u32,
    /// How many; 255 are many.
    pub(crate) count: u8,
}

/// Entries by small numbers that the caller gives them, in the order they go in.
#[derive(Debug)]
pub(crate) struct Ranking {
    half_life: u32,
    seats: Vec<Seat>,
    /// Taken seats as a heap, by the rank that was noted last: the true one can only be higher.
    heap: Vec<u32>,
    /// Uses so far: tells those of one second apart, but for once in four billion.
    turn: u32,
    /// The second of the last use of all, and the highest worth: nobody ranks higher.
    latest: u32,
    highest_worth: u16,
}

/// One entry.
#[derive(Clone, Copy, Debug)]
struct Seat {
    noted: u64,
    place: u32,
    turn: u32,
    last: u32,
    worth: u16,
    count: u8,
}

/// What a miss of an entry that takes `bytes` costs for each of them, in halvings: to fetch it is a
/// round trip and its bytes on the line.
pub(crate) fn worth(bytes: u64) -> u16 {
    let bytes = bytes.max(1);
    let cost = ROUND_TRIP.saturating_add(bytes).saturating_mul(PART.into());
    halvings(cost / bytes).saturating_sub(halvings(PART.into()))
}

/// `log2(number)` in parts, straight between powers of two; 0 for 0.
pub(crate) fn halvings(number: u64) -> u16 {
    let Some(whole) = number.checked_ilog2() else {
        return 0;
    };
    // The eight bits behind the leading one.
    let behind = (number << (63 - whole) << 1) >> 56;
    let parts = u64::from(whole) * u64::from(PART) + behind;
    u16::try_from(parts).unwrap_or(u16::MAX)
}

// === impl Ranking ===

impl Ranking {
    /// Ranks nobody yet.
    pub(crate) fn new(half_life: u32) -> Self {
        Self {
            half_life,
            seats: Vec::new(),
            heap: Vec::new(),
            turn: 0,
            latest: 0,
            highest_worth: 0,
        }
    }

    /// Ranks an entry; `id` must be free and is best a small number.
    pub(crate) fn insert(&mut self, id: u32, worth: u16, uses: Uses) {
        let turn = self.next_turn();
        let seat = Seat {
            noted: 0,
            place: NOWHERE,
            turn,
            last: uses.last,
            worth,
            count: uses.count.max(1),
        };
        while self.seats.len() <= id as usize {
            reserve(&mut self.seats);
            self.seats.push(Seat::FREE);
        }
        let Some(free) = self.seats.get_mut(id as usize) else {
            return;
        };
        *free = seat;
        free.noted = seat.rank(self.half_life);
        self.latest = self.latest.max(uses.last);
        self.highest_worth = self.highest_worth.max(worth);
        let place = self.heap.len();
        reserve(&mut self.heap);
        self.heap.push(id);
        self.put(place, id);
        self.rise(place);
    }

    /// Notes that an entry is used.
    pub(crate) fn touch(&mut self, id: u32, now: u32) {
        let turn = self.next_turn();
        if let Some(seat) = self.seats.get_mut(id as usize) {
            // Clocks are set back now and then.
            seat.last = seat.last.max(now);
            seat.count = seat.count.saturating_add(1);
            seat.turn = turn;
            self.latest = self.latest.max(now);
        }
    }

    /// How an entry was used.
    pub(crate) fn uses(&self, id: u32) -> Option<Uses> {
        let seat = self.taken(id)?;
        Some(Uses {
            last: seat.last,
            count: seat.count,
        })
    }

    /// What tells an entry's last use from others of the same second: later ones are higher.
    pub(crate) fn turn(&self, id: u32) -> Option<u32> {
        self.taken(id).map(|seat| seat.turn)
    }

    /// Forgets an entry.
    pub(crate) fn remove(&mut self, id: u32) {
        let Some(place) = self.taken(id).map(|seat| seat.place as usize) else {
            return;
        };
        if let Some(seat) = self.seats.get_mut(id as usize) {
            *seat = Seat::FREE;
        }
        let Some(last) = self.heap.pop() else { return };
        if place < self.heap.len() {
            self.put(place, last);
            self.rise(place);
            self.sink(place);
        }
    }

    /// The entry that goes next.
    pub(crate) fn victim(&mut self) -> Option<u32> {
        while !self.settle(usize::MAX) {}
        self.heap.first().copied()
    }

    /// Heeds up to `limit` entries' uses, those that matter next; returns whether none is left that
    /// matters now.
    pub(crate) fn settle(&mut self, limit: usize) -> bool {
        for _ in 0..limit {
            let first = self.heap.first().copied();
            let Some(seat) = first.and_then(|first| self.seats.get_mut(first as usize)) else {
                return true;
            };
            let rank = seat.rank(self.half_life);
            if rank <= seat.noted {
                return true;
            }
            seat.noted = rank;
            self.sink(0);
        }
        false
    }

    /// Puts an entry that cannot go behind all others.
    pub(crate) fn postpone(&mut self, id: u32) {
        let Some(place) = self.taken(id).map(|seat| seat.place as usize) else {
            return;
        };
        let behind_all = Seat {
            turn: self.next_turn(),
            last: self.latest,
            worth: self.highest_worth,
            count: u8::MAX,
            ..Seat::FREE
        };
        let latest = behind_all.rank(self.half_life);
        if let Some(seat) = self.seats.get_mut(id as usize) {
            seat.noted = seat.noted.max(latest);
        }
        self.sink(place);
    }

    fn next_turn(&mut self) -> u32 {
        self.turn = self.turn.wrapping_add(1);
        self.turn
    }

    fn taken(&self, id: u32) -> Option<&Seat> {
        let seat = self.seats.get(id as usize)?;
        (seat.place != NOWHERE).then_some(seat)
    }

    fn noted(&self, place: usize) -> Option<u64> {
        let id = *self.heap.get(place)?;
        Some(self.seats.get(id as usize)?.noted)
    }

    fn put(&mut self, place: usize, id: u32) {
        if let Some(at) = self.heap.get_mut(place) {
            *at = id;
        }
        if let Some(seat) = self.seats.get_mut(id as usize) {
            seat.place = u32::try_from(place).unwrap_or(NOWHERE);
        }
    }

    fn swap(&mut self, one: usize, other: usize) {
        if let (Some(first), Some(second)) = (self.heap.get(one), self.heap.get(other)) {
            let (first, second) = (*first, *second);
            self.put(one, second);
            self.put(other, first);
        }
    }

    fn rise(&mut self, mut place: usize) {
        while place > 0 {
            let above = (place - 1) / 2;
            if self.noted(above) <= self.noted(place) {
                return;
            }
            self.swap(place, above);
            place = above;
        }
    }

    fn sink(&mut self, mut place: usize) {
        loop {
            let below = [2 * place + 1, 2 * place + 2];
            let lowest = below
                .into_iter()
                .filter_map(|below| Some((self.noted(below)?, below)))
                .min();
            match (lowest, self.noted(place)) {
                (Some((noted, below)), Some(own)) if noted < own => {
                    self.swap(place, below);
                    place = below;
                }
                _ => return,
            }
        }
    }
}

impl Seat {
    const FREE: Self = Self {
        noted: 0,
        place: NOWHERE,
        turn: 0,
        last: 0,
        worth: 0,
        count: 0,
    };

    /// Seconds in the upper half, turns in the lower.
    fn rank(&self, half_life: u32) -> u64 {
        let halvings = u64::from(self.worth) + u64::from(halvings(self.count.into()));
        let longer = u64::from(half_life) * halvings / u64::from(PART);
        // A clock that is beside itself may say any second.
        let seconds = (u64::from(self.last) + longer).min(u32::MAX.into());
        (seconds << 32) | u64::from(self.turn)
    }
}

/// Makes place for one more, growing by an eighth: a table of many entries must not have as many free
/// places.
pub(crate) fn reserve<T>(list: &mut Vec<T>) {
    if list.len() == list.capacity() {
        list.reserve_exact(list.len() / 8 + 16);
    }
}
