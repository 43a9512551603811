//! A fill: one artifact on its way from upstream to everybody who asked for it.
//!
//! A fill runs in its own task and belongs to no client; clients are readers. It knows nothing of
//! HTTP and nothing of how to reach the upstream: it is handed a future.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;

use bytes::Bytes;
use http::HeaderValue;
use http_body::Body;
use http_body_util::BodyExt;

use super::flights::{Head, Lead, Opening};
use super::progress::Broken;
use super::spool::{Plan, Spool, SpoolWriter, Whole};
use crate::artifact::{Answer, ArtifactKey, Bypass, Failure, Label};
use crate::metrics::{Gauge, Metrics};
use crate::tiers::{Epoch, Tiers};

/// What the upstream had to say.
#[derive(Debug)]
pub enum Source<B> {
    /// Here it is.
    Found(SourceHead, B),
    /// There is none.
    Absent(Answer),
    /// Not for this caller.
    Refused(Answer),
    /// It could not say.
    Failed(Failure),
}

/// What comes before an artifact's bytes.
#[derive(Clone, Debug)]
pub struct SourceHead {
    /// What travels with the body.
    pub label: Label,
    /// The length it claims.
    pub length: Option<u64>,
    /// What caches on the way here said of this answer (RFC 9211); shown, never stored.
    pub cache_status: Vec<HeaderValue>,
    /// Why it is not to be stored, if it is not.
    pub bypass: Option<Bypass>,
}

/// What every fill works with.
#[derive(Clone, Debug)]
pub struct Filling {
    /// Where artifacts land.
    pub tiers: Arc<Tiers>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// Largest body kept in memory while it arrives.
    pub in_memory: u64,
    /// Whether the tiers are asked once more.
    pub look_again: LookAgain,
}

/// Whether a fill asks the tiers once more before it asks the upstream: what it is to fetch may have
/// landed between the look-up and the lead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LookAgain {
    /// As every fill in the table must.
    Yes,
    /// The tiers' answer was no use to this caller.
    No,
}

/// Fills `key`: looks again, fetches, tells the followers, spools, lands, leaves the table.
pub async fn fill<F, B>(filling: Filling, lead: Lead, key: ArtifactKey, fetch: F)
where
    F: Future<Output = Source<B>> + Send,
    B: Body<Data = Bytes> + Send,
{
    let _running = InFlight::enter(&filling.metrics);
    // Noted before looking: whatever is published from here on must win over what we fetch.
    let noted = filling.tiers.epoch(&key.digest);
    if filling.look_again == LookAgain::Yes && filling.tiers.lookup(&key.digest).await.is_some() {
        return lead.end(Head::LookAgain);
    }
    match fetch.await {
        Source::Found(head, body) => {
            let arriving = Arriving {
                filling,
                key,
                head,
                noted,
            };
            arriving.receive(lead, body).await;
        }
        Source::Absent(answer) => lead.end(Head::Absent(answer)),
        Source::Refused(answer) => lead.end(Head::Refused(answer)),
        Source::Failed(failure) => lead.end(Head::Failed(failure)),
    }
}

/// An artifact whose head has arrived.
struct Arriving {
    filling: Filling,
    key: ArtifactKey,
    head: SourceHead,
    noted: Epoch,
}

impl Arriving {
    async fn receive<B: Body<Data = Bytes> + Send>(self, lead: Lead, body: B) {
        let Self {
            filling,
            key,
            head,
            noted,
        } = self;
        let plan = Plan {
            claimed: head.length,
            in_memory: filling.in_memory,
            bypass: head.bypass,
        };
        let (mut writer, spool) = Spool::open(&filling.tiers, key, head.label.clone(), plan).await;
        let claimed = head.length;
        lead.open(Opening::new(head, writer.bypass(), spool));
        let broken = match pump(body, &mut writer).await {
            Ok(written) if claimed.is_none_or(|claimed| claimed == written) => {
                land(&filling.tiers, writer.complete().await, noted).await;
                // Land first, leave the table second: between the two, late askers must find the
                // artifact in one of them.
                return lead.retire();
            }
            Ok(_) => Broken::Source,
            Err(broken) => broken,
        };
        // The other way round: nobody new is to follow what is broken.
        lead.retire();
        writer.break_off(broken);
    }
}

async fn land(tiers: &Tiers, whole: Whole, noted: Epoch) {
    match whole.landing {
        Ok(landing) => {
            if let Err(reason) = tiers.land(landing, noted).await {
                tracing::debug!(?reason, "a fill did not land");
            }
        }
        Err(bypass) => tracing::debug!(reason = bypass.as_str(), "a fill was not stored"),
    }
}

/// Writes a body into a spool; returns the bytes written.
pub(super) async fn pump<B>(body: B, writer: &mut SpoolWriter) -> Result<u64, Broken>
where
    B: Body<Data = Bytes> + Send,
{
    let mut body = pin!(body);
    while let Some(frame) = body.frame().await {
        let Ok(chunk) = frame.map_err(|_| Broken::Source)?.into_data() else {
            continue;
        };
        writer.push(chunk).await.map_err(|_| Broken::Abandoned)?;
    }
    Ok(writer.written())
}

/// Counts a fill while it runs, however it ends.
struct InFlight(Gauge);

impl InFlight {
    fn enter(metrics: &Metrics) -> Self {
        metrics.fills_in_flight.inc();
        Self(metrics.fills_in_flight.clone())
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.dec();
    }
}
