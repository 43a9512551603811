//! `PUT` of an artifact: through the spool to the upstream, and into the tiers when it accepts.
//!
//! The upload runs as nobody's: the client's wait has a bound of its own, and once the body is whole
//! here it is delivered whether or not somebody still waits. How each ending leaves the tiers is
//! decided in one place, `settle`.

use std::error::Error;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use http_body_util::combinators::UnsyncBoxBody;
use tokio::sync::oneshot;

use super::settle::Ending;
use super::waiting::{Late, Told, Waiting};
use super::{Ask, Proxy, ProxyError, Served};
use crate::access::Right;
use crate::artifact::{Failure, Label};
use crate::config::OnUploadFailure;
use crate::metrics::Arrival;
use crate::transfer::{Inspection, Plan, Received, Spool, SpoolWriter, Turn, receive};
use crate::upstream::Word;

/// How far ahead of the upstream an upload is read whose caller has not proven its right to write.
const UNPROVEN_AHEAD: u64 = 8 * 1024 * 1024;

/// An upload's body, whatever it comes from.
pub type UploadBody = UnsyncBoxBody<bytes::Bytes, Box<dyn Error + Send + Sync>>;

/// An upload under way.
pub(super) struct Upload {
    pub(super) proxy: Arc<Proxy>,
    pub(super) ask: Ask,
    pub(super) turn: Turn,
    /// Of its signature; taken by whoever receives the body.
    inspection: Inspection,
    /// Where the client waits; taken by the first answer.
    client: Option<oneshot::Sender<Told>>,
    /// Told once every byte has come: what is waited for from then on is the upstream.
    whole: Option<oneshot::Sender<()>>,
    /// Told where it stands still upstream, and whether it is there.
    pub(super) word: Arc<Word>,
}

impl Proxy {
    /// Takes an upload whose head says what is on its `label` and claims `length`.
    ///
    /// What its head forbids is refused before the body is asked for.
    pub async fn put(
        self: &Arc<Self>,
        ask: Ask,
        label: Label,
        length: Option<u64>,
        body: UploadBody,
    ) -> Result<Served, ProxyError> {
        label.fields.fit().map_err(|_| ProxyError::TooManyFields)?;
        let limit = self.config.upload.max_size;
        if length.is_some_and(|length| length > limit) {
            return Err(ProxyError::TooLarge(limit));
        }
        let inspector = &self.inspector;
        let inspection = inspector.begin(Arrival::Put, &ask.key, &label.fields, length)?;
        let ((client, told), (whole, is_whole)) = (oneshot::channel(), oneshot::channel());
        let waiting = Waiting {
            told,
            whole: is_whole,
            word: Arc::default(),
        };
        let (key, target) = (ask.key.digest, ask.outgoing.target.clone());
        let word = Arc::clone(&waiting.word);
        let turn = self.uploads.begin(key);
        let upload = Upload {
            proxy: Arc::clone(self),
            ask,
            turn,
            inspection,
            client: Some(client),
            whole: Some(whole),
            word: Arc::clone(&word),
        };
        self.tasks
            .spawn(async move { upload.run(label, length, body).await });
        match self.wait_for(waiting).await {
            Ok(told) => told,
            Err(Late::Client) => Err(ProxyError::TooSlow),
            Err(Late::Upstream) => {
                // Not where it waits here for its turn.
                if word.is_out.load(Ordering::Relaxed) {
                    self.upstream.is_silent_to(&target);
                }
                // It may hold the upload by now, and has not said so.
                self.forget(&key).await;
                Err(ProxyError::Undelivered(Failure::Timeout))
            }
        }
    }
}

