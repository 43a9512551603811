//! Slow lines are normal: what is slow is served whole, and what is too slow ends visibly.

use std::time::Duration;

use futures_util::future::join_all;

use crate::support::{
    Ended, Larder, Line, Origin, Reply, Setup, Width, artifact, assert_bytes, bytes,
};

/// 2 Mbit/s to another continent.
const FAR: Width = Width {
    round_trip: Duration::from_millis(300),
    bytes_per_second: 250_000,
};
/// Near, and hardly any line at all.
const NARROW: Width = Width {
    round_trip: Duration::from_millis(20),
    bytes_per_second: 8 << 10,
};

/// Together they and the uploads are twice what may be upstream at once.
const CLIENTS: usize = 60;
const UPLOADS: usize = 4;

/// From one to sixty KiB.
fn body_of(number: usize) -> Vec<u8> {
    bytes(number as u64, 1024 + (number * 7919) % (59 << 10))
}

/// Asks for one artifact from several clients at once.
async fn read_at_once(larder: &Larder, hash: &str) -> Vec<Reply> {
    let read = async || larder.client().get(&artifact(hash)).await;
    join_all((0..3).map(|_| read())).await
}

#[tokio::test]
async fn a_slow_line_costs_time_and_nothing_else() {
    let origin = Origin::start();
    for number in 0..CLIENTS {
        origin.hold(&format!("down{number}"), &body_of(number));
    }
    let line = Line::to(origin.address(), FAR).await;
    let larder = Setup::before(&origin)
        .set("upstream.url", &line.url())
        .start()
        .await;
    let read = async |number: usize| {
        let target = artifact(&format!("down{number}"));
        let reply = larder.client().get(&target).await;
        reply.assert_body(&body_of(number));
    };
    let write = async |number: usize| {
        let target = artifact(&format!("up{number}"));
        let reply = larder.client().put(&target, &body_of(number)).await;
        assert_eq!(reply.status, 202);
    };
    let (reads, writes) = ((0..CLIENTS).map(read), (0..UPLOADS).map(write));
    tokio::join!(join_all(reads), join_all(writes));

    for number in 0..CLIENTS {
        assert_eq!(origin.gets(&format!("down{number}")), 1, "{number}");
    }
    for number in 0..UPLOADS {
        let seen = origin.seen("PUT", &format!("up{number}"));
        assert_bytes(&seen[0].body, &body_of(number));
    }
    let metrics = larder.metrics().await;
    let degraded = metrics.sum("larder_requests_total", &[("outcome", "degraded")]);
    let given_up = metrics.sum("larder_upstream_breaker_open", &[]);
    assert!(degraded + given_up < 1.0, "{}", metrics.text());
}

#[tokio::test]
async fn a_body_that_drips_is_whole_for_everybody_unless_it_drips_below_the_minimum() {
    let origin = Origin::start();
    let body = bytes(1, 24 << 10);
    origin.hold("aa", &body);
    let line = Line::to(origin.address(), NARROW).await;
    let demanding = async |min_rate: &str, idle_timeout: &str| {
        Setup::before(&origin)
            .set("upstream.url", &line.url())
            .set("upstream.idle_timeout", idle_timeout)
            .set("upstream.min_rate", min_rate)
            .start()
            .await
    };
    let larder = demanding("1KiB", "10s").await;
    for reply in read_at_once(&larder, "aa").await {
        reply.assert_body(&body);
    }

    let larder = demanding("64KiB", "1s").await;
    for reply in read_at_once(&larder, "aa").await {
        assert_eq!((reply.status, reply.ended), (200, Ended::Cut));
        assert!(reply.body.len() < body.len());
        assert_bytes(&reply.body, &body[..reply.body.len()]);
    }
    larder.settled().await;
    let again = larder.client().get(&artifact("aa")).await;
    assert!(!again.is_hit() && !again.is_clean());
    assert_eq!(origin.gets("aa"), 3, "one for each fill");
}
