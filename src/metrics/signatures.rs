//! The metrics of signatures.

use prometheus::{IntCounter, Registry};

use super::register::counters;

/// How an artifact comes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Arrival {
    /// A client uploads it.
    Put,
    /// A miss fetches it.
    Fill,
}

/// The metrics of signatures.
#[derive(Debug)]
pub struct SignatureMetrics {
    refused: [IntCounter; 2],
}

// === impl Arrival ===

impl Arrival {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Put, Self::Fill];

    /// The `arrival` label.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Put => "put",
            Self::Fill => "fill",
        }
    }
}

// === impl SignatureMetrics ===

impl SignatureMetrics {
    pub(super) fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let refused = counters(
            registry,
            "larder_signatures_refused_total",
            "Artifacts not taken in because their signature is missing or does not fit.",
            &["arrival"],
        )?;
        Ok(Self {
            refused: Arrival::ALL.map(|arrival| refused.with_label_values(&[arrival.as_str()])),
        })
    }

    /// The counter of artifacts not taken in.
    pub fn refused(&self, arrival: Arrival) -> &IntCounter {
        let [put, fill] = &self.refused;
        match arrival {
            Arrival::Put => put,
            Arrival::Fill => fill,
        }
    }
}