impl Upload {
    async fn run(mut self, label: Label, length: Option<u64>, body: UploadBody) {
        let (tiers, in_memory) = (&self.proxy.tiers, self.proxy.in_memory());
        let plan = Plan {
            claimed: length,
            // A stranger could have all room set aside for what never comes.
            is_believed: self.proxy.upstream.is_none() || self.may_write(),
            in_memory,
            bypass: None,
        };
        let (writer, spool) = Spool::open(tiers, self.ask.key.clone(), label, plan).await;
        // Waiting for a turn upstream is no lagging, and who is slow there is ended there.
        spool.be_patient();
        if self.proxy.upstream.is_none() {
            let received = self.receive(body, writer).await;
            return self.settle_here(received).await;
        }
        let queued = self.proxy.queue.enter(self.ask.since, &spool);
        let ending = match length {
            Some(length) => self.stream(writer, &spool, length, body).await,
            None => self.spool_first(writer, &spool, body).await,
        };
        drop(queued);
        if let Some(ending) = ending {
            self.settle(ending).await;
        }
    }

    /// Sends while receiving: the length is known.
    async fn stream(
        &mut self,
        writer: SpoolWriter,
        spool: &Spool,
        length: u64,
        body: UploadBody,
    ) -> Option<Ending> {
        let reader = spool.reader().ok()?.with_length(Some(length));
        self.set_pace(spool);
        let receiving = self.receive(body, writer);
        let delivering = self.deliver(spool, reader, Some(length));
        let (received, delivered) = tokio::join!(receiving, delivering);
        Some(Ending {
            delivered,
            received,
        })
    }

    /// Receives everything, then sends: a chunked upload gets its length. Where it cannot be held
    /// whole, or its caller has not proven its right to write, it is sent on as it came.
    async fn spool_first(
        &mut self,
        writer: SpoolWriter,
        spool: &Spool,
        body: UploadBody,
    ) -> Option<Ending> {
        let reader = spool.reader().ok()?;
        self.set_pace(spool);
        let limit = self.limit();
        let mut receiving = pin!(self.receive(body, writer));
        let received = tokio::select! {
            received = &mut receiving => received,
            () = spool.held_up() => {
                let delivering = self.deliver(spool, reader, None);
                let (received, delivered) = tokio::join!(receiving, delivering);
                return Some(Ending { delivered, received });
            }
        };
        let size = match &received {
            Received::Whole(whole) => Some(whole.size),
            cut_short => {
                self.answer(Err(ProxyError::of_received(cut_short, limit)));
                return None;
            }
        };
        let delivered = self.store(spool, reader.with_length(size), size).await;
        Some(Ending {
            delivered,
            received,
        })
    }

    /// Receives the body, and notes when it is whole.
    fn receive(
        &mut self,
        body: UploadBody,
        writer: SpoolWriter,
    ) -> impl Future<Output = Received> + use<> {
        let (limit, told) = (self.limit(), self.whole.take());
        let (uploads, key) = (Arc::clone(&self.proxy.uploads), self.ask.key.digest);
        let inspection = std::mem::take(&mut self.inspection);
        async move {
            let whole = move || {
                uploads.note_whole(&key);
                if let Some(told) = told {
                    // Whoever no longer waits need not know.
                    let _unread = told.send(());
                }
            };
            receive(body, writer, limit, inspection, whole).await
        }
    }

    /// Keeps an upload near its upstream while nobody knows whether it may be one.
    fn set_pace(&self, spool: &Spool) {
        if !self.may_write() {
            spool.set_pace(Some(UNPROVEN_AHEAD));
        }
    }

    pub(super) fn answer(&mut self, served: Told) {
        if let Some(client) = self.client.take()
            && client.send(served).is_err()
        {
            tracing::debug!(hash = %self.ask.key.hash, "an upload ended after its client had left");
        }
    }

    pub(super) fn keeps(&self) -> bool {
        self.proxy.config.upload.on_failure == OnUploadFailure::Keep && self.may_write()
    }

    pub(super) fn may_write(&self) -> bool {
        let access = &self.proxy.access;
        access.is_proven(&self.ask.question(), Right::Write)
    }

    pub(super) fn limit(&self) -> u64 {
        self.proxy.config.upload.max_size
    }
}
