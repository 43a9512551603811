//! The policies that are queues: FIFO, LRU, SIEVE, S3-FIFO. None of them looks at cost.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

use crate::replay::{Policy, footprint};
use crate::trace::Artifact;

/// Ids in an order that one can be taken out of and put at the end of.
#[derive(Default)]
struct Queue {
    next: u64,
    order: BTreeMap<u64, u32>,
    places: HashMap<u32, u64>,
}

impl Queue {
    fn push(&mut self, id: u32) {
        self.remove(id);
        self.next += 1;
        self.order.insert(self.next, id);
        self.places.insert(id, self.next);
    }

    fn remove(&mut self, id: u32) -> bool {
        let place = self.places.remove(&id);
        place.is_some_and(|place| self.order.remove(&place).is_some())
    }

    fn pop(&mut self) -> Option<u32> {
        let (_, id) = self.order.pop_first()?;
        self.places.remove(&id);
        Some(id)
    }
}

/// First in, first out; with `is_lru`, least recently used first out.
#[derive(Default)]
pub(crate) struct Line {
    queue: Queue,
    is_lru: bool,
}

impl Line {
    pub(crate) fn lru() -> Self {
        Self {
            is_lru: true,
            ..Self::default()
        }
    }
}

impl Policy for Line {
    fn insert(&mut self, id: u32, _: &Artifact, _: u32) {
        self.queue.push(id);
    }

    fn hit(&mut self, id: u32, _: &Artifact, _: u32) {
        if self.is_lru {
            self.queue.push(id);
        }
    }

    fn remove(&mut self, id: u32) {
        self.queue.remove(id);
    }

    fn evict(&mut self) -> Option<u32> {
        self.queue.pop()
    }
}

/// SIEVE: a queue that nobody moves in, and a hand that spares what was used since it last passed.
#[derive(Default)]
pub(crate) struct Sieve {
    queue: Queue,
    visited: HashSet<u32>,
    hand: u64,
}

impl Policy for Sieve {
    fn insert(&mut self, id: u32, _: &Artifact, _: u32) {
        self.queue.push(id);
    }

    fn hit(&mut self, id: u32, _: &Artifact, _: u32) {
        self.visited.insert(id);
    }

    fn remove(&mut self, id: u32) {
        self.queue.remove(id);
        self.visited.remove(&id);
    }

    fn evict(&mut self) -> Option<u32> {
        loop {
            let next = self.queue.order.range(self.hand..).next();
            let next = next.or_else(|| self.queue.order.first_key_value());
            let (place, id) = next.map(|(place, id)| (*place, *id))?;
            // Behind the newest it begins anew, and does not wait for the next to come.
            let further = self.queue.order.range(place + 1..).next();
            self.hand = further.map_or(0, |(place, _)| *place);
            if !self.visited.remove(&id) {
                self.queue.remove(id);
                return Some(id);
            }
        }
    }
}

/// S3-FIFO with its three queues counted in bytes: newcomers get a tenth of the room, and what left
/// them unused is remembered for as many bytes as the main queue has.
pub(crate) struct S3Fifo {
    capacity: u64,
    small: VecDeque<u32>,
    main: VecDeque<u32>,
    ghosts: VecDeque<(u32, u64)>,
    ghost_bytes: u64,
    is_ghost: HashMap<u32, u32>,
    stored: HashMap<u32, Stored>,
    small_bytes: u64,
}

struct Stored {
    bytes: u64,
    uses: u8,
    is_small: bool,
}

impl S3Fifo {
    pub(crate) fn new(capacity: u64) -> Self {
        Self {
            capacity,
            small: VecDeque::new(),
            main: VecDeque::new(),
            ghosts: VecDeque::new(),
            ghost_bytes: 0,
            is_ghost: HashMap::new(),
            stored: HashMap::new(),
            small_bytes: 0,
        }
    }

    fn remember(&mut self, id: u32, bytes: u64) {
        self.ghosts.push_back((id, bytes));
        self.ghost_bytes += bytes;
        *self.is_ghost.entry(id).or_default() += 1;
        while self.ghost_bytes > self.capacity / 10 * 9 {
            let Some((id, bytes)) = self.ghosts.pop_front() else {
                return;
            };
            self.ghost_bytes -= bytes;
            if let Some(times) = self.is_ghost.get_mut(&id) {
                *times -= 1;
                if *times == 0 {
                    self.is_ghost.remove(&id);
                }
            }
        }
    }

    fn evict_small(&mut self) -> Option<u32> {
        while let Some(id) = self.small.pop_front() {
            // Those that went for age are still in the queue, or are back in the other.
            let Some(stored) = self.stored.get_mut(&id).filter(|stored| stored.is_small) else {
                continue;
            };
            self.small_bytes -= stored.bytes;
            if stored.uses > 1 {
                stored.uses = 0;
                stored.is_small = false;
                self.main.push_back(id);
                continue;
            }
            let bytes = stored.bytes;
            self.stored.remove(&id);
            self.remember(id, bytes);
            return Some(id);
        }
        None
    }

    fn evict_main(&mut self) -> Option<u32> {
        while let Some(id) = self.main.pop_front() {
            let Some(stored) = self.stored.get_mut(&id).filter(|stored| !stored.is_small) else {
                continue;
            };
            if stored.uses > 0 {
                stored.uses -= 1;
                self.main.push_back(id);
                continue;
            }
            self.stored.remove(&id);
            return Some(id);
        }
        None
    }
}

impl Policy for S3Fifo {
    fn insert(&mut self, id: u32, artifact: &Artifact, _: u32) {
        let is_small = !self.is_ghost.contains_key(&id);
        let bytes = footprint(artifact);
        let stored = Stored {
            bytes,
            uses: 0,
            is_small,
        };
        self.stored.insert(id, stored);
        if is_small {
            self.small_bytes += bytes;
            self.small.push_back(id);
        } else {
            self.main.push_back(id);
        }
    }

    fn hit(&mut self, id: u32, _: &Artifact, _: u32) {
        if let Some(stored) = self.stored.get_mut(&id) {
            stored.uses = (stored.uses + 1).min(3);
        }
    }

    fn remove(&mut self, id: u32) {
        if let Some(stored) = self.stored.remove(&id) {
            let queue = if stored.is_small {
                self.small_bytes -= stored.bytes;
                &mut self.small
            } else {
                &mut self.main
            };
            queue.retain(|other| *other != id);
        }
    }

    fn evict(&mut self) -> Option<u32> {
        if self.small_bytes > self.capacity / 10 {
            self.evict_small().or_else(|| self.evict_main())
        } else {
            self.evict_main().or_else(|| self.evict_small())
        }
    }
}
