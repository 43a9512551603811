//! The metrics of TLS handshakes.

use prometheus::{IntCounter, Registry};

use super::register::counters;

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

/// TLS handshakes.
#[derive(Debug)]
pub struct TlsMetrics([IntCounter; Handshake::ALL.len()]);

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
        let family = counters(
            registry,
            "larder_tls_handshakes_total",
            "TLS handshakes of the data listeners.",
            &["result"],
        )?;
        Ok(Self(
            Handshake::ALL.map(|end| family.with_label_values(&[end.as_str()])),
        ))
    }

    /// Counts a handshake.
    pub fn count(&self, end: Handshake) {
        if let Some(counter) = self.0.get(end as usize) {
            counter.inc();
        }
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
            let mut series = families[0].get_metric().iter();
            let counted = series.find(|metric| metric.get_label()[0].value() == end.as_str());
            let value = counted.unwrap().get_counter().get_value();
            assert!((value - 1.0).abs() < f64::EPSILON, "{end:?}");
        }
    }
}
