//! Replays a trace against a policy and says what that saved.

use std::collections::VecDeque;

use crate::trace::{Artifact, DAY, Trace};

/// As in the product: counted from landing.
const MAX_AGE: u32 = 7 * DAY;
/// What a file system hands out.
const UNIT: u64 = 4096;
/// A miss with an upstream: one round trip to it, TLS and storage behind it included …
pub(crate) const ROUND_TRIP: f64 = 0.1;
/// … and the bytes on a line of 100 Mbit/s.
pub(crate) const LINE: f64 = 12.5e6;

/// An order of eviction. It is told of everything and knows nothing else.
pub(crate) trait Policy {
    /// An artifact has landed.
    fn insert(&mut self, id: u32, artifact: &Artifact, now: u32);
    /// Somebody has found it.
    fn hit(&mut self, id: u32, artifact: &Artifact, now: u32);
    /// It is too old and goes.
    fn remove(&mut self, id: u32);
    /// Takes out the one that goes next.
    fn evict(&mut self) -> Option<u32>;
}

/// Parts of what an endless cache without `max_age` of everything would save at most: all of it.
#[derive(Clone, Copy, Default)]
pub(crate) struct Saved {
    pub(crate) hits: f64,
    pub(crate) bytes: f64,
    pub(crate) task: f64,
    pub(crate) wait: f64,
}

#[derive(Default)]
struct Sums {
    hits: f64,
    bytes: f64,
    millis: f64,
    wait: f64,
}

impl Sums {
    fn add(&mut self, artifact: &Artifact) {
        self.hits += 1.0;
        self.bytes += artifact.bytes as f64;
        self.millis += f64::from(artifact.millis);
        self.wait += ROUND_TRIP + artifact.bytes as f64 / LINE;
    }
}

/// The room an artifact takes.
pub(crate) fn footprint(artifact: &Artifact) -> u64 {
    artifact.bytes.div_ceil(UNIT) * UNIT
}

/// What `policy` saves with room for `capacity` bytes.
pub(crate) fn replay(trace: &Trace, capacity: u64, policy: &mut dyn Policy) -> Saved {
    let mut landed: Vec<Option<u32>> = vec![None; trace.artifacts.len()];
    let mut by_age: VecDeque<(u32, u32)> = VecDeque::new();
    let mut used = 0;
    let mut all = Sums::default();
    let mut saved = Sums::default();
    for event in &trace.events {
        while let Some((at, old)) = by_age.front().copied()
            && at + MAX_AGE <= event.at
        {
            by_age.pop_front();
            if landed[old as usize] == Some(at) {
                landed[old as usize] = None;
                policy.remove(old);
                used -= footprint(&trace.artifacts[old as usize]);
            }
        }
        let artifact = &trace.artifacts[event.artifact as usize];
        all.add(artifact);
        if landed[event.artifact as usize].is_some() {
            saved.add(artifact);
            policy.hit(event.artifact, artifact, event.at);
            continue;
        }
        let room = footprint(artifact);
        if room > capacity {
            continue;
        }
        while used + room > capacity {
            let victim = policy.evict().expect("something is stored");
            landed[victim as usize] = None;
            used -= footprint(&trace.artifacts[victim as usize]);
        }
        used += room;
        landed[event.artifact as usize] = Some(event.at);
        by_age.push_back((event.at, event.artifact));
        policy.insert(event.artifact, artifact, event.at);
    }
    Saved {
        hits: saved.hits / all.hits,
        bytes: saved.bytes / all.bytes,
        task: saved.millis / all.millis,
        wait: saved.wait / all.wait,
    }
}
