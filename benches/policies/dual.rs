//! GDSF: what is worth most for its bytes stays, by a clock that eviction turns.

use std::collections::{BTreeSet, HashMap};

use crate::replay::{LINE, Policy, ROUND_TRIP, footprint};
use crate::trace::Artifact;

/// What a miss costs.
pub(crate) type Cost = fn(&Artifact) -> f64;

/// Every miss the same: only size counts.
pub(crate) fn one(_: &Artifact) -> f64 {
    1.0
}

/// The task is run again: what it costs without an upstream.
pub(crate) fn task(artifact: &Artifact) -> f64 {
    f64::from(artifact.millis) / 1000.0
}

/// The artifact is fetched: what it costs with one.
pub(crate) fn fetch(artifact: &Artifact) -> f64 {
    ROUND_TRIP + artifact.bytes as f64 / LINE
}

/// `clock + uses · cost / bytes`, the clock being the priority of the last victim.
pub(crate) struct Dual {
    cost: Cost,
    clock: f64,
    order: BTreeSet<(u64, u32)>,
    stored: HashMap<u32, (u64, f64)>,
}

impl Dual {
    pub(crate) fn new(cost: Cost) -> Self {
        Self {
            cost,
            clock: 0.0,
            order: BTreeSet::new(),
            stored: HashMap::new(),
        }
    }

    fn place(&mut self, id: u32, artifact: &Artifact, uses: f64) {
        let worth = uses * (self.cost)(artifact) / footprint(artifact) as f64;
        // The order of positive floats is that of their bits.
        let priority = (self.clock + worth).to_bits();
        self.order.insert((priority, id));
        self.stored.insert(id, (priority, uses));
    }
}

impl Policy for Dual {
    fn insert(&mut self, id: u32, artifact: &Artifact, _: u32) {
        self.place(id, artifact, 1.0);
    }

    fn hit(&mut self, id: u32, artifact: &Artifact, _: u32) {
        if let Some((priority, uses)) = self.stored.remove(&id) {
            self.order.remove(&(priority, id));
            self.place(id, artifact, uses + 1.0);
        }
    }

    fn remove(&mut self, id: u32) {
        if let Some((priority, _)) = self.stored.remove(&id) {
            self.order.remove(&(priority, id));
        }
    }

    fn evict(&mut self) -> Option<u32> {
        let (priority, id) = self.order.pop_first()?;
        self.stored.remove(&id);
        self.clock = f64::from_bits(priority);
        Some(id)
    }
}
