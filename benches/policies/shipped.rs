//! The order that ships, and others of its family.

use crate::ranking::{self, Ranking, Uses, halvings};
use crate::replay::{Policy, footprint};
use crate::trace::Artifact;

/// The ranking of the disk tier, with what an artifact is worth.
pub(crate) struct Ranked {
    ranking: Ranking,
    worth: fn(&Artifact) -> u16,
}

impl Ranked {
    pub(crate) fn new(half_life: u32, worth: fn(&Artifact) -> u16) -> Self {
        Self {
            ranking: Ranking::new(half_life),
            worth,
        }
    }
}

impl Policy for Ranked {
    fn insert(&mut self, id: u32, artifact: &Artifact, now: u32) {
        let uses = Uses {
            last: now,
            count: 1,
        };
        self.ranking.insert(id, (self.worth)(artifact), uses);
    }

    fn hit(&mut self, id: u32, _: &Artifact, now: u32) {
        self.ranking.touch(id, now);
    }

    fn remove(&mut self, id: u32) {
        self.ranking.remove(id);
    }

    fn evict(&mut self) -> Option<u32> {
        let id = self.ranking.victim()?;
        self.ranking.remove(id);
        Some(id)
    }
}

/// Only uses count.
pub(crate) fn nothing(_: &Artifact) -> u16 {
    0
}

/// What a fetch costs, as it ships.
pub(crate) fn fetch(artifact: &Artifact) -> u16 {
    ranking::worth(footprint(artifact))
}

/// What running the task again costs.
pub(crate) fn task(artifact: &Artifact) -> u16 {
    let millis = u64::from(artifact.millis.max(1));
    halvings((millis << 24) / footprint(artifact).max(1))
}
