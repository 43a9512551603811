//! The metrics of what goes upstream: what was asked, and what came of it.

use prometheus::{Histogram, IntCounter, IntGauge, Registry};

use super::register::{counters, histograms, one};
use crate::artifact::Failure;

/// What is asked of the upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// An artifact.
    Get,
    /// An artifact's headers, or whether a caller may have them.
    Head,
    /// An artifact is uploaded.
    Put,
    /// Which of many artifacts are there.
    Batch,
    /// Usage events are reported.
    Events,
    /// The status.
    Status,
    /// Whatever is passed on as it came.
    Pass,
    /// The keys of a CI's issuer.
    Keys,
}

/// What came of a request upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exchange {
    /// What was asked for.
    Ok,
    /// There is no such artifact: a 404.
    Absent,
    /// Any other 4xx.
    Refused,
    /// It was broken off on this side.
    Withdrawn,
    /// No answer of use.
    Failed(Failure),
}

/// The metrics of what goes upstream.
#[derive(Debug)]
pub struct UpstreamMetrics {
    requests: [[IntCounter; Exchange::COUNT]; Operation::ALL.len()],
    seconds: [Histogram; Operation::ALL.len()],
    spared: [IntCounter; Operation::ALL.len()],
    /// 1 while requests are spared because the upstream keeps failing.
    pub breaker_open: IntGauge,
}

// === impl Operation ===

impl Operation {
    /// Every operation, in the order of their declaration.
    const ALL: [Self; 8] = [
        Self::Get,
        Self::Head,
        Self::Put,
        Self::Batch,
        Self::Events,
        Self::Status,
        Self::Pass,
        Self::Keys,
    ];

    fn as_str(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::Head => "head",
            Self::Put => "put",
            Self::Batch => "batch",
            Self::Events => "events",
            Self::Status => "status",
            Self::Pass => "pass",
            Self::Keys => "keys",
        }
    }
}

// === impl Exchange ===

impl Exchange {
    const COUNT: usize = 4 + Failure::ALL.len();

    /// What an answer's status says.
    pub fn of_status(status: u16) -> Self {
        match status {
            404 => Self::Absent,
            429 => Self::Failed(Failure::Limited),
            400..=499 => Self::Refused,
            500.. => Self::Failed(Failure::Error),
            _ => Self::Ok,
        }
    }

    /// Every one, at its [`index`](Self::index).
    fn all() -> [Self; Self::COUNT] {
        let [timeout, unreachable, error, cut, limited, credential, page] =
            Failure::ALL.map(Self::Failed);
        [
            Self::Ok,
            Self::Absent,
            Self::Refused,
            Self::Withdrawn,
            timeout,
            unreachable,
            error,
            cut,
            limited,
            credential,
            page,
        ]
    }

    fn index(self) -> usize {
        match self {
            Self::Ok => 0,
            Self::Absent => 1,
            Self::Refused => 2,
            Self::Withdrawn => 3,
            Self::Failed(failure) => 4 + failure as usize,
        }
    }

    /// The `result` label.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Absent => "absent",
            Self::Refused => "refused",
            Self::Withdrawn => "withdrawn",
            Self::Failed(failure) => {
                let name = failure.as_str();
                name.strip_prefix("upstream-").unwrap_or(name)
            }
        }
    }
}

// === impl UpstreamMetrics ===

impl UpstreamMetrics {
    /// Registers the families, with every series, so that a rate over them begins at nought.
    pub(super) fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let requests = counters(
            registry,
            "larder_upstream_requests_total",
            "Requests sent upstream, by what was asked and what came of it.",
            &["operation", "result"],
        )?;
        let seconds = histograms(
            registry,
            "larder_upstream_seconds",
            "Seconds from the start of a request upstream, its wait for a turn included, to the head \
             of its answer; for small answers, to their end.",
            &["operation"],
        )?;
        let spared = counters(
            registry,
            "larder_upstream_spared_total",
            "Requests not sent upstream, because it keeps failing or has asked for a pause.",
            &["operation"],
        )?;
        let breaker_open = IntGauge::new(
            "larder_upstream_breaker_open",
            "1 while a kind of requests is not sent upstream because they keep failing, else 0.",
        )?;
        Ok(Self {
            requests: Operation::ALL.map(|operation| {
                Exchange::all().map(|exchange| {
                    requests.with_label_values(&[operation.as_str(), exchange.as_str()])
                })
            }),
            seconds: Operation::ALL
                .map(|operation| seconds.with_label_values(&[operation.as_str()])),
            spared: Operation::ALL.map(|operation| spared.with_label_values(&[operation.as_str()])),
            breaker_open: one(registry, breaker_open)?,
        })
    }

    /// Counts one request and the seconds to its head.
    pub fn count(&self, operation: Operation, exchange: Exchange, seconds: f64) {
        if let Some(counter) = self.counter(operation, exchange) {
            counter.inc();
        }
        if let Some(histogram) = self.seconds.get(operation as usize) {
            histogram.observe(seconds);
        }
    }

    /// Uploads that the upstream has accepted.
    pub fn uploads_accepted(&self) -> u64 {
        let accepted = self.counter(Operation::Put, Exchange::Ok);
        accepted.map_or(0, IntCounter::get)
    }

    fn counter(&self, operation: Operation, exchange: Exchange) -> Option<&IntCounter> {
        let results = self.requests.get(operation as usize)?;
        results.get(exchange.index())
    }

    /// Counts one request that was not sent.
    pub fn spared(&self, operation: Operation) {
        if let Some(counter) = self.spared.get(operation as usize) {
            counter.inc();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_request_is_counted_as_what_it_is() {
        let registry = Registry::new();
        let metrics = UpstreamMetrics::register(&registry).unwrap();
        for operation in Operation::ALL {
            for exchange in Exchange::all() {
                metrics.count(operation, exchange, 0.1);
                let families = registry.gather();
                let mut families = families.iter();
                let family = families.find(|it| it.name() == "larder_upstream_requests_total");
                let counted = family.unwrap().get_metric().iter().find(|metric| {
                    let [asked, result] = metric.get_label() else {
                        panic!("two labels")
                    };
                    (asked.value(), result.value()) == (operation.as_str(), exchange.as_str())
                });
                let value = counted.unwrap().get_counter().get_value();
                assert!(
                    (value - 1.0).abs() < f64::EPSILON,
                    "{operation:?} {exchange:?}"
                );
            }
        }
    }
}
