//! What the upstream thought of callers: acceptances with a lifetime, refusals for seconds.
//!
//! The two live in tables of their own, so that garbage tokens cannot push acceptances out. Both are
//! bounded; neither knows a token, only keyed digests.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use hashlink::LruCache;
use parking_lot::Mutex;
use tokio::time::{Duration, Instant};

use super::evidence::Right;
use super::ledger::{MAX_RECORDS, Record};
use crate::artifact::{Answer, ScopeDigest};
use crate::caller::CallerDigest;

/// Callers whose acceptances are remembered.
const MAX_CALLERS: usize = 16 * 1024;
/// Scopes and rights remembered for one caller: teams are few.
const MAX_RIGHTS: usize = 64;
/// Refusals remembered.
const MAX_REFUSALS: usize = 1024;
/// Longest refusal remembered, in bytes: an error in the API's shape is a few hundred.
const MAX_REFUSAL: usize = 4 * 1024;
/// How long a refusal spares the upstream the same question.
const REFUSAL_TTL: Duration = Duration::from_secs(5);

/// What is remembered of callers.
pub(super) struct Verdicts {
    ttl: Duration,
    grace: Duration,
    accepted: Mutex<LruCache<CallerDigest, Rights>>,
    refused: Mutex<LruCache<Subject, (Instant, Answer)>>,
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
#[derive(Debug)]
pub(super) struct Acceptance {
    given: Instant,
    /// How old it was then already; what was read back from a file is not from this process.
    age_then: Duration,
    is_revoked: AtomicBool,
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
        }
    }

    pub(super) fn recall(&self, subject: Subject) -> Remembered {
        if let Some(acceptance) = self.acceptance(subject) {
            let age = acceptance.age();
            if age < self.ttl {
                let renew = age > self.ttl.mul_f32(0.8)
                    && !acceptance.is_renewing.swap(true, Ordering::Relaxed);
                return Remembered::Accepted { renew };
            }
            if age < self.grace {
                return Remembered::Lapsed;
            }
        }
        self.refusal(subject)
            .map_or(Remembered::Unknown, Remembered::Refused)
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

    /// Remembers a yes; says whether that is news.
    ///
    /// One that was given a moment ago stands: every artifact fetched proves the same again.
    pub(super) fn accept(&self, subject: Subject) -> bool {
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
            is_revoked: AtomicBool::new(false),
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
        if let Some(rights) = self.accepted.lock().remove(&subject.caller) {
            rights
                .iter()
                .for_each(|(_, acceptance)| acceptance.is_revoked.store(true, Ordering::Release));
        }
        self.refuse(subject, answer);
    }

    /// Forgets one right of a caller.
    pub(super) fn revoke_right(&self, subject: Subject, answer: Answer) {
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
        let rights = accepted.peek_mut(&subject.caller);
        if let Some(acceptance) =
            rights.and_then(|rights| rights.remove(&(subject.scope, subject.right)))
        {
            acceptance.is_revoked.store(true, Ordering::Release);
        }
    }

    fn refuse(&self, subject: Subject, answer: Answer) {
        // Long words are not worth remembering for whoever makes an upstream say them.
        if answer.body().len() <= MAX_REFUSAL {
            self.refused
                .lock()
                .insert(subject, (Instant::now(), answer));
        }
    }

    fn acceptance(&self, subject: Subject) -> Option<Arc<Acceptance>> {
        let mut accepted = self.accepted.lock();
        let acceptance = accepted
            .get_mut(&subject.caller)?
            .get(&(subject.scope, subject.right))?;
        (!acceptance.is_revoked.load(Ordering::Acquire)).then(|| Arc::clone(acceptance))
    }
}

// === impl Acceptance ===

