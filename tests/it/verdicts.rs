//! The life of a verdict: how it is got, how long it holds, what ends it.

use crate::access::{assert_nothing_of, held};
use crate::support::{Larder, Origin, Request, Setup, artifact, bytes, eventually, script};

const MEMORY: &str = "larder; hit; detail=memory";

#[tokio::test]
async fn a_hit_without_a_verdict_costs_one_head_of_that_hash_and_then_none() {
    let origin = Origin::start();
    origin.members(&["member", "colleague"], 403);
    let larder = Larder::before(&origin).await;
    let body = held(&origin, &larder, "aa").await;
    held(&origin, &larder, "bb").await;
    let before = origin.requests().len();
    let mut colleague = larder.client_as("colleague");
    for hash in ["aa", "aa", "bb"] {
        let reply = colleague.get(&artifact(hash)).await;
        reply.assert_body(&body);
        assert_eq!(reply.cache_status(), MEMORY);
    }
    let after: Vec<_> = origin.requests().drain(before..).collect();
    assert_eq!(after.len(), 1);
    assert!(after[0].is("HEAD", "aa") && after[0].token() == "colleague");
    assert_eq!(after[0].target(), artifact("aa"));
}

#[tokio::test]
async fn a_burst_of_hits_without_a_verdict_costs_one_head() {
    let origin = Origin::start();
    origin.members(&["member", "colleague"], 403);
    let larder = Larder::before(&origin).await;
    held(&origin, &larder, "aa").await;
    origin.once("HEAD", "aa", script().hold("verdict").usual());
    let mut clients: Vec<_> = (0..8).map(|_| larder.client_as("colleague")).collect();
    for client in &mut clients {
        client
            .send_head(&Request::new("GET", &artifact("aa")))
            .await;
    }
    origin.wait_at("verdict").await;
    origin.release("verdict");
    for client in &mut clients {
        assert_eq!(client.reply().await.cache_status(), MEMORY);
    }
    assert_eq!(origin.seen("HEAD", "aa").len(), 1);
}

#[tokio::test]
async fn a_401_revokes_at_once() {
    let origin = Origin::start();
    let larder = Larder::before(&origin).await;
    let body = held(&origin, &larder, "aa").await;
    let mut client = larder.client();
    assert_eq!(client.get(&artifact("aa")).await.cache_status(), MEMORY);
    origin.members(&[], 401);
    assert_eq!(client.get(&artifact("unknown")).await.status, 401);
    let reply = client.get(&artifact("aa")).await;
    assert_eq!(reply.status, 401);
    assert_nothing_of(&reply, &body);
}

#[tokio::test]
async fn nothing_tells_a_stranger_what_is_here() {
    for refusal in [401, 403, 404] {
        let origin = Origin::start();
        origin.members(&["member"], refusal);
        let larder = Larder::before(&origin).await;
        held(&origin, &larder, "aa").await;
        for method in ["GET", "HEAD"] {
            let mut shown = Vec::new();
            for hash in ["aa", "elsewhere"] {
                let mut stranger = larder.client_as(&format!("{method}-{hash}"));
                let mut reply = stranger.ask(&Request::new(method, &artifact(hash))).await;
                reply.head.headers.retain(|(name, _)| name != "date");
                shown.push((reply.head.start, reply.head.headers, reply.body));
            }
            assert_eq!(shown[0], shown[1], "{method} {refusal}");
        }
    }
}

#[tokio::test]
async fn a_refused_upload_says_nothing_about_reading() {
    let origin = Origin::start();
    let larder = Larder::before(&origin).await;
    held(&origin, &larder, "aa").await;
    let before = origin.requests().len();
    let refused = script().head(403).chunk(b"{}");
    origin.once("PUT", "bb", refused);
    let mut client = larder.client();
    assert_eq!(client.put(&artifact("bb"), b"x").await.status, 403);
    assert_eq!(client.get(&artifact("aa")).await.cache_status(), MEMORY);
    assert_eq!(origin.requests().len(), before + 1, "no probe");
}

#[tokio::test]
async fn a_hit_survives_an_outage_for_the_accepted_and_is_a_miss_for_strangers() {
    let mut origin = Origin::start();
    let larder = Larder::before(&origin).await;
    let body = held(&origin, &larder, "aa").await;
    origin.stop().await;
    let hit = larder.client().get(&artifact("aa")).await;
    hit.assert_body(&body);
    assert_eq!(hit.cache_status(), MEMORY);
    let stranger = larder.client_as("stranger").get(&artifact("aa")).await;
    assert_eq!(stranger.status, 404);
    assert_nothing_of(&stranger, &body);
}

#[tokio::test]
async fn an_acceptance_survives_a_restart_in_an_outage() {
    let mut origin = Origin::start();
    let larder = Larder::before(&origin).await;
    let body = held(&origin, &larder, "aa").await;
    origin.stop().await;
    let larder = larder.restart().await;
    larder
        .client()
        .get(&artifact("aa"))
        .await
        .assert_body(&body);
    assert_nothing_of(
        &larder.client_as("stranger").get(&artifact("aa")).await,
        &body,
    );
}

