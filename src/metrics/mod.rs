//! What is counted: every handle resolved once, every label set closed.

mod disk;
mod limits;
mod refusals;
mod register;
mod requests;
mod scrub;
mod signatures;
mod tls;
mod uploads;
mod upstream;
mod verdicts;

use prometheus::{IntCounter, IntCounterVec, IntGauge, Registry};

pub use disk::{DiskFault, DiskMetrics, DiskState};
pub use limits::{Limit, LimitMetrics};
pub use refusals::{Refusal, RefusalMetrics};
pub use requests::RequestMetrics;
pub use scrub::{Checked, ScrubMetrics};
pub use signatures::{Arrival, SignatureMetrics};
pub use tls::{Handshake, TlsMetrics};
pub use uploads::{Underway, UploadMetrics};
pub use upstream::{Exchange, Operation, UpstreamMetrics};
pub use verdicts::{Ground, Verdict, VerdictMetrics};

use self::register::{counters, gauges, one};
use self::requests::RequestFamilies;
use crate::artifact::{Outcome, RouteName, Tier};

/// A value that goes up and down; clones share it.
pub type Gauge = IntGauge;

/// Every metric of the process.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    requests: RequestFamilies,
    response_bytes: Vec<IntCounter>,
    /// What goes upstream.
    pub upstream: UpstreamMetrics,
    tiers: [TierMetrics; 2],
    /// The disk tier's health.
    pub disk: DiskMetrics,
    evictions: IntCounterVec,
    /// Judgements of callers.
    pub verdicts: VerdictMetrics,
    /// 1 while the upstream refuses Larder's own credential.
    pub upstream_credential_refused: IntGauge,
    /// Issuers whose keys could not be fetched when that was last tried.
    pub oidc_keys_stale: IntGauge,
    /// The looking over of what rests on the disk.
    pub scrub: ScrubMetrics,
    /// The check of artifacts' signatures.
    pub signatures: SignatureMetrics,
    /// Uploads on their way upstream.
    pub uploads: UploadMetrics,
    /// Bytes of bodies on their way that are in memory.
    pub in_flight_bytes: IntGauge,
    /// Fills running.
    pub fills_in_flight: IntGauge,
    /// Bytes of hits, which did not cross the line to the upstream.
    pub saved_bytes: IntCounter,
    /// Seconds of task time that hits stood for.
    pub saved_seconds: prometheus::Counter,
    /// Connections open on the data listeners.
    pub connections: IntGauge,
    /// Bounds on what clients may do.
    pub limits: LimitMetrics,
    /// Connections that the data listeners refused.
    pub refusals: RefusalMetrics,
    /// TLS handshakes of the data listeners.
    pub tls: TlsMetrics,
    /// Access lines that the writer could not take.
    pub access_lines_lost: IntCounter,
    /// Uploads that replaced another body.
    pub upload_conflicts: IntCounter,
    /// Usage events that could not be forwarded.
    pub events_lost: IntCounter,
    /// Spans that the collector of traces did not get.
    pub spans_lost: IntCounter,
}

/// The metrics of one tier.
#[derive(Debug)]
pub struct TierMetrics {
    /// Bytes held.
    pub bytes: IntGauge,
    /// Bytes it may hold.
    pub capacity: IntGauge,
    /// Artifacts held.
    pub entries: IntGauge,
    /// Seconds since the oldest landed.
    pub oldest: IntGauge,
    /// Damaged entries found.
    pub corrupt: IntCounter,
}

/// Why an entry left a tier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Eviction {
    /// For room.
    Size,
    /// For age.
    Age,
    /// Replaced by a newer upload, forgotten because of one, or purged.
    Replaced,
    /// Damaged.
    Corrupt,
}

// === impl Metrics ===

impl Metrics {
    /// Registers everything.
    ///
    /// # Errors
    ///
    /// Only where two metrics share a name, which a test excludes.
    pub fn new() -> Result<Self, prometheus::Error> {
        let registry = Registry::new();
        let gauge = |name, help| one(&registry, IntGauge::new(name, help)?);
        let counter = |name, help| one(&registry, IntCounter::new(name, help)?);
        tell_version(&registry)?;
        Ok(Self {
            requests: RequestFamilies::register(&registry)?,
            response_bytes: requests::response_bytes(&registry)?,
            upstream: UpstreamMetrics::register(&registry)?,
            tiers: tier_metrics(&registry)?,
            disk: DiskMetrics::register(&registry)?,
            evictions: evictions(&registry)?,
            verdicts: VerdictMetrics::register(&registry)?,
            upstream_credential_refused: gauge(
                "larder_upstream_credential_refused",
                "1 while the upstream refuses Larder's own credential, else 0.",
            )?,
            oidc_keys_stale: gauge(
                "larder_oidc_keys_stale",
                "Issuers of signed tokens whose keys could not be fetched when that was last tried.",
            )?,
            scrub: ScrubMetrics::register(&registry)?,
            signatures: SignatureMetrics::register(&registry)?,
            uploads: UploadMetrics::register(&registry)?,
            in_flight_bytes: gauge(
                "larder_in_flight_bytes",
                "Bytes that bodies on their way, in either direction, hold in memory now.",
            )?,
            fills_in_flight: gauge(
                "larder_fills_in_flight",
                "Artifacts that are being fetched from the upstream now, each once for all who wait.",
            )?,
            saved_bytes: counter(
                "larder_saved_bytes_total",
                "Bytes of the artifacts that GETs found here, which did not cross the line to the upstream.",
            )?,
            saved_seconds: saved_seconds(&registry)?,
            connections: gauge(
                "larder_connections",
                "Connections open on the data listeners now.",
            )?,
            limits: LimitMetrics::register(&registry)?,
            refusals: RefusalMetrics::register(&registry)?,
            tls: TlsMetrics::register(&registry)?,
            access_lines_lost: counter(
                "larder_access_lines_lost_total",
                "Access lines that were not written, because whoever reads them is too slow.",
            )?,
            upload_conflicts: counter(
                "larder_upload_conflicts_total",
                "Uploads that replaced another body under the same hash: the task is not deterministic.",
            )?,
            events_lost: counter(
                "larder_events_lost_total",
                "Usage events of clients that could not be forwarded to the upstream.",
            )?,
            spans_lost: counter(
                "larder_spans_lost_total",
                "Spans that the collector of traces did not get.",
            )?,
            registry,
        })
    }

