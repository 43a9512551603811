//! `POST` of usage events: taken at once, forwarded by a task.
//!
//! Clients wait a fifth of a second for this and then hang up, so nobody waits for the upstream.

use std::future::poll_fn;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::Request;
use http::request::Parts;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::{Duration, Instant, timeout};

use super::{Here, Proxy, ProxyError, Reply, Served};
use crate::access::Admitted;
use crate::artifact::Outcome;
use crate::metrics::Metrics;
use crate::tasks::Tasks;
use crate::upstream::Upstream;

/// Batches of events waiting to be forwarded; a busy office posts a few a second.
const QUEUE: usize = 256;
/// Bytes of events waiting: two hundred of the largest that turbo posts.
const QUEUE_BYTES: usize = 8 * 1024 * 1024;
/// How long a batch, and the credential it travels with, is kept, its forwarding included.
const KEPT: Duration = Duration::from_secs(10);
/// Batches forwarded at once.
const AT_ONCE: usize = 4;

/// Events on their way.
#[derive(Debug)]
pub struct EventQueue {
    waiting: mpsc::Sender<Waiting>,
    room: Arc<Semaphore>,
}

#[derive(Debug)]
struct Waiting {
    request: Request<Bytes>,
    since: Instant,
    _room: OwnedSemaphorePermit,
}

impl EventQueue {
    /// Starts forwarding to `upstream`.
    pub fn start(upstream: &Arc<Upstream>, metrics: &Arc<Metrics>, tasks: &Tasks) -> Self {
        let (waiting, queue) = mpsc::channel(QUEUE);
        let (upstream, metrics) = (Arc::clone(upstream), Arc::clone(metrics));
        let stopping = tasks.clone();
        tasks.spawn(async move { forward(queue, &upstream, &metrics, &stopping).await });
        Self {
            waiting,
            room: Arc::new(Semaphore::new(QUEUE_BYTES)),
        }
    }

    /// Takes a batch, if there is room.
    fn take(&self, request: Request<Bytes>) -> bool {
        let bytes = u32::try_from(request.body().len()).unwrap_or(u32::MAX);
        let Ok(room) = Arc::clone(&self.room).try_acquire_many_owned(bytes) else {
            return false;
        };
        let since = Instant::now();
        self.waiting
            .try_send(Waiting {
                request,
                since,
                _room: room,
            })
            .is_ok()
    }
}

/// Forwards until the process stops; what is left then is counted as lost.
async fn forward(
    mut queue: mpsc::Receiver<Waiting>,
    upstream: &Upstream,
    metrics: &Metrics,
    tasks: &Tasks,
) {
    let waiting = poll_fn(|cx| queue.poll_recv(cx));
    let forwarding = stream::unfold(waiting, async |mut next| Some(((&mut next).await?, next)))
        .take_until(tasks.stopping())
        .for_each_concurrent(AT_ONCE, async |waiting| {
            let left = KEPT.saturating_sub(waiting.since.elapsed());
            let forwarded = timeout(left, upstream.ask(waiting.request)).await;
            if !matches!(forwarded, Ok(Ok(answer)) if answer.code() < 500 && answer.code() != 429) {
                metrics.events_lost.inc();
            }
        });
    forwarding.await;
    while queue.try_recv().is_ok() {
        metrics.events_lost.inc();
    }
}

impl Proxy {
    /// Takes usage events.
    pub fn events(
        &self,
        head: &Parts,
        admitted: &Admitted,
        body: Bytes,
    ) -> Result<Served, ProxyError> {
        let taken = |outcome| Served {
            outcome,
            reply: Reply::Here(Here::EventsTaken),
        };
        if self.upstream.is_none() {
            return Ok(taken(Outcome::Answered));
        }
        let request = self.forwarded(head, admitted, body)?;
        if !self.events.take(request) {
            self.metrics.events_lost.inc();
        }
        Ok(taken(Outcome::Passed))
    }
}
