//! `POST` of usage events: taken at once, forwarded by a task.
//!
//! Clients wait a fifth of a second for this and then hang up, so nobody waits for the upstream.

use std::sync::Arc;

use bytes::Bytes;
use http::Request;
use http::request::Parts;
use tokio::sync::mpsc;
use tokio::time::{Duration, Instant};

use super::batch::forwarded;
use super::{Here, Proxy, ProxyError, Reply, Served};
use crate::artifact::Outcome;
use crate::metrics::Metrics;
use crate::tasks::Tasks;
use crate::upstream::Upstream;

/// Batches of events waiting to be forwarded; a busy office posts a few a second.
const QUEUE: usize = 256;
/// How long a batch, and the credential it travels with, is kept.
const KEPT: Duration = Duration::from_secs(10);

/// Events on their way.
#[derive(Debug)]
pub struct EventQueue {
    waiting: mpsc::Sender<Waiting>,
}

#[derive(Debug)]
struct Waiting {
    request: Request<Bytes>,
    since: Instant,
}

impl EventQueue {
    /// Starts forwarding to `upstream`.
    pub fn start(upstream: &Arc<Upstream>, metrics: &Arc<Metrics>, tasks: &Tasks) -> Self {
        let (waiting, queue) = mpsc::channel(QUEUE);
        let (upstream, metrics, stopping) =
            (Arc::clone(upstream), Arc::clone(metrics), tasks.clone());
        tasks.spawn(async move {
            tokio::select! {
                () = forward(queue, upstream, metrics) => {}
                () = stopping.stopping() => {}
            }
        });
        Self { waiting }
    }
}

async fn forward(
    mut queue: mpsc::Receiver<Waiting>,
    upstream: Arc<Upstream>,
    metrics: Arc<Metrics>,
) {
    while let Some(Waiting { request, since }) = queue.recv().await {
        if since.elapsed() > KEPT || upstream.ask(request).await.is_err() {
            metrics.events_lost.inc();
        }
    }
}

impl Proxy {
    /// Takes usage events.
    pub fn events(&self, head: &Parts, body: Bytes) -> Result<Served, ProxyError> {
        let taken = |outcome| Served {
            outcome,
            reply: Reply::Here(Here::EventsTaken),
        };
        if self.upstream.is_none() {
            return Ok(taken(Outcome::Answered));
        }
        let request = forwarded(&self.upstream, head, body)?;
        if self
            .events
            .waiting
            .try_send(Waiting {
                request,
                since: Instant::now(),
            })
            .is_err()
        {
            self.metrics.events_lost.inc();
        }
        Ok(taken(Outcome::Passed))
    }
}
