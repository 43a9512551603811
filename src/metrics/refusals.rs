//! The metrics of connections that were closed before a request was read.

use prometheus::{IntCounter, Registry};

use super::register::counters;

/// Why a connection was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Its address is not on the list.
    Address,
    /// It did not say for whom it is, from where that is asked for.
    ProxyProtocol,
}

/// Connections refused.
#[derive(Debug)]
pub struct RefusalMetrics([IntCounter; Refusal::ALL.len()]);

// === impl Refusal ===

impl Refusal {
    /// Every reason, in the order of their declaration.
    const ALL: [Self; 2] = [Self::Address, Self::ProxyProtocol];

    /// The `reason` label.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Address => "address",
            Self::ProxyProtocol => "proxy-protocol",
        }
    }
}

// === impl RefusalMetrics ===

impl RefusalMetrics {
    pub(super) fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let family = counters(
            registry,
            "larder_connections_refused_total",
            "Connections to the data listeners that were closed before a request was read, by why.",
            &["reason"],
        )?;
        Ok(Self(
            Refusal::ALL.map(|why| family.with_label_values(&[why.as_str()])),
        ))
    }

    /// Counts a connection.
    pub fn count(&self, why: Refusal) {
        if let Some(counter) = self.0.get(why as usize) {
            counter.inc();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_refusal_is_counted_as_what_it_is() {
        let registry = Registry::new();
        let metrics = RefusalMetrics::register(&registry).unwrap();
        for why in Refusal::ALL {
            metrics.count(why);
            let families = registry.gather();
            let mut series = families[0].get_metric().iter();
            let counted = series.find(|metric| metric.get_label()[0].value() == why.as_str());
            let value = counted.unwrap().get_counter().get_value();
            assert!((value - 1.0).abs() < f64::EPSILON, "{why:?}");
        }
    }
}
