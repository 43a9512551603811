//! The uploads that the upstream has not answered yet, for whoever asks how many wait and for how long.
//!
//! It orders nothing and holds nothing up: whose turn it is upstream is decided there.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::time::Instant;

use super::Spool;
use crate::metrics::Underway;

/// The uploads on their way; as many as there are requests for one at once.
#[derive(Debug, Default)]
pub struct Queue {
    table: Mutex<Table>,
}

/// An upload's place in the queue; given back when dropped.
#[derive(Debug)]
pub struct Queued {
    queue: Arc<Queue>,
    number: u64,
}

#[derive(Debug, Default)]
struct Table {
    next: u64,
    places: HashMap<u64, Place>,
}

#[derive(Debug)]
struct Place {
    since: Instant,
    spool: Spool,
}

// === impl Queue ===

impl Queue {
    /// Enters an upload that came at `since`, and arrives in `spool`.
    pub fn enter(self: &Arc<Self>, since: Instant, spool: &Spool) -> Queued {
        let mut table = self.table.lock();
        let number = table.next;
        table.next += 1;
        let spool = spool.clone();
        table.places.insert(number, Place { since, spool });
        Queued {
            queue: Arc::clone(self),
            number,
        }
    }

    /// What is under way now.
    pub fn underway(&self) -> Underway {
        let table = self.table.lock();
        let places = table.places.values();
        let oldest = places.clone().map(|place| place.since.elapsed()).max();
        Underway {
            entries: places.len() as u64,
            bytes: places.map(|place| place.spool.written()).sum(),
            oldest_seconds: oldest.unwrap_or_default().as_secs(),
        }
    }
}

// === impl Queued ===

impl Drop for Queued {
    fn drop(&mut self) {
        self.queue.table.lock().places.remove(&self.number);
    }
}
