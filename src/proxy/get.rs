//! `GET` of an artifact: a hit, a place in a fill, or a miss.

use std::sync::Arc;

use tokio::time::{Duration, timeout};

use super::{Ask, Proxy, ProxyError, Reply, Served, ServedBody};
use crate::access::{Decision, Right};
use crate::artifact::{Failure, Fields, Label, Outcome, Tier};
use crate::tiers::{Artifact, Found};
use crate::transfer::{Follower, Head, Joined, Lead, LookAgain, Opening, Source, fill};
use crate::upstream::{Fetched, UpstreamBody};

/// How long a client waits for a fill's head: inside its own thirty seconds, so that it is told of a
/// miss rather than left to find out.
const HEAD_WAIT: Duration = Duration::from_secs(20);

/// What a request may still try before it takes no for an answer.
struct Patience {
    /// Looking into the tiers and the table; a bound on turns that should never be reached.
    rounds: u8,
    /// Looking once more after an absence.
    looks: u8,
    /// Asking anew after a fill broke before its head.
    retries: u8,
    /// Following somebody with another credential.
    followed_stranger: bool,
}

/// One attempt at a miss.
enum Attempt {
    /// It came to an end.
    Done(Result<Served, ProxyError>),
    /// The tiers or the table hold something new.
    Again,
    /// What there is to follow is no use to this caller.
    Alone,
}

impl Proxy {
    /// Serves an artifact.
    ///
    /// Cancel-safe: fills run on without the one who began them.
    pub async fn get(self: &Arc<Self>, ask: &Ask) -> Result<Served, ProxyError> {
        self.serve(ask).await.map_err(|error| self.as_told(error))
    }

    async fn serve(self: &Arc<Self>, ask: &Ask) -> Result<Served, ProxyError> {
        self.access.admits(&ask.question(), Right::Read)?;
        let mut patience = Patience {
            rounds: 5,
            looks: 1,
            retries: 1,
            followed_stranger: false,
        };
        loop {
            patience.rounds = patience.rounds.saturating_sub(1);
            if let Some(found) = self.tiers.lookup(&ask.key.digest).await
                && let Some(served) = self.serve_hit(ask, found).await
            {
                return served;
            }
            if self.upstream.is_none() {
                return Err(ProxyError::Absent);
            }
            let attempt = match self.serve_miss(ask, &mut patience).await {
                Attempt::Again if patience.rounds == 0 => Attempt::Alone,
                attempt => attempt,
            };
            match attempt {
                Attempt::Done(served) => return served,
                Attempt::Again => {}
                Attempt::Alone => return self.fetch_alone(ask).await,
            }
        }
    }

    /// Serves what a tier holds, if this caller may have it; `None` where it turned out damaged,
    /// which is a miss.
    async fn serve_hit(
        self: &Arc<Self>,
        ask: &Ask,
        found: Found,
    ) -> Option<Result<Served, ProxyError>> {
        let grace = match self.access.may_read(&ask.question()).await {
            Decision::Allowed { grace } => grace,
            other => return Some(not_allowed(other)),
        };
        let Artifact { meta, tier, body } = found.open().await.ok()?;
        let reply = Reply::Artifact {
            fields: meta.label.fields.clone(),
            length: Some(meta.size),
            body: ServedBody::from(body),
        };
        self.count_saved(&meta.label.fields, meta.size);
        Some(Ok(Served {
            outcome: Outcome::Hit { tier, grace },
            reply,
        }))
    }

    async fn serve_miss(self: &Arc<Self>, ask: &Ask, patience: &mut Patience) -> Attempt {
        let follower = match self.flights.join(ask.key.digest, ask.caller.digest()) {
            Joined::Lead(lead, follower) => {
                self.lead(ask, lead, LookAgain::Yes);
                return self.follow(ask, &follower, Outcome::Filled, patience).await;
            }
            Joined::Follow(follower) => follower,
        };
        if follower.leader() == ask.caller.digest() {
            return self
                .follow(ask, &follower, Outcome::Collapsed, patience)
                .await;
        }
        if patience.followed_stranger {
            return Attempt::Alone;
        }
        self.follow_stranger(ask, &follower, patience).await
    }

