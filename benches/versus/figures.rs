//! What a row is measured in, and how rounds become one figure.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::load::Seen;
use crate::usage::Spent;

/// One column of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Metric {
    /// Answers a second.
    Rate,
    /// Bytes of bodies a second, in 10⁹.
    Gigabytes,
    /// The median of the answers' times, µs.
    Median,
    /// What 99 of 100 answers stay below, µs.
    Slowest,
    /// How much longer than the origin's own the median is, µs.
    Added,
    /// The server's time of processors for an answer, µs.
    CpuAnswer,
    /// The server's time of processors for 10⁹ bytes, s.
    CpuGigabyte,
    /// The share of its core that the server was busy for.
    Busy,
    /// The same of the load.
    LoadBusy,
    /// Lines written for each answer.
    Lines,
    /// Cores that other processes were busy on meanwhile.
    Others,
    /// Seconds to the last byte of the last client.
    LastByte,
    /// The same by the time of one download from the origin.
    TimesDirect,
    /// Anonymous memory before, MiB.
    MemoryBefore,
    /// The most of it meanwhile, MiB.
    MemoryMost,
    /// By how much it grew for each connection, KiB.
    Connection,
}

/// What one server came to in one round.
pub(crate) type Sample = BTreeMap<Metric, f64>;

/// A server's rounds.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Rounds {
    /// As the tables call it.
    pub(crate) server: String,
    /// A sample a round.
    pub(crate) samples: Vec<Sample>,
}

/// A median, and what it lies between.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Figure {
    pub(crate) least: f64,
    pub(crate) median: f64,
    pub(crate) most: f64,
}

impl Metric {
    /// The head of the column.
    pub(crate) fn head(self) -> &'static str {
        match self {
            Self::Rate => "answers/s",
            Self::Gigabytes => "GB/s",
            Self::Median => "p50, µs",
            Self::Slowest => "p99, µs",
            Self::Added => "added p50, µs",
            Self::CpuAnswer => "CPU µs/answer",
            Self::CpuGigabyte => "CPU s/GB",
            Self::Busy => "server busy",
            Self::LoadBusy => "load busy",
            Self::Lines => "lines/answer",
            Self::Others => "others busy",
            Self::LastByte => "last byte, s",
            Self::TimesDirect => "times direct",
            Self::MemoryBefore => "memory before, MiB",
            Self::MemoryMost => "memory at most, MiB",
            Self::Connection => "KiB a connection",
        }
    }
}

impl Rounds {
    /// Nothing measured yet.
    pub(crate) fn new(server: &str) -> Self {
        Self {
            server: server.to_owned(),
            samples: Vec::new(),
        }
    }

    /// What the rounds came to; `None` where this was not measured.
    pub(crate) fn figure(&self, metric: Metric) -> Option<Figure> {
        let values = self
            .samples
            .iter()
            .filter_map(|it| it.get(&metric).copied());
        Figure::of(values.collect())
    }

    /// By how many times more than `other`, round by round: what disturbs a round disturbs both.
    pub(crate) fn times(&self, other: &Self, metric: Metric) -> Option<Figure> {
        let pairs = self.samples.iter().zip(&other.samples);
        let ratios =
            pairs.filter_map(|(ours, theirs)| Some(ours.get(&metric)? / theirs.get(&metric)?));
        Figure::of(ratios.collect())
    }
}

impl Figure {
    fn of(mut values: Vec<f64>) -> Option<Self> {
        values.sort_by(f64::total_cmp);
        let middle = values.len() / 2;
        Some(Self {
            least: *values.first()?,
            median: match values.len() % 2 {
                0 => f64::midpoint(values[middle - 1], values[middle]),
                _ => values[middle],
            },
            most: *values.last()?,
        })
    }
}

/// The figures that every timed row has.
pub(crate) fn sample(seen: &Seen, server: Spent, load: Spent) -> Sample {
    let seconds = server.passed.as_secs_f64();
    let gigabytes = seen.bytes as f64 / 1e9;
    Sample::from([
        (Metric::Rate, seen.answers as f64 / seconds),
        (Metric::Gigabytes, gigabytes / seconds),
        (Metric::Median, seen.times.micros(0.5)),
        (Metric::Slowest, seen.times.micros(0.99)),
        (
            Metric::CpuAnswer,
            server.busy.as_secs_f64() * 1e6 / seen.answers as f64,
        ),
        (Metric::CpuGigabyte, server.busy.as_secs_f64() / gigabytes),
        (Metric::Busy, server.share()),
        (Metric::LoadBusy, load.share()),
    ])
}
