//! Whether a request that failed is sent once more, and when.
//!
//! A budget bounds what that adds to an upstream's load: where everything fails, nine of ten requests
//! are not repeated.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::setback::{Ground, Setback};
use crate::artifact::Failure;

/// A failure that took longer would cost the client as long again.
const QUICK: Duration = Duration::from_secs(2);
/// A tenth of the requests may be repeated.
const COST: u32 = 10;
/// And as many at once as this, after enough that went well.
const SAVED: u32 = 10 * COST;
/// Between two tries of a read, on which a task waits; half of it to one and a half.
const READ_PAUSE: Duration = Duration::from_millis(100);
/// Between two tries of an upload, which runs beside the build: a server that restarts needs it.
const UPLOAD_PAUSE: Duration = Duration::from_millis(400);
/// A server that wants to be left alone for longer gets no upload again: a build ends only after its
/// uploads have.
const LONGEST_REST: Duration = Duration::from_secs(1);

/// What is left of the budget.
#[derive(Debug)]
pub(super) struct Retries(AtomicU32);

impl Retries {
    pub(super) fn new() -> Self {
        Self(AtomicU32::new(SAVED))
    }

    /// A request goes out for the first time.
    pub(super) fn begin(&self) {
        let add = |saved: u32| (saved < SAVED).then_some(saved + 1);
        // Unchanged where it is full.
        let _full = self
            .0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, add);
    }

    /// After what time a read that failed within `took` is sent again, if it is.
    pub(super) fn of_read(&self, setback: &Setback, took: Duration) -> Option<Duration> {
        let is_worth_it = took <= QUICK && setback.rest.is_none() && is_passing(setback);
        (is_worth_it && self.spend()).then(|| jittered(READ_PAUSE))
    }

    /// Takes one further try out of the budget, if there is one left.
    pub(super) fn spend(&self) -> bool {
        let take = |saved: u32| saved.checked_sub(COST);
        let order = Ordering::Relaxed;
        self.0.fetch_update(order, order, take).is_ok()
    }
}

/// After what time an upload that failed may be sent again, at the expense of the budget. However long
/// it took: it runs beside the build.
pub(super) fn of_upload(setback: &Setback) -> Option<Duration> {
    let rest = setback.rest.unwrap_or_default();
    let is_worth_it = rest <= LONGEST_REST && is_passing(setback);
    is_worth_it.then(|| rest + jittered(UPLOAD_PAUSE))
}

/// Whether it may be over a moment later. A silence is not: it is as long the next time.
fn is_passing(setback: &Setback) -> bool {
    let is_cause = matches!(
        setback.failure,
        Failure::Unreachable | Failure::Error | Failure::Cut | Failure::Limited
    );
    is_cause && setback.ground == Ground::Upstream
}

/// Those who failed together must not come back together.
fn jittered(pause: Duration) -> Duration {
    // Without randomness they do.
    let random = getrandom::u32().unwrap_or(u32::MAX / 2);
    pause.mul_f64(0.5 + f64::from(random) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue};

    use super::super::broken::{Broken, Excuse};
    use super::*;

    fn resting(seconds: &'static str) -> Setback {
        let mut headers = HeaderMap::new();
        headers.insert("retry-after", HeaderValue::from_static(seconds));
        Setback::said(Failure::Limited, &headers)
    }

    #[test]
    fn what_may_be_over_is_repeated_and_what_costs_as_long_again_is_not() {
        let retries = Retries::new();
        let cut = Setback::upstream(Failure::Cut);
        assert!(retries.of_read(&cut, Duration::ZERO).is_some());
        assert!(retries.of_read(&cut, QUICK * 2).is_none());
        let silence = Setback::upstream(Failure::Timeout);
        assert!(retries.of_read(&silence, Duration::ZERO).is_none());
        assert!(of_upload(&silence).is_none());
        for of_ours in [Setback::crowded(), Setback::spared(Failure::Cut)] {
            assert!(retries.of_read(&of_ours, Duration::ZERO).is_none());
            assert!(of_upload(&of_ours).is_none());
        }
        let useless = Setback::useless(Failure::Error);
        assert!(retries.of_read(&useless, Duration::ZERO).is_none());
        let barred = Setback::from(Broken {
            excuse: Excuse::Barred,
            ..Broken::new(Failure::Unreachable, String::new())
        });
        assert!(retries.of_read(&barred, Duration::ZERO).is_none());
        assert!(of_upload(&barred).is_none());
    }

    #[test]
    fn a_server_that_asks_for_rest_gets_no_read_again_and_an_upload_after_it() {
        let retries = Retries::new();
        assert!(retries.of_read(&resting("1"), Duration::ZERO).is_none());
        let pause = of_upload(&resting("1")).unwrap();
        assert!(pause >= Duration::from_secs(1), "{pause:?}");
        assert!(of_upload(&resting("2")).is_none());
    }

    #[test]
    fn where_everything_fails_one_in_ten_is_repeated() {
        let retries = Retries::new();
        let cut = Setback::upstream(Failure::Cut);
        let mut repeated = 0;
        for _ in 0..1000 {
            retries.begin();
            repeated += usize::from(retries.of_read(&cut, Duration::ZERO).is_some());
        }
        assert!((90..=110).contains(&repeated), "{repeated}");
    }

    #[test]
    fn pauses_differ() {
        let pauses: Vec<_> = (0..20).map(|_| jittered(READ_PAUSE)).collect();
        assert!(pauses.iter().all(|pause| *pause >= READ_PAUSE / 2));
        assert!(pauses.iter().all(|pause| *pause <= READ_PAUSE * 3 / 2));
        assert!(pauses.iter().any(|pause| pause != &pauses[0]));
    }
}
