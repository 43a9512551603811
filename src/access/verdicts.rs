//! What the upstream thought of callers: acceptances with a lifetime, refusals for seconds.
//!
//! The two live in tables of their own, so that garbage tokens cannot push acceptances out. Both are
//! bounded; neither knows a token, only keyed digests.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

use hashlink::LruCache;
use parking_lot::Mutex;
use tokio::time::{Duration, Instant};

use super::evidence::{Right, is_beyond_doubt};
use super::ledger::{MAX_RECORDS, Record};
use crate::artifact::{Answer, ScopeDigest};
use crate::caller::CallerDigest;

/// Callers whose acceptances are remembered.
pub(super) const MAX_CALLERS: usize = 16 * 1024;
/// Scopes and rights remembered for one caller: teams are few.
const MAX_RIGHTS: usize = 64;
/// Refusals remembered.
pub(super) const MAX_REFUSALS: usize = 1024;
/// Longest refusal remembered, in bytes: an error in the API's shape is a few hundred.
const MAX_REFUSAL: usize = 4 * 1024;
/// How long a refusal spares the upstream the same question.
pub(super) const REFUSAL_TTL: Duration = Duration::from_secs(5);

/// What is remembered of callers.
pub(super) struct Verdicts {
    ttl: Duration,
    grace: Duration,
    accepted: Mutex<LruCache<CallerDigest, Rights>>,
    pub(super) refused: Mutex<LruCache<Subject, (Instant, Answer)>>,
    /// Taken before `accepted`, and held over what is changed there: neither a yes nor a no slips in
    /// between the other's look and its deed.
    revoked: Mutex<Revocations>,
}

/// When something was last revoked of callers.
struct Revocations {
    last: LruCache<CallerDigest, Instant>,
    /// When that was for whoever is no longer remembered, at the latest.
    forgotten: Option<Instant>,
}

/// What one caller was accepted for.
type Rights = LruCache<(ScopeDigest, Right), Arc<Acceptance>>;

/// Who, for which scope, with which right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Subject {
    pub(super) caller: CallerDigest,
    pub(super) scope: ScopeDigest,
    pub(super) right: Right,
}

/// A remembered yes: an absolute lifetime, never extended by use.
///
/// The table alone keeps it: what is taken out of there is over, whoever holds a handle.
#[derive(Debug)]
pub(super) struct Acceptance {
    given: Instant,
    /// How old it was then already; what was read back from a file is not from this process.
    age_then: Duration,
    is_renewing: AtomicBool,
}

/// What memory says of a subject.
#[derive(Debug)]
pub(super) enum Remembered {
    /// Accepted; `renew` where its time is nearly up and nobody is asking yet.
    Accepted { renew: bool },
    /// Accepted once, and its time is up; it still counts while the upstream cannot be asked.
    Lapsed,
    /// Refused a moment ago.
    Refused(Answer),
    /// Never heard of.
    Unknown,
}

// === impl Verdicts ===

impl Verdicts {
    pub(super) fn new(ttl: Duration, grace: Duration) -> Self {
        Self {
            ttl,
            grace,
            accepted: Mutex::new(LruCache::new(MAX_CALLERS)),
            refused: Mutex::new(LruCache::new(MAX_REFUSALS)),
            revoked: Mutex::new(Revocations::new()),
        }
    }

    /// What is remembered, and a handle to it where that is an acceptance.
    pub(super) fn recall(&self, subject: Subject) -> (Remembered, Weak<Acceptance>) {
        if let Some(acceptance) = self.acceptance(subject) {
            if let Some(accepted) = self.accepted(&acceptance) {
                return (accepted, Arc::downgrade(&acceptance));
            }
            if acceptance.age() < self.grace {
                return (Remembered::Lapsed, Weak::new());
            }
        }
        let refusal = self.refusal(subject);
        let remembered = refusal.map_or(Remembered::Unknown, Remembered::Refused);
        (remembered, Weak::new())
    }

    /// Whether an acceptance is fresh.
    pub(super) fn accepted(&self, acceptance: &Acceptance) -> Option<Remembered> {
        let age = acceptance.age();
        if age >= self.ttl {
            return None;
        }
        let renew =
            age > self.ttl.mul_f32(0.8) && !acceptance.is_renewing.swap(true, Ordering::Relaxed);
        Some(Remembered::Accepted { renew })
    }

    /// A refusal of a moment ago that no acceptance has outlived.
    pub(super) fn recent_refusal(&self, subject: Subject) -> Option<Answer> {
        let accepted = self.acceptance(subject);
        if accepted.is_some_and(|acceptance| acceptance.age() < self.grace) {
            return None;
        }
        self.refusal(subject)
    }

    fn refusal(&self, subject: Subject) -> Option<Answer> {
        let mut refused = self.refused.lock();
        let (at, answer) = refused.get(&subject)?;
        if at.elapsed() < REFUSAL_TTL {
            return Some(answer.clone());
        }
        refused.remove(&subject);
        None
    }

