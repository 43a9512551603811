//! The metrics of requests, by route and outcome.

use std::sync::OnceLock;

use prometheus::{Histogram, HistogramVec, IntCounter, IntCounterVec, Registry};

use super::register::{counters, histograms};
use crate::artifact::{Outcome, RouteName};

/// The metrics of requests; the histograms of a route and outcome are made when the pair first happens,
/// since most never do. The counters are all there from the start: of one that begins with its first
/// request a rate would not see it.
#[derive(Debug)]
pub(super) struct RequestFamilies {
    total: IntCounterVec,
    seconds: HistogramVec,
    first_byte: HistogramVec,
    handles: Vec<OnceLock<RequestMetrics>>,
}

/// The metrics of one route and outcome.
#[derive(Debug)]
pub struct RequestMetrics {
    /// Requests answered.
    pub total: IntCounter,
    /// Seconds to the answer's end.
    pub seconds: Histogram,
    /// Seconds to the answer's head.
    pub first_byte: Histogram,
}

// === impl RequestFamilies ===

impl RequestFamilies {
    pub(super) fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let labels = ["route", "outcome"];
        let pairs = RouteName::ALL.len() * Outcome::LABELS.len();
        let total = counters(
            registry,
            "larder_requests_total",
            "Requests answered, counted when the answer has ended.",
            &labels,
        )?;
        for route in RouteName::ALL {
            for outcome in Outcome::LABELS {
                total.with_label_values(&[route.as_str(), outcome]);
            }
        }
        Ok(Self {
            total,
            seconds: histograms(
                registry,
                "larder_request_seconds",
                "Seconds from a request's head to the end of its answer.",
                &labels,
            )?,
            first_byte: histograms(
                registry,
                "larder_first_byte_seconds",
                "Seconds from a request's head to the head of its answer.",
                &labels,
            )?,
            handles: (0..pairs).map(|_| OnceLock::new()).collect(),
        })
    }

    /// The handles of one route and outcome.
    pub(super) fn of(&self, route: RouteName, outcome: Outcome) -> Option<&RequestMetrics> {
        let made = self.handles.get(place(route, outcome.index()))?;
        Some(made.get_or_init(|| self.make(route, outcome)))
    }

    /// How many there were; makes no handles for what never happened.
    pub(super) fn count(&self, route: RouteName, outcome: usize) -> u64 {
        let made = self.handles.get(place(route, outcome));
        let made = made.and_then(OnceLock::get);
        made.map_or(0, |metrics| metrics.total.get())
    }

    fn make(&self, route: RouteName, outcome: Outcome) -> RequestMetrics {
        let labels = [route.as_str(), outcome.as_str()];
        RequestMetrics {
            total: self.total.with_label_values(&labels),
            seconds: self.seconds.with_label_values(&labels),
            first_byte: self.first_byte.with_label_values(&labels),
        }
    }
}

/// Where the handles of a pair are.
fn place(route: RouteName, outcome: usize) -> usize {
    route as usize * Outcome::LABELS.len() + outcome
}

pub(super) fn response_bytes(registry: &Registry) -> Result<Vec<IntCounter>, prometheus::Error> {
    let bytes = counters(
        registry,
        "larder_response_bytes_total",
        "Bytes of bodies sent to clients, without heads and framing.",
        &["outcome"],
    )?;
    Ok(Outcome::LABELS
        .iter()
        .map(|outcome| bytes.with_label_values(&[outcome]))
        .collect())
}
