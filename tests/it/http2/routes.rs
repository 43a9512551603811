//! Every route over HTTP/2, in clear text and in TLS.

use serde_json::{Value, json};

use super::each_way;
use crate::support::{
    Http2, Larder, Origin, Reply, Request, Setup, artifact, assert_bytes, bytes, error_code,
    eventually, script,
};

const MIB: usize = 1 << 20;
const MEMORY: &str = "larder; hit; detail=memory";
const STORED: &str = "larder; fwd=method; stored";

/// What RFC 9113 §8.2.2 keeps to HTTP/1.
const OF_CONNECTIONS: [&str; 5] = [
    "connection",
    "keep-alive",
    "proxy-connection",
    "transfer-encoding",
    "upgrade",
];

#[track_caller]
fn parsed(reply: &Reply) -> Value {
    assert_eq!(reply.status, 200, "{:?}", reply.head);
    serde_json::from_slice(&reply.body).expect("json")
}

#[track_caller]
fn assert_of_http_2(reply: &Reply) {
    for name in OF_CONNECTIONS {
        assert_eq!(reply.header(name), None, "{:?}", reply.head);
    }
}

#[tokio::test]
async fn artifacts_are_what_they_are_over_http_1() {
    let origin = Origin::start();
    origin.hold("held", &bytes(1, 5000));
    for larder in each_way(&origin).await {
        let client = Http2::of(&larder).await;
        let miss = client.get(&artifact("held")).await;
        miss.assert_body(&bytes(1, 5000));
        assert!(!miss.is_hit());
        larder.settled().await;
        let hit = client.get(&artifact("held")).await;
        hit.assert_body(&bytes(1, 5000));
        assert_eq!(hit.cache_status(), MEMORY);
        let same = larder.client().get(&artifact("held")).await;
        let fields = |reply: &Reply| {
            let mut fields = reply.head.headers.clone();
            fields.retain(|(name, _)| !["date", "age"].contains(&name.as_str()));
            fields.sort();
            fields
        };
        assert_eq!(fields(&hit), fields(&same));
        let absent = client.get(&artifact("absent")).await;
        assert_eq!(absent.status, 404);
        for reply in [miss, hit, absent] {
            assert_of_http_2(&reply);
        }
    }
}

#[tokio::test]
async fn uploads_with_a_length_and_without_are_stored_whole_and_read_again_however_large() {
    let origin = Origin::start();
    let large = bytes(2, 16 * MIB);
    for larder in each_way(&origin).await {
        let client = Http2::of(&larder).await;
        let said = Request::new("PUT", &artifact("said")).body(&large);
        let said = said.header("content-length", &large.len().to_string());
        let unsaid = Request::new("PUT", &artifact("unsaid")).body(&large[..MIB]);
        let empty = Request::new("PUT", &artifact("empty"));
        for request in [said, unsaid, empty] {
            let put = client.ask(&request).await;
            assert_eq!(
                (put.status, put.cache_status()),
                (202, STORED),
                "{request:?}"
            );
        }
        for (hash, body) in [
            ("said", &large[..]),
            ("unsaid", &large[..MIB]),
            ("empty", b""),
        ] {
            assert_bytes(&origin.seen("PUT", hash)[0].body, body);
            let hit = client.get(&artifact(hash)).await;
            assert!(hit.is_hit(), "{hash}");
            hit.assert_body(body);
        }
        larder
            .client()
            .get(&artifact("said"))
            .await
            .assert_body(&large);
        origin.forget();
        let larder = larder.restart().await;
        let client = Http2::of(&larder).await;
        client.get(&artifact("said")).await.assert_body(&large);
        let mut stopped = larder;
        stopped.kill().await;
    }
}

#[tokio::test]
async fn what_is_on_the_disk_only_leaves_it_framed() {
    let larder = Setup::alone()
        .set("tier.memory.capacity", "0")
        .start()
        .await;
    let client = Http2::of(&larder).await;
    for (hash, length) in [("small", 700), ("large", 3 * MIB + 1)] {
        let body = bytes(3, length);
        assert_eq!(client.put(&artifact(hash), &body).await.status, 202);
        let hit = client.get(&artifact(hash)).await;
        hit.assert_body(&body);
        assert_eq!(hit.cache_status(), "larder; hit; detail=disk");
    }
}

#[tokio::test]
async fn a_head_tells_the_length_and_brings_no_body() {
    let origin = Origin::start();
    origin.hold("held", &bytes(1, 5000));
    for larder in each_way(&origin).await {
        let client = Http2::of(&larder).await;
        let head = Request::new("HEAD", &artifact("held"));
        // Of what is upstream, of what is here, and of what is nowhere.
        for _ in 0..2 {
            let told = client.ask(&head).await;
            assert_eq!((told.status, told.body.len()), (200, 0));
            assert_eq!(told.header("content-length"), Some("5000"));
            client.get(&artifact("held")).await;
            larder.settled().await;
        }
        let absent = client.ask(&Request::new("HEAD", &artifact("absent"))).await;
        assert_eq!((absent.status, absent.body.len()), (404, 0));
    }
}

