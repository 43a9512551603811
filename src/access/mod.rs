//! May this caller read this team's artifacts?
//!
//! A hit rests on evidence that the upstream accepted *this* caller for *this* scope: a 2xx on an
//! artifact route, remembered for a while, or one `HEAD` of the very artifact. Everything else is
//! no hit. Where the operator says so, a list kept here decides instead, or nobody.

mod asking;
mod evidence;
mod ledger;
mod oidc;
mod own;
mod probes;
mod roster;
mod standing;
mod teams;
mod tokens;
mod verdicts;
#[cfg(test)]
mod verdicts_tests;

use std::sync::Arc;

use hashlink::LruCache;
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::Instant;

pub use evidence::{Evidence, Right, weigh};
pub use oidc::judge_job;
pub use own::Admitted;
pub use roster::Presented;
pub use standing::Standing;
pub use tokens::Denial;

use self::asking::Recalled;
use self::oidc::Means;
use self::own::Own;
use self::probes::{Probes, Told};
use self::roster::Roster;
use self::tokens::Known;
use self::verdicts::{Subject, Verdicts};
use crate::artifact::{Answer, ArtifactKey, Failure, Landed, ScopeDigest};
use crate::caller::{Caller, CallerDigest};
use crate::config::{self, AccessMode, Config};
use crate::metrics::{Ground, Metrics, Verdict};
use crate::tasks::Tasks;
use crate::upstream::{Outgoing, Upstream};

/// Pauses remembered; one that is forgotten costs a question.
const MAX_PAUSES: usize = 1024;

/// Judges callers.
pub struct Access {
    /// The operator's list, where it judges anybody.
    roster: Option<Roster>,
    /// Whether the upstream judges anybody.
    asks_upstream: bool,
    own: Option<Arc<Own>>,
    verdicts: Verdicts,
    probes: Probes,
    upstream: Arc<Upstream>,
    metrics: Arc<Metrics>,
    tasks: Tasks,
    /// Until when nobody is asked about a subject; under `None`, about anybody.
    unaskable: Mutex<LruCache<Option<Subject>, Instant>>,
    changed: Notify,
}

/// Who asks for what, having been [let in](Access::admit).
#[derive(Debug)]
pub struct Question<'a> {
    /// Who asks.
    pub caller: &'a Caller,
    /// Who judges it, where it came in.
    pub judge: AccessMode,
    /// With what it was let in.
    pub admitted: &'a Admitted,
    /// What is remembered of its verdict for this scope.
    pub standing: &'a Standing,
    /// For which artifact.
    pub key: &'a ArtifactKey,
    /// How the upstream would be asked.
    pub outgoing: &'a Outgoing,
    /// When the request came: what the upstream says to it may be as old as that.
    pub since: Instant,
}

/// May they?
#[derive(Clone, Debug)]
pub enum Decision {
    /// Yes; `grace` where the acceptance outlived its time because the upstream cannot be asked.
    Allowed {
        /// Accepted before, and the upstream cannot be asked now.
        grace: bool,
    },
    /// The upstream says no, in these words.
    Refused(Answer),
    /// The upstream has no such artifact for this caller.
    Absent(Answer),
    /// A stranger, and the upstream cannot be asked.
    Unknown(Failure),
}

// === impl Question ===

impl Question<'_> {
    fn subject(&self) -> Subject {
        Subject {
            caller: self.caller.digest(),
            scope: self.key.scope.digest(),
            right: Right::Read,
        }
    }
}

// === impl Access ===

impl Access {
    /// Judges as configured, asking `upstream` where it is the judge; `own` speaks there for whoever
    /// it does not judge.
    pub fn new(
        config: &Config,
        own: Option<Caller>,
        upstream: Arc<Upstream>,
        metrics: Arc<Metrics>,
        tasks: Tasks,
    ) -> Arc<Self> {
        let roster = config.has(AccessMode::Tokens).then(|| {
            let means = Means {
                upstream: Arc::clone(&upstream),
                metrics: Arc::clone(&metrics),
                tasks: tasks.clone(),
            };
            Roster::new(&config.access.roster, means)
        });
        let own = own.map(|credential| Arc::new(Own::new(credential, Arc::clone(&metrics))));
        Arc::new(Self {
            roster,
            asks_upstream: config.has(AccessMode::Upstream),
            own,
            verdicts: Verdicts::new(config.access.verdict_ttl, config.access.offline_grace),
            probes: Probes::default(),
            upstream,
            metrics,
            tasks,
            unaskable: Mutex::new(LruCache::new(MAX_PAUSES)),
            changed: Notify::new(),
        })
    }

