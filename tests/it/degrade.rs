//! An upstream that cannot answer: a read is a miss that says why, and a hit does not care.

use crate::support::{Origin, Reply, Script, Setup, artifact, bytes, error_code, script};

/// Budgets that let a stalled upstream show itself quickly.
fn impatient(origin: &Origin) -> Setup {
    Setup::before(origin)
        .set("upstream.connect_timeout", "500ms")
        .set("upstream.first_byte_timeout", "500ms")
        .set("upstream.idle_timeout", "500ms")
}

/// What the origin does with a request, and the detail that it becomes.
fn failures() -> Vec<(&'static str, Script, &'static str)> {
    vec![
        ("stalled", script().stall(), "upstream-timeout"),
        (
            "status500",
            script().head(500).chunk(b"oops"),
            "upstream-error",
        ),
        ("status502", script().head(502), "upstream-error"),
        (
            "status503",
            script().head(503).header("retry-after", "9"),
            "upstream-error",
        ),
        (
            "status429",
            script().head(429).header("retry-after", "9"),
            "upstream-limited",
        ),
        (
            "garbage",
            script().chunk(b"220 mail.example ESMTP\r\n\r\n").cut(),
            "upstream-error",
        ),
    ]
}

#[track_caller]
fn assert_miss(reply: &Reply, detail: &str) {
    assert_eq!(reply.status, 404, "{detail}");
    assert_eq!(
        reply.cache_status(),
        format!("larder; fwd=uri-miss; detail={detail}")
    );
    assert_eq!(
        reply.header("retry-after"),
        None,
        "a plain miss asks for nothing"
    );
    error_code(reply);
}

#[tokio::test]
async fn whatever_the_upstream_does_a_read_is_a_miss_that_says_why() {
    let mut origin = Origin::start();
    for (hash, script, detail) in failures() {
        // What one of them began is not to show in the next.
        let larder = impatient(&origin).start().await;
        let mut client = larder.client();
        origin.always("GET", hash, script.clone());
        origin.always("HEAD", hash, script);
        assert_miss(&client.get(&artifact(hash)).await, detail);
        let head = client.head(&artifact(hash)).await;
        assert_eq!(head.status, 404, "{hash}");
        assert_eq!(
            head.cache_status(),
            format!("larder; fwd=uri-miss; detail={detail}")
        );
    }
    let larder = impatient(&origin).start().await;
    let mut client = larder.client();
    origin.stop().await;
    assert_miss(
        &client.get(&artifact("refused")).await,
        "upstream-unreachable",
    );
    assert_eq!(client.head(&artifact("refused")).await.status, 404);
}

#[tokio::test]
async fn a_failed_read_is_tried_afresh_once_the_upstream_is_back() {
    let mut origin = Origin::start();
    let larder = impatient(&origin).start().await;
    let mut client = larder.client();
    origin.stop().await;
    assert_miss(&client.get(&artifact("aa")).await, "upstream-unreachable");
    origin.resume();
    origin.hold("aa", &bytes(1, 500));
    client
        .get(&artifact("aa"))
        .await
        .assert_body(&bytes(1, 500));
}

#[tokio::test]
async fn a_body_that_stalls_ends_visibly_and_is_not_stored() {
    let origin = Origin::start();
    let body = bytes(1, 5000);
    origin.always(
        "GET",
        "aa",
        script().head(200).length(5000).chunk(&body[..2500]).stall(),
    );
    let larder = impatient(&origin).start().await;
    let reply = larder.client().get(&artifact("aa")).await;
    assert!(!reply.is_clean());
    larder.settled().await;
    origin.forget();
    origin.hold("aa", &body);
    let fresh = larder.client().get(&artifact("aa")).await;
    fresh.assert_body(&body);
    assert!(!fresh.is_hit());
}

#[tokio::test]
async fn on_read_failure_error_says_so_with_a_gateway_status() {
    let mut origin = Origin::start();
    let larder = impatient(&origin)
        .set("upstream.on_read_failure", "error")
        .start()
        .await;
    let mut client = larder.client();
    origin.always("GET", "stalled", script().stall());
    let late = client.get(&artifact("stalled")).await;
    assert_eq!(late.status, 504);
    assert_eq!(
        late.cache_status(),
        "larder; fwd=uri-miss; detail=upstream-timeout"
    );
    error_code(&late);
    assert_eq!(
        client.get(&artifact("absent")).await.status,
        404,
        "an absence is none"
    );
    origin.stop().await;
    let refused = client.get(&artifact("refused")).await;
    assert_eq!(refused.status, 502);
    assert_eq!(
        refused.cache_status(),
        "larder; fwd=uri-miss; detail=upstream-unreachable"
    );
}

#[tokio::test]
async fn hits_do_not_care_whether_the_upstream_lives() {
    let mut origin = Origin::start();
    origin.hold("aa", &bytes(1, 500));
    let larder = impatient(&origin).start().await;
    let mut client = larder.client();
    client
        .get(&artifact("aa"))
        .await
        .assert_body(&bytes(1, 500));
    larder.settled().await;
    origin.stop().await;
    for _ in 0..3 {
        let hit = client.get(&artifact("aa")).await;
        hit.assert_body(&bytes(1, 500));
        assert_eq!(hit.cache_status(), "larder; hit; detail=memory");
        assert_eq!(
            client.head(&artifact("aa")).await.cache_status(),
            "larder; hit; detail=memory"
        );
        assert_miss(&client.get(&artifact("bb")).await, "upstream-unreachable");
    }
}

#[tokio::test]
async fn other_paths_are_a_bad_gateway_and_a_batch_is_a_404() {
    let mut origin = Origin::start();
    let larder = impatient(&origin).start().await;
    let mut client = larder.client();
    origin.stop().await;
    let passed = client.get("/v2/user").await;
    assert!([502, 504].contains(&passed.status), "{}", passed.status);
    error_code(&passed);
    // Clients then ask for each by HEAD, and find our hits.
    let batch = client
        .post("/v8/artifacts?slug=acme", br#"{"hashes":["aa"]}"#)
        .await;
    assert_eq!(batch.status, 404);
    error_code(&batch);
}
