//! What is learnt of requests, on a clock that stands still.

use std::sync::Arc;

use http::{HeaderMap, HeaderValue};
use tokio::time::{Duration, Instant, advance};

use super::{Class, Gates};
use crate::artifact::Failure;
use crate::config;
use crate::metrics::Gauge;
use crate::upstream::breaker::TRY_WAIT;
use crate::upstream::passage::Passage;
use crate::upstream::setback::Setback;

const COOLDOWN: Duration = Duration::from_secs(2);

fn gates() -> Arc<Gates> {
    let rule = config::Breaker {
        failures: 3,
        cooldown: COOLDOWN,
    };
    Arc::new(Gates::new(rule, Gauge::new("open", "open").unwrap()))
}

async fn enter(gates: &Arc<Gates>, class: Class, key: u64) -> Passage {
    gates.enter(class, key).await.unwrap()
}

/// Fails so many requests about different artifacts.
async fn fail(gates: &Arc<Gates>, class: Class, times: u64, setback: Setback) {
    for key in 0..times {
        enter(gates, class, key).await.failed(setback);
    }
}

async fn is_shut(gates: &Arc<Gates>, class: Class) -> bool {
    gates.enter(class, 0).await.is_err()
}

fn limited(rest: Option<&'static str>) -> Setback {
    let mut headers = HeaderMap::new();
    if let Some(rest) = rest {
        headers.insert("retry-after", HeaderValue::from_static(rest));
    }
    Setback::said(Failure::Limited, &headers)
}

#[tokio::test(start_paused = true)]
async fn silence_on_a_line_that_delivers_counts_for_nothing() {
    let gates = gates();
    let mut body = enter(&gates, Class::Reads, 9).await;
    body.delivered(1, Instant::now());
    let silence = Setback::upstream(Failure::Timeout);
    fail(&gates, Class::Reads, 10, silence).await;
    assert!(!is_shut(&gates, Class::Reads).await);
    // No slow line makes those.
    fail(&gates, Class::Uploads, 3, Setback::upstream(Failure::Cut)).await;
    assert!(is_shut(&gates, Class::Uploads).await);
    advance(Duration::from_secs(5)).await;
    fail(&gates, Class::Reads, 3, silence).await;
    assert!(is_shut(&gates, Class::Reads).await);
}

#[tokio::test(start_paused = true)]
async fn no_connection_is_told_to_every_class_and_a_failure_to_its_own() {
    let gates = gates();
    fail(&gates, Class::Uploads, 3, Setback::upstream(Failure::Error)).await;
    assert!(!is_shut(&gates, Class::Reads).await);
    let unreachable = Setback::upstream(Failure::Unreachable);
    fail(&gates, Class::Reads, 3, unreachable).await;
    for class in Class::ALL {
        assert!(is_shut(&gates, class).await, "{class:?}");
    }
    advance(Duration::from_millis(1)).await;
    gates.connected();
    assert!(!is_shut(&gates, Class::Reads).await);
    assert!(!is_shut(&gates, Class::Others).await);
    assert!(is_shut(&gates, Class::Uploads).await, "it failed by itself");
}

#[tokio::test(start_paused = true)]
async fn storage_that_cannot_be_reached_is_no_fault_of_the_way_to_the_upstream() {
    let gates = gates();
    let abroad = Setback::upstream(Failure::Unreachable).of_server(true);
    fail(&gates, Class::Reads, 3, abroad).await;
    assert!(is_shut(&gates, Class::Reads).await);
    assert!(!is_shut(&gates, Class::Uploads).await);
    advance(Duration::from_millis(1)).await;
    gates.connected();
    assert!(is_shut(&gates, Class::Reads).await);
}

#[tokio::test(start_paused = true)]
async fn a_limit_with_an_hour_is_its_callers_and_one_without_counts() {
    let gates = gates();
    fail(&gates, Class::Reads, 10, limited(Some("20"))).await;
    assert!(!is_shut(&gates, Class::Reads).await);
    fail(&gates, Class::Reads, 3, limited(None)).await;
    assert!(is_shut(&gates, Class::Reads).await);
}

#[tokio::test(start_paused = true)]
async fn what_is_no_fault_of_the_upstream_counts_for_nothing() {
    let gates = gates();
    for setback in [
        Setback::crowded(),
        Setback::spared(Failure::Error),
        Setback::useless(Failure::Error),
    ] {
        fail(&gates, Class::Reads, 10, setback).await;
        assert!(!is_shut(&gates, Class::Reads).await, "{setback:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_head_is_no_delivery_and_64_kib_are() {
    let gates = gates();
    fail(&gates, Class::Reads, 3, Setback::upstream(Failure::Error)).await;
    advance(COOLDOWN).await;
    let mut tries = enter(&gates, Class::Reads, 1).await;
    assert_eq!(tries.tries(), Some(Failure::Error));
    tries.delivered(64 * 1024 - 1, Instant::now());
    advance(TRY_WAIT).await;
    assert!(is_shut(&gates, Class::Reads).await);
    tries.delivered(1, Instant::now());
    assert!(!is_shut(&gates, Class::Reads).await);
}

#[tokio::test(start_paused = true)]
async fn whoever_waits_for_one_that_tries_hears_of_it_at_once_or_waits_a_moment() {
    let gates = gates();
    fail(&gates, Class::Reads, 3, Setback::upstream(Failure::Error)).await;
    advance(COOLDOWN).await;
    let mut tries = enter(&gates, Class::Reads, 1).await;
    let begun = Instant::now();
    let (waited, ()) = tokio::join!(gates.enter(Class::Reads, 2), async {
        tokio::task::yield_now().await;
        tries.succeeded();
    });
    assert!(waited.is_ok());
    assert_eq!(begun.elapsed(), Duration::ZERO);

    fail(&gates, Class::Reads, 3, Setback::upstream(Failure::Error)).await;
    advance(COOLDOWN).await;
    let _tries = enter(&gates, Class::Reads, 1).await;
    let begun = Instant::now();
    assert!(is_shut(&gates, Class::Reads).await);
    assert_eq!(begun.elapsed(), TRY_WAIT);
}

#[tokio::test(start_paused = true)]
async fn whoever_waits_for_a_turn_hears_that_it_would_be_vain() {
    let gates = gates();
    let waiting = enter(&gates, Class::Reads, 1).await;
    let (setback, ()) = tokio::join!(waiting.until_vain(), async {
        fail(&gates, Class::Reads, 3, Setback::upstream(Failure::Cut)).await;
    });
    assert_eq!(setback, Setback::spared(Failure::Cut));
}
