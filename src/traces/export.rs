//! The exporter: takes spans from the queue and delivers them in batches, as long as it runs.
//!
//! How the collector is reached is not its business.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::collector::{Collector, Undelivered};
use super::otlp::{self, Message};
use crate::metrics::Metrics;
use crate::seldom::Seldom;
use crate::tasks::Tasks;

/// Spans of one delivery: a few hundred kilobytes, which every collector takes.
const BATCH: usize = 512;

/// How long spans gather before they are delivered, few as they may be: a trace shows soon, and a quiet
/// Larder does not send each of its spans alone.
const GATHERING: Duration = Duration::from_secs(1);

/// How long one delivery may take, the connection included: as OTLP has it by default.
const DELIVERY: Duration = Duration::from_secs(10);

/// The pauses before further tries of a delivery that may go better: a collector that is started anew is back by
/// then. The queue fills meanwhile.
const PAUSES: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(4)];

/// Delivers spans.
#[derive(Debug)]
pub struct Exporter {
    queue: mpsc::Receiver<Vec<u8>>,
    collector: Collector,
    resource: Message,
    metrics: Arc<Metrics>,
    complaints: Seldom<Complaint>,
}

/// What is said of deliveries that fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Complaint {
    Undelivered,
    Rejected,
}

impl Exporter {
    pub(super) fn new(
        collector: Collector,
        service_name: &str,
        queue: mpsc::Receiver<Vec<u8>>,
        metrics: Arc<Metrics>,
    ) -> Self {
        let attributes = [
            ("service.name", service_name),
            ("service.version", env!("CARGO_PKG_VERSION")),
        ];
        Self {
            queue,
            collector,
            resource: otlp::resource(&attributes),
            metrics,
            complaints: Seldom::default(),
        }
    }

    /// Delivers until `tasks` are told to end, and then what is left, each batch once.
    ///
    /// For tasks of its own: whatever else ends may have something to tell until it has ended.
    pub async fn run(mut self, tasks: Tasks) {
        let mut batch = Vec::with_capacity(BATCH);
        while self.gather(&mut batch, &tasks).await {
            self.deliver(&mut batch, &tasks).await;
        }
        self.queue.close();
        while !batch.is_empty() || self.queue.recv_many(&mut batch, BATCH).await > 0 {
            self.deliver(&mut batch, &tasks).await;
        }
    }

    /// Waits for a batch: whole, or of what came in a while; false where it is time to end.
    async fn gather(&mut self, batch: &mut Vec<Vec<u8>>, tasks: &Tasks) -> bool {
        let queue = &mut self.queue;
        let gathering = async {
            if queue.recv_many(batch, BATCH).await == 0 {
                return false;
            }
            let until = Instant::now() + GATHERING;
            while batch.len() < BATCH {
                let more = queue.recv_many(batch, BATCH - batch.len());
                if !matches!(timeout_at(until, more).await, Ok(1..)) {
                    break;
                }
            }
            true
        };
        tokio::select! {
            biased;
            () = tasks.stopping() => false,
            is_there = gathering => is_there,
        }
    }

    /// Delivers a batch, or counts it as lost.
    async fn deliver(&mut self, batch: &mut Vec<Vec<u8>>, tasks: &Tasks) {
        let count = batch.len() as u64;
        let request = Bytes::from(otlp::request(&self.resource, batch));
        batch.clear();
        match self.try_to_deliver(request, tasks).await {
            Ok(0) => {}
            Ok(rejected) => {
                self.lose(rejected.min(count), Complaint::Rejected, "not taken");
            }
            Err(cause) => self.lose(count, Complaint::Undelivered, &cause),
        }
    }

    /// Delivers, at the second or third try where that helps and there is time; returns how many spans were not
    /// taken all the same.
    async fn try_to_deliver(&mut self, request: Bytes, tasks: &Tasks) -> Result<u64, String> {
        let mut pauses = PAUSES.into_iter();
        loop {
            let sending = timeout(DELIVERY, self.collector.send(request.clone(), tasks)).await;
            let undelivered = match sending {
                Ok(Ok(rejected)) => return Ok(rejected),
                Ok(Err(undelivered)) => undelivered,
                Err(_) => Undelivered::Perhaps("no answer in time".to_owned()),
            };
            let cause = match undelivered {
                Undelivered::Never(cause) => return Err(cause),
                Undelivered::Perhaps(cause) => cause,
            };
            let Some(pause) = pauses.next() else {
                return Err(cause);
            };
            tokio::select! {
                () = tasks.stopping() => return Err(cause),
                () = sleep(pause) => {}
            }
        }
    }

    fn lose(&self, spans: u64, complaint: Complaint, cause: &str) {
        self.metrics.spans_lost.inc_by(spans);
        if self.complaints.is_due(complaint) {
            tracing::warn!(
                cause,
                spans,
                "spans are lost on their way to the collector of traces"
            );
        }
    }
}
