//! A repository of packages that depend on one another, and the artifacts its builds ask for.

use std::collections::HashMap;

use crate::random::{Random, mix};
use crate::trace::{Artifact, Event, Trace};

const KIB: f64 = 1024.0;
const MIB: f64 = 1024.0 * KIB;
/// How much of a task's length its artifact's size explains.
const CORRELATION: f64 = 0.25;
/// How much an artifact differs from the one before the last change (deviation of the logarithm).
const DRIFT: f64 = 0.1;

/// What a task leaves behind and how long it runs: log-normal, cut off at both ends.
struct Kind {
    bytes: Spread,
    seconds: Spread,
}

struct Spread {
    median: f64,
    deviation: f64,
    least: f64,
    most: f64,
}

const fn spread(median: f64, deviation: f64, least: f64, most: f64) -> Spread {
    Spread {
        median,
        deviation,
        least,
        most,
    }
}

/// Lint, type check, test, build; and an image, of which only a few packages have one.
const KINDS: [Kind; 5] = [
    Kind {
        bytes: spread(2.0 * KIB, 0.6, 512.0, 64.0 * KIB),
        seconds: spread(5.0, 0.7, 0.5, 120.0),
    },
    Kind {
        bytes: spread(8.0 * KIB, 1.0, KIB, 512.0 * KIB),
        seconds: spread(12.0, 0.8, 0.5, 300.0),
    },
    Kind {
        bytes: spread(5.0 * KIB, 1.0, KIB, MIB),
        seconds: spread(30.0, 1.1, 0.5, 600.0),
    },
    Kind {
        bytes: spread(1.2 * MIB, 1.4, 50.0 * KIB, 30.0 * MIB),
        seconds: spread(20.0, 1.0, 0.5, 600.0),
    },
    Kind {
        bytes: spread(150.0 * MIB, 0.3, 100.0 * MIB, 400.0 * MIB),
        seconds: spread(90.0, 0.6, 10.0, 600.0),
    },
];
const IMAGE: usize = 4;

/// The packages, each with those it depends on, all of them before it.
pub(crate) struct Repository {
    seed: u64,
    needs: Vec<Vec<usize>>,
    images: usize,
    known: HashMap<u64, u32>,
    trace: Trace,
}

/// What is checked out: the content of every package.
pub(crate) type Tree = Vec<u64>;

impl Repository {
    /// `packages` of them; the last `images` have an image.
    pub(crate) fn new(packages: usize, images: usize, random: &mut Random) -> Self {
        let needs = (0..packages).map(|package| {
            // The first few are what everybody shares; the further up, the fewer depend on it.
            let count = if package < 4 { 0 } else { 1 + random.below(3) };
            let pick = |_| (random.unit().powf(1.5) * package as f64) as usize;
            (0..count).map(pick).collect()
        });
        let needs = needs.collect();
        Self {
            seed: random.next(),
            needs,
            images,
            known: HashMap::new(),
            trace: Trace::default(),
        }
    }

    pub(crate) fn packages(&self) -> usize {
        self.needs.len()
    }

    /// The first tree.
    pub(crate) fn tree(&self) -> Tree {
        (0..self.packages() as u64).collect()
    }

    /// Changes `count` packages of a tree. Some are changed far more often than others, and rather
    /// those that few depend on.
    pub(crate) fn change(&self, tree: &mut Tree, count: usize, random: &mut Random) {
        for _ in 0..count {
            let package = ((1.0 - random.unit().powf(1.7)) * self.packages() as f64) as usize;
            tree[package.min(self.packages() - 1)] = random.next();
        }
    }

    /// A build of every task of every package, from second `at` on; `environment` is part of every
    /// hash.
    pub(crate) fn build(&mut self, at: u32, tree: &Tree, environment: u64) {
        let mut digests: Vec<u64> = Vec::with_capacity(tree.len());
        for (package, content) in tree.iter().enumerate() {
            let own = mix(content ^ mix(package as u64 ^ mix(environment)));
            let digest = self.needs[package]
                .iter()
                .fold(own, |digest, need| mix(digest ^ digests[*need]));
            digests.push(digest);
        }
        for (package, digest) in digests.iter().enumerate() {
            let has_image = package + self.images >= tree.len();
            let tasks = if has_image { IMAGE + 1 } else { IMAGE };
            for task in 0..tasks {
                let artifact = self.artifact(package, task, *digest);
                // A build's requests come in the order of the graph, a few a second.
                let at = at + (package / 4) as u32;
                self.trace.events.push(Event { at, artifact });
            }
        }
    }

    /// The trace of all builds, in the order of time.
    pub(crate) fn into_trace(mut self) -> Trace {
        self.trace.events.sort_by_key(|event| event.at);
        self.trace
    }

    fn artifact(&mut self, package: usize, task: usize, digest: u64) -> u32 {
        let key = mix(digest ^ mix(task as u64 + 1));
        let next = self.trace.artifacts.len() as u32;
        let artifact = *self.known.entry(key).or_insert(next);
        if artifact == next {
            let place = mix(self.seed ^ ((package * KINDS.len() + task) as u64));
            self.trace.artifacts.push(draw(&KINDS[task], place, key));
        }
        artifact
    }
}

/// What task and package have settled, and a little of what changed.
fn draw(kind: &Kind, place: u64, key: u64) -> Artifact {
    let mut random = Random::new(place);
    let size = random.normal();
    let time = CORRELATION * size + (1.0 - CORRELATION * CORRELATION).sqrt() * random.normal();
    let mut random = Random::new(key);
    Artifact {
        bytes: kind.bytes.at(size + DRIFT * random.normal()) as u64,
        millis: (kind.seconds.at(time + DRIFT * random.normal()) * 1000.0) as u32,
    }
}

impl Spread {
    fn at(&self, normal: f64) -> f64 {
        let value = self.median * (self.deviation * normal).exp();
        value.clamp(self.least, self.most)
    }
}
