//! `GET` of an artifact: what a tier holds, or what `miss` makes of it.

use std::ops::ControlFlow;
use std::sync::Arc;

use super::miss::{Attempt, Patience};
use super::{Ask, Proxy, ProxyError, Reply, Served, ServedBody};
use crate::access::Decision;
use crate::artifact::{Answer, Fields, Outcome};
use crate::tiers::{Artifact, Found};
use crate::transfer::Source;

impl Proxy {
    /// Serves what is in memory to whoever is known to have the right; `None` where that takes more
    /// than a look at what is remembered.
    pub fn hit(self: &Arc<Self>, ask: &Ask) -> Option<Result<Served, ProxyError>> {
        let stored = self.tiers.lookup_in_memory(&ask.key.digest)?;
        let told = match judged(self.access.recall_read(&ask.question())?) {
            ControlFlow::Continue(grace) => self.give(ask, stored.artifact(), grace),
            ControlFlow::Break(told) => told,
        };
        Some(told.map_err(|error| self.as_told(error)))
    }

    /// Serves an artifact.
    ///
    /// Cancel-safe: fills run on without the one who began them.
    pub async fn get(self: &Arc<Self>, ask: &Ask) -> Result<Served, ProxyError> {
        self.serve(ask).await.map_err(|error| self.as_told(error))
    }

    async fn serve(self: &Arc<Self>, ask: &Ask) -> Result<Served, ProxyError> {
        let mut patience = Patience::new();
        loop {
            patience.rounds = patience.rounds.saturating_sub(1);
            if self.is_held(ask) {
                return Box::pin(self.tell_of_hold(ask)).await;
            }
            if let Some(found) = self.tiers.lookup(&ask.key.digest).await {
                match self.serve_hit(ask, found).await {
                    Some(served) => return served,
                    // Replaced meanwhile, or damaged and gone: something else may be there now.
                    None if patience.openings > 0 => {
                        patience.openings -= 1;
                        continue;
                    }
                    // Still found, and not to be had: a disk that hangs.
                    None if !self.upstream.is_none() => {
                        return Box::pin(self.fetch_alone(ask, &patience)).await;
                    }
                    None => {}
                }
            }
            if self.upstream.is_none() {
                return Err(ProxyError::Absent);
            }
            if let Some(served) = self.remembered(ask) {
                return Ok(served);
            }
            // In a box: a hit from the disk is not to carry the room for it.
            let missed = Box::pin(self.serve_miss(ask, &mut patience)).await;
            let attempt = match missed {
                Attempt::Again if patience.rounds == 0 => Attempt::Alone,
                attempt => attempt,
            };
            match attempt {
                Attempt::Done(served) => return served,
                Attempt::Again => {}
                Attempt::Alone => return Box::pin(self.fetch_alone(ask, &patience)).await,
            }
        }
    }

    /// What the upstream said a moment ago, where that still holds for this caller.
    pub(super) fn remembered(&self, ask: &Ask) -> Option<Served> {
        if let Some(answer) = self.access.recent_refusal(&ask.question()) {
            return Some(refused(answer));
        }
        let key = &ask.key.digest;
        let absence = self.absences.recall(key, self.tiers.epoch(key))?;
        let speakers = [absence.speaker, ask.speaker()];
        let scope = ask.key.scope.digest();
        let is_theirs = self.access.share_absences(speakers, scope);
        is_theirs.then(|| absent(absence.answer))
    }

    /// Serves what a tier holds, if this caller may have it; `None` where it turned out damaged or
    /// was replaced.
    pub(super) async fn serve_hit(
        self: &Arc<Self>,
        ask: &Ask,
        found: Found,
    ) -> Option<Result<Served, ProxyError>> {
        let grace = match self.judge(ask).await {
            ControlFlow::Continue(grace) => grace,
            ControlFlow::Break(told) => return Some(told),
        };
        let artifact = found.open().await.ok()?;
        Some(self.give(ask, artifact, grace))
    }

    /// Gives an artifact to whoever may have it, unless it is held back.
    fn give(&self, ask: &Ask, artifact: Artifact, grace: bool) -> Result<Served, ProxyError> {
        if self.is_held(ask) {
            return Err(ProxyError::Held);
        }
        let Artifact { meta, tier, body } = artifact;
        self.count_saved(&meta.label.fields, meta.size);
        Ok(Served {
            outcome: Outcome::Hit { tier, grace },
            reply: Reply::Artifact {
                fields: meta.label.fields.clone(),
                length: Some(meta.size),
                cache_status: Vec::new(),
                body: ServedBody::from(body),
                follows: None,
            },
        })
    }

    /// Whether this caller may have what is here, and on grace; if not, what it would be told were
    /// it not here.
    pub(super) async fn judge(
        self: &Arc<Self>,
        ask: &Ask,
    ) -> ControlFlow<Result<Served, ProxyError>, bool> {
        let decision = match self.access.may_read(&ask.question()).await {
            // A `HEAD` was told so, without the words by which an absence is known.
            Decision::Absent(answer) if answer.body().is_empty() => {
                Box::pin(self.in_words(ask)).await
            }
            decision => decision,
        };
        judged(decision)
    }

    /// What the upstream says to the request itself.
    async fn in_words(self: &Arc<Self>, ask: &Ask) -> Decision {
        match Arc::clone(self).fetch(ask.clone()).await {
            // Uploaded, or the caller admitted, in between.
            Source::Found(..) => Decision::Allowed { grace: false },
            Source::Absent(answer) => Decision::Absent(answer),
            Source::Refused(answer) => Decision::Refused(answer),
            Source::Failed(failure) => Decision::Unknown(failure),
        }
    }

    pub(super) fn count_saved(&self, fields: &Fields, size: u64) {
        self.metrics.saved_bytes.inc_by(size);
        if let Some(duration) = fields.duration() {
            self.metrics.saved_seconds.inc_by(duration.as_secs_f64());
        }
    }
}

/// Whether a decision lets a hit be served, and on grace; if not, what is told instead, and nothing
/// about the hit shows.
pub(super) fn judged(decision: Decision) -> ControlFlow<Result<Served, ProxyError>, bool> {
    let told = match decision {
        Decision::Allowed { grace } => return ControlFlow::Continue(grace),
        Decision::Refused(answer) => Ok(refused(answer)),
        Decision::Absent(answer) => Ok(absent(answer)),
        Decision::Unknown(failure) => Err(ProxyError::Unanswered(failure)),
    };
    ControlFlow::Break(told)
}

/// The upstream's own words about what it has not.
pub(super) fn absent(answer: Answer) -> Served {
    Served {
        outcome: Outcome::Absent,
        reply: Reply::Relayed(answer),
    }
}

/// The upstream's own words to whoever may not read.
pub(super) fn refused(answer: Answer) -> Served {
    Served {
        outcome: Outcome::Refused(answer.code()),
        reply: Reply::Relayed(answer),
    }
}
