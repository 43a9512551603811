//! A request on its way upstream, as far as breakers are concerned.

use std::fmt;
use std::future::pending;
use std::sync::Arc;

use tokio::time::Instant;

use super::gates::{Class, Gates};
use super::setback::{Ground, Setback};
use crate::artifact::Failure;

/// Bytes of a body after which it counts as delivered: a server that only ever sends heads, or stalls
/// with the first bytes, is not well.
const PROOF: u64 = 64 * 1024;

/// A request let through, until it is known what became of it.
pub(super) struct Passage {
    gates: Arc<Gates>,
    class: Class,
    key: u64,
    /// It is the one to try; after this failure.
    tries: Option<Failure>,
    delivered: u64,
}

impl Passage {
    /// `tries`: it is the one to try, after this failure.
    pub(super) fn new(gates: Arc<Gates>, class: Class, key: u64, tries: Option<Failure>) -> Self {
        Self {
            gates,
            class,
            key,
            tries,
            delivered: 0,
        }
    }

    /// What its failures are about.
    pub(super) fn key(&self) -> u64 {
        self.key
    }

    pub(super) fn class(&self) -> Class {
        self.class
    }

    /// What failed before, where this is the one request that tries again.
    pub(super) fn tries(&self) -> Option<Failure> {
        self.tries
    }

    /// Completes when what this one waits for has become vain: the upstream is left alone by now.
    pub(super) async fn until_vain(&self) -> Setback {
        if self.tries.is_some() {
            return pending().await;
        }
        Setback::spared(self.gates.until_shut(self.class).await)
    }

    /// The body came whole.
    pub(super) fn completed(&mut self) {
        if self.is_unproven() {
            self.succeeded();
        }
    }

    /// The upstream lives.
    pub(super) fn succeeded(&mut self) {
        self.tries = None;
        self.gates.succeeded(self.class);
    }

    /// The exchange led to nothing.
    pub(super) fn failed(&mut self, setback: Setback) {
        let is_felt = self.gates.is_felt();
        match setback.ground {
            Ground::Answer => self.succeeded(),
            Ground::Here | Ground::Spared => {}
            // One caller's limit is not everybody's.
            _ if setback.failure == Failure::Limited && setback.rest.is_some() => {}
            // A line that delivers to others is slow, and will be for whoever tries again.
            Ground::Slowness if is_felt => {}
            Ground::Slowness | Ground::Way | Ground::Upstream => {
                self.gates.failed(self, setback);
                self.tries = None;
            }
        }
    }

    /// Whether it is still to be seen that the upstream delivers.
    pub(super) fn is_unproven(&self) -> bool {
        self.delivered < PROOF
    }

    /// Bytes of the body came.
    pub(super) fn delivered(&mut self, bytes: usize, now: Instant) {
        self.gates.delivered(now);
        let before = self.delivered;
        self.delivered = before.saturating_add(bytes as u64);
        if before < PROOF && self.delivered >= PROOF {
            self.succeeded();
        }
    }
}

impl Drop for Passage {
    fn drop(&mut self) {
        if self.tries.is_some() {
            self.gates.gave_up(self.class);
        }
    }
}

impl fmt::Debug for Passage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Passage")
            .field("class", &self.class)
            .field("tries", &self.tries)
            .finish_non_exhaustive()
    }
}