#[tokio::test]
async fn everything_besides_artifacts_is_answered_too() {
    let origin = Origin::start();
    origin.hold("held", &bytes(1, 10));
    for larder in each_way(&origin).await {
        let client = Http2::of(&larder).await;
        let status = client.get("/v8/artifacts/status?slug=acme").await;
        assert_eq!(parsed(&status), json!({ "status": "enabled" }));
        let question = br#"{"hashes":["held","absent"]}"#;
        let batch = Request::new("POST", "/v8/artifacts?slug=acme")
            .header("content-type", "application/json")
            .body(question);
        let told = json!({ "held": { "size": 10, "taskDurationMs": 7 }, "absent": null });
        assert_eq!(parsed(&client.ask(&batch).await), told);
        let events = Request::new("POST", "/v8/artifacts/events?slug=acme").body(b"[]");
        assert_eq!(client.ask(&events).await.status, 200);
        let preflight = Request::new("OPTIONS", &artifact("held"))
            .header("origin", "https://app.example")
            .header("access-control-request-method", "PUT");
        let allowed = client.ask(&preflight).await;
        assert_eq!((allowed.status / 100, allowed.body.len()), (2, 0));
        let passed = client.get("/v2/user?a=b").await;
        assert_eq!(parsed(&passed), json!({ "passed": "/v2/user?a=b" }));
        let invalid = client.get("/v8/artifacts/a.b?slug=acme").await;
        assert_eq!(invalid.status, 400);
        for reply in [status, allowed, passed, invalid] {
            assert_of_http_2(&reply);
        }
    }
    eventually("the events", async || {
        origin.seen("POST", "events").len() == 2
    })
    .await;
}

#[tokio::test]
async fn the_upstream_is_asked_in_its_own_version_whatever_the_clients_is() {
    let origin = Origin::start();
    let larder = Larder::before(&origin).await;
    let client = Http2::of(&larder).await;
    let asked = Request::new("GET", "/v2/asked")
        .header("te", "trailers")
        .header("x-own", "kept");
    assert_eq!(client.ask(&asked).await.status, 200);
    let seen = &origin.seen("GET", "asked")[0];
    assert_eq!(seen.head.word(2), "HTTP/1.1");
    assert_eq!(seen.header("x-own"), Some("kept"));
    assert_eq!((seen.header("te"), seen.header("connection")), (None, None));
    let own = origin.address().to_string();
    assert_eq!(seen.header("host"), Some(own.as_str()));
}

#[tokio::test]
async fn what_follows_a_body_goes_nowhere() {
    let origin = Origin::start();
    let larder = Larder::before(&origin).await;
    let client = Http2::of(&larder).await;
    let paths = [artifact("aa"), "/v2/posted".to_owned()];
    for (method, path) in ["PUT", "POST"].into_iter().zip(&paths) {
        let mut exchange = client.begin(&Request::new(method, path), false).await;
        let body = bytes::Bytes::from_static(b"all of it");
        exchange.upload.send_data(body, false).expect("a stream");
        let mut trailers = http::HeaderMap::new();
        trailers.insert("authorization", http::HeaderValue::from_static("Bearer x"));
        exchange.upload.send_trailers(trailers).expect("a stream");
        let answer = exchange.answer().await.expect("an answer");
        assert!([200, 202].contains(&answer.status), "{method}");
        let seen = &origin.seen_where(|seen| seen.method() == method)[0];
        assert_eq!(seen.body, b"all of it");
        assert_eq!(seen.token(), "member");
        assert_eq!(seen.header("trailer"), None);
    }
}

#[tokio::test]
async fn an_answer_that_tells_of_the_origins_connection_does_not_tell_it_on() {
    let origin = Origin::start();
    let odd = script()
        .head(200)
        .header("connection", "x-hop, keep-alive")
        .header("keep-alive", "timeout=5")
        .header("x-hop", "1")
        .header("upgrade", "h2c");
    origin.always("GET", "odd", odd.chunk(b"{}"));
    let larder = Larder::before(&origin).await;
    let client = Http2::of(&larder).await;
    let reply = client.get("/v2/odd").await;
    assert_eq!((reply.status, reply.body.as_slice()), (200, &b"{}"[..]));
    assert_of_http_2(&reply);
    assert_eq!(reply.header("x-hop"), None);
}

#[tokio::test]
async fn crumbs_of_a_cookie_are_whom_one_cookie_is() {
    let origin = Origin::start();
    origin.hold_for("", "slug=acme", "aa", bytes(1, 500).as_slice());
    let larder = Larder::before(&origin).await;
    let whole = Request::new("GET", &artifact("aa")).header("cookie", "a=1; b=2");
    let crumbs = Request::new("GET", &artifact("aa"))
        .header("cookie", "a=1")
        .header("cookie", "b=2");
    let first = larder.stranger().ask(&whole).await;
    first.assert_body(&bytes(1, 500));
    larder.settled().await;
    let client = Http2::of(&larder).await.token(None);
    let same = client.ask(&crumbs).await;
    assert_eq!(same.cache_status(), MEMORY, "known, and not asked about");
    let seen = origin.requests().len();
    let other = Request::new("GET", &artifact("aa")).header("cookie", "a=1");
    assert_ne!(client.ask(&other).await.cache_status(), "");
    assert_eq!(origin.requests().len(), seen + 1, "somebody else");
    let passed = Request::new("GET", "/v2/crumbs")
        .header("cookie", "a=1")
        .header("cookie", "b=2");
    client.ask(&passed).await;
    let seen = &origin.seen("GET", "crumbs")[0];
    assert_eq!(seen.head.all("cookie"), ["a=1; b=2"]);
}

#[tokio::test]
async fn a_host_that_nobody_has_here_is_refused_as_in_http_1() {
    let larder = Larder::alone().await;
    let client = Http2::of(&larder).await;
    let foreign = Request::new("GET", &artifact("aa")).header("host", "evil.example");
    let reply = client.ask(&foreign).await;
    assert_eq!(
        (reply.status, error_code(&reply).as_str()),
        (400, "bad_request")
    );
    assert_eq!(client.get(&artifact("aa")).await.status, 404);
}