    /// Follows a fill that runs under this caller's own credential.
    async fn follow(
        &self,
        ask: &Ask,
        follower: &Follower,
        outcome: Outcome,
        patience: &mut Patience,
    ) -> Attempt {
        match head_of(follower).await {
            Head::Open(opening) => self.serve_opening(ask, opening, outcome).await,
            // An upload may have been accepted since the upstream was asked.
            Head::Absent(_) if patience.looks > 0 && self.is_here(ask).await => {
                patience.looks -= 1;
                Attempt::Again
            }
            Head::Absent(answer) => Attempt::Done(Ok(Served {
                outcome: Outcome::Absent,
                reply: Reply::Relayed(answer),
            })),
            Head::Refused(answer) => {
                let outcome = Outcome::Refused(answer.code());
                Attempt::Done(Ok(Served {
                    outcome,
                    reply: Reply::Relayed(answer),
                }))
            }
            Head::LookAgain => Attempt::Again,
            Head::Failed(Failure::Cut) if patience.retries > 0 => {
                patience.retries -= 1;
                Attempt::Again
            }
            Head::Failed(failure) => Attempt::Done(Err(ProxyError::Unanswered(failure))),
            Head::Asking => Attempt::Done(Err(ProxyError::Unanswered(Failure::Timeout))),
        }
    }

    /// Follows a fill that runs under somebody else's credential, up to its head and only once.
    ///
    /// The bytes are for whoever is proven; an absence counts only where the leader is; a refusal is
    /// the leader's own affair.
    async fn follow_stranger(
        self: &Arc<Self>,
        ask: &Ask,
        follower: &Follower,
        patience: &mut Patience,
    ) -> Attempt {
        let head = head_of(follower).await;
        if let Head::Open(opening) = head {
            return match self.access.may_read(&ask.question()).await {
                Decision::Allowed { .. } => {
                    self.serve_opening(ask, opening, Outcome::Collapsed).await
                }
                other => Attempt::Done(not_allowed(other)),
            };
        }
        let leader_is_proven = || {
            self.access
                .is_proven(follower.leader(), ask.key.scope.digest(), Right::Read)
        };
        if matches!(head, Head::Absent(_)) && !(leader_is_proven() && self.is_proven(ask))
            || matches!(head, Head::Refused(_))
        {
            patience.followed_stranger = true;
            return Attempt::Again;
        }
        self.follow(ask, follower, Outcome::Collapsed, patience)
            .await
    }

    /// Fetches outside the table, where nobody can follow.
    async fn fetch_alone(self: &Arc<Self>, ask: &Ask) -> Result<Served, ProxyError> {
        let (lead, follower) = self.flights.alone(ask.key.digest, ask.caller.digest());
        self.lead(ask, lead, LookAgain::No);
        let mut patience = Patience {
            rounds: 0,
            looks: 0,
            retries: 0,
            followed_stranger: true,
        };
        match self
            .follow(ask, &follower, Outcome::Filled, &mut patience)
            .await
        {
            Attempt::Done(served) => served,
            Attempt::Again | Attempt::Alone => Err(ProxyError::Unanswered(Failure::Cut)),
        }
    }

    /// Runs the fill as nobody's: clients come and go.
    fn lead(self: &Arc<Self>, ask: &Ask, lead: Lead, look_again: LookAgain) {
        let (proxy, ask) = (Arc::clone(self), ask.clone());
        self.tasks.spawn(async move {
            let key = ask.key.clone();
            fill(proxy.filling(look_again), lead, key, proxy.fetch(ask)).await;
        });
    }