impl Acceptance {
    fn age(&self) -> Duration {
        self.age_then + self.given.elapsed()
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use tokio::time::advance;

    use super::*;
    use crate::artifact::Scope;

    const TTL: Duration = Duration::from_mins(5);
    const GRACE: Duration = Duration::from_hours(1);

    fn subject(caller: u8, team: &str, right: Right) -> Subject {
        let caller = CallerDigest::from_bytes([caller; 32]);
        let scope = Scope::new(&format!("slug={team}"), caller).digest();
        Subject {
            caller,
            scope,
            right,
        }
    }

    fn answer() -> Answer {
        Answer::new(http::Response::new(()).into_parts().0, Bytes::new())
    }

    #[tokio::test(start_paused = true)]
    async fn an_acceptance_ends_at_its_hour_however_much_it_is_used() {
        let verdicts = Verdicts::new(TTL, GRACE);
        let one = subject(1, "a", Right::Read);
        verdicts.accept(one);
        for _ in 0..299 {
            advance(Duration::from_secs(1)).await;
            assert!(matches!(verdicts.recall(one), Remembered::Accepted { .. }));
        }
        advance(Duration::from_secs(1)).await;
        assert!(matches!(verdicts.recall(one), Remembered::Lapsed));
        assert!(!verdicts.is_proven(one));
        advance(GRACE).await;
        assert!(matches!(verdicts.recall(one), Remembered::Unknown));
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_read_back_counts_only_while_nobody_can_be_asked() {
        let (before, after) = (Verdicts::new(TTL, GRACE), Verdicts::new(TTL, GRACE));
        let (fresh, old) = (subject(1, "a", Right::Read), subject(2, "a", Right::Write));
        before.accept(old);
        advance(GRACE / 2).await;
        before.accept(fresh);
        let now = 1_000_000;
        after.restore(&before.records(now), now);
        for one in [fresh, old] {
            assert!(matches!(after.recall(one), Remembered::Lapsed));
            assert!(!after.is_proven(one));
        }
        advance(GRACE / 2).await;
        assert!(matches!(after.recall(fresh), Remembered::Lapsed));
        assert!(matches!(after.recall(old), Remembered::Unknown));
    }

    #[tokio::test(start_paused = true)]
    async fn the_last_fifth_asks_for_one_renewal() {
        let verdicts = Verdicts::new(TTL, GRACE);
        let one = subject(1, "a", Right::Read);
        verdicts.accept(one);
        assert!(matches!(
            verdicts.recall(one),
            Remembered::Accepted { renew: false }
        ));
        advance(Duration::from_secs(250)).await;
        assert!(matches!(
            verdicts.recall(one),
            Remembered::Accepted { renew: true }
        ));
        assert!(matches!(
            verdicts.recall(one),
            Remembered::Accepted { renew: false }
        ));
    }

    #[tokio::test(start_paused = true)]
    async fn a_team_a_right_and_a_caller_are_each_their_own() {
        let verdicts = Verdicts::new(TTL, GRACE);
        verdicts.accept(subject(1, "a", Right::Read));
        for other in [
            subject(1, "b", Right::Read),
            subject(1, "a", Right::Write),
            subject(2, "a", Right::Read),
        ] {
            assert!(matches!(verdicts.recall(other), Remembered::Unknown));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_401_takes_every_right_and_a_403_one() {
        let verdicts = Verdicts::new(TTL, GRACE);
        let (read, write, other) = (
            subject(1, "a", Right::Read),
            subject(1, "a", Right::Write),
            subject(1, "b", Right::Read),
        );
        for one in [read, write, other] {
            verdicts.accept(one);
        }
        verdicts.revoke_right(write, answer());
        assert!(matches!(verdicts.recall(write), Remembered::Refused(_)));
        assert!(matches!(verdicts.recall(read), Remembered::Accepted { .. }));
        verdicts.revoke_caller(read, answer());
        assert!(matches!(verdicts.recall(read), Remembered::Refused(_)));
        assert!(matches!(verdicts.recall(other), Remembered::Unknown));
        advance(REFUSAL_TTL).await;
        assert!(matches!(verdicts.recall(read), Remembered::Unknown));
    }

    #[tokio::test(start_paused = true)]
    async fn refusals_never_push_out_an_acceptance() {
        let verdicts = Verdicts::new(TTL, GRACE);
        let member = subject(0, "a", Right::Read);
        verdicts.accept(member);
        for number in 0..4 * MAX_REFUSALS {
            let mut digest = [9; 32];
            digest[..8].copy_from_slice(&(number as u64).to_le_bytes());
            let stranger = Subject {
                caller: CallerDigest::from_bytes(digest),
                ..member
            };
            verdicts.revoke_caller(stranger, answer());
        }
        assert!(verdicts.is_proven(member));
        assert!(verdicts.refused.lock().len() <= MAX_REFUSALS);
    }
}
