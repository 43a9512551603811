//! The metrics of TLS with clients: handshakes, and the certificates that are shown.

use std::collections::BTreeMap;

use parking_lot::Mutex;
use prometheus::{IntCounter, IntGauge, IntGaugeVec, Registry};

use super::register::{counters, gauges, one};

/// How a handshake of a data listener ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handshake {
    /// A new session.
    Full,
    /// A session that had been before.
    Resumed,
    /// The two sides could not agree, or one of them refused the other.
    Failed,
    /// What came was HTTP in clear text.
    Clear,
    /// It did not: the client left, or took too long.
    Left,
}

/// TLS with clients.
#[derive(Debug)]
pub struct TlsMetrics {
    handshakes: [IntCounter; Handshake::ALL.len()],
    expiry: IntGaugeVec,
    /// The certificates that have a series, by their label.
    shown: Mutex<Vec<String>>,
    /// New files that were of no use.
    pub reload_failures: IntCounter,
    /// 1 while the files are of no use.
    pub reload_failed: IntGauge,
}

// === impl Handshake ===

impl Handshake {
    /// Every end, in the order of their declaration.
    const ALL: [Self; 5] = [
        Self::Full,
        Self::Resumed,
        Self::Failed,
        Self::Clear,
        Self::Left,
    ];

    fn as_str(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Resumed => "resumed",
            Self::Failed => "failed",
            Self::Clear => "clear-text",
            Self::Left => "left",
        }
    }
}

// === impl TlsMetrics ===

impl TlsMetrics {
    pub(super) fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let handshakes = counters(
            registry,
            "larder_tls_handshakes_total",
            "TLS handshakes of the data listeners, by how they ended.",
            &["result"],
        )?;
        let failures = IntCounter::new(
            "larder_tls_reload_failures_total",
            "Changes of the listeners' TLS files that were of no use.",
        )?;
        let failed = IntGauge::new(
            "larder_tls_reload_failed",
            "1 while the listeners' TLS files are of no use, and what they held before is shown on; else 0.",
        )?;
        Ok(Self {
            handshakes: Handshake::ALL.map(|end| handshakes.with_label_values(&[end.as_str()])),
            expiry: gauges(
                registry,
                "larder_tls_certificate_expiry_seconds",
                "When a certificate that the data listeners show ends, in seconds since 1970.",
                &["certificate"],
            )?,
            shown: Mutex::default(),
            reload_failures: one(registry, failures)?,
            reload_failed: one(registry, failed)?,
        })
    }

    /// Counts a handshake.
    pub fn count(&self, end: Handshake) {
        if let Some(counter) = self.handshakes.get(end as usize) {
            counter.inc();
        }
    }

    /// Tells when each certificate that is shown ends, and no other; of two that are called the same, the
    /// one that ends first.
    pub fn show(&self, certificates: impl IntoIterator<Item = (String, i64)>) {
        let mut ends = BTreeMap::new();
        for (name, end) in certificates {
            let known = ends.entry(name).or_insert(end);
            *known = end.min(*known);
        }
        let mut shown = self.shown.lock();
        for gone in shown.iter().filter(|name| !ends.contains_key(*name)) {
            // Whoever put it there has shown it: it is known.
            self.expiry.remove_label_values(&[gone]).ok();
        }
        for (name, end) in &ends {
            self.expiry.with_label_values(&[name]).set(*end);
        }
        *shown = ends.into_keys().collect();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_handshake_is_counted_as_what_it_is() {
        let registry = Registry::new();
        let metrics = TlsMetrics::register(&registry).unwrap();
        for end in Handshake::ALL {
            metrics.count(end);
            let families = registry.gather();
            let handshakes = families.iter();
            let mut handshakes =
                handshakes.filter(|family| family.name() == "larder_tls_handshakes_total");
            let mut series = handshakes.next().unwrap().get_metric().iter();
            let counted = series.find(|metric| metric.get_label()[0].value() == end.as_str());
            let value = counted.unwrap().get_counter().get_value();
            assert!((value - 1.0).abs() < f64::EPSILON, "{end:?}");
        }
    }

    #[test]
    fn each_certificate_shown_has_a_series_and_no_other() {
        let registry = Registry::new();
        let metrics = TlsMetrics::register(&registry).unwrap();
        let told = |shown: &[(&str, i64)]| {
            metrics.show(shown.iter().map(|(name, end)| ((*name).to_owned(), *end)));
            let families = registry.gather();
            let family = families
                .iter()
                .find(|family| family.name() == "larder_tls_certificate_expiry_seconds");
            let series = family
                .map(prometheus::proto::MetricFamily::get_metric)
                .unwrap_or_default();
            let told = series.iter().map(|metric| {
                let label = metric.get_label()[0].value().to_owned();
                (label, metric.get_gauge().get_value().to_string())
            });
            told.collect::<Vec<_>>()
        };
        let one = |name: &str, end: &str| (name.to_owned(), end.to_owned());
        let both = told(&[("a", 9), ("b", 7), ("a", 8)]);
        assert_eq!(both, [one("a", "8"), one("b", "7")]);
        assert_eq!(told(&[("b", 20)]), [one("b", "20")]);
        assert_eq!(told(&[]), []);
    }
}