    /// Whether the subject is accepted at this moment.
    pub(super) fn is_proven(&self, subject: Subject) -> bool {
        self.acceptance(subject)
            .is_some_and(|acceptance| acceptance.age() < self.ttl)
    }

    /// Remembers the yes to a question of this moment; says whether that is news.
    ///
    /// One that was given a moment ago stands: every artifact fetched proves the same again. And one
    /// that was asked for before something was revoked of the caller may be older than that.
    pub(super) fn accept(&self, subject: Subject, asked: Instant) -> bool {
        let mut revoked = self.revoked.lock();
        if revoked.of(&subject.caller) >= Some(asked) {
            return false;
        }
        let known = self.acceptance(subject);
        if known.is_some_and(|acceptance| acceptance.age() < self.ttl / 5) {
            return false;
        }
        self.refused.lock().remove(&subject);
        self.remember(subject, Duration::ZERO);
        true
    }

    /// What is accepted, for a file.
    pub(super) fn records(&self, now: u64) -> Vec<Record> {
        let accepted = self.accepted.lock();
        let all = accepted.iter().rev().flat_map(|(caller, rights)| {
            rights.iter().map(|((scope, right), acceptance)| Record {
                subject: Subject {
                    caller: *caller,
                    scope: *scope,
                    right: *right,
                },
                given: now.saturating_sub(acceptance.age().as_secs()),
            })
        });
        all.take(MAX_RECORDS).collect()
    }

    /// Takes acceptances back from a file, as lapsed ones: a later refusal may not have been written.
    pub(super) fn restore(&self, records: &[Record], now: u64) {
        for record in records.iter().rev() {
            let age = Duration::from_secs(now.saturating_sub(record.given)).max(self.ttl);
            if age < self.grace {
                self.remember(record.subject, age);
            }
        }
    }

    fn remember(&self, subject: Subject, age_then: Duration) {
        let acceptance = Arc::new(Acceptance {
            given: Instant::now(),
            age_then,
            is_renewing: AtomicBool::new(false),
        });
        let mut accepted = self.accepted.lock();
        let rights = accepted
            .entry(subject.caller)
            .or_insert_with(|| LruCache::new(MAX_RIGHTS));
        rights.insert((subject.scope, subject.right), acceptance);
    }

    /// Forgets every acceptance of a caller.
    pub(super) fn revoke_caller(&self, subject: Subject, answer: Answer) {
        let mut revoked = self.revoked.lock();
        revoked.note(subject.caller);
        self.accepted.lock().remove(&subject.caller);
        self.refuse(subject, answer);
    }

    /// Forgets one right of a caller.
    pub(super) fn revoke_right(&self, subject: Subject, answer: Answer) {
        let mut revoked = self.revoked.lock();
        revoked.note(subject.caller);
        self.withdraw(subject);
        self.refuse(subject, answer);
    }

    /// Ends the grace of an acceptance whose time is up, without remembering a refusal.
    pub(super) fn withdraw_lapsed(&self, subject: Subject) {
        if !self.is_proven(subject) {
            self.withdraw(subject);
        }
    }

    fn withdraw(&self, subject: Subject) {
        let mut accepted = self.accepted.lock();
        if let Some(rights) = accepted.peek_mut(&subject.caller) {
            rights.remove(&(subject.scope, subject.right));
        }
    }

    fn refuse(&self, subject: Subject, answer: Answer) {
        // Long words are not worth remembering for whoever makes an upstream say them.
        let is_short = answer.body().len() <= MAX_REFUSAL;
        if is_short && is_beyond_doubt(answer.code(), answer.body()) {
            self.refused
                .lock()
                .insert(subject, (Instant::now(), answer));
        }
    }

    fn acceptance(&self, subject: Subject) -> Option<Arc<Acceptance>> {
        let mut accepted = self.accepted.lock();
        let rights = accepted.get_mut(&subject.caller)?;
        rights.get(&(subject.scope, subject.right)).map(Arc::clone)
    }
}

// === impl Revocations ===

impl Revocations {
    fn new() -> Self {
        Self {
            last: LruCache::new(MAX_REFUSALS),
            forgotten: None,
        }
    }

    fn note(&mut self, caller: CallerDigest) {
        if self.last.len() >= MAX_REFUSALS
            && !self.last.contains_key(&caller)
            && let Some((_, at)) = self.last.remove_lru()
        {
            self.forgotten = self.forgotten.max(Some(at));
        }
        self.last.insert(caller, Instant::now());
    }

    /// When something was last revoked of a caller, or may have been.
    fn of(&mut self, caller: &CallerDigest) -> Option<Instant> {
        self.last.get(caller).copied().max(self.forgotten)
    }
}

// === impl Acceptance ===

impl Acceptance {
    fn age(&self) -> Duration {
        self.age_then + self.given.elapsed()
    }
}
