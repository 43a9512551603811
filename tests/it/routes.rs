//! The routes besides artifacts: status, batch, events, preflight, and everything that is passed.

use serde_json::{Value, json};

use crate::support::{Larder, Origin, Reply, Request, Seen, Setup, artifact, bytes, script};

const STATUS: &str = "/v8/artifacts/status?slug=acme";
const BATCH: &str = "/v8/artifacts?slug=acme";
const EVENTS: &str = "/v8/artifacts/events?slug=acme";
const PASSED: &str = "larder; fwd=method";

fn parsed(reply: &Reply) -> Value {
    serde_json::from_slice(&reply.body).expect("json")
}

#[tokio::test]
async fn the_status_is_the_upstreams() {
    let origin = Origin::start();
    let words = br#"{"status":"over_limit","version":"1.2.3"}"#;
    let answer = script()
        .head(200)
        .header("content-type", "application/json")
        .chunk(words);
    origin.always("GET", "status", answer);
    let larder = Larder::before(&origin).await;
    let reply = larder.client().get(STATUS).await;
    assert_eq!((reply.status, reply.body.as_slice()), (200, &words[..]));
    assert_eq!(reply.cache_status(), PASSED);
    let seen = &origin.requests()[0];
    assert_eq!((seen.target(), seen.token()), (STATUS, "member"));
}

#[tokio::test]
async fn without_an_upstream_the_status_is_enabled() {
    let larder = Larder::alone().await;
    let reply = larder.client().get(STATUS).await;
    assert_eq!(
        (reply.status, parsed(&reply)),
        (200, json!({ "status": "enabled" }))
    );
    assert!(reply.cache_status().starts_with("larder"));
}

#[tokio::test]
async fn a_batch_is_passed() {
    let origin = Origin::start();
    origin.hold("aa", &bytes(1, 10));
    let larder = Larder::before(&origin).await;
    let question = br#"{"hashes":["aa","bb"]}"#;
    let reply = larder.client().post(BATCH, question).await;
    assert_eq!(reply.status, 200);
    assert_eq!(
        parsed(&reply),
        json!({ "aa": { "size": 10, "taskDurationMs": 7 }, "bb": null })
    );
    let seen = &origin.requests()[0];
    assert_eq!(
        (seen.target(), seen.body.as_slice()),
        (BATCH, &question[..])
    );
    assert_eq!(seen.header("content-type"), Some("application/json"));
}

