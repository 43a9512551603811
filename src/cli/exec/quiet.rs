//! The quiet in which a Larder ends that nobody ends.

use tokio::time::{Duration, Instant, sleep};

use super::tally::Tally;
use crate::metrics::Metrics;

/// How often it is looked whether a request came; the end is late by as much.
const LOOK: Duration = Duration::from_millis(250);

/// Completes when no request was answered for `period`, and nothing was on its way.
pub(super) async fn quiet(metrics: &Metrics, period: Duration) {
    let answered = || Tally::of(metrics).requests;
    let (mut known, mut since) = (answered(), Instant::now());
    while since.elapsed() < period {
        sleep(LOOK.min(period)).await;
        let is_under_way = metrics.fills_in_flight.get() > 0 || metrics.in_flight_bytes.get() > 0;
        if answered() != known || is_under_way {
            (known, since) = (answered(), Instant::now());
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use tokio::time::advance;

    use super::*;
    use crate::artifact::{Outcome, RouteName};

    #[tokio::test(start_paused = true)]
    async fn each_request_begins_the_wait_anew() {
        let metrics = Metrics::new().unwrap();
        let mut waiting = std::pin::pin!(quiet(&metrics, Duration::from_secs(10)));
        for _ in 0..5 {
            for _ in 0..35 {
                assert!(waiting.as_mut().now_or_never().is_none());
                advance(LOOK).await;
            }
            let request = metrics.request(RouteName::Status, Outcome::Answered);
            request.unwrap().total.inc();
        }
        for _ in 0..38 {
            assert!(waiting.as_mut().now_or_never().is_none());
            advance(LOOK).await;
        }
        metrics.fills_in_flight.inc();
        for _ in 0..100 {
            assert!(waiting.as_mut().now_or_never().is_none());
            advance(LOOK).await;
        }
        metrics.fills_in_flight.dec();
        for _ in 0..45 {
            if waiting.as_mut().now_or_never().is_some() {
                return;
            }
            advance(LOOK).await;
        }
        panic!("it goes on");
    }
}
