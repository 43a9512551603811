//! An upstream that fails is asked again where that may help, and left alone where it does not.

use futures_util::future::join_all;

use crate::support::{
    Larder, Metrics, Origin, Reply, Request, Script, Setup, artifact, bytes, eventually, script,
};

const TIMEOUT: &str = "larder; fwd=uri-miss; detail=upstream-timeout";
const UNREACHABLE: &str = "larder; fwd=uri-miss; detail=upstream-unreachable";
const ERROR: &str = "larder; fwd=uri-miss; detail=upstream-error";

/// What opens stays open until a test is over, unless told otherwise.
fn setup(origin: &Origin) -> Setup {
    Setup::before(origin).set("upstream.breaker_cooldown", "10m")
}

/// The same, waiting for nothing for long.
fn impatient(origin: &Origin) -> Setup {
    setup(origin)
        .set("upstream.first_byte_timeout", "200ms")
        .set("upstream.idle_timeout", "200ms")
}

/// Fetches `aa`, so that it is here from now on.
async fn hold_a_hit(origin: &Origin, larder: &Larder) {
    origin.hold("aa", &bytes(1, 100));
    let mut client = larder.client();
    client
        .get(&artifact("aa"))
        .await
        .assert_body(&bytes(1, 100));
    larder.settled().await;
}

fn is_open(metrics: &Metrics) -> bool {
    metrics.sum("larder_upstream_breaker_open", &[]) > 0.0
}

fn spared(metrics: &Metrics, operation: &str) -> f64 {
    metrics.sum("larder_upstream_spared_total", &[("operation", operation)])
}

#[track_caller]
fn assert_miss(reply: &Reply, cache_status: &str) {
    assert_eq!((reply.status, reply.cache_status()), (404, cache_status));
}

/// Lets reads fail until they are spared.
async fn open(larder: &Larder) {
    for hash in ["x1", "x2", "x3"] {
        assert_eq!(larder.client().get(&artifact(hash)).await.status, 404);
    }
    assert!(is_open(&larder.metrics().await));
}

fn failing(status: u16) -> Script {
    script().head(status).length(0)
}

#[tokio::test]
async fn after_three_failures_misses_are_answered_without_asking() {
    let origin = Origin::start();
    let larder = impatient(&origin).start().await;
    for hash in ["x1", "x2", "x3", "x4"] {
        origin.always("GET", hash, script().stall());
        origin.always("HEAD", hash, script().stall());
    }
    open(&larder).await;
    let asked = origin.requests().len();
    let mut client = larder.client();
    assert_miss(&client.get(&artifact("x4")).await, TIMEOUT);
    assert_miss(&client.head(&artifact("x4")).await, TIMEOUT);
    assert_eq!(origin.requests().len(), asked);
    let metrics = larder.metrics().await;
    assert!(
        (spared(&metrics, "get") - 1.0).abs() < 0.1,
        "{}",
        metrics.text()
    );
    assert!((spared(&metrics, "head") - 1.0).abs() < 0.1);
    let said = larder.printed();
    assert_eq!(said.matches("is left alone").count(), 1, "{said}");
}

#[tokio::test]
async fn hits_uploads_and_other_requests_go_on_while_reads_are_spared() {
    let origin = Origin::start();
    let larder = setup(&origin).start().await;
    let mut client = larder.client();
    hold_a_hit(&origin, &larder).await;
    for hash in ["x1", "x2", "x3"] {
        origin.always("GET", hash, failing(500));
    }
    open(&larder).await;
    assert!(client.get(&artifact("aa")).await.is_hit());
    assert_eq!(client.put(&artifact("bb"), b"new").await.status, 202);
    assert!(client.get(&artifact("bb")).await.is_hit());
    assert_eq!(
        client.get("/v8/artifacts/status?slug=acme").await.status,
        200
    );
}

#[tokio::test]
async fn whoever_was_accepted_is_served_on_grace_and_a_stranger_is_not() {
    let origin = Origin::start();
    let larder = setup(&origin)
        .set("access.verdict_ttl", "1ms")
        .start()
        .await;
    let mut client = larder.client();
    hold_a_hit(&origin, &larder).await;
    for hash in ["x1", "x2", "x3"] {
        origin.always("GET", hash, failing(500));
    }
    open(&larder).await;
    let asked = origin.requests().len();
    let hit = client.get(&artifact("aa")).await;
    hit.assert_body(&bytes(1, 100));
    assert_eq!(hit.cache_status(), "larder; hit; detail=memory; grace");
    let stranger = larder.client_as("stranger").get(&artifact("aa")).await;
    assert_miss(&stranger, ERROR);
    assert_eq!(origin.requests().len(), asked);
}

