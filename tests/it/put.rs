//! Uploads: what the upstream gets, what the client is told, and what is kept.
//!
//! What fails is told in [`refused`](crate::refused), what meets an entry that is already there in
//! [`overwrite`](crate::overwrite).

use crate::support::{
    Client, Larder, Origin, Request, Seen, artifact, assert_bytes, bytes, script,
};

pub const STORED: &str = "larder; fwd=method; stored";
const MEMORY: &str = "larder; hit; detail=memory";
const ABSENT: &str = "larder; fwd=uri-miss; fwd-status=404";

/// A client that has proven that it may read the team `acme`.
pub async fn member(origin: &Origin, larder: &Larder) -> Client {
    origin.hold("proof", &bytes(0, 10));
    let mut client = larder.client();
    client
        .get(&artifact("proof"))
        .await
        .assert_body(&bytes(0, 10));
    larder.settled().await;
    client
}

pub fn announced(hash: &str, length: usize) -> Request {
    Request::new("PUT", &artifact(hash)).header("content-length", &length.to_string())
}

#[tokio::test]
async fn an_upload_is_stored_upstream_and_here_and_its_answer_relayed_byte_for_byte() {
    let origin = Origin::start();
    let answer = br#" {"urls" :["https://elsewhere/aa"],"more":1}"#;
    let accepted = script()
        .head(202)
        .header("content-type", "application/json");
    origin.once(
        "PUT",
        "aa",
        accepted.header("x-vercel-id", "fra1").chunk(answer),
    );
    let larder = Larder::before(&origin).await;
    let mut client = member(&origin, &larder).await;
    let body = bytes(1, 5000);
    let upload = Request::new("PUT", &artifact("aa"))
        .header("content-type", "application/octet-stream")
        .header("x-artifact-duration", "1038")
        .header("x-artifact-sha", "332eba16")
        .header("x-artifact-client-ci", "GITHUB_ACTIONS");
    let reply = client.ask(&upload.body(&body)).await;
    assert_eq!((reply.status, reply.cache_status()), (202, STORED));
    assert_eq!(reply.body, answer);
    assert_eq!(reply.header("x-vercel-id"), Some("fra1"));

    let seen = &origin.seen("PUT", "aa")[0];
    assert_bytes(&seen.body, &body);
    assert_eq!(seen.target(), artifact("aa"));
    assert_eq!(seen.header("x-artifact-client-ci"), Some("GITHUB_ACTIONS"));
    assert_eq!(seen.header("x-artifact-duration"), Some("1038"));
    assert_eq!(seen.header("authorization"), Some("Bearer member"));

    let hit = client.get(&artifact("aa")).await;
    hit.assert_body(&body);
    assert_eq!(hit.cache_status(), MEMORY);
    assert_eq!(hit.header("x-artifact-duration"), Some("1038"));
    assert_eq!(hit.header("x-artifact-sha"), Some("332eba16"));
    assert_eq!(hit.header("x-artifact-client-ci"), None);
    assert_eq!(origin.gets("aa"), 0);
}

#[tokio::test]
async fn an_upload_reaches_the_upstream_while_the_client_still_sends() {
    let origin = Origin::start();
    let larder = Larder::before(&origin).await;
    let body = bytes(1, 100_000);
    let mut client = larder.client();
    client.send_head(&announced("aa", body.len())).await;
    client.send(&body[..60_000]).await;
    let first = |seen: &Seen| seen.is("PUT", "aa") && seen.body.len() >= 60_000;
    let seen = origin.until("the first part", first).await;
    assert_eq!(seen.header("content-length"), Some("100000"));
    assert_eq!(seen.ended, None);
    client.send(&body[60_000..]).await;
    assert_eq!(client.reply().await.status, 202);
    assert_bytes(&origin.seen("PUT", "aa")[0].body, &body);
}

