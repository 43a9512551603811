//! Replays synthetic build traces against orders of eviction: `just policies`. Writes
//! `docs/eviction/*`; docs/eviction.md says what is what.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a measurement may fail loudly, and counts in floats"
)]

mod dual;
mod plot;
mod queues;
mod random;
#[expect(dead_code, reason = "the tier uses more of it than a replay does")]
#[path = "../../src/tiers/disk/ranking.rs"]
mod ranking;
mod replay;
mod report;
mod repository;
mod shipped;
mod trace;

use replay::{Policy, Saved};

/// Not those that the half-life was tried out on.
const SEEDS: std::ops::RangeInclusive<u64> = 11..=15;
/// Capacities, in percent of the bytes of all artifacts of a trace.
const CAPACITIES: [u64; 5] = [2, 5, 10, 25, 50];
const MINUTE: u32 = 60;

/// An order of eviction by name.
struct Order {
    name: &'static str,
    make: fn(capacity: u64) -> Box<dyn Policy>,
}

/// What a policy saved at one capacity of one trace, a value a seed.
struct Row {
    trace: &'static str,
    capacity: u64,
    order: &'static str,
    saved: Vec<Saved>,
}

/// The bound has room for everything; `max_age` holds for it too.
const BOUND: &str = "endless";
const BASE: &str = "LRU";
const SHIPPED: &str = "worth, 30 min";

const ORDERS: [Order; 14] = [
    order(BOUND, |_| Box::new(queues::Line::default())),
    order("FIFO", |_| Box::new(queues::Line::default())),
    order(BASE, |_| Box::new(queues::Line::lru())),
    order("S3-FIFO", |capacity| {
        Box::new(queues::S3Fifo::new(capacity))
    }),
    order("SIEVE", |_| Box::new(queues::Sieve::default())),
    order("GDSF, cost 1", |_| Box::new(dual::Dual::new(dual::one))),
    order("GDSF, task", |_| Box::new(dual::Dual::new(dual::task))),
    order("GDSF, fetch", |_| Box::new(dual::Dual::new(dual::fetch))),
    order("uses, 30 min", |_| ranked(30, shipped::nothing)),
    order("task worth, 30 min", |_| ranked(30, shipped::task)),
    order("worth, 15 min", |_| ranked(15, shipped::fetch)),
    order(SHIPPED, |_| {
        Box::new(shipped::Ranked::new(ranking::HALF_LIFE, shipped::fetch))
    }),
    order("worth, 60 min", |_| ranked(60, shipped::fetch)),
    order("worth, 180 min", |_| ranked(180, shipped::fetch)),
];

const fn order(name: &'static str, make: fn(u64) -> Box<dyn Policy>) -> Order {
    Order { name, make }
}

fn ranked(minutes: u32, worth: fn(&trace::Artifact) -> u16) -> Box<dyn Policy> {
    Box::new(shipped::Ranked::new(minutes * MINUTE, worth))
}

fn main() {
    // Tests of all targets must not rewrite documents.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let mut rows = Vec::new();
    for kind in trace::KINDS {
        let traces: Vec<_> = SEEDS.map(kind.make).collect();
        report::describe(kind.name, &traces);
        for capacity in CAPACITIES {
            for order in &ORDERS {
                let saved = traces.iter().map(|trace| {
                    let bytes = match order.name {
                        BOUND => u64::MAX,
                        _ => trace.bytes() / 100 * capacity,
                    };
                    replay::replay(trace, bytes, &mut *(order.make)(bytes))
                });
                rows.push(Row {
                    trace: kind.name,
                    capacity,
                    order: order.name,
                    saved: saved.collect(),
                });
            }
        }
    }
    report::print(&rows);
    report::write(&rows);
    plot::write(&rows);
}