#[tokio::test]
async fn after_the_cool_down_it_is_tried_and_all_are_served_again() {
    let mut origin = Origin::start();
    let larder = setup(&origin)
        .set("upstream.breaker_cooldown", "50ms")
        .start()
        .await;
    origin.stop().await;
    open(&larder).await;
    assert_miss(&larder.client().get(&artifact("aa")).await, UNREACHABLE);
    origin.hold("aa", &bytes(1, 100));
    origin.resume();
    let mut client = larder.client();
    eventually("the upstream to be asked again", async || {
        client.get(&artifact("aa")).await.status == 200
    })
    .await;
    assert!(!is_open(&larder.metrics().await));
}

#[tokio::test]
async fn whoever_tries_in_vain_waits_a_moment_and_not_the_whole_budget() {
    let origin = Origin::start();
    let larder = Setup::before(&origin)
        .set("upstream.breaker_cooldown", "1ms")
        .start()
        .await;
    for hash in ["x1", "x2", "x3"] {
        origin.always("GET", hash, failing(500));
    }
    open(&larder).await;
    origin.forget();
    let body = bytes(1, 300_000);
    let late = script().hold("try").head(200).length(body.len());
    origin.once("GET", "aa", late.chunk(&body));
    let reply = larder.client().get(&artifact("aa")).await;
    // The origin has not said a word yet: it is the gate that keeps it silent.
    assert_miss(&reply, ERROR);
    origin.release("try");
    eventually("its answer to count all the same", async || {
        !is_open(&larder.metrics().await)
    })
    .await;
}

#[tokio::test]
async fn a_body_that_never_comes_is_a_failure_and_a_head_alone_no_success() {
    let origin = Origin::start();
    let larder = impatient(&origin).start().await;
    for hash in ["x1", "x2", "x3"] {
        origin.always("GET", hash, script().head(200).length(10).stall());
        let reply = larder.client().get(&artifact(hash)).await;
        assert_eq!(reply.status, 200);
        assert!(!reply.is_clean());
    }
    eventually("reads to be spared", async || {
        is_open(&larder.metrics().await)
    })
    .await;
}

#[tokio::test]
async fn one_artifact_that_always_fails_is_its_own_affair() {
    let origin = Origin::start();
    let larder = setup(&origin).start().await;
    origin.always("GET", "x1", failing(500));
    let mut client = larder.client();
    for _ in 0..5 {
        assert_miss(&client.get(&artifact("x1")).await, ERROR);
    }
    assert!(!is_open(&larder.metrics().await));
    assert_eq!(client.get(&artifact("aa")).await.status, 404);
    assert_eq!(origin.gets("aa"), 1);
}

#[tokio::test]
async fn it_can_be_turned_off() {
    let mut origin = Origin::start();
    let larder = setup(&origin)
        .set("upstream.breaker_failures", "0")
        .start()
        .await;
    origin.stop().await;
    for number in 0..10 {
        let hash = format!("x{number}");
        assert_eq!(larder.client().get(&artifact(&hash)).await.status, 404);
    }
    assert!(!is_open(&larder.metrics().await));
    origin.resume();
    origin.hold("aa", b"body".as_slice());
    larder
        .client()
        .get(&artifact("aa"))
        .await
        .assert_body(b"body");
}

#[tokio::test]
async fn uploads_that_fail_are_spared_and_reads_go_on() {
    let origin = Origin::start();
    let larder = setup(&origin).start().await;
    let mut client = larder.client();
    for hash in ["x1", "x2", "x3", "x4"] {
        origin.always("PUT", hash, failing(500));
    }
    for hash in ["x1", "x2", "x3"] {
        assert_eq!(client.put(&artifact(hash), b"body").await.status, 424);
    }
    assert!(is_open(&larder.metrics().await));
    assert_eq!(client.put(&artifact("x4"), b"body").await.status, 424);
    assert_eq!(origin.seen("PUT", "x4").len(), 0);
    origin.hold("aa", &bytes(1, 100));
    client
        .get(&artifact("aa"))
        .await
        .assert_body(&bytes(1, 100));
}

#[tokio::test]
async fn a_server_that_asks_to_be_left_alone_is_and_clients_are_not_told_to_wait() {
    let origin = Origin::start();
    let larder = setup(&origin).start().await;
    let mut client = larder.client();
    let resting = script().head(503).header("retry-after", "20").length(0);
    origin.always("GET", "x1", resting);
    let told = client.get(&artifact("x1")).await;
    assert_miss(&told, ERROR);
    assert_eq!(told.header("retry-after"), None);
    assert_eq!(origin.gets("x1"), 1, "it is not asked again");
    assert_miss(&client.get(&artifact("x2")).await, ERROR);
    assert_eq!(origin.gets("x2"), 0);
    assert!(is_open(&larder.metrics().await));
}