    /// Where everything is registered.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// The handles of one route and outcome.
    pub fn request(&self, route: RouteName, outcome: Outcome) -> Option<&RequestMetrics> {
        self.requests.of(route, outcome)
    }

    /// Requests to a route that were answered with one of the outcomes whose label `is_counted`.
    pub fn answered(&self, route: RouteName, is_counted: impl Fn(&str) -> bool) -> u64 {
        let outcomes = Outcome::LABELS.iter().enumerate();
        let counted = outcomes.filter(|(_, label)| is_counted(label));
        counted
            .map(|(outcome, _)| self.requests.count(route, outcome))
            .sum()
    }

    /// The byte counter of one outcome.
    pub fn response_bytes(&self, outcome: Outcome) -> Option<&IntCounter> {
        self.response_bytes.get(outcome.index())
    }

    /// The handles of one tier.
    pub fn tier(&self, tier: Tier) -> &TierMetrics {
        let [memory, disk] = &self.tiers;
        match tier {
            Tier::Memory => memory,
            Tier::Disk => disk,
        }
    }

    /// Counts an entry that left a tier.
    pub fn evicted(&self, tier: Tier, reason: Eviction) {
        self.evictions
            .with_label_values(&[tier.as_str(), reason.as_str()])
            .inc();
    }
}

// === impl Eviction ===

impl Eviction {
    /// Every reason.
    pub const ALL: [Self; 4] = [Self::Size, Self::Age, Self::Replaced, Self::Corrupt];

    /// The `reason` label.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Size => "size",
            Self::Age => "age",
            Self::Replaced => "replaced",
            Self::Corrupt => "corrupt",
        }
    }
}

fn tell_version(registry: &Registry) -> Result<(), prometheus::Error> {
    let help = "1; the label says which version runs.";
    let build = gauges(registry, "larder_build_info", help, &["version"])?;
    build.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
    Ok(())
}

fn saved_seconds(registry: &Registry) -> Result<prometheus::Counter, prometheus::Error> {
    let counter = prometheus::Counter::new(
        "larder_saved_seconds_total",
        "Seconds of task time that GET hits stood for, as their uploaders measured it.",
    )?;
    one(registry, counter)
}

/// Registers the family with the series of every reason, so that a rate over them begins at nought.
fn evictions(registry: &Registry) -> Result<IntCounterVec, prometheus::Error> {
    let family = counters(
        registry,
        "larder_evictions_total",
        "Artifacts that left a tier, by why: for room, for age, replaced or forgotten, damaged.",
        &["tier", "reason"],
    )?;
    for tier in Tier::ALL {
        for reason in Eviction::ALL {
            family.with_label_values(&[tier.as_str(), reason.as_str()]);
        }
    }
    Ok(family)
}

fn tier_metrics(registry: &Registry) -> Result<[TierMetrics; 2], prometheus::Error> {
    let bytes = gauges(
        registry,
        "larder_tier_bytes",
        "Bytes of artifacts that a tier holds now.",
        &["tier"],
    )?;
    let capacity = gauges(
        registry,
        "larder_tier_capacity_bytes",
        "Bytes that a tier may hold; 0 where it is off.",
        &["tier"],
    )?;
    let entries = gauges(
        registry,
        "larder_tier_entries",
        "Artifacts that a tier holds now.",
        &["tier"],
    )?;
    let oldest = gauges(
        registry,
        "larder_tier_oldest_seconds",
        "Seconds since the oldest artifact that a tier holds landed; 0 where it holds none.",
        &["tier"],
    )?;
    let corrupt = counters(
        registry,
        "larder_corrupt_total",
        "Entries of a tier that were found damaged, by reads and by the scrubber, and put aside.",
        &["tier"],
    )?;
    Ok(Tier::ALL.map(|tier| {
        let label = [tier.as_str()];
        TierMetrics {
            bytes: bytes.with_label_values(&label),
            capacity: capacity.with_label_values(&label),
            entries: entries.with_label_values(&label),
            oldest: oldest.with_label_values(&label),
            corrupt: corrupt.with_label_values(&label),
        }
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::artifact::Ground;

    #[test]
    fn every_route_and_outcome_has_its_own_handles() {
        let metrics = Metrics::new().unwrap();
        metrics
            .request(RouteName::Pass, Outcome::Denied(Ground::OtherRoute))
            .unwrap()
            .total
            .inc();
        let families = metrics.registry().gather();
        let requests = families
            .iter()
            .find(|family| family.name() == "larder_requests_total")
            .unwrap();
        let counted: Vec<_> = requests
            .get_metric()
            .iter()
            .filter(|metric| metric.get_counter().get_value() > 0.0)
            .collect();
        let [metric] = counted.as_slice() else {
            panic!("{counted:?}")
        };
        let labels: Vec<_> = metric
            .get_label()
            .iter()
            .map(prometheus::proto::LabelPair::value)
            .collect();
        assert_eq!(labels, ["denied", "pass"]);
    }
}
