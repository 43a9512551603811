//! Asking the upstream about a caller: by one `HEAD` of the very artifact, once for everybody who
//! waits, and not at all for a moment after it could not be asked.

use std::sync::Arc;

use tokio::time::{Duration, Instant, timeout};

use super::evidence::{Evidence, weigh};
use super::probes::Told;
use super::verdicts::{Remembered, Subject};
use super::{Access, Decision, Question};
use crate::artifact::{Answer, Failure};
use crate::config::AccessMode;
use crate::metrics::{Ground, Verdict};
use crate::upstream::{ArtifactRequest, Fetched};

/// How long the accepted are served on grace before the upstream is asked again after it could not
/// be: an outage must not cost every hit a budget.
const PROBE_PAUSE: Duration = Duration::from_secs(2);

/// What is remembered of a caller, as an answer to its question.
pub(super) enum Recalled {
    /// It is one.
    Decided(Decision),
    /// It is none: the upstream has to be asked.
    Open {
        /// Accepted once, and its time is up.
        lapsed: bool,
    },
}

impl Access {
    /// Decides by what the upstream said before, where that is enough.
    pub(super) fn as_the_upstream_judged(self: &Arc<Self>, question: &Question<'_>) -> Recalled {
        let subject = question.subject();
        match question.standing.recall(&self.verdicts, subject) {
            Remembered::Accepted { renew } => {
                self.count(Verdict::Accepted, Ground::Memory);
                if renew {
                    self.renew(subject, question.outgoing.request());
                }
                Recalled::Decided(Decision::Allowed { grace: false })
            }
            Remembered::Refused(answer) => {
                self.count(Verdict::Refused, Ground::Memory);
                Recalled::Decided(Decision::Refused(answer))
            }
            Remembered::Lapsed if self.is_unaskable(subject) => {
                self.count(Verdict::Grace, Ground::Memory);
                Recalled::Decided(Decision::Allowed { grace: true })
            }
            Remembered::Lapsed => Recalled::Open { lapsed: true },
            Remembered::Unknown => Recalled::Open { lapsed: false },
        }
    }

    /// What the upstream said a moment ago to whoever may not read, for a miss as for a hit: by an
    /// answer that comes sooner for what is here, a stranger would learn what is.
    ///
    /// Nothing where it does not judge: whom it refused elsewhere may be spoken for by somebody else.
    pub fn recent_refusal(&self, question: &Question<'_>) -> Option<Answer> {
        if question.judge != AccessMode::Upstream {
            return None;
        }
        let refusal = self.verdicts.recent_refusal(question.subject());
        if refusal.is_some() {
            self.count(Verdict::Refused, Ground::Memory);
        }
        refusal
    }

    /// Asks once for everybody who waits for the same verdict.
    pub(super) async fn ask(self: &Arc<Self>, question: &Question<'_>, lapsed: bool) -> Decision {
        let (subject, request) = (question.subject(), question.outgoing.request());
        let asking = || self.question(subject, &request, lapsed);
        let told = self.probes.once(subject, question.key.digest, asking).await;
        let decision = Self::conclude(told, lapsed);
        let verdict = match &decision {
            Decision::Allowed { grace: false } => Verdict::Accepted,
            Decision::Allowed { grace: true } => Verdict::Grace,
            Decision::Refused(_) => Verdict::Refused,
            Decision::Absent(_) | Decision::Unknown(_) => Verdict::Unknown,
        };
        self.count(verdict, Ground::Probe);
        decision
    }

