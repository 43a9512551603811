//! Uploads that fail: refused, cut, too large, or with nobody to take them.

use crate::put::{STORED, announced, member};
use crate::support::{
    Client, Ended, Larder, Origin, Request, Seen, Setup, artifact, bytes, error_code, eventually,
    script,
};

const ABSENT: &str = "larder; fwd=uri-miss; fwd-status=404";

#[tokio::test]
async fn a_refused_upload_leaves_nothing_and_its_refusal_is_relayed() {
    let origin = Origin::start();
    let larder = Larder::before(&origin).await;
    for refusal in [400, 401, 402, 403, 413, 500] {
        let mut client = member(&origin, &larder).await;
        let hash = format!("refused{refusal}");
        let words = format!(r#"{{"error":{{"code":"c{refusal}","message":"no"}}}}"#);
        origin.always("PUT", &hash, script().head(refusal).chunk(words.as_bytes()));
        let reply = client.put(&artifact(&hash), &bytes(1, 500)).await;
        assert!(reply.status >= 400, "{refusal}");
        if refusal < 500 {
            assert_eq!((reply.status, reply.body), (refusal, words.into_bytes()));
        }
        let after = client.get(&artifact(&hash)).await;
        assert_eq!(
            (after.status, after.cache_status()),
            (404, ABSENT),
            "{refusal}"
        );
    }
}

#[tokio::test]
async fn a_cut_upload_leaves_no_entry_and_is_not_completed_upstream() {
    let origin = Origin::start();
    let larder = Larder::before(&origin).await;
    let mut reader = member(&origin, &larder).await;
    let mut writer = larder.client();
    writer.send_head(&announced("aa", 100_000)).await;
    writer.send(&bytes(1, 60_000)).await;
    origin
        .until("a part", |seen| {
            seen.is("PUT", "aa") && !seen.body.is_empty()
        })
        .await;
    writer.leave();
    let cut = |seen: &Seen| seen.is("PUT", "aa") && seen.ended == Some(Ended::Cut);
    origin.until("the cut", cut).await;
    assert_eq!(reader.get(&artifact("aa")).await.cache_status(), ABSENT);

    writer
        .send_head(&Request::new("PUT", &artifact("bb")).chunked())
        .await;
    writer.send(b"7d0\r\n").await;
    writer.send(&bytes(1, 1000)).await;
    writer.leave();
    assert_eq!(reader.get(&artifact("bb")).await.cache_status(), ABSENT);
    let whole = origin
        .requests()
        .iter()
        .any(|seen| seen.method() == "PUT" && seen.ended == Some(Ended::Whole));
    assert!(!whole, "the upstream took a part for the whole");
}

#[tokio::test]
async fn an_early_refusal_is_relayed_while_the_body_is_in_flight() {
    let origin = Origin::start();
    let larder = Larder::before(&origin).await;
    let words = br#"{"error":{"code":"forbidden","message":"read only"}}"#;
    origin.once("PUT", "aa", script().early().head(403).chunk(words));
    let mut client = larder.client();
    client.send_head(&announced("aa", 1_000_000)).await;
    client.send(&bytes(1, 10_000)).await;
    let reply = client.reply().await;
    assert_eq!((reply.status, reply.body.as_slice()), (403, &words[..]));
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused_and_reaches_nobody() {
    let origin = Origin::start();
    let larder = Setup::before(&origin)
        .set("upload.max_size", "64KiB")
        .start()
        .await;
    let mut client = member(&origin, &larder).await;
    let mut writer = larder.client();
    writer.send_head(&announced("aa", 65_537)).await;
    let by_length = writer.reply().await;
    assert_eq!(by_length.status, 413);
    error_code(&by_length);
    let chunked = Request::new("PUT", &artifact("bb"))
        .body(&bytes(1, 65_537))
        .chunked();
    assert_eq!(larder.client().ask(&chunked).await.status, 413);
    for hash in ["aa", "bb"] {
        assert_eq!(client.get(&artifact(hash)).await.cache_status(), ABSENT);
        assert!(origin.seen("PUT", hash).is_empty());
    }
    assert_eq!(
        client.put(&artifact("cc"), &bytes(1, 65_536)).await.status,
        202
    );
}

#[tokio::test]
async fn an_upload_the_upstream_cannot_take_is_refused_softly_and_leaves_nothing() {
    let mut origin = Origin::start();
    let larder = Larder::before(&origin).await;
    let mut client = member(&origin, &larder).await;
    origin.stop().await;
    let reply = client.put(&artifact("aa"), &bytes(1, 500)).await;
    // 5xx and 429 make clients pause or give up for the run; 401 and 403 would blame the caller.
    assert!((400..500).contains(&reply.status), "{}", reply.status);
    assert!(![401, 403, 429].contains(&reply.status), "{}", reply.status);
    error_code(&reply);
    let after = client.get(&artifact("aa")).await;
    assert_eq!(after.status, 404);
    assert_eq!(
        after.cache_status(),
        "larder; fwd=uri-miss; detail=upstream-unreachable"
    );
}

#[tokio::test]
async fn on_failure_keep_keeps_uploads_of_proven_writers_only() {
    let mut origin = Origin::start();
    let larder = Setup::before(&origin)
        .set("upload.on_failure", "keep")
        .start()
        .await;
    let mut writer = member(&origin, &larder).await;
    assert_eq!(
        writer.put(&artifact("proof-of-writing"), b"x").await.status,
        202
    );
    origin.stop().await;
    assert_eq!(
        writer.put(&artifact("aa"), &bytes(1, 500)).await.status,
        202
    );
    writer
        .get(&artifact("aa"))
        .await
        .assert_body(&bytes(1, 500));
    let stranger = larder
        .client_as("stranger")
        .put(&artifact("bb"), b"x")
        .await;
    assert!((400..500).contains(&stranger.status), "{}", stranger.status);
    assert_eq!(writer.get(&artifact("bb")).await.status, 404);
}

/// A Larder that keeps what it cannot deliver, and two clients that have shown their rights.
async fn keeping(origin: &Origin) -> (Larder, Client, Client) {
    let larder = Setup::before(origin)
        .set("upload.on_failure", "keep")
        .start()
        .await;
    let (mut one, mut two) = (larder.client(), larder.client());
    assert_eq!(one.put(&artifact("proof"), b"x").await.status, 202);
    two.get(&artifact("proof")).await.assert_body(b"x");
    (larder, one, two)
}

#[tokio::test]
async fn what_is_said_to_be_kept_is_kept_also_where_uploads_overlap() {
    let mut origin = Origin::start();
    let (_larder, mut one, mut two) = keeping(&origin).await;
    origin.stop().await;
    for writer in [&mut one, &mut two] {
        writer.send_head(&announced("aa", 10)).await;
        writer.send(b"01234").await;
    }
    for writer in [&mut one, &mut two] {
        writer.send(b"56789").await;
    }
    for writer in [&mut one, &mut two] {
        let kept = writer.reply().await;
        assert_eq!((kept.status, kept.cache_status()), (202, STORED));
    }
    two.get(&artifact("aa")).await.assert_body(b"0123456789");
}

#[tokio::test]
async fn what_could_not_be_delivered_is_not_kept_over_what_was_accepted_meanwhile() {
    let mut origin = Origin::start();
    let (larder, mut one, mut two) = keeping(&origin).await;
    let held = script().early().hold("never");
    origin.once("PUT", "aa", held);
    one.send_head(&announced("aa", 10)).await;
    one.send(b"01234").await;
    origin.wait_at("never").await;
    assert_eq!(two.put(&artifact("aa"), b"accepted").await.status, 202);
    origin.stop().await;
    let puts = [("operation", "put")];
    eventually("the upload to have failed", async || {
        let metrics = larder.metrics().await;
        metrics.sum("larder_upstream_requests_total", &puts) > 2.5
    })
    .await;
    one.send(b"56789").await;
    assert_eq!(one.reply().await.status, 424);
    let reply = two.get(&artifact("aa")).await;
    reply.assert_body(b"accepted");
    assert!(reply.is_hit());
}

#[tokio::test]
async fn an_upload_sent_elsewhere_is_a_refusal_that_every_client_understands() {
    for status in [301, 302, 307, 308] {
        let origin = Origin::start();
        let elsewhere = script().head(status).header("location", "/elsewhere");
        origin.always("PUT", "aa", elsewhere);
        let larder = Larder::before(&origin).await;
        let mut client = member(&origin, &larder).await;
        let reply = client.put(&artifact("aa"), b"bytes").await;
        assert_eq!(
            (reply.status, reply.header("location")),
            (424, None),
            "{status}"
        );
        error_code(&reply);
        assert_eq!(client.get(&artifact("aa")).await.status, 404);
    }
}

#[tokio::test]
async fn an_upload_that_does_not_come_is_its_clients_own_fault() {
    let origin = Origin::start();
    let larder = Setup::before(&origin)
        .set("upload.timeout", "300ms")
        .start()
        .await;
    let mut client = larder.client();
    client.send_head(&announced("aa", 1000)).await;
    client.send(b"a little").await;
    let reply = client.reply().await;
    assert_eq!(
        (reply.status, reply.cache_status()),
        (408, "larder; detail=upload-too-slow")
    );
}

#[tokio::test]
async fn an_upload_that_is_not_answered_is_given_up_by_its_client_and_goes_on() {
    let origin = Origin::start();
    let larder = Setup::before(&origin)
        .set("upload.patience", "200ms")
        .start()
        .await;
    let mut client = larder.client();
    assert_eq!(client.put(&artifact("aa"), b"older").await.status, 202);
    origin.once("PUT", "aa", script().hold("late").usual());
    let told = client.put(&artifact("aa"), b"newer").await;
    assert_eq!(told.status, 424);
    assert_eq!(
        told.cache_status(),
        "larder; fwd=method; detail=upstream-timeout"
    );
    // The origin may hold either by now.
    let asked = origin.gets("aa");
    client.get(&artifact("aa")).await.assert_body(b"older");
    assert_eq!(origin.gets("aa"), asked + 1);
    origin.release("late");
    eventually("the upload to be kept after all", async || {
        let reply = client.get(&artifact("aa")).await;
        reply.is_hit() && reply.body == b"newer"
    })
    .await;
}

#[tokio::test]
async fn clients_of_uploads_that_nobody_answers_wait_only_until_that_is_known() {
    let origin = Origin::start();
    let larder = Setup::before(&origin)
        .set("upload.patience", "200ms")
        .set("upstream.breaker_cooldown", "10m")
        .start()
        .await;
    let mut client = larder.client();
    for hash in ["x1", "x2", "x3", "x4"] {
        origin.always("PUT", hash, script().stall());
        assert_eq!(client.put(&artifact(hash), b"body").await.status, 424);
    }
    assert_eq!(origin.seen("PUT", "x4").len(), 0);
}
