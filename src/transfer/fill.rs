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
use tokio::task::yield_now;

use super::flights::{Fate, Head, Lead, Opening};
use super::inspection::{Doubt, Inspection};
use super::inspector::Inspector;
use super::progress::Broken;
use super::spool::{Plan, Spool, SpoolWriter, Whole};
use crate::artifact::{Answer, ArtifactKey, Bypass, Failure, Label};
use crate::metrics::{Arrival, Gauge, Metrics};
use crate::tiers::{Epoch, Landing, Tiers};
use crate::traces::SpanContext;

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
    /// Where its fetching stands in a trace, for whoever lives on it too.
    pub trace: Option<SpanContext>,
}

/// How a fill ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filled {
    /// It landed.
    Stored,
    /// It came whole, and did not land.
    Unstored,
    /// It did not come whole.
    Broken,
    /// It was here by then.
    AlreadyHere,
    /// The upstream has none.
    Absent,
    /// The upstream refused whoever asked.
    Refused,
    /// The upstream could not say.
    Failed(Failure),
}

/// What every fill works with.
#[derive(Clone, Debug)]
pub struct Filling {
    /// Where artifacts land.
    pub tiers: Arc<Tiers>,
    /// What looks at signatures.
    pub inspector: Arc<Inspector>,
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
pub async fn fill<F, B>(filling: Filling, lead: Lead, key: ArtifactKey, fetch: F) -> Filled
where
    F: Future<Output = Source<B>> + Send,
    B: Body<Data = Bytes> + Send,
{
    let _running = InFlight::enter(&filling.metrics);
    // Noted before looking: whatever is published from here on must win over what we fetch.
    let noted = filling.tiers.epoch(&key.digest);
    if filling.look_again == LookAgain::Yes && filling.tiers.lookup(&key.digest).await.is_some() {
        lead.end(Head::LookAgain);
        return Filled::AlreadyHere;
    }
    let (head, filled) = match fetch.await {
        Source::Found(head, body) => {
            let arriving = Arriving {
                filling,
                key,
                head,
                noted,
            };
            return arriving.receive(lead, body).await;
        }
        Source::Absent(answer) => (Head::Absent(answer), Filled::Absent),
        Source::Refused(answer) => (Head::Refused(answer), Filled::Refused),
        Source::Failed(failure) => (Head::Failed(failure), Filled::Failed(failure)),
    };
    lead.end(head);
    filled
}

/// An artifact whose head has arrived.
struct Arriving {
    filling: Filling,
    key: ArtifactKey,
    head: SourceHead,
    noted: Epoch,
}

impl Arriving {
    async fn receive<B: Body<Data = Bytes> + Send>(mut self, lead: Lead, body: B) -> Filled {
        let mut inspection = self.inspect();
        let plan = Plan {
            is_believed: true,
            claimed: self.head.length,
            in_memory: self.filling.in_memory,
            bypass: self.head.bypass,
        };
        let Self {
            filling,
            key,
            head,
            noted,
        } = self;
        let (mut writer, spool) = Spool::open(&filling.tiers, key, head.label.clone(), plan).await;
        let fate = match writer.bypass() {
            Some(bypass) => Fate::Bypassed(bypass),
            None if inspection.is_pending() => Fate::Inspected,
            None => Fate::Admitted,
        };
        if let Fate::Bypassed(_) = fate {
            inspection = Inspection::default();
        }
        let claimed = head.length;
        lead.open(Opening::new(head, fate, spool.clone()));
        let broken = match pump(body, &mut writer, &mut inspection).await {
            Ok(written) if claimed.is_none_or(|claimed| claimed == written) => {
                // Readers have their end before the inspection may want to read everything again.
                let whole = writer.complete().await;
                // And have their turn first: where there is one processor, landing takes it.
                yield_now().await;
                let landing = passed(whole, inspection, &spool).await;
                let filled = land(&filling.tiers, landing, noted).await;
                // Land first, leave the table second: between the two, late askers must find the
                // artifact in one of them.
                lead.retire();
                return filled;
            }
            Ok(_) => Broken::Source,
            Err(broken) => broken,
        };
        // The other way round: nobody new is to follow what is broken.
        lead.retire();
        writer.break_off(broken);
        Filled::Broken
    }

    /// Begins the inspection of what may be stored; what does not pass by its head alone may not.
    fn inspect(&mut self) -> Inspection {
        let Self {
            filling, key, head, ..
        } = self;
        if head.bypass.is_some() {
            return Inspection::default();
        }
        let fields = &head.label.fields;
        let begun = filling
            .inspector
            .begin(Arrival::Fill, key, fields, head.length);
        begun.unwrap_or_else(|_| {
            head.bypass = Some(Bypass::InvalidSignature);
            Inspection::default()
        })
    }
}

/// What can land of a body that came whole, if it passes its inspection.
async fn passed(whole: Whole, inspection: Inspection, spool: &Spool) -> Result<Landing, Bypass> {
    let landing = whole.landing?;
    match inspection.conclude(|| spool.reader()).await {
        Ok(_) => Ok(landing),
        Err(Doubt::Signature(_)) => Err(Bypass::InvalidSignature),
        Err(Doubt::Unreadable) => Err(Bypass::DiskFault),
    }
}

async fn land(tiers: &Tiers, landing: Result<Landing, Bypass>, noted: Epoch) -> Filled {
    match landing {
        Ok(landing) => match tiers.land(landing, noted).await {
            Ok(()) => return Filled::Stored,
            Err(reason) => tracing::debug!(?reason, "a fill did not land"),
        },
        Err(bypass) => tracing::debug!(reason = bypass.as_str(), "a fill was not stored"),
    }
    Filled::Unstored
}

/// Writes a body into a spool, past its inspection; returns the bytes written.
async fn pump<B>(
    body: B,
    writer: &mut SpoolWriter,
    inspection: &mut Inspection,
) -> Result<u64, Broken>
where
    B: Body<Data = Bytes> + Send,
{
    let mut body = pin!(body);
    while let Some(frame) = body.frame().await {
        let Ok(chunk) = frame.map_err(|_| Broken::Source)?.into_data() else {
            continue;
        };
        inspection.look(&chunk);
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
