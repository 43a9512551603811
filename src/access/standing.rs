//! Where a caller stands: a handle to the verdict it was given last, kept as long as its connection.

use std::sync::Weak;

use parking_lot::Mutex;

use super::verdicts::{Acceptance, Remembered, Subject, Verdicts};

/// A handle to one caller's acceptance for one scope.
///
/// It keeps nothing alive: what is revoked, replaced or pushed out is over for whoever holds this.
#[derive(Debug, Default)]
pub struct Standing(Mutex<Weak<Acceptance>>);

impl Standing {
    /// What is remembered of `subject`, which must be the same each time; without a look into the
    /// table where the last verdict still stands.
    pub(super) fn recall(&self, verdicts: &Verdicts, subject: Subject) -> Remembered {
        let held = self.0.lock().upgrade();
        if let Some(accepted) = held.and_then(|acceptance| verdicts.accepted(&acceptance)) {
            return accepted;
        }
        let (remembered, acceptance) = verdicts.recall(subject);
        *self.0.lock() = acceptance;
        remembered
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use tokio::time::{Duration, Instant, advance};

    use super::*;
    use crate::access::Right;
    use crate::access::verdicts::MAX_CALLERS;
    use crate::artifact::{Answer, Scope};
    use crate::caller::CallerDigest;

    const TTL: Duration = Duration::from_mins(5);

    fn subject(caller: u8) -> Subject {
        let caller = CallerDigest::from_bytes([caller; 32]);
        Subject {
            caller,
            scope: Scope::new("slug=acme", caller).digest(),
            right: Right::Read,
        }
    }

    fn is_accepted(standing: &Standing, verdicts: &Verdicts) -> bool {
        let remembered = standing.recall(verdicts, subject(1));
        matches!(remembered, Remembered::Accepted { .. })
    }

    fn answer() -> Answer {
        Answer::new(http::Response::new(()).into_parts().0, Bytes::new())
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_holds_a_verdict_hears_of_its_end_however_it_ends() {
        let ends: [&dyn Fn(&Verdicts); 3] = [
            &|verdicts| verdicts.revoke_caller(subject(1), answer()),
            &|verdicts| verdicts.revoke_right(subject(1), answer()),
            // Pushed out by as many others as the table holds.
            &|verdicts| {
                for number in 0..=u32::try_from(MAX_CALLERS).unwrap() {
                    let mut digest = [7; 32];
                    digest[..4].copy_from_slice(&number.to_le_bytes());
                    let other = Subject {
                        caller: CallerDigest::from_bytes(digest),
                        ..subject(1)
                    };
                    verdicts.accept(other, Instant::now());
                }
            },
        ];
        for end in ends {
            let (verdicts, standing) = (Verdicts::new(TTL, TTL * 2), Standing::default());
            assert!(!is_accepted(&standing, &verdicts));
            verdicts.accept(subject(1), Instant::now());
            assert!(is_accepted(&standing, &verdicts));
            assert!(is_accepted(&standing, &verdicts));
            end(&verdicts);
            assert!(!is_accepted(&standing, &verdicts));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_held_verdict_ends_at_its_hour_and_a_renewed_one_is_found() {
        let (verdicts, standing) = (Verdicts::new(TTL, TTL * 2), Standing::default());
        verdicts.accept(subject(1), Instant::now());
        assert!(is_accepted(&standing, &verdicts));
        advance(TTL * 9 / 10).await;
        let renew = standing.recall(&verdicts, subject(1));
        assert!(matches!(renew, Remembered::Accepted { renew: true }));
        verdicts.accept(subject(1), Instant::now());
        advance(TTL / 2).await;
        assert!(is_accepted(&standing, &verdicts), "the renewed one");
        advance(TTL / 2).await;
        let lapsed = standing.recall(&verdicts, subject(1));
        assert!(matches!(lapsed, Remembered::Lapsed));
    }
}
