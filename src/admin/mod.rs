//! What an operator asks: is it alive, does it take work, what has it counted.
//!
//! None of these paths exists on a data listener.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use tracing::error;

use crate::metrics::Metrics;
use crate::server::{BODY_IDLE, Limits, Peer, Serve, WRITE_STALL, check_host};

mod answer;
mod process;
mod readiness;
mod scrape;

use self::answer::{Answer, method_refusal, refusal, text, typed};

pub use self::readiness::Readiness;

/// Connections at once: dashboards, probes and commands of one machine's operators.
const MAX_CONNECTIONS: usize = 64;

/// Longest silence between two requests; a usual scrape interval is a minute.
const IDLE_TIMEOUT: Duration = Duration::from_secs(130);

/// A head is small and its sender near.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);

/// Nothing here takes long to finish.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(2);

/// Brings gauges up to date; called before every scrape, never on a runtime worker.
pub type Refresh = Box<dyn Fn() + Send + Sync>;

/// The admin listener's service.
pub struct Admin {
    readiness: Readiness,
    hosts: Vec<String>,
    figures: Arc<Figures>,
}

/// What a scrape reads.
struct Figures {
    metrics: Arc<Metrics>,
    refresh: Vec<Refresh>,
}

// === impl Admin ===

impl Admin {
    /// Answers for `metrics` and `readiness`; besides addresses and `localhost`, it is known under
    /// `hosts`.
    pub fn new(
        metrics: Arc<Metrics>,
        readiness: Readiness,
        hosts: Vec<String>,
        refresh: Vec<Refresh>,
    ) -> Self {
        Self {
            readiness,
            hosts,
            figures: Arc::new(Figures { metrics, refresh }),
        }
    }

    /// The statement that `/readyz` gives; whoever starts and stops the process makes it.
    pub fn readiness(&self) -> Readiness {
        self.readiness.clone()
    }

    /// The bounds of the admin listener's connections.
    pub fn limits() -> Limits {
        Limits {
            header_timeout: HEADER_TIMEOUT,
            idle_timeout: IDLE_TIMEOUT,
            body_idle: BODY_IDLE,
            write_stall: WRITE_STALL,
            max_connections: MAX_CONNECTIONS,
            shutdown_grace: SHUTDOWN_GRACE,
        }
    }

    async fn answer<B>(&self, request: &Request<B>) -> Answer {
        if let Err(foreign) = check_host(request.headers(), request.uri(), &self.hosts) {
            return refusal(StatusCode::FORBIDDEN, foreign.code(), &foreign.to_string());
        }
        let path = request.uri().path();
        if !matches!(path, "/metrics" | "/healthz" | "/readyz") {
            return refusal(StatusCode::NOT_FOUND, "not_found", "there is nothing here");
        }
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return method_refusal();
        }
        match path {
            "/metrics" => self.figures().await,
            "/readyz" => self.tell_readiness(),
            _ => text(StatusCode::OK, "ok\n"),
        }
    }

    fn tell_readiness(&self) -> Answer {
        let status = if self.readiness.is_ready() {
            StatusCode::OK
        } else {
            StatusCode::SERVICE_UNAVAILABLE
        };
        text(status, self.readiness.as_str())
    }

    async fn figures(&self) -> Answer {
        let figures = Arc::clone(&self.figures);
        // Encoding takes milliseconds, and the process's own figures are files.
        match tokio::task::spawn_blocking(move || figures.encode()).await {
            Ok(Ok(encoded)) => typed(StatusCode::OK, scrape::CONTENT_TYPE, encoded),
            Ok(Err(error)) => unreadable(&error),
            Err(error) => unreadable(&error),
        }
    }
}

impl Serve for Admin {
    type Body = Full<Bytes>;

    async fn serve(&self, request: Request<Incoming>, _peer: Peer) -> Answer {
        self.answer(&request).await
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
            .field("hosts", &self.hosts)
            .finish_non_exhaustive()
    }
}

// === impl Figures ===

impl Figures {
    fn encode(&self) -> Result<Vec<u8>, prometheus::Error> {
        for refresh in &self.refresh {
            refresh();
        }
        scrape::encode(self.metrics.registry())
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