    /// Asks the upstream with the caller's own credential: the fetch is the judgement.
    async fn fetch(self: Arc<Self>, ask: Ask) -> Source<UpstreamBody> {
        let (caller, scope) = (ask.caller.digest(), ask.key.scope.digest());
        match self.upstream.fetch(ask.request).await {
            Fetched::Found(found) => {
                self.access.learn_read(caller, scope);
                // An artifact described by more than an entry holds is served with what fits: none.
                let fields = Fields::pick(&found.headers).unwrap_or_default();
                Source::Found {
                    label: Label::new(&ask.key, fields),
                    length: found.length,
                    body: found.body,
                }
            }
            Fetched::Absent(answer) => Source::Absent(answer),
            Fetched::Refused(answer) => {
                self.access.learn(caller, scope, Right::Read, &answer);
                Source::Refused(answer)
            }
            Fetched::Failed(failure) => Source::Failed(failure),
        }
    }

    async fn serve_opening(&self, ask: &Ask, opening: Opening, outcome: Outcome) -> Attempt {
        let outcome = match (opening.whole_length(), opening.bypass) {
            // Every byte is here and about to rest: nothing is being waited for.
            (Some(_), None) if outcome == Outcome::Collapsed => Outcome::Hit {
                tier: resting_in(&opening),
                grace: false,
            },
            (_, Some(bypass)) if outcome == Outcome::Filled => Outcome::Bypassed(bypass),
            _ => outcome,
        };
        // A window whose first bytes have gone by: whoever comes now fetches anew.
        let Some(mut reader) = opening.reader() else {
            return Attempt::Alone;
        };
        let mut length = opening.length.or_else(|| opening.whole_length());
        if ask.needs_length && length.is_none() {
            match reader.whole().await {
                Ok(whole) => length = Some(whole),
                Err(_) => return Attempt::Done(Err(ProxyError::Unanswered(Failure::Cut))),
            }
        }
        if matches!(outcome, Outcome::Hit { .. }) {
            self.count_saved(&opening.label.fields, length.unwrap_or_default());
        }
        let body = ServedBody::Spool(reader);
        Attempt::Done(Ok(Served {
            outcome,
            reply: Reply::Artifact {
                fields: opening.label.fields.clone(),
                length,
                body,
            },
        }))
    }

    async fn is_here(&self, ask: &Ask) -> bool {
        self.tiers.lookup(&ask.key.digest).await.is_some()
    }

    fn is_proven(&self, ask: &Ask) -> bool {
        self.access
            .is_proven(ask.caller.digest(), ask.key.scope.digest(), Right::Read)
    }

    fn count_saved(&self, fields: &Fields, size: u64) {
        self.metrics.saved_bytes.inc_by(size);
        if let Some(duration) = fields.duration() {
            self.metrics.saved_seconds.inc_by(duration.as_secs_f64());
        }
    }
}

/// What becomes of a hit that this caller may not have: nothing about it shows.
pub(super) fn not_allowed(decision: Decision) -> Result<Served, ProxyError> {
    match decision {
        Decision::Denied(denial) => Err(ProxyError::Denied(denial)),
        Decision::Refused(answer) => Ok(Served {
            outcome: Outcome::Refused(answer.code()),
            reply: Reply::Relayed(answer),
        }),
        Decision::Absent(answer) => Ok(Served {
            outcome: Outcome::Absent,
            reply: Reply::Relayed(answer),
        }),
        Decision::Unknown(failure) => Err(ProxyError::Unanswered(failure)),
        Decision::Allowed { .. } => Err(ProxyError::Absent),
    }
}

async fn head_of(follower: &Follower) -> Head {
    timeout(HEAD_WAIT, follower.head())
        .await
        .unwrap_or(Head::Asking)
}

fn resting_in(opening: &Opening) -> Tier {
    if opening.is_filed() {
        Tier::Disk
    } else {
        Tier::Memory
    }
}