#[tokio::test]
async fn an_expired_verdict_is_asked_again_and_holds_while_nobody_can_be_asked() {
    let mut origin = Origin::start();
    let larder = Setup::before(&origin)
        .set("access.verdict_ttl", "1ns")
        .start()
        .await;
    let body = held(&origin, &larder, "aa").await;
    let before = origin.seen("HEAD", "aa").len();
    larder
        .client()
        .get(&artifact("aa"))
        .await
        .assert_body(&body);
    assert_eq!(origin.seen("HEAD", "aa").len(), before + 1);
    origin.stop().await;
    let grace = larder.client().get(&artifact("aa")).await;
    grace.assert_body(&body);
    assert_eq!(grace.cache_status(), "larder; hit; detail=memory; grace");
    let metrics = larder.metrics().await;
    let counted = metrics.sum("larder_verdicts_total", &[("result", "grace")]);
    assert!(counted > 0.5, "an operator sees hits on grace");
    origin.resume();
    origin.members(&[], 403);
    // An upstream that could not be asked is left alone for a moment.
    eventually("a refusal", async || {
        let reply = larder.client().get(&artifact("aa")).await;
        if reply.status == 403 {
            assert_nothing_of(&reply, &body);
        }
        reply.status == 403
    })
    .await;
}

#[tokio::test]
async fn a_gateway_that_no_longer_knows_a_caller_gives_it_no_grace() {
    let origin = Origin::start();
    let larder = Setup::before(&origin)
        .set("access.verdict_ttl", "1ns")
        .start()
        .await;
    let body = held(&origin, &larder, "aa").await;
    let page = script().head(200).header("content-type", "text/html");
    let page = page.chunk(b"<title>Sign in</title>");
    origin.always("HEAD", "aa", page.clone());
    origin.always("GET", "aa", page);
    for _ in 0..2 {
        let reply = larder.client().get(&artifact("aa")).await;
        assert_eq!(reply.status, 404);
        assert_nothing_of(&reply, &body);
    }
}

#[tokio::test]
async fn a_limit_of_one_caller_says_nothing_of_another() {
    let origin = Origin::start();
    origin.members(&["member", "mallory"], 401);
    let larder = Setup::before(&origin)
        .set("access.verdict_ttl", "1ns")
        .start()
        .await;
    let body = held(&origin, &larder, "aa").await;
    held(&origin, &larder, "mm").await;
    let mut mallory = larder.client_as("mallory");
    assert_eq!(mallory.get(&artifact("mm")).await.cache_status(), MEMORY);
    // The member is revoked; mallory's plan is at its limit.
    origin.members(&["mallory"], 401);
    for method in ["HEAD", "GET"] {
        let limit = script().head(402).header("content-length", "0");
        origin.always(method, "mm", limit);
    }
    let limited = mallory.get(&artifact("mm")).await;
    assert_eq!(limited.cache_status(), "larder; hit; detail=memory; grace");
    let reply = larder.client().get(&artifact("aa")).await;
    assert_eq!(reply.status, 401);
    assert_nothing_of(&reply, &body);
}

#[tokio::test]
async fn who_uploaded_may_read_in_the_next_outage() {
    let mut origin = Origin::start();
    let larder = Larder::before(&origin).await;
    let body = bytes(1, 3000);
    assert_eq!(
        larder.client().put(&artifact("aa"), &body).await.status,
        202
    );
    origin
        .until("the question", |seen| seen.is("HEAD", "aa"))
        .await;
    eventually("an answer to it", async || {
        let metrics = larder.metrics().await;
        metrics.sum("larder_upstream_requests_total", &[("operation", "head")]) > 0.0
    })
    .await;
    origin.stop().await;
    let reply = larder.client().get(&artifact("aa")).await;
    reply.assert_body(&body);
    assert_eq!(reply.cache_status(), MEMORY);
}

#[tokio::test]
async fn a_refusal_is_remembered_for_what_is_here_and_for_what_is_not() {
    let origin = Origin::start();
    origin.members(&["member"], 403);
    let larder = Larder::before(&origin).await;
    held(&origin, &larder, "aa").await;
    let mut stranger = larder.client_as("stranger");
    for first in ["aa", "bb"] {
        // Whichever came first, the upstream is spared the next questions, and so says nothing.
        assert_eq!(stranger.get(&artifact(first)).await.status, 403);
        let before = origin.requests().len();
        for hash in ["aa", "bb", "cc"] {
            let reply = stranger.get(&artifact(hash)).await;
            assert_eq!(reply.status, 403);
            assert_eq!(reply.cache_status(), "larder; fwd=uri-miss; fwd-status=403");
            assert_eq!(stranger.head(&artifact(hash)).await.status, 403);
        }
        assert_eq!(origin.requests().len(), before);
        stranger = larder.client_as("another stranger");
    }
    // Another team is another question.
    let elsewhere = stranger.get("/v8/artifacts/aa?slug=other").await;
    assert_eq!(elsewhere.status, 404);
}

#[tokio::test]
async fn an_upstream_that_means_a_404_by_its_403_is_asked_each_time() {
    let origin = Origin::start();
    let larder = Larder::before(&origin).await;
    let bare = || script().head(403).header("content-length", "0");
    origin.always("GET", "missing", bare());
    origin.hold("there", &bytes(1, 4000));
    let here = held(&origin, &larder, "here").await;
    let mut client = larder.client();
    for _ in 0..2 {
        assert_eq!(client.get(&artifact("missing")).await.status, 403);
        client
            .get(&artifact("there"))
            .await
            .assert_body(&bytes(1, 4000));
        assert_eq!(client.get(&artifact("missing")).await.status, 403);
        let hit = client.get(&artifact("here")).await;
        hit.assert_body(&here);
        assert_eq!(hit.cache_status(), MEMORY);
    }
}