    /// Whether a list judges anybody.
    pub fn has_roster(&self) -> bool {
        self.roster.is_some()
    }

    /// Judges by another list from the next request on, where a list judges.
    pub fn replace_roster(&self, listed: &config::Roster) {
        if let Some(roster) = &self.roster {
            roster.replace(listed);
        }
    }

    /// Speaks with another credential from the next request on, where Larder has one of its own.
    pub fn replace_own(&self, credential: Caller) {
        if let Some(own) = &self.own {
            own.replace(credential);
        }
    }

    /// Lets a caller in, for one request with this raw query, by what is known here: before anything
    /// is looked up or asked of anybody.
    ///
    /// Where the upstream judges, everybody is let in: it has yet to be asked.
    pub async fn admit(
        &self,
        judge: AccessMode,
        presented: Presented<'_>,
        query: &str,
        right: Right,
    ) -> Result<Admitted, Denial> {
        let counted = match judge {
            AccessMode::Tokens => {
                let roster = self.roster.as_ref().ok_or(Denial::UnknownToken)?;
                roster.admit(presented, query, right).await?
            }
            AccessMode::Upstream | AccessMode::Open => Known::default(),
        };
        Ok(Admitted::new(self.speaker(judge), counted))
    }

    /// Whether Larder speaks upstream for whoever has this judge.
    pub fn speaks_for(&self, judge: AccessMode) -> bool {
        self.speaker(judge).is_some()
    }

    /// Larder's own credential, for whom it speaks: whom the upstream judges it must hear itself.
    fn speaker(&self, judge: AccessMode) -> Option<&Arc<Own>> {
        match judge {
            AccessMode::Upstream => None,
            AccessMode::Tokens | AccessMode::Open => self.own.as_ref(),
        }
    }

    /// Whether requests that are about no artifact may be passed on: not where a credential of
    /// Larder's own speaks for everybody, nor with tokens that are no upstream's.
    pub fn passes_on(&self, judge: AccessMode) -> Result<(), Denial> {
        if self.speaks_for(judge) {
            Err(Denial::OtherRoute)
        } else {
            Ok(())
        }
    }

    /// Decides whether a hit may be served, where that needs nobody to be asked.
    pub fn recall_read(self: &Arc<Self>, question: &Question<'_>) -> Option<Decision> {
        match self.recall(question) {
            Recalled::Decided(decision) => Some(decision),
            Recalled::Open { .. } => None,
        }
    }

    /// Decides whether a hit may be served.
    pub async fn may_read(self: &Arc<Self>, question: &Question<'_>) -> Decision {
        match self.recall(question) {
            Recalled::Decided(decision) => decision,
            // In a box: most are decided, and are not to carry the room for a question.
            Recalled::Open { lapsed } => Box::pin(self.ask(question, lapsed)).await,
        }
    }

    /// Decides without asking anybody, where that can be.
    fn recall(self: &Arc<Self>, question: &Question<'_>) -> Recalled {
        match question.judge {
            // It was let in, and that was all there is to judge.
            AccessMode::Tokens | AccessMode::Open => {
                Recalled::Decided(Decision::Allowed { grace: false })
            }
            AccessMode::Upstream => self.as_the_upstream_judged(question),
        }
    }

    /// Whether who asks is known to have this right: accepted by the upstream a while ago, or let in
    /// by a list. Where nobody judges everybody has it, unless the upstream judges others: what those
    /// are served must not come from whom it has not accepted.
    pub fn is_proven(&self, question: &Question<'_>, right: Right) -> bool {
        match question.judge {
            AccessMode::Tokens => true,
            AccessMode::Open if !self.asks_upstream => true,
            AccessMode::Open | AccessMode::Upstream => self.verdicts.is_proven(Subject {
                right,
                ..question.subject()
            }),
        }
    }

