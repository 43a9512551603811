//! What an operator asks: is it alive, does it take work, what has it counted and noticed.
//!
//! None of these paths exists on a data listener.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, StatusCode, Uri};
use http_body::Body;
use http_body_util::Full;
use tracing::error;

use crate::config::InEffect;
use crate::metrics::Metrics;
use crate::outlet::Outlet;
use crate::recent::Recent;
use crate::server::{Limits, Peer, RequestBody, Serve, check_form};
use crate::tiers::Conflicts;

mod answer;
mod conflicts;
mod dashboard;
mod door;
mod effective;
mod entries;
mod figures;
mod hints;
mod history;
mod holds;
mod level;
mod pages;
mod process;
mod query;
mod readiness;
mod requests;
mod scrape;
mod stats;

use self::answer::{
    Answer, json, last_refusal, method_refusal, refusal, text, token_refusal, typed,
};
use self::figures::Figures;
use self::pages::Page;
use self::stats::Sight;

pub use self::door::Door;
pub use self::entries::Holdings;
pub use self::history::History;
pub use self::holds::HeldBack;
pub use self::level::SetLevel;
pub use self::readiness::Readiness;
pub use self::stats::{About, Look, Standing};

/// Connections at once: dashboards, probes and commands of one machine's operators.
const MAX_CONNECTIONS: usize = 64;

/// Longest silence between two requests; a usual scrape interval is a minute.
const IDLE_TIMEOUT: Duration = Duration::from_secs(130);

/// A head is small and its sender near.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);

/// What is asked here has small bodies, or none.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// Whoever reads at all reads the metrics at once.
const STALL_TIMEOUT: Duration = Duration::from_secs(30);

/// As on the data listeners, where it can be set.
const MAX_HEAD: usize = 16 * 1024;
const MAX_FIELDS: usize = 64;
const MAX_STREAMS: u32 = 16;

/// Nothing here takes long to finish.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(2);

/// Brings gauges up to date; called before every scrape, never on a runtime worker.
pub type Refresh = Box<dyn Fn() + Send + Sync>;

/// The admin listener's service.
pub struct Admin {
    readiness: Readiness,
    door: Door,
    sources: Arc<Sources>,
}

/// What the answers are read from.
pub struct Sources {
    /// Everything that is counted.
    pub metrics: Arc<Metrics>,
    /// What is called before the metrics are read.
    pub refresh: Vec<Refresh>,
    /// The uploads that replaced another body.
    pub conflicts: Arc<Conflicts>,
    /// The requests for artifacts that ended last.
    pub recent: Arc<Recent>,
    /// What is held back.
    pub held_back: HeldBack,
    /// The configuration in effect.
    pub config: InEffect,
    /// Sets the level from which the log is written.
    pub set_level: SetLevel,
    /// What is known of the process from its start on.
    pub about: About,
    /// Looks at what no metric tells.
    pub look: Look,
    /// How the counts grew.
    pub history: Arc<History>,
    /// What rests in the tiers.
    pub holdings: Holdings,
}

// === impl Admin ===

impl Admin {
    /// Answers from `sources`, and for `readiness`, whomever the `door` lets in.
    pub fn new(readiness: Readiness, door: Door, sources: Sources) -> Self {
        Self {
            readiness,
            door,
            sources: Arc::new(sources),
        }
    }

    /// The statement that `/readyz` gives; whoever starts and stops the process makes it.
    pub fn readiness(&self) -> Readiness {
        self.readiness.clone()
    }

    /// The bounds of the admin listener's connections.
    pub fn limits() -> Limits {
        Limits {
            // There is none here.
            handshake_timeout: HEADER_TIMEOUT,
            header_timeout: HEADER_TIMEOUT,
            idle_timeout: IDLE_TIMEOUT,
            body_timeout: BODY_TIMEOUT,
            stall_timeout: STALL_TIMEOUT,
            min_rate: 0,
            max_head: MAX_HEAD,
            max_fields: MAX_FIELDS,
            max_streams: MAX_STREAMS,
            ahead: 0,
            max_connections: MAX_CONNECTIONS,
            max_connections_per_address: MAX_CONNECTIONS,
            max_handshakes: MAX_CONNECTIONS,
            shutdown_grace: SHUTDOWN_GRACE,
        }
    }

    async fn answer<B>(&self, request: Request<B>, peer: Peer) -> Answer
    where
        B: Body<Data = Bytes>,
    {
        let (headers, method) = (request.headers(), request.method());
        if let Err(foreign) = self.door.is_meant(headers, request.uri()) {
            return refusal(StatusCode::FORBIDDEN, foreign.code(), &foreign.to_string());
        }
        let Some(page) = Page::at(request.uri().path()) else {
            return refusal(StatusCode::NOT_FOUND, "not_found", "there is nothing here");
        };
        if !page.takes(method) {
            return method_refusal(page.methods());
        }
        if !page.is_free()
            && let Err(stranger) = self.door.admits(peer, method, headers)
        {
            return token_refusal(&stranger.to_string(), headers);
        }
        match page {
            Page::Metrics => self.tell_metrics().await,
            Page::Health => text(StatusCode::OK, "ok\n"),
            Page::Readiness => self.tell_readiness(),
            Page::Stats => self.tell_stats().await,
            Page::Entries => {
                let (method, uri) = (method.clone(), request.uri().clone());
                self.answer_of_entries(&method, uri.query()).await
            }
            Page::Conflicts => self.tell(conflicts::encode(&self.sources.conflicts)),
            Page::Requests => self.tell_requests(request.uri()),
            Page::Holds => self.tell_holds(request).await,
            Page::Config => self.tell(effective::encode(&self.sources.config)),
            Page::Log if *method == Method::PUT => self.change_level(request.into_body()).await,
            Page::Log => self.tell(level::encode(&self.sources.config)),
            Page::Dashboard(piece) => piece.answer(headers),
        }
    }

