//! `GET /api/v1/stats`: how it goes, as JSON: for the dashboard, the commands and scripts.

mod parts;

use serde::Serialize;
use tokio::time::Instant;

use self::parts::{Bytes, InFlight, Reads, Saved, Tiers, Upstream, counted};
use super::figures::{Figures, Table};
use super::hints::{Hint, Situation, hints};
use super::history::{History, Told};
use crate::artifact::Landed;
use crate::config::AccessMode;
use crate::upstream::Breakers;

const REQUESTS: &str = "larder_requests_total";

/// What is known of the process from its start on.
#[derive(Clone, Debug)]
pub struct About {
    /// When it started, by the clock …
    pub started: Landed,
    /// … and by one that nobody sets.
    pub began: Instant,
    /// Who judges, where a listener has no word of its own.
    pub access: AccessMode,
    /// What `TURBO_API` should be; nothing where there are unix sockets only.
    pub api: Option<String>,
    /// The upstream's address, if there is one.
    pub upstream: Option<String>,
}

/// What no metric tells.
#[derive(Clone, Copy, Debug, Default)]
pub struct Standing {
    /// Which requests the upstream is not asked for.
    pub breakers: Breakers,
    /// Uploads under way.
    pub uploads: usize,
    /// Whether all that is on the disk is known; which is the oldest is not before.
    pub is_disk_read: bool,
}

/// Looks at what no metric tells.
pub type Look = Box<dyn Fn() -> Standing + Send + Sync>;

/// Everything that the answer is made of.
pub(super) struct Sight<'a> {
    pub(super) about: &'a About,
    /// As `/readyz` says it.
    pub(super) state: &'static str,
    pub(super) standing: Standing,
    pub(super) figures: &'a Figures,
    pub(super) history: &'a History,
}

/// The whole answer.
#[derive(Serialize)]
struct Report<'a> {
    version: &'static str,
    time: String,
    started: String,
    uptime_seconds: u64,
    state: &'static str,
    access: &'static str,
    api: Option<&'a str>,
    upstream: Upstream<'a>,
    requests: Table,
    reads: Reads,
    bytes: Bytes,
    saved: Saved,
    tiers: Tiers,
    in_flight: InFlight,
    connections: u64,
    history: Told,
    hints: Vec<Hint>,
}

/// Encodes how it goes. Not for a runtime worker.
pub(super) fn encode(sight: &Sight<'_>) -> serde_json::Result<Vec<u8>> {
    serde_json::to_vec(&Report::of(sight))
}

// === impl Report ===

impl<'a> Report<'a> {
    fn of(sight: &Sight<'a>) -> Self {
        let (about, figures) = (sight.about, sight.figures);
        let requests = figures.table(REQUESTS, ["route", "outcome"]);
        let reads = Reads::of(&requests);
        let tiers = Tiers::of(figures, sight.standing.is_disk_read);
        let gauge = |name| figures.count(name, &[]);
        let upstream = Upstream::of(sight);
        let hints = hints(&Situation {
            requests: gauge(REQUESTS),
            api: about.api.as_deref(),
            breakers: sight.standing.breakers,
            credential_refused: upstream.credential_refused,
            disk: tiers.disk.condition(figures),
            bypassed: counted(&requests, &["get", "put"], &["bypass"]),
            kept: counted(&requests, &["get", "put"], &["filled", "stored"]),
        });
        Self {
            version: env!("CARGO_PKG_VERSION"),
            time: Landed::now().to_string(),
            started: about.started.to_string(),
            uptime_seconds: about.began.elapsed().as_secs(),
            state: sight.state,
            access: about.access.as_str(),
            api: about.api.as_deref(),
            upstream,
            bytes: Bytes {
                sent: gauge("larder_response_bytes_total"),
                saved: gauge("larder_saved_bytes_total"),
            },
            saved: Saved::of(figures),
            tiers,
            in_flight: InFlight {
                fills: gauge("larder_fills_in_flight"),
                uploads: sight.standing.uploads,
                bytes: gauge("larder_in_flight_bytes"),
            },
            connections: gauge("larder_connections"),
            history: sight.history.tell(),
            hints,
            reads,
            requests,
        }
    }
}

#[cfg(test)]
mod tests;