    /// Whether what the upstream has not for one who speaks there it has not for the other: a
    /// stranger's 404 must not become a member's miss.
    ///
    /// What is asked with Larder's own credential, or where nobody judges, proves nobody.
    pub fn share_absences(&self, speakers: [CallerDigest; 2], scope: ScopeDigest) -> bool {
        let [one, other] = speakers;
        let is_accepted = |caller| {
            self.verdicts.is_proven(Subject {
                caller,
                scope,
                right: Right::Read,
            })
        };
        one == other || (is_accepted(one) && is_accepted(other))
    }

    /// Learns from the upstream's answer to an artifact request, where it is the judge.
    ///
    /// Elsewhere its answers say nothing of the caller, and must not be taken for its word later.
    pub fn learn(&self, question: &Question<'_>, right: Right, answer: &Answer) {
        if question.judge == AccessMode::Upstream {
            let subject = Subject {
                right,
                ..question.subject()
            };
            self.learn_of(subject, question.since, answer);
        }
    }

    fn learn_of(&self, subject: Subject, asked: Instant, answer: &Answer) {
        match weigh(answer.code(), answer.body()) {
            Evidence::Proves => return self.accept(subject, asked),
            Evidence::RevokesCaller => self.verdicts.revoke_caller(subject, answer.clone()),
            Evidence::RevokesRight => self.verdicts.revoke_right(subject, answer.clone()),
            Evidence::CouldNotBeAsked | Evidence::Nothing => return,
        }
        self.changed.notify_one();
    }

    /// Learns from a refusal that came without words, as those of `HEAD` do: asks for them first,
    /// since they decide what it says. Returns the refusal in full.
    pub async fn learn_stated(&self, question: &Question<'_>, refusal: Answer) -> Answer {
        let refusal = match self
            .in_full(refusal.clone(), &question.outgoing.request())
            .await
        {
            Told::Refused(in_full) => in_full,
            Told::Present | Told::Absent(_) | Told::Failed(_) => return refusal,
        };
        self.learn(question, Right::Read, &refusal);
        refusal
    }

    /// Asks whether a caller whose upload was accepted may read it too, while nobody waits.
    ///
    /// An accepted upload proves nothing about reading, and without this a team that only uploaded
    /// would be strangers to its own artifacts in the next outage.
    pub fn prove_read(self: &Arc<Self>, question: &Question<'_>) {
        let subject = question.subject();
        let asks = question.judge == AccessMode::Upstream;
        if asks && !self.verdicts.is_proven(subject) {
            let (access, key) = (Arc::clone(self), question.key.digest);
            let request = question.outgoing.request();
            self.tasks.spawn(async move {
                let asking = || access.question(subject, &request, false);
                access.probes.once(subject, key, asking).await;
            });
        }
    }

    /// Learns that the upstream gave the caller an artifact.
    pub fn learn_read(&self, question: &Question<'_>) {
        question.admitted.was_served();
        if question.judge == AccessMode::Upstream {
            self.accept(question.subject(), question.since);
        }
    }

    /// Completes when there is something new to write down.
    ///
    /// Cancel-safe.
    pub async fn changed(&self) {
        self.changed.notified().await;
    }

    /// What is remembered of callers, to be kept over a restart; holds no token.
    pub fn to_bytes(&self) -> Vec<u8> {
        ledger::encode(
            &self.upstream.origin_id(),
            &self.verdicts.records(Landed::now().as_secs()),
        )
    }

    /// Takes back what [`Access::to_bytes`] gave: good while the upstream cannot be asked, and
    /// asked about as soon as it can. What another upstream said counts for nothing.
    pub fn restore(&self, bytes: &[u8]) {
        let records = ledger::decode(&self.upstream.origin_id(), bytes);
        self.verdicts.restore(&records, Landed::now().as_secs());
    }

    fn count(&self, verdict: Verdict, ground: Ground) {
        self.metrics.verdicts.count(verdict, ground);
    }

    fn accept(&self, subject: Subject, asked: Instant) {
        if self.verdicts.accept(subject, asked) {
            self.changed.notify_one();
        }
    }
}

impl std::fmt::Debug for Access {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Access")
            .field("roster", &self.roster)
            .field("asks_upstream", &self.asks_upstream)
            .finish_non_exhaustive()
    }
}
