//! Bodies whose length nobody said, and clients that must be told one.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{Larder, Origin, Request, Setup, artifact, assert_bytes, bytes, script};

/// What an HTTP/1.0 client gets, head and body.
async fn old_fashioned(larder: &Larder, hash: &str) -> (String, Vec<u8>) {
    let mut socket = TcpStream::connect(larder.address())
        .await
        .expect("a connection");
    let request = format!(
        "GET {} HTTP/1.0\r\nauthorization: Bearer member\r\n\r\n",
        artifact(hash)
    );
    socket
        .write_all(request.as_bytes())
        .await
        .expect("a request");
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).await.expect("an answer");
    let end = answer.windows(4).position(|at| at == b"\r\n\r\n");
    let body = answer.split_off(end.expect("a head") + 4);
    let head = String::from_utf8(answer).expect("text");
    (head.to_lowercase(), body)
}

#[tokio::test]
async fn a_client_of_http_1_0_is_told_the_length_of_a_chunked_artifact() {
    let origin = Origin::start();
    let body = bytes(1, 300_000);
    let answer = script().head(200).chunked().chunk(&body);
    origin.always("GET", "aa", answer);
    let larder = Larder::before(&origin).await;
    let (head, got) = old_fashioned(&larder, "aa").await;
    assert!(
        head.contains(" 200 ") && head.contains("content-length: 300000"),
        "{head}"
    );
    assert!(!head.contains("transfer-encoding"), "{head}");
    assert_bytes(&got, &body);
}

#[tokio::test]
async fn a_client_of_http_1_0_misses_what_nobody_can_tell_it_the_length_of() {
    let origin = Origin::start();
    let answer = script().head(200).chunked().chunk(&bytes(1, 5_000_000));
    origin.always("GET", "aa", answer);
    let larder = Setup::before(&origin)
        .set("tier.disk.capacity", "0")
        .start()
        .await;
    let (head, _) = old_fashioned(&larder, "aa").await;
    assert!(head.contains(" 404 "), "{head}");
}

#[tokio::test]
async fn a_chunked_upload_that_cannot_be_held_is_sent_on_as_it_came() {
    let origin = Origin::start();
    let larder = Setup::before(&origin)
        .set("tier.disk.capacity", "0")
        .start()
        .await;
    let body = bytes(1, 5_000_000);
    let upload = Request::new("PUT", &artifact("aa")).body(&body).chunked();
    let reply = larder.client().ask(&upload).await;
    assert_eq!(reply.status, 202);
    let seen = &origin.seen("PUT", "aa")[0];
    assert_eq!(seen.header("transfer-encoding"), Some("chunked"));
    assert_bytes(&seen.body, &body);
}

#[tokio::test]
async fn a_strangers_chunked_upload_is_not_read_far_ahead_of_the_upstream() {
    let origin = Origin::start();
    origin.members(&["member"], 401);
    origin.always("PUT", "aa", script().early().head(401).chunk(b"{}"));
    let larder = Larder::before(&origin).await;
    let body = bytes(1, 40_000_000);
    let upload = Request::new("PUT", &artifact("aa")).body(&body).chunked();
    assert_eq!(larder.client_as("garbage").ask(&upload).await.status, 401);
    let seen = origin.seen("PUT", "aa");
    assert_eq!(
        seen.len(),
        1,
        "the upstream was asked before all of it was here"
    );
    assert_eq!(seen[0].header("transfer-encoding"), Some("chunked"));
}

#[tokio::test]
async fn an_artifact_with_more_fields_than_an_entry_holds_is_passed_on_whole_and_not_kept() {
    let origin = Origin::start();
    let mut answer = script().head(200).header("x-artifact-tag", "signed");
    for number in 0..40 {
        answer = answer.header(&format!("x-artifact-f{number}"), "v");
    }
    origin.always("GET", "aa", answer.chunk(b"hello"));
    let larder = Larder::before(&origin).await;
    for _ in 0..2 {
        let reply = larder.client().get(&artifact("aa")).await;
        reply.assert_body(b"hello");
        assert_eq!(reply.header("x-artifact-tag"), Some("signed"));
        assert_eq!(reply.header("x-artifact-f39"), Some("v"));
        assert_eq!(
            reply.cache_status(),
            "larder; fwd=bypass; detail=too-many-fields"
        );
        larder.settled().await;
    }
}

#[tokio::test]
async fn what_caches_on_the_way_said_stays_in_front_and_is_not_kept() {
    let origin = Origin::start();
    let answer = script().head(200).header("cache-status", "\"far\"; hit");
    origin.once("GET", "aa", answer.chunk(b"hello"));
    let larder = Larder::before(&origin).await;
    let mut client = larder.client();
    let filled = client.get(&artifact("aa")).await;
    let said = filled.head.all("cache-status");
    assert_eq!(
        said,
        [
            "\"far\"; hit",
            "larder; fwd=uri-miss; fwd-status=200; stored"
        ]
    );
    larder.settled().await;
    let hit = client.get(&artifact("aa")).await;
    assert_eq!(hit.head.all("cache-status"), ["larder; hit; detail=memory"]);
}
