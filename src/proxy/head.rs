//! `HEAD` of an artifact: from a tier's meta, else the upstream; never a fill.

use std::ops::ControlFlow;
use std::sync::Arc;

use super::get::{absent, judged, refused};
use super::{Ask, Proxy, ProxyError, Reply, Served, ServedBody};
use crate::artifact::Outcome;
use crate::tiers::Found;
use crate::upstream::Stated;

impl Proxy {
    /// Describes an artifact.
    pub async fn head(self: &Arc<Self>, ask: &Ask) -> Result<Served, ProxyError> {
        self.describe(ask)
            .await
            .map_err(|error| self.as_told(error))
    }

    async fn describe(self: &Arc<Self>, ask: &Ask) -> Result<Served, ProxyError> {
        if self.is_held(ask) {
            return Box::pin(self.tell_of_hold(ask)).await;
        }
        if let Some(found) = self.tiers.lookup(&ask.key.digest).await
            && let Some(served) = self.describe_hit(ask, found).await
        {
            return served;
        }
        if self.upstream.is_none() {
            return Err(ProxyError::Absent);
        }
        self.describe_miss(ask).await
    }

    async fn describe_hit(
        self: &Arc<Self>,
        ask: &Ask,
        found: Found,
    ) -> Option<Result<Served, ProxyError>> {
        let grace = match judged(self.access.may_read(&ask.question()).await) {
            ControlFlow::Continue(grace) => grace,
            ControlFlow::Break(told) => return Some(told),
        };
        let tier = found.tier();
        let meta = found.meta().await.ok()?;
        let reply = Reply::Artifact {
            fields: meta.label.fields.clone(),
            length: Some(meta.size),
            cache_status: Vec::new(),
            body: ServedBody::Empty,
            follows: None,
        };
        Some(Ok(Served {
            outcome: Outcome::Hit { tier, grace },
            reply,
        }))
    }

    async fn describe_miss(&self, ask: &Ask) -> Result<Served, ProxyError> {
        if let Some(served) = self.remembered(ask) {
            return Ok(served);
        }
        match self.upstream.stat(ask.outgoing.request()).await {
            Stated::Present(headers, length, version) => {
                self.absences.forget(&ask.key.digest);
                self.access.learn_read(&ask.question());
                Ok(Served {
                    outcome: Outcome::Passed,
                    reply: Reply::Stated(headers, length, version),
                })
            }
            Stated::Absent(answer) => Ok(absent(answer)),
            Stated::Refused(answer) => {
                if let Some(failure) = ask.admitted.misfortune(&answer) {
                    return Err(ProxyError::Unanswered(failure));
                }
                let answer = self.access.learn_stated(&ask.question(), answer).await;
                Ok(refused(answer))
            }
            Stated::Failed(failure) => Err(ProxyError::Unanswered(failure)),
        }
    }
}
