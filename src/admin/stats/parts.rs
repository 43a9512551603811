//! The parts of the answer that are worked out from the figures.

use std::collections::BTreeMap;

use serde::Serialize;

use super::Sight;
use crate::admin::figures::{Figures, Spread, Table, exact};
use crate::admin::hints;
use crate::artifact::Tier;
use crate::metrics::DiskState;
use crate::upstream::Breakers;

/// Fewer fills say too little of how long one takes.
pub(super) const FEWEST_FILLS: u64 = 10;

const REQUEST_SECONDS: &str = "larder_request_seconds";
const MISSES: [&str; 5] = ["filled", "collapsed", "absent", "degraded", "bypass"];

#[derive(Serialize)]
pub(super) struct Upstream<'a> {
    pub(super) url: Option<&'a str>,
    pub(super) breakers: Breakers,
    pub(super) credential_refused: bool,
    pub(super) requests: Table,
    pub(super) seconds: BTreeMap<String, Seconds>,
}

#[derive(Serialize)]
pub(super) struct Seconds {
    pub(super) count: u64,
    pub(super) sum: f64,
    pub(super) p50: Option<f64>,
    pub(super) p95: Option<f64>,
}

/// What became of wanting artifacts' bodies.
#[derive(Serialize)]
pub(super) struct Reads {
    pub(super) asked: u64,
    pub(super) memory: u64,
    pub(super) disk: u64,
    pub(super) missed: u64,
    pub(super) rate: Option<f64>,
}

#[derive(Serialize)]
pub(super) struct Bytes {
    pub(super) sent: u64,
    pub(super) saved: u64,
}

#[derive(Serialize)]
pub(super) struct Saved {
    /// Time of the tasks that hits stood for.
    pub(super) task_seconds: f64,
    /// An estimate of what clients would have waited longer without hits.
    pub(super) waiting_seconds: Option<f64>,
}

#[derive(Serialize)]
pub(super) struct Tiers {
    pub(super) memory: Fill,
    pub(super) disk: DiskFill,
}

#[derive(Serialize)]
pub(super) struct Fill {
    pub(super) bytes: u64,
    pub(super) capacity_bytes: u64,
    pub(super) entries: u64,
    pub(super) oldest_seconds: Option<u64>,
}

#[derive(Serialize)]
pub(super) struct DiskFill {
    #[serde(flatten)]
    pub(super) fill: Fill,
    pub(super) state: &'static str,
}

#[derive(Serialize)]
pub(super) struct InFlight {
    pub(super) fills: u64,
    pub(super) uploads: usize,
    pub(super) bytes: u64,
}

// === impl Upstream ===

impl<'a> Upstream<'a> {
    pub(super) fn of(sight: &Sight<'a>) -> Self {
        let figures = sight.figures;
        let spreads = figures.spreads("larder_upstream_seconds", "operation");
        Self {
            url: sight.about.upstream.as_deref(),
            breakers: sight.standing.breakers,
            credential_refused: figures.count("larder_upstream_credential_refused", &[]) > 0,
            requests: figures.table("larder_upstream_requests_total", ["operation", "result"]),
            seconds: spreads
                .into_iter()
                .map(|(operation, spread)| (operation, spread.into()))
                .collect(),
        }
    }
}

impl From<Spread> for Seconds {
    fn from(spread: Spread) -> Self {
        Self {
            count: spread.count,
            sum: spread.sum,
            p50: spread.quantile(0.5),
            p95: spread.quantile(0.95),
        }
    }
}

// === impl Reads ===

impl Reads {
    pub(super) fn of(requests: &Table) -> Self {
        let got = |outcomes: &[&str]| counted(requests, &["get"], outcomes);
        let (memory, disk) = (got(&["hit-memory"]), got(&["hit-disk"]));
        let missed = got(&MISSES);
        let asked = memory + disk + missed;
        Self {
            asked,
            memory,
            disk,
            missed,
            rate: (asked > 0).then(|| exact(memory + disk) / exact(asked)),
        }
    }
}

// === impl Saved ===

impl Saved {
    pub(super) fn of(figures: &Figures) -> Self {
        let took = |outcome| {
            let labels = [("route", "get"), ("outcome", outcome)];
            figures.spread(REQUEST_SECONDS, &labels)
        };
        let (filled, hits) = (took("filled"), [took("hit-memory"), took("hit-disk")]);
        let number: u64 = hits.iter().map(|spread| spread.count).sum();
        let taken: f64 = hits.iter().map(|spread| spread.sum).sum();
        let fill = filled.mean().filter(|_| filled.count >= FEWEST_FILLS);
        Self {
            task_seconds: figures.sum("larder_saved_seconds_total", &[]),
            // Where hits take longer than fills, nothing was saved.
            waiting_seconds: fill.map(|fill| (exact(number) * fill - taken).max(0.0)),
        }
    }
}

// === impl Tiers ===

impl Tiers {
    pub(super) fn of(figures: &Figures, is_disk_read: bool) -> Self {
        let mut disk = Fill::of(figures, Tier::Disk);
        disk.oldest_seconds = disk.oldest_seconds.filter(|_| is_disk_read);
        Self {
            memory: Fill::of(figures, Tier::Memory),
            disk: DiskFill {
                state: state(figures).map_or(DiskState::Off.as_str(), DiskState::as_str),
                fill: disk,
            },
        }
    }
}

// === impl Fill ===

impl Fill {
    pub(super) fn of(figures: &Figures, tier: Tier) -> Self {
        let label = [("tier", tier.as_str())];
        let gauge = |name| figures.count(name, &label);
        let entries = gauge("larder_tier_entries");
        Self {
            bytes: gauge("larder_tier_bytes"),
            capacity_bytes: gauge("larder_tier_capacity_bytes"),
            entries,
            oldest_seconds: (entries > 0).then(|| gauge("larder_tier_oldest_seconds")),
        }
    }
}

// === impl DiskFill ===

impl DiskFill {
    /// None where the tier is turned off.
    pub(super) fn condition(&self, figures: &Figures) -> Option<hints::Disk> {
        Some(hints::Disk {
            state: state(figures)?,
            bytes: self.fill.bytes,
            capacity: self.fill.capacity_bytes,
            oldest: self.fill.oldest_seconds,
        })
    }
}

/// What the disk tier can do; nothing where it is turned off.
fn state(figures: &Figures) -> Option<DiskState> {
    let mut states = DiskState::ALL.into_iter();
    states.find(|state| figures.count("larder_tier_state", &[("state", state.as_str())]) > 0)
}

/// Requests of these routes that ended in one of these ways.
pub(super) fn counted(requests: &Table, routes: &[&str], outcomes: &[&str]) -> u64 {
    let of_route = |route: &&str| {
        let row = requests.get(*route);
        let counts = outcomes
            .iter()
            .filter_map(move |outcome| row?.get(*outcome));
        counts.sum::<u64>()
    };
    routes.iter().map(of_route).sum()
}