#[tokio::test]
async fn without_an_upstream_a_batch_tells_what_is_here() {
    let larder = Larder::alone().await;
    let mut client = larder.client();
    let described = Request::new("PUT", &artifact("aa"))
        .header("x-artifact-duration", "1038")
        .header("x-artifact-tag", "sig");
    client.ask(&described.body(&bytes(1, 500))).await;
    client.put(&artifact("bb"), b"plain").await;
    client
        .put("/v8/artifacts/cc?slug=other", b"of another team")
        .await;
    let reply = client
        .post(BATCH, br#"{"hashes":["aa","bb","cc","dd"]}"#)
        .await;
    assert_eq!(reply.status, 200);
    let answer = parsed(&reply);
    assert_eq!(
        answer["aa"],
        json!({ "size": 500, "taskDurationMs": 1038, "tag": "sig" })
    );
    assert_eq!(answer["bb"]["size"], 5);
    assert!(
        answer["bb"]["taskDurationMs"].is_u64(),
        "clients want a number: {answer}"
    );
    assert_eq!((&answer["cc"], &answer["dd"]), (&Value::Null, &Value::Null));
    assert_eq!(
        answer.as_object().map(serde_json::Map::len),
        Some(4),
        "null, not missing"
    );
}

#[tokio::test]
async fn events_are_answered_at_once_and_forwarded() {
    let origin = Origin::start();
    origin.once(
        "POST",
        "events",
        script().early().hold("events").head(200).chunk(b"{}"),
    );
    let larder = Larder::before(&origin).await;
    let events = br#"[{"sessionId":"1","source":"REMOTE","event":"HIT","hash":"aa","duration":7}]"#;
    let mut client = larder.client();
    let reply = client.post(EVENTS, events).await;
    assert!((200..300).contains(&reply.status), "{}", reply.status);
    // Clients hang up when they exit, which is about now.
    client.leave();
    origin.wait_at("events").await;
    origin.release("events");
    let whole = |seen: &Seen| seen.is("POST", "events") && seen.ended.is_some();
    let seen = origin.until("the events", whole).await;
    assert_eq!((seen.target(), seen.token()), (EVENTS, "member"));
    assert_eq!(seen.body, events);
}

#[tokio::test]
async fn events_are_answered_when_the_upstream_is_down_and_when_there_is_none() {
    let mut origin = Origin::start();
    let before = Larder::before(&origin).await;
    origin.stop().await;
    for larder in [before, Larder::alone().await] {
        let reply = larder.client().post(EVENTS, b"[]").await;
        assert!((200..300).contains(&reply.status), "{}", reply.status);
    }
}

#[tokio::test]
async fn a_preflight_is_answered_here_and_keeps_the_client_here() {
    let origin = Origin::start();
    let larder = Larder::before(&origin).await;
    let located = script()
        .head(200)
        .header("location", "https://elsewhere/aa");
    origin.always("OPTIONS", "aa", located);
    for target in [artifact("aa"), EVENTS.to_owned()] {
        let preflight = Request::new("OPTIONS", &target)
            .header("access-control-request-method", "PUT")
            .header(
                "access-control-request-headers",
                "Authorization, User-Agent, x-artifact-tag",
            );
        let reply = larder.client().ask(&preflight).await;
        assert!([200, 204].contains(&reply.status), "{}", reply.status);
        let allowed = reply
            .header("access-control-allow-headers")
            .expect("allowed headers");
        let allowed: Vec<_> = allowed
            .split(',')
            .map(|name| name.trim().to_lowercase())
            .collect();
        let wanted = [
            "authorization",
            "content-type",
            "user-agent",
            "x-artifact-duration",
            "x-artifact-tag",
            "x-artifact-sha",
            "x-artifact-dirty-hash",
        ];
        for name in wanted {
            assert!(
                allowed.iter().any(|known| known == name),
                "{name} in {allowed:?}"
            );
        }
        assert!(
            reply
                .header("access-control-allow-methods")
                .is_some_and(|all| all.contains("PUT"))
        );
        assert_eq!(reply.header("location"), None);
        assert_eq!(reply.header("access-control-allow-origin"), None);
    }
    assert!(origin.requests().is_empty());
}

#[tokio::test]
async fn other_paths_are_passed_without_what_is_meant_for_one_connection() {
    let origin = Origin::start();
    let larder = Larder::before(&origin).await;
    let request = Request::new("PATCH", "/v2/teams/acme?limit=1&x=%2F")
        .header("connection", "x-hop, keep-alive")
        .header("x-hop", "1")
        .header("keep-alive", "timeout=5")
        .header("te", "trailers")
        .header("proxy-authorization", "Basic eA==")
        .header("accept-encoding", "gzip")
        .header("x-kept", "1")
        .header("content-length", "6")
        .body(b"change");
    assert_eq!(larder.client().ask(&request).await.status, 200);
    let seen = &origin.requests()[0];
    assert_eq!(seen.target(), "/v2/teams/acme?limit=1&x=%2F");
    assert_eq!(seen.body, b"change");
    assert_eq!(
        seen.header("host"),
        Some(origin.address().to_string().as_str())
    );
    assert_eq!(seen.header("authorization"), Some("Bearer member"));
    assert_eq!(
        (seen.header("x-kept"), seen.header("accept-encoding")),
        (Some("1"), Some("gzip"))
    );
    assert!(
        seen.header("via")
            .is_some_and(|via| via.starts_with("1.1 ")),
        "{:?}",
        seen.head
    );
    for dropped in ["x-hop", "keep-alive", "te", "proxy-authorization"] {
        assert_eq!(seen.header(dropped), None, "{dropped}");
    }
    let connection = seen.header("connection").unwrap_or_default();
    assert!(!connection.contains("x-hop"), "{connection}");
}

#[tokio::test]
async fn answers_come_back_without_what_was_meant_for_one_connection() {
    let origin = Origin::start();
    let answer = script()
        .head(201)
        .header("connection", "x-answer-hop")
        .header("x-answer-hop", "1")
        .header("keep-alive", "timeout=5")
        .header("cache-status", "edge; hit")
        .header("x-kept", "1");
    origin.always("GET", "/v2/user", answer.chunk(b"somebody"));
    let larder = Larder::before(&origin).await;
    let reply = larder.client().get("/v2/user").await;
    assert_eq!(
        (reply.status, reply.body.as_slice()),
        (201, &b"somebody"[..])
    );
    assert_eq!(reply.header("x-kept"), Some("1"));
    assert_eq!(
        (reply.header("x-answer-hop"), reply.header("keep-alive")),
        (None, None)
    );
    let chain = reply.head.all("cache-status").join(", ");
    assert_eq!(
        chain, "edge; hit, larder; fwd=method",
        "the upstream's own member stays, first"
    );
}

#[tokio::test]
async fn a_request_that_has_been_here_before_is_a_loop() {
    let origin = Origin::start();
    let larder = Larder::before(&origin).await;
    let mut client = larder.client();
    client.get("/v2/user").await;
    let own = origin.requests()[0]
        .header("via")
        .expect("a via")
        .to_owned();
    for target in ["/v2/user".to_owned(), artifact("aa")] {
        let looped = Request::new("GET", &target).header("via", &format!("1.0 other, {own}"));
        assert_eq!(client.ask(&looped).await.status, 508, "{target}");
    }
    assert_eq!(origin.requests().len(), 1);
    let others = Request::new("GET", "/v2/user").header("via", "1.1 other");
    assert_eq!(client.ask(&others).await.status, 200);
    let via = origin.requests()[1].head.all("via").join(", ");
    assert_eq!(via, format!("1.1 other, {own}"));
}

#[tokio::test]
async fn every_answer_says_what_became_of_it() {
    let origin = Origin::start();
    let before = Setup::before(&origin).start().await;
    for larder in [before, Larder::alone().await] {
        let mut client = larder.client();
        for target in [
            "/",
            "/v2/user",
            "/v8/artifacts",
            STATUS,
            "/v8/artifacts/a.b",
        ] {
            let reply = client.get(target).await;
            assert!(
                reply.cache_status().starts_with("larder"),
                "{target}: {:?}",
                reply.head
            );
        }
        let preflight = client.ask(&Request::new("OPTIONS", &artifact("aa"))).await;
        assert!(preflight.cache_status().starts_with("larder"));
    }
}
