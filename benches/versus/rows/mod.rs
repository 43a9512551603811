//! The rows: what each is about, and what was aimed at. How each kind runs stands in a file of its own.

mod askers;
mod beside;
mod hits;
mod list;
mod memory;
mod misses;
mod uploads;

pub(crate) use list::ROWS;

use std::time::Duration;

use anyhow::Result;

use crate::figures::{Metric, Rounds, Sample, sample};
use crate::load::Load;
use crate::noise::undisturbed;
use crate::servers::{Place, Server};
use crate::usage::Processes;

pub(crate) const KIB: u64 = 1 << 10;
pub(crate) const MIB: u64 = 1 << 20;

/// A line of the summary and a table of its own.
#[derive(Debug)]
pub(crate) struct Row {
    /// As it is picked.
    pub(crate) name: &'static str,
    /// As the document calls it.
    pub(crate) title: &'static str,
    /// What is done.
    pub(crate) work: Work,
    /// What was aimed at.
    pub(crate) aims: &'static [Aim],
}

/// Something to reach.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Aim {
    /// In what.
    pub(crate) metric: Metric,
    /// How far.
    pub(crate) bound: Bound,
}

/// How far an aim goes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Bound {
    /// At least so many times what nginx does.
    TimesAtLeast(f64),
    /// At most so many times what nginx takes.
    TimesAtMost(f64),
    /// At most so much.
    AtMost(f64),
}

/// The kinds of rows.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Work {
    /// The same artifact again and again.
    Hits {
        size: u64,
        connections: usize,
        by: Client,
    },
    /// Artifacts of 1 KiB that nobody has asked for before.
    Misses { connections: usize },
    /// Uploads under names that are new.
    Uploads { size: u64, connections: usize },
    /// Small hits while others stream.
    Beside,
    /// Many streams of one large artifact, each as fast as it can or at so many bytes a second.
    Streams { pace: Option<u64> },
    /// A hundred clients at once for an artifact that nobody has.
    Askers,
    /// Connections that are open and silent.
    Idle { connections: usize },
}

/// Who asks, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Client {
    /// Our load, which drops bodies in the kernel.
    Load,
    /// The same, with access logs written on all sides.
    Logged,
    /// `wrk`, which copies bodies.
    Wrk,
    /// `wrk` over TLS 1.3.
    WrkTls,
}

/// How long a row goes on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Effort {
    /// How often each server has its turn.
    pub(crate) rounds: usize,
    /// What passes before a turn counts.
    pub(crate) warm: Duration,
    /// A turn.
    pub(crate) window: Duration,
}

impl Effort {
    /// What a run of the recipe takes upon itself.
    pub(crate) fn new(rounds: usize, quick: bool) -> Self {
        let millis = Duration::from_millis;
        if quick {
            return Self {
                rounds: rounds.min(2),
                warm: millis(100),
                window: millis(400),
            };
        }
        Self {
            rounds,
            warm: millis(300),
            window: millis(1200),
        }
    }

    /// One turn.
    pub(crate) fn once(window: Duration) -> Self {
        Self {
            rounds: 1,
            warm: Duration::from_millis(300),
            window,
        }
    }
}

impl Work {
    /// Whether it is `wrk` that asks.
    pub(crate) fn wants_wrk(self) -> bool {
        let Self::Hits { by, .. } = self else {
            return false;
        };
        by == Client::Wrk || by == Client::WrkTls
    }

    /// Whether it is files that servers make in it.
    pub(crate) fn makes_files(self) -> bool {
        matches!(self, Self::Misses { .. } | Self::Uploads { .. })
    }
}

impl Row {
    /// Measures it.
    pub(crate) fn run(&self, place: &Place, effort: Effort) -> Result<Vec<Rounds>> {
        match self.work {
            Work::Hits {
                size,
                connections,
                by,
            } => hits::Hits {
                size,
                connections,
                by,
            }
            .run(place, effort),
            Work::Misses { connections } => misses::run(place, effort, connections),
            Work::Uploads { size, connections } => uploads::run(place, effort, size, connections),
            Work::Beside => beside::run(place, effort),
            Work::Streams { pace } => memory::streams(place, effort, pace),
            Work::Askers => askers::run(place, effort),
            Work::Idle { connections } => memory::idle(place, effort, connections),
        }
    }
}

/// Lets each server have its turn in each round, in an order that moves on by one.
fn take_turns<'a>(
    servers: &'a [Server],
    rounds: usize,
    mut turn: impl FnMut(&'a Server) -> Result<Sample>,
) -> Result<Vec<Rounds>> {
    let mut all: Vec<_> = servers.iter().map(|it| Rounds::new(it.name)).collect();
    for round in 0..rounds {
        for place in 0..servers.len() {
            let number = (round + place) % servers.len();
            all[number]
                .samples
                .push(undisturbed(|| turn(&servers[number]))?);
        }
    }
    Ok(all)
}

/// A turn of a load: what passes before it counts, and then what counts.
pub(crate) fn measure(load: &mut Load, server: &Processes, effort: Effort) -> Result<Sample> {
    measure_all(load, server, effort).map(|(sample, _)| sample)
}

/// The same, with the bytes of the groups after the first, which is the one that is timed.
fn measure_all(load: &mut Load, server: &Processes, effort: Effort) -> Result<(Sample, u64)> {
    load.run(effort.warm)?;
    load.seen();
    let this = Processes::this();
    let (server_before, load_before) = (server.taken()?, this.taken()?);
    load.run(effort.window)?;
    let spent = server.taken()?.since(&server_before);
    let load_spent = this.taken()?.since(&load_before);
    let seen = load.seen();
    let others = seen.iter().skip(1).map(|group| group.bytes).sum();
    Ok((sample(&seen[0], spent, load_spent), others))
}