    /// Puts the question, unless it was answered between this caller's look and its turn, and
    /// learns from the answer before anybody else can have a turn.
    pub(super) async fn question(
        &self,
        subject: Subject,
        request: &ArtifactRequest,
        lapsed: bool,
    ) -> Told {
        if self.verdicts.is_proven(subject) {
            return Told::Present;
        }
        // Whoever has a grace need not wait for what somebody else has just waited for in vain.
        if lapsed && self.is_unaskable(subject) {
            return Told::Failed(Failure::Timeout);
        }
        let asked = Instant::now();
        let told = self.state(request).await;
        match &told {
            Told::Present => self.accept(subject, asked),
            Told::Refused(answer) => {
                self.learn_of(subject, asked, answer);
                // A limit is that caller's, or that team's: others are asked about all the same.
                if Self::could_not_be_asked(&told) {
                    self.pause(Some(subject));
                }
            }
            // It proves nothing, but an origin that hides a team looks just like this, and a gateway
            // that no longer knows the caller.
            Told::Absent(_) | Told::Failed(Failure::Page) => {
                self.verdicts.withdraw_lapsed(subject);
            }
            Told::Failed(Failure::Timeout | Failure::Unreachable) => self.pause(None),
            Told::Failed(
                Failure::Error | Failure::Cut | Failure::Limited | Failure::Credential,
            ) => {
                self.pause(Some(subject));
            }
        }
        told
    }

    /// What the upstream says of an artifact, in full.
    async fn state(&self, request: &ArtifactRequest) -> Told {
        match Told::from(self.upstream.probe(request.clone()).await) {
            Told::Refused(answer) => self.in_full(answer, request).await,
            told => told,
        }
    }

    /// A refusal of `HEAD` has no words, and the words decide: whether it is about the caller or
    /// about a limit, and what the client is shown.
    pub(super) async fn in_full(&self, refusal: Answer, request: &ArtifactRequest) -> Told {
        if !refusal.body().is_empty() {
            return Told::Refused(refusal);
        }
        let budget = self.upstream.probe_time().unwrap_or_default();
        match timeout(budget, self.upstream.fetch(request)).await {
            Ok(Fetched::Found(_)) => Told::Present,
            Ok(Fetched::Absent(answer)) => Told::Absent(answer),
            Ok(Fetched::Refused(answer)) => Told::Refused(answer),
            Ok(Fetched::Failed(_)) | Err(_) => Told::Refused(refusal),
        }
    }

    fn pause(&self, whom: Option<Subject>) {
        self.unaskable
            .lock()
            .insert(whom, Instant::now() + PROBE_PAUSE);
    }

    fn could_not_be_asked(told: &Told) -> bool {
        match told {
            Told::Refused(answer) => {
                weigh(answer.code(), answer.body()) == Evidence::CouldNotBeAsked
            }
            Told::Failed(failure) => *failure != Failure::Page,
            Told::Present | Told::Absent(_) => false,
        }
    }

    fn conclude(told: Told, lapsed: bool) -> Decision {
        let could_not_be_asked = Self::could_not_be_asked(&told);
        match told {
            _ if lapsed && could_not_be_asked => Decision::Allowed { grace: true },
            Told::Present => Decision::Allowed { grace: false },
            Told::Refused(answer) => Decision::Refused(answer),
            Told::Absent(answer) => Decision::Absent(answer),
            Told::Failed(failure) => Decision::Unknown(failure),
        }
    }

    fn is_unaskable(&self, subject: Subject) -> bool {
        let mut unaskable = self.unaskable.lock();
        [None, Some(subject)].iter().any(|whom| {
            unaskable
                .get(whom)
                .is_some_and(|until| Instant::now() < *until)
        })
    }

    /// Renews an acceptance whose time is nearly up, while nobody waits.
    fn renew(self: &Arc<Self>, subject: Subject, request: ArtifactRequest) {
        let access = Arc::clone(self);
        self.tasks.spawn(async move {
            let asked = Instant::now();
            match access.state(&request).await {
                Told::Present => access.accept(subject, asked),
                Told::Refused(answer) => access.learn_of(subject, asked, &answer),
                // An absence says nothing while the acceptance is fresh.
                Told::Absent(_) | Told::Failed(_) => {}
            }
        });
    }
}
