//! What a trace is, and the three that are replayed.

use crate::random::Random;
use crate::repository::{Repository, Tree};

pub(crate) const DAY: u32 = 24 * 3600;
const HOUR: u32 = 3600;

/// Something that is stored.
#[derive(Clone, Copy)]
pub(crate) struct Artifact {
    /// Its file's length.
    pub(crate) bytes: u64,
    /// What its task took.
    pub(crate) millis: u32,
}

/// Somebody asks for an artifact, and stores it if nobody has it.
#[derive(Clone, Copy)]
pub(crate) struct Event {
    pub(crate) at: u32,
    pub(crate) artifact: u32,
}

#[derive(Default)]
pub(crate) struct Trace {
    pub(crate) artifacts: Vec<Artifact>,
    pub(crate) events: Vec<Event>,
}

impl Trace {
    /// What it takes to keep everything.
    pub(crate) fn bytes(&self) -> u64 {
        self.artifacts.iter().map(|artifact| artifact.bytes).sum()
    }
}

/// A trace by name, made from a seed.
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    pub(crate) make: fn(u64) -> Trace,
}

pub(crate) const KINDS: [Kind; 3] = [
    Kind {
        name: "monorepo",
        make: monorepo,
    },
    Kind {
        name: "branches",
        make: branches,
    },
    Kind {
        name: "scan",
        make: scan,
    },
];

/// CI of a busy monorepo: every merge builds main; pull requests branch off its head, are pushed
/// to a few times within hours, and are sometimes rerun.
fn monorepo(seed: u64) -> Trace {
    let mut random = Random::new(seed);
    let mut repository = Repository::new(40, 3, &mut random);
    let mut main = repository.tree();
    for day in 0..21 {
        steady_day(&mut repository, &mut main, day, (14.0, 12.0), &mut random);
    }
    repository.into_trace()
}

/// Many branches that live for weeks: each is built every day or two, rerun now and then, rebased
/// about once a week. Main moves slowly.
fn branches(seed: u64) -> Trace {
    const BRANCHES: usize = 36;
    let mut random = Random::new(seed);
    let mut repository = Repository::new(40, 3, &mut random);
    let mut main = repository.tree();
    let mut trees = vec![main.clone(); BRANCHES];
    // What a branch has changed stays changed when it is rebased.
    let mut changed = vec![Vec::<(usize, u64)>::new(); BRANCHES];
    for day in 0..28 {
        if is_weekend(day) {
            continue;
        }
        for _ in 0..random.count(3.0) {
            repository.change(&mut main, 1 + random.below(2), &mut random);
            let at = working_hour(day, &mut random);
            repository.build(at, &main, 0);
        }
        for branch in 0..BRANCHES {
            if random.chance(0.03) {
                // Merged; another takes its place.
                trees[branch].clone_from(&main);
                changed[branch].clear();
            }
            let at = working_hour(day, &mut random);
            if random.chance(0.12) {
                trees[branch].clone_from(&main);
                for (package, content) in &changed[branch] {
                    trees[branch][*package] = *content;
                }
                repository.build(at, &trees[branch], 0);
            } else if random.chance(0.45) {
                let before = trees[branch].clone();
                repository.change(&mut trees[branch], 1, &mut random);
                let pairs = before.iter().zip(&trees[branch]).enumerate();
                let new = pairs.filter(|(_, (before, after))| before != after);
                changed[branch].extend(new.map(|(package, (_, after))| (package, *after)));
                repository.build(at, &trees[branch], 0);
            }
            if random.chance(0.25) {
                repository.build(at + HOUR, &trees[branch], 0);
            }
        }
    }
    repository.into_trace()
}

/// Steady traffic, and in the night to every Sunday a full build of main and of the last tags under
/// another environment, which nobody asks for again before it is too old.
fn scan(seed: u64) -> Trace {
    const TAGS: usize = 8;
    let mut random = Random::new(seed);
    let mut repository = Repository::new(40, 3, &mut random);
    let mut main = repository.tree();
    let mut tags: Vec<Tree> = Vec::new();
    for day in 0..28 {
        steady_day(&mut repository, &mut main, day, (7.0, 7.0), &mut random);
        if day % 2 == 0 {
            tags.push(main.clone());
        }
        if day % 7 == 6 {
            let night = day * DAY + 2 * HOUR;
            repository.build(night, &main, 1);
            for (number, tag) in tags.iter().rev().take(TAGS).enumerate() {
                repository.build(night + (number as u32 + 1) * 600, tag, 1);
            }
        }
    }
    repository.into_trace()
}

/// A day on which so many merges and so many pull requests come.
fn steady_day(
    repository: &mut Repository,
    main: &mut Tree,
    day: u32,
    (merges, requests): (f64, f64),
    random: &mut Random,
) {
    let busy = if is_weekend(day) { 0.15 } else { 1.0 };
    let merges = random.count(merges * busy);
    let requests = random.count(requests * busy);
    let mut moments: Vec<(u32, bool)> = (0..merges + requests)
        .map(|number| (working_hour(day, random), number < merges))
        .collect();
    moments.sort_unstable();
    for (at, is_merge) in moments {
        if is_merge {
            let count = 1 + random.below(2);
            repository.change(main, count, random);
            repository.build(at, main, 0);
        } else {
            pull_request(repository, main.clone(), at, random);
        }
    }
}

fn pull_request(repository: &mut Repository, mut tree: Tree, at: u32, random: &mut Random) {
    let mut at = at;
    for _ in 0..=random.count(1.5) {
        repository.change(&mut tree, 1, random);
        repository.build(at, &tree, 0);
        if random.chance(0.2) {
            repository.build(at + 900, &tree, 0);
        }
        at += 1200 + (random.unit() * f64::from(6 * HOUR)) as u32;
    }
}

fn is_weekend(day: u32) -> bool {
    day % 7 >= 5
}

/// A second of a day on which people work, most likely around noon.
fn working_hour(day: u32, random: &mut Random) -> u32 {
    let hour = 8.0 + 5.0 * (random.unit() + random.unit());
    day * DAY + (hour * f64::from(HOUR)) as u32
}