    fn tell_readiness(&self) -> Answer {
        let status = if self.readiness.is_ready() {
            StatusCode::OK
        } else {
            StatusCode::SERVICE_UNAVAILABLE
        };
        text(status, self.readiness.as_line())
    }

    async fn tell_metrics(&self) -> Answer {
        let sources = Arc::clone(&self.sources);
        // Encoding takes milliseconds, and the process's own figures are files.
        match tokio::task::spawn_blocking(move || sources.encode_metrics()).await {
            Ok(Ok(encoded)) => typed(StatusCode::OK, scrape::CONTENT_TYPE, encoded),
            Ok(Err(error)) => unreadable(&error),
            Err(error) => unreadable(&error),
        }
    }

    async fn tell_stats(&self) -> Answer {
        let (sources, state) = (Arc::clone(&self.sources), self.readiness.as_str());
        // It reads all that the metrics are encoded from.
        match tokio::task::spawn_blocking(move || sources.encode_stats(state)).await {
            Ok(encoded) => self.tell(encoded),
            Err(error) => unreadable(&error),
        }
    }

    async fn answer_of_entries(&self, method: &Method, query: Option<&str>) -> Answer {
        let (holdings, query) = (&self.sources.holdings, query.unwrap_or_default());
        let answered = if *method == Method::DELETE {
            holdings.remove(query).await
        } else {
            holdings.list(query).await
        };
        answered.map_or_else(
            |unanswered| unanswered.refusal(),
            |encoded| json(StatusCode::OK, encoded),
        )
    }

    fn tell_requests(&self, uri: &Uri) -> Answer {
        match requests::wanted(uri.query().unwrap_or_default()) {
            Ok(wanted) => self.tell(requests::encode(&self.sources.recent, &wanted)),
            Err(unclear) => refusal(StatusCode::BAD_REQUEST, "bad_request", &unclear.to_string()),
        }
    }

    async fn change_level<B: Body<Data = Bytes>>(&self, body: B) -> Answer {
        let Sources {
            config, set_level, ..
        } = &*self.sources;
        match level::change(body, config, set_level).await {
            Ok(()) => self.tell(level::encode(config)),
            Err(unclear) => refusal(StatusCode::BAD_REQUEST, "bad_request", &unclear.to_string()),
        }
    }

    fn tell(&self, encoded: serde_json::Result<Vec<u8>>) -> Answer {
        match encoded {
            Ok(encoded) => json(StatusCode::OK, encoded),
            Err(error) => {
                error!(%error, "an answer cannot be written as JSON");
                self.fault()
            }
        }
    }
}

impl Serve for Admin {
    type Body = Full<Bytes>;
    type Acquaintance = ();

    fn acquaint(&self, _: &Peer) {}

    async fn serve(
        &self,
        request: Request<RequestBody>,
        peer: Peer,
        (): &(),
        _: Option<&Outlet>,
    ) -> Answer {
        let (head, body) = request.into_parts();
        if let Err(unfit) = check_form(&head) {
            return last_refusal(&unfit.to_string());
        }
        self.answer(Request::from_parts(head, body), peer).await
    }

    fn fault(&self) -> Answer {
        refusal(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal_error",
            "the request could not be answered",
        )
    }
}

impl fmt::Debug for Admin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Admin")
            .field("readiness", &self.readiness)
            .field("door", &self.door)
            .finish_non_exhaustive()
    }
}

// === impl Sources ===

impl Sources {
    fn encode_metrics(&self) -> Result<Vec<u8>, prometheus::Error> {
        self.refresh();
        scrape::encode(self.metrics.registry())
    }

    fn encode_stats(&self, state: &'static str) -> serde_json::Result<Vec<u8>> {
        self.refresh();
        stats::encode(&Sight {
            about: &self.about,
            state,
            standing: (self.look)(),
            figures: &Figures::of(self.metrics.registry()),
            history: &self.history,
        })
    }

    fn refresh(&self) {
        for refresh in &self.refresh {
            refresh();
        }
    }
}

impl fmt::Debug for Sources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sources").finish_non_exhaustive()
    }
}

fn unreadable(error: &impl fmt::Display) -> Answer {
    error!(%error, "the metrics could not be read");
    refusal(
        StatusCode::INTERNAL_SERVER_ERROR,
        "metrics_unreadable",
        "the metrics could not be read",
    )
}

#[cfg(test)]
mod tests;