#[tokio::test]
async fn one_callers_limit_is_not_everybodys() {
    let origin = Origin::start();
    let larder = setup(&origin).start().await;
    let (mut limited, mut other) = (larder.client(), larder.client_as("other"));
    let limit = script().head(429).header("retry-after", "20").length(0);
    for hash in ["x1", "x3", "x4"] {
        origin.always("GET", hash, limit.clone());
    }
    // Three at once, before any of them is known.
    let told = join_all(["x1", "x3", "x4"].map(async |hash| {
        let mut client = larder.client();
        client.get(&artifact(hash)).await
    }));
    for told in told.await {
        assert_miss(&told, "larder; fwd=uri-miss; detail=upstream-limited");
    }
    let spared = limited.get(&artifact("x2")).await;
    assert_miss(&spared, "larder; fwd=uri-miss; detail=upstream-limited");
    assert_eq!(origin.gets("x2"), 0);
    origin.hold("aa", &bytes(1, 100));
    other.get(&artifact("aa")).await.assert_body(&bytes(1, 100));
    // Uploads are another matter.
    assert_eq!(limited.put(&artifact("bb"), b"new").await.status, 202);
}

#[tokio::test]
async fn a_read_that_fails_once_is_asked_again_before_anybody_hears_of_it() {
    let origin = Origin::start();
    let larder = setup(&origin).start().await;
    let mut client = larder.client();
    let faults = [
        ("aa", failing(500)),
        ("bb", failing(502)),
        ("cc", script().reset()),
        ("dd", script().cut()),
        ("ee", script().chunk(b"garbage\r\n\r\n").cut()),
        ("ff", failing(429)),
    ];
    for (hash, fault) in faults {
        origin.hold(hash, &bytes(1, 100));
        origin.once("GET", hash, fault);
        client
            .get(&artifact(hash))
            .await
            .assert_body(&bytes(1, 100));
        assert_eq!(origin.gets(hash), 2, "{hash}");
    }
}

#[tokio::test]
async fn an_upload_that_fails_twice_is_sent_a_third_time_from_the_spool() {
    let origin = Origin::start();
    let larder = setup(&origin).start().await;
    let body = bytes(1, 200_000);
    for fault in [failing(503), script().reset()] {
        origin.once("PUT", "aa", fault);
    }
    let reply = larder.client().put(&artifact("aa"), &body).await;
    assert_eq!(reply.status, 202);
    let puts = origin.seen("PUT", "aa");
    assert_eq!(puts.len(), 3);
    assert_eq!(puts[2].body.len(), body.len());
    assert!(larder.client().get(&artifact("aa")).await.is_hit());
}

#[tokio::test]
async fn where_everything_fails_few_requests_are_repeated() {
    let origin = Origin::start();
    let larder = setup(&origin)
        .set("upstream.breaker_failures", "0")
        .start()
        .await;
    let mut client = larder.client();
    for number in 0..60 {
        let hash = format!("x{number}");
        origin.always("GET", &hash, failing(500));
        client.get(&artifact(&hash)).await;
    }
    let asked = origin.requests().len();
    assert!((60..=80).contains(&asked), "{asked}");
}

#[tokio::test]
async fn whether_a_hit_may_be_served_is_asked_though_every_other_place_is_taken() {
    let origin = Origin::start();
    let larder = Setup::before(&origin)
        .set("upstream.max_concurrent", "8")
        .start()
        .await;
    hold_a_hit(&origin, &larder).await;
    // More than there are places for, all of them silent.
    let mut waiting = Vec::new();
    for number in 0..10 {
        let hash = format!("x{number}");
        origin.always("GET", &hash, script().hold(&hash).usual());
        let mut client = larder.client();
        client
            .send_whole(&Request::new("GET", &artifact(&hash)))
            .await;
        waiting.push(client);
    }
    eventually("every place to be taken", async || {
        origin.seen_where(|seen| seen.target().contains("/x")).len() == 7
    })
    .await;
    let hit = larder.client_as("other").get(&artifact("aa")).await;
    assert!(hit.is_hit());
    hit.assert_body(&bytes(1, 100));
}

#[tokio::test]
async fn requests_about_no_artifact_are_spared_like_others() {
    let origin = Origin::start();
    let larder = setup(&origin).start().await;
    let mut client = larder.client();
    for path in ["/v2/x1", "/v2/x2", "/v2/x3"] {
        origin.always("GET", path, failing(503));
        let passed = client.get(path).await;
        assert_eq!(passed.status, 503, "in the upstream's own words");
    }
    let spared = client.get("/v2/user").await;
    assert_eq!(spared.status, 502);
    assert!(origin.seen("GET", "/v2/user").is_empty());
    assert_eq!(client.get(&artifact("aa")).await.status, 404);
    assert_eq!(origin.gets("aa"), 1, "reads go on");
}

#[tokio::test]
async fn storage_that_is_gone_spares_reads_alone() {
    let (origin, mut storage) = (Origin::start(), Origin::start());
    let larder = setup(&origin).start().await;
    let mut client = larder.client();
    let elsewhere = script()
        .head(302)
        .header("location", &format!("{}/stored", storage.url()))
        .length(0);
    storage.stop().await;
    for hash in ["x1", "x2", "x3"] {
        origin.always("GET", hash, elsewhere.clone());
        assert_miss(&client.get(&artifact(hash)).await, UNREACHABLE);
    }
    assert!(is_open(&larder.metrics().await));
    assert_eq!(client.put(&artifact("bb"), b"new").await.status, 202);
}
