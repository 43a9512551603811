//! What is remembered of callers, over paused time.

use bytes::Bytes;
use tokio::time::{Duration, Instant, advance};

use super::evidence::Right;
use super::verdicts::*;
use crate::artifact::{Answer, Scope};
use crate::caller::CallerDigest;

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

fn accept(verdicts: &Verdicts, subject: Subject) -> bool {
    verdicts.accept(subject, Instant::now())
}

fn recall(verdicts: &Verdicts, subject: Subject) -> Remembered {
    verdicts.recall(subject).0
}

fn answer() -> Answer {
    let unauthorized = http::Response::builder().status(401).body(()).unwrap();
    Answer::new(unauthorized.into_parts().0, Bytes::new())
}

#[tokio::test(start_paused = true)]
async fn an_acceptance_ends_at_its_hour_however_much_it_is_used() {
    let verdicts = Verdicts::new(TTL, GRACE);
    let one = subject(1, "a", Right::Read);
    accept(&verdicts, one);
    for _ in 0..299 {
        advance(Duration::from_secs(1)).await;
        assert!(matches!(
            recall(&verdicts, one),
            Remembered::Accepted { .. }
        ));
    }
    advance(Duration::from_secs(1)).await;
    assert!(matches!(recall(&verdicts, one), Remembered::Lapsed));
    assert!(!verdicts.is_proven(one));
    advance(GRACE).await;
    assert!(matches!(recall(&verdicts, one), Remembered::Unknown));
}

#[tokio::test(start_paused = true)]
async fn what_is_read_back_counts_only_while_nobody_can_be_asked() {
    let (before, after) = (Verdicts::new(TTL, GRACE), Verdicts::new(TTL, GRACE));
    let (fresh, old) = (subject(1, "a", Right::Read), subject(2, "a", Right::Write));
    accept(&before, old);
    advance(GRACE / 2).await;
    accept(&before, fresh);
    let now = 1_000_000;
    after.restore(&before.records(now), now);
    for one in [fresh, old] {
        assert!(matches!(recall(&after, one), Remembered::Lapsed));
        assert!(!after.is_proven(one));
    }
    advance(GRACE / 2).await;
    assert!(matches!(recall(&after, fresh), Remembered::Lapsed));
    assert!(matches!(recall(&after, old), Remembered::Unknown));
}

#[tokio::test(start_paused = true)]
async fn the_last_fifth_asks_for_one_renewal() {
    let verdicts = Verdicts::new(TTL, GRACE);
    let one = subject(1, "a", Right::Read);
    accept(&verdicts, one);
    assert!(matches!(
        recall(&verdicts, one),
        Remembered::Accepted { renew: false }
    ));
    advance(Duration::from_secs(250)).await;
    assert!(matches!(
        recall(&verdicts, one),
        Remembered::Accepted { renew: true }
    ));
    assert!(matches!(
        recall(&verdicts, one),
        Remembered::Accepted { renew: false }
    ));
}

#[tokio::test(start_paused = true)]
async fn a_team_a_right_and_a_caller_are_each_their_own() {
    let verdicts = Verdicts::new(TTL, GRACE);
    accept(&verdicts, subject(1, "a", Right::Read));
    for other in [
        subject(1, "b", Right::Read),
        subject(1, "a", Right::Write),
        subject(2, "a", Right::Read),
    ] {
        assert!(matches!(recall(&verdicts, other), Remembered::Unknown));
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
        accept(&verdicts, one);
    }
    verdicts.revoke_right(write, answer());
    assert!(matches!(recall(&verdicts, write), Remembered::Refused(_)));
    assert!(matches!(
        recall(&verdicts, read),
        Remembered::Accepted { .. }
    ));
    verdicts.revoke_caller(read, answer());
    assert!(matches!(recall(&verdicts, read), Remembered::Refused(_)));
    assert!(matches!(recall(&verdicts, other), Remembered::Unknown));
    advance(REFUSAL_TTL).await;
    assert!(matches!(recall(&verdicts, read), Remembered::Unknown));
}

#[tokio::test(start_paused = true)]
async fn refusals_never_push_out_an_acceptance() {
    let verdicts = Verdicts::new(TTL, GRACE);
    let member = subject(0, "a", Right::Read);
    accept(&verdicts, member);
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

#[tokio::test(start_paused = true)]
async fn a_yes_that_was_asked_for_before_a_no_does_not_outlive_it() {
    let (read, other) = (subject(1, "a", Right::Read), subject(1, "b", Right::Read));
    let ends: [fn(&Verdicts, Subject, Answer); 2] =
        [Verdicts::revoke_caller, Verdicts::revoke_right];
    for end in ends {
        let verdicts = Verdicts::new(TTL, GRACE);
        let asked = Instant::now();
        advance(Duration::from_millis(1)).await;
        end(&verdicts, read, answer());
        for late in [read, other] {
            assert!(!verdicts.accept(late, asked));
            assert!(!verdicts.is_proven(late));
        }
        advance(Duration::from_millis(1)).await;
        assert!(accept(&verdicts, read));
        assert!(verdicts.is_proven(read));
    }
}

#[tokio::test(start_paused = true)]
async fn strangers_cannot_have_a_no_forgotten_before_a_late_yes() {
    let verdicts = Verdicts::new(TTL, GRACE);
    let one = subject(1, "a", Right::Write);
    let asked = Instant::now();
    advance(Duration::from_millis(1)).await;
    verdicts.revoke_caller(one, answer());
    for number in 0..=MAX_REFUSALS {
        let mut digest = [9; 32];
        digest[..8].copy_from_slice(&(number as u64).to_le_bytes());
        let stranger = Subject {
            caller: CallerDigest::from_bytes(digest),
            ..one
        };
        verdicts.revoke_caller(stranger, answer());
    }
    assert!(!verdicts.accept(one, asked));
    advance(Duration::from_millis(1)).await;
    assert!(accept(&verdicts, one));
}
