//! The metrics of bounds: how often each of them held somebody back.

use prometheus::{IntCounter, Registry};

use super::register::counters;

/// A bound on what clients may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// All connections: one that was idle had to go, or a new one had to wait.
    Connections,
    /// Those of one address: one that was idle had to go, or a new one was refused.
    ConnectionsOfOne,
    /// Handshakes at once: the oldest was ended.
    Handshakes,
    /// The time of a handshake or a head.
    HeadTime,
    /// The bytes of a head.
    HeadSize,
    /// Silence in a request's body.
    BodyTime,
    /// Nothing of an answer taken.
    AnswerTime,
    /// Too little sent or taken for too long.
    Rate,
    /// Frames of HTTP/2 that bring little.
    Frames,
    /// Memory for bodies on their way: one of them made do with less.
    Memory,
}

/// How often bounds held.
#[derive(Debug)]
pub struct LimitMetrics([IntCounter; Limit::ALL.len()]);

// === impl Limit ===

impl Limit {
    /// Every bound, in the order of their declaration.
    const ALL: [Self; 10] = [
        Self::Connections,
        Self::ConnectionsOfOne,
        Self::Handshakes,
        Self::HeadTime,
        Self::HeadSize,
        Self::BodyTime,
        Self::AnswerTime,
        Self::Rate,
        Self::Frames,
        Self::Memory,
    ];

    fn as_str(self) -> &'static str {
        match self {
            Self::Connections => "connections",
            Self::ConnectionsOfOne => "connections-per-address",
            Self::Handshakes => "handshakes",
            Self::HeadTime => "head-time",
            Self::HeadSize => "head-size",
            Self::BodyTime => "body-time",
            Self::AnswerTime => "answer-time",
            Self::Rate => "rate",
            Self::Frames => "frames",
            Self::Memory => "memory",
        }
    }
}

// === impl LimitMetrics ===

impl LimitMetrics {
    pub(super) fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let family = counters(
            registry,
            "larder_limits_total",
            "Times that a bound on what clients may take held one of them back.",
            &["limit"],
        )?;
        Ok(Self(
            Limit::ALL.map(|limit| family.with_label_values(&[limit.as_str()])),
        ))
    }

    /// A bound held.
    pub fn count(&self, limit: Limit) {
        if let Some(counter) = self.of(limit) {
            counter.inc();
        }
    }

    /// How often one did.
    pub fn of(&self, limit: Limit) -> Option<&IntCounter> {
        self.0.get(limit as usize)
    }
}
