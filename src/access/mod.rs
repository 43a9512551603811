//! May this caller read this team's artifacts?
//!
//! A hit rests on evidence that the upstream accepted *this* caller for *this* scope: a 2xx on an
//! artifact route, remembered for a while, or one `HEAD` of the very artifact. Everything else is
//! no hit. Standalone, a list kept here decides, or nobody.

mod asking;
mod evidence;
mod ledger;
mod probes;
mod tokens;
mod verdicts;

use std::sync::Arc;

use hashlink::LruCache;
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::Instant;

pub use evidence::{Evidence, Right, weigh};
pub use tokens::Denial;

use self::probes::{Probes, Told};
use self::verdicts::{Subject, Verdicts};
use crate::artifact::{Answer, ArtifactKey, Failure, Landed, ScopeDigest};
use crate::caller::{Caller, CallerDigest};
use crate::config::{self, AccessMode};
use crate::metrics::Metrics;
use crate::tasks::Tasks;
use crate::upstream::{ArtifactRequest, Upstream};

/// Pauses remembered; one that is forgotten costs a question.
const MAX_PAUSES: usize = 1024;

/// Judges callers.
pub struct Access {
    mode: AccessMode,
    verdicts: Verdicts,
    probes: Probes,
    upstream: Arc<Upstream>,
    metrics: Arc<Metrics>,
    tasks: Tasks,
    /// Until when nobody is asked about a subject; under `None`, about anybody.
    unaskable: Mutex<LruCache<Option<Subject>, Instant>>,
    changed: Notify,
}

/// Who asks for what.
#[derive(Debug)]
pub struct Question<'a> {
    /// Who asks.
    pub caller: &'a Caller,
    /// For which artifact.
    pub key: &'a ArtifactKey,
    /// The request's raw query.
    pub query: &'a str,
    /// How the upstream would be asked.
    pub request: &'a ArtifactRequest,
}

/// May they?
#[derive(Clone, Debug)]
pub enum Decision {
    /// Yes; `grace` where the acceptance outlived its time because the upstream cannot be asked.
    Allowed {
        /// Accepted before, and the upstream cannot be asked now.
        grace: bool,
    },
    /// The list here says no.
    Denied(Denial),
    /// The upstream says no, in these words.
    Refused(Answer),
    /// The upstream has no such artifact for this caller.
    Absent(Answer),
    /// A stranger, and the upstream cannot be asked.
    Unknown(Failure),
}

// === impl Access ===

impl Access {
    /// Judges as configured, asking `upstream` where it is the judge.
    pub fn new(
        config: &config::Access,
        upstream: Arc<Upstream>,
        metrics: Arc<Metrics>,
        tasks: Tasks,
    ) -> Arc<Self> {
        Arc::new(Self {
            mode: config.mode.clone(),
            verdicts: Verdicts::new(config.verdict_ttl, config.offline_grace),
            probes: Probes::default(),
            upstream,
            metrics,
            tasks,
            unaskable: Mutex::new(LruCache::new(MAX_PAUSES)),
            changed: Notify::new(),
        })
    }

    /// Whether callers are judged at all.
    pub fn is_open(&self) -> bool {
        matches!(self.mode, AccessMode::Open)
    }

    /// Judges a caller by what is kept here, before anything is asked of anybody.
    pub fn admits(&self, question: &Question<'_>, right: Right) -> Result<(), Denial> {
        let AccessMode::Tokens(list) = &self.mode else {
            return Ok(());
        };
        let judged = tokens::judge(list, question.caller, question.query, right);
        self.metrics.verdict(
            if judged.is_ok() {
                "accepted"
            } else {
                "refused"
            },
            "list",
        );
        judged
    }

    /// Judges a token for the routes that are about no single artifact.
    pub fn admits_query(&self, caller: &Caller, query: &str) -> Result<(), Denial> {
        let AccessMode::Tokens(list) = &self.mode else {
            return Ok(());
        };
        tokens::judge(list, caller, query, Right::Read)
    }

    /// Decides whether a hit may be served.
    pub async fn may_read(self: &Arc<Self>, question: &Question<'_>) -> Decision {
        match &self.mode {
            AccessMode::Open => Decision::Allowed { grace: false },
            AccessMode::Tokens(list) => {
                match tokens::judge(list, question.caller, question.query, Right::Read) {
                    Ok(()) => Decision::Allowed { grace: false },
                    Err(denial) => Decision::Denied(denial),
                }
            }
            AccessMode::Upstream => self.as_the_upstream_judges(question).await,
        }
    }

    /// Whether the upstream's acceptance of a caller for this right is fresh.
    pub fn is_proven(&self, caller: CallerDigest, scope: ScopeDigest, right: Right) -> bool {
        match &self.mode {
            AccessMode::Open | AccessMode::Tokens(_) => true,
            AccessMode::Upstream => self.verdicts.is_proven(Subject {
                caller,
                scope,
                right,
            }),
        }
    }

    /// Learns from the upstream's answer to an artifact request.
    pub fn learn(&self, caller: CallerDigest, scope: ScopeDigest, right: Right, answer: &Answer) {
        let subject = Subject {
            caller,
            scope,
            right,
        };
        match weigh(answer.code(), answer.body()) {
            Evidence::Proves => self.accept(subject),
            Evidence::RevokesCaller => self.verdicts.revoke_caller(subject, answer.clone()),
            Evidence::RevokesRight => self.verdicts.revoke_right(subject, answer.clone()),
            Evidence::CouldNotBeAsked | Evidence::Nothing => return,
        }
        self.changed.notify_one();
    }

    /// Learns from a refusal that came without words, as those of `HEAD` do: asks for them first,
    /// since they decide what it says. Returns the refusal in full.
    pub async fn learn_stated(&self, question: &Question<'_>, refusal: Answer) -> Answer {
        let refusal = match self.in_full(refusal.clone(), question.request).await {
            Told::Refused(in_full) => in_full,
            Told::Present | Told::Absent(_) | Told::Failed(_) => return refusal,
        };
        let (caller, scope) = (question.caller.digest(), question.key.scope.digest());
        self.learn(caller, scope, Right::Read, &refusal);
        refusal
    }

    /// Asks whether a caller whose upload was accepted may read it too, while nobody waits.
    ///
    /// An accepted upload proves nothing about reading, and without this a team that only uploaded
    /// would be strangers to its own artifacts in the next outage.
    pub fn prove_read(self: &Arc<Self>, question: &Question<'_>) {
        let (caller, scope) = (question.caller.digest(), question.key.scope.digest());
        let asks = matches!(self.mode, AccessMode::Upstream);
        if asks && !self.is_proven(caller, scope, Right::Read) {
            let (access, key) = (Arc::clone(self), question.key.digest);
            let (subject, request) = (
                Subject {
                    caller,
                    scope,
                    right: Right::Read,
                },
                question.request.clone(),
            );
            self.tasks.spawn(async move {
                let asking = || access.question(subject, &request, false);
                access.probes.once(subject, key, asking).await;
            });
        }
    }

    /// Learns that the upstream gave the caller an artifact.
    pub fn learn_read(&self, caller: CallerDigest, scope: ScopeDigest) {
        self.accept(Subject {
            caller,
            scope,
            right: Right::Read,
        });
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

    fn accept(&self, subject: Subject) {
        if self.verdicts.accept(subject) {
            self.changed.notify_one();
        }
    }
}

impl std::fmt::Debug for Access {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Access")
            .field("mode", &self.mode)
            .finish_non_exhaustive()
    }
}