#[tokio::test]
async fn a_chunked_upload_has_a_length_upstream() {
    let origin = Origin::start();
    let larder = Larder::before(&origin).await;
    let mut client = member(&origin, &larder).await;
    let body = bytes(1, 100_000);
    let upload = Request::new("PUT", &artifact("aa")).body(&body).chunked();
    assert_eq!(client.ask(&upload).await.status, 202);
    let seen = &origin.seen("PUT", "aa")[0];
    assert_eq!(seen.header("content-length"), Some("100000"));
    assert_eq!(seen.header("transfer-encoding"), None);
    assert_bytes(&seen.body, &body);
    client.get(&artifact("aa")).await.assert_body(&body);
    assert_eq!(origin.gets("aa"), 0);
}

#[tokio::test]
async fn nothing_is_visible_before_the_upstream_has_accepted() {
    let origin = Origin::start();
    let larder = Larder::before(&origin).await;
    let mut reader = member(&origin, &larder).await;
    origin.once("PUT", "aa", script().hold("verdict").usual());
    let mut writer = larder.client();
    writer.send_head(&announced("aa", 5000)).await;
    writer.send(&bytes(1, 5000)).await;
    origin.wait_at("verdict").await;
    let early = reader.get(&artifact("aa")).await;
    assert_eq!((early.status, early.cache_status()), (404, ABSENT));
    assert_eq!(reader.head(&artifact("aa")).await.status, 404);
    origin.release("verdict");
    assert_eq!(writer.reply().await.status, 202);
    let after = reader.get(&artifact("aa")).await;
    after.assert_body(&bytes(1, 5000));
    assert_eq!(after.cache_status(), MEMORY);
}

#[tokio::test]
async fn a_client_that_waits_for_100_continue_is_told_to_go_on() {
    let origin = Origin::start();
    let larder = Larder::before(&origin).await;
    let mut client = larder.client();
    client
        .send_head(&announced("aa", 500).header("expect", "100-continue"))
        .await;
    assert_eq!(
        client.read_head().await.expect("an interim head").word(1),
        "100"
    );
    client.send(&bytes(1, 500)).await;
    assert_eq!(client.reply().await.status, 202);
    assert_bytes(&origin.seen("PUT", "aa")[0].body, &bytes(1, 500));
}

#[tokio::test]
async fn an_empty_artifact_is_an_artifact() {
    let origin = Origin::start();
    let larder = Larder::before(&origin).await;
    let mut client = member(&origin, &larder).await;
    assert_eq!(client.put(&artifact("aa"), b"").await.status, 202);
    assert_eq!(
        origin.seen("PUT", "aa")[0].header("content-length"),
        Some("0")
    );
    let hit = client.get(&artifact("aa")).await;
    hit.assert_body(b"");
    assert_eq!(hit.cache_status(), MEMORY);
    origin.hold("bb", &Vec::new());
    for _ in 0..2 {
        client.get(&artifact("bb")).await.assert_body(b"");
        larder.settled().await;
    }
    assert_eq!(origin.gets("bb"), 1);
}

#[tokio::test]
async fn without_an_upstream_an_upload_is_kept_here() {
    let larder = Larder::alone().await;
    let mut client = larder.client();
    let upload = Request::new("PUT", &artifact("aa")).header("x-artifact-tag", "sig");
    let reply = client.ask(&upload.body(&bytes(1, 5000))).await;
    assert_eq!((reply.status, reply.cache_status()), (202, STORED));
    let answer: serde_json::Value = serde_json::from_slice(&reply.body).expect("json");
    assert_eq!(answer["urls"].as_array().map(Vec::len), Some(1));
    let hit = client.get(&artifact("aa")).await;
    hit.assert_body(&bytes(1, 5000));
    assert_eq!(
        (hit.cache_status(), hit.header("x-artifact-tag")),
        (MEMORY, Some("sig"))
    );
    assert_eq!(client.get(&artifact("bb")).await.status, 404);
    let larder = larder.restart().await;
    larder
        .client()
        .get(&artifact("aa"))
        .await
        .assert_body(&bytes(1, 5000));
}
