//! The metrics of what goes upstream.

use prometheus::{HistogramVec, IntCounterVec, IntGauge, Registry};

use super::register::{counters, histograms, one};

/// The metrics of what goes upstream.
#[derive(Debug)]
pub struct UpstreamMetrics {
    requests: IntCounterVec,
    seconds: HistogramVec,
    spared: IntCounterVec,
    /// 1 while requests are spared because the upstream keeps failing.
    pub breaker_open: IntGauge,
}

impl UpstreamMetrics {
    pub(super) fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let breaker_open = IntGauge::new(
            "larder_upstream_breaker_open",
            "1 while the upstream keeps failing and is left alone.",
        )?;
        Ok(Self {
            requests: counters(
                registry,
                "larder_upstream_requests_total",
                "Requests sent upstream.",
                &["operation", "result"],
            )?,
            seconds: histograms(
                registry,
                "larder_upstream_seconds",
                "Time to the upstream's head.",
                &["operation"],
            )?,
            spared: counters(
                registry,
                "larder_upstream_spared_total",
                "Requests not sent upstream, which keeps failing or asked for a pause.",
                &["operation"],
            )?,
            breaker_open: one(registry, breaker_open)?,
        })
    }

    /// Counts one request and the seconds to its head.
    pub fn count(&self, operation: &'static str, result: &'static str, seconds: f64) {
        self.requests.with_label_values(&[operation, result]).inc();
        self.seconds
            .with_label_values(&[operation])
            .observe(seconds);
    }

    /// Uploads that the upstream has accepted.
    pub fn uploads_accepted(&self) -> u64 {
        self.requests.with_label_values(&["put", "ok"]).get()
    }

    /// Counts one request that was not sent.
    pub fn spared(&self, operation: &'static str) {
        self.spared.with_label_values(&[operation]).inc();
    }
}
