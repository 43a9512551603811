//! What an operator sees: metrics, health, access lines; and what nobody ever sees.

use std::fs;

use serde_json::Value;

use crate::support::{Larder, Metrics, Origin, Request, Setup, artifact, bytes, eventually};

#[track_caller]
fn assert_sum(metrics: &Metrics, name: &str, labels: &[(&str, &str)], expected: f64) {
    let sum = metrics.sum(name, labels);
    assert!(
        (sum - expected).abs() < 1e-9,
        "{name}{labels:?} is {sum}, not {expected}"
    );
}

/// Requests are counted when their answers have ended, which a client may see first.
async fn counted(larder: &Larder, requests: f64) -> Metrics {
    eventually("requests to be counted", async || {
        larder.metrics().await.sum("larder_requests_total", &[]) >= requests
    })
    .await;
    larder.metrics().await
}

/// One request for each thing that can happen: nine, of which two leave something here.
async fn nine_requests(origin: &mut Origin, larder: &Larder) -> Metrics {
    let mut client = larder.client();
    let upload = Request::new("PUT", &artifact("aa")).header("x-artifact-duration", "1500");
    client.ask(&upload.body(&bytes(1, 4000))).await;
    origin.hold("bb", &bytes(1, 2000));
    client
        .get(&artifact("bb"))
        .await
        .assert_body(&bytes(1, 2000));
    larder.settled().await;
    for _ in 0..2 {
        client
            .get(&artifact("aa"))
            .await
            .assert_body(&bytes(1, 4000));
    }
    client.get(&artifact("cc")).await;
    client.head(&artifact("bb")).await;
    client.get("/v2/user").await;
    client.get("/v8/artifacts/a.b").await;
    origin.stop().await;
    client.get(&artifact("dd")).await;
    counted(larder, 9.0).await
}

#[tokio::test]
async fn what_happened_is_counted() {
    let mut origin = Origin::start();
    let larder = Larder::before(&origin).await;
    let metrics = nine_requests(&mut origin, &larder).await;
    let expected = [
        ("put", "stored", 1.0),
        ("get", "filled", 1.0),
        ("get", "hit-memory", 2.0),
        ("get", "absent", 1.0),
        ("get", "degraded", 1.0),
        ("head", "hit-memory", 1.0),
        ("pass", "passed", 1.0),
    ];
    for (route, outcome, count) in expected {
        let labels = [("route", route), ("outcome", outcome)];
        assert_sum(&metrics, "larder_requests_total", &labels, count);
        assert_sum(&metrics, "larder_request_seconds_count", &labels, count);
        assert_sum(&metrics, "larder_first_byte_seconds_count", &labels, count);
    }
    assert_sum(&metrics, "larder_requests_total", &[], 9.0);
    assert_sum(
        &metrics,
        "larder_response_bytes_total",
        &[("outcome", "hit-memory")],
        8000.0,
    );
    assert_sum(
        &metrics,
        "larder_response_bytes_total",
        &[("outcome", "filled")],
        2000.0,
    );
    assert_sum(&metrics, "larder_saved_bytes_total", &[], 8000.0);
    assert_sum(&metrics, "larder_saved_seconds_total", &[], 3.0);
    assert!(metrics.sum("larder_upstream_requests_total", &[]) >= 5.0);
}

#[tokio::test]
async fn what_is_there_can_be_read_off() {
    let mut origin = Origin::start();
    let larder = Larder::before(&origin).await;
    let metrics = nine_requests(&mut origin, &larder).await;
    for tier in ["memory", "disk"] {
        assert_sum(&metrics, "larder_tier_entries", &[("tier", tier)], 2.0);
        assert!(
            metrics.sum("larder_tier_bytes", &[("tier", tier)]) >= 6000.0,
            "{tier}"
        );
        assert!(
            metrics.sum("larder_tier_capacity_bytes", &[("tier", tier)]) > 6000.0,
            "{tier}"
        );
    }
    assert_sum(&metrics, "larder_fills_in_flight", &[], 0.0);
    assert_sum(
        &metrics,
        "larder_build_info",
        &[("version", env!("CARGO_PKG_VERSION"))],
        1.0,
    );
    for present in [
        "larder_verdicts_total",
        "larder_upstream_seconds",
        "larder_connections",
    ] {
        assert!(metrics.has(present), "{present}");
    }
}

#[tokio::test]
async fn health_and_readiness_do_not_depend_on_the_upstream() {
    let mut origin = Origin::start();
    let larder = Larder::before(&origin).await;
    origin.stop().await;
    larder.client().get(&artifact("aa")).await;
    for path in ["/healthz", "/readyz"] {
        assert_eq!(larder.admin().get(path).await.status, 200, "{path}");
    }
    assert_eq!(larder.admin().get("/nothing").await.status, 404);
}

/// A miss, a hit, an absence and an upload, four requests; then the process is stopped.
async fn four_requests(setup: Setup, origin: &Origin) -> String {
    origin.hold("aa", &bytes(1, 500));
    let larder = setup.start().await;
    let mut client = larder.client();
    client.get(&artifact("aa")).await;
    larder.settled().await;
    client.get(&artifact("aa")).await;
    client.get(&artifact("bb")).await;
    client.put(&artifact("cc"), b"x").await;
    counted(&larder, 4.0).await;
    let exit = larder.stop().await;
    exit.stdout + &exit.stderr
}

const OUTCOMES: [&str; 4] = ["filled", "hit-memory", "absent", "stored"];

#[tokio::test]
async fn every_request_is_one_line_of_text() {
    let origin = Origin::start();
    let printed = four_requests(Setup::before(&origin), &origin).await;
    for outcome in OUTCOMES {
        let lines: Vec<_> = printed
            .lines()
            .filter(|line| line.contains(outcome))
            .collect();
        assert_eq!(lines.len(), 1, "{outcome} in {printed}");
    }
    let hit = printed
        .lines()
        .find(|line| line.contains("hit-memory"))
        .expect("a line");
    for part in ["get", "200", "500"] {
        assert!(hit.contains(part), "{part} in {hit}");
    }
}

#[tokio::test]
async fn every_request_is_one_json_object() {
    let origin = Origin::start();
    let setup = Setup::before(&origin).set("log.format", "json");
    let printed = four_requests(setup, &origin).await;
    let lines: Vec<Value> = printed
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect();
    for outcome in OUTCOMES {
        let is_it = |line: &&Value| has(line, &Value::from(outcome));
        let found: Vec<_> = lines.iter().filter(is_it).collect();
        assert_eq!(found.len(), 1, "{outcome} in {printed}");
        let route = if outcome == "stored" { "put" } else { "get" };
        assert!(has(found[0], &Value::from(route)), "{}", found[0]);
    }
    let hit = lines
        .iter()
        .find(|line| has(line, &Value::from("hit-memory")))
        .expect("a line");
    assert!(
        has(hit, &Value::from(200)) && has(hit, &Value::from(500)),
        "status and bytes: {hit}"
    );
}

/// Whether `value` is, or holds at any depth, exactly `wanted`.
fn has(value: &Value, wanted: &Value) -> bool {
    match value {
        Value::Object(fields) => fields.values().any(|field| has(field, wanted)),
        Value::Array(items) => items.iter().any(|item| has(item, wanted)),
        value => value == wanted,
    }
}

#[tokio::test]
async fn what_many_requests_meet_is_said_once_and_counted() {
    let larder = Setup::alone()
        .toml("tier.memory.capacity", "0")
        .start()
        .await;
    let hashes = ["aa", "bb", "cc", "dd", "ee"].map(artifact);
    for hash in &hashes {
        assert_eq!(larder.client().put(hash, &bytes(1, 4000)).await.status, 202);
    }
    let setup = larder.setup().clone();
    larder.stop().await;
    let folders = fs::read_dir(setup.data_dir().join("v1/entries")).expect("a folder");
    for folder in folders {
        for entry in fs::read_dir(folder.expect("a folder").path()).expect("a folder") {
            let path = entry.expect("an entry").path();
            let mut body = fs::read(&path).expect("an entry");
            body[1000] ^= 1;
            fs::write(&path, body).expect("an entry");
        }
    }
    let larder = setup.start().await;
    for hash in &hashes {
        assert_eq!(larder.client().get(hash).await.status, 404);
    }
    let metrics = larder.metrics().await;
    assert_sum(&metrics, "larder_corrupt_total", &[("tier", "disk")], 5.0);
    let exit = larder.stop().await;
    let said = exit.stderr.matches("a damaged entry is put aside").count();
    assert_eq!(said, 1, "{}", exit.stderr);
}

#[tokio::test]
async fn a_large_fill_that_arrived_whole_is_written_down_as_whole() {
    let origin = Origin::start();
    let body = bytes(1, 8 << 20);
    origin.hold("big", &body);
    let larder = Larder::before(&origin).await;
    larder
        .client()
        .get(&artifact("big"))
        .await
        .assert_body(&body);
    larder.settled().await;
    eventually("its line", async || {
        larder.printed().contains(" big 200 filled")
    })
    .await;
    assert!(
        larder.printed().contains(" big 200 filled whole "),
        "{}",
        larder.printed()
    );
}

#[tokio::test]
async fn whoever_has_the_token_sets_the_level_of_the_log_at_once() {
    let larder = Setup::alone()
        .set("admin.token", "canary")
        .set("log.level", "error")
        .start()
        .await;
    let set = async |token: &str, body: &str| {
        let wish = Request::new("PUT", "/api/v1/log")
            .header("authorization", &format!("Bearer {token}"))
            .body(body.as_bytes());
        let reply = larder.admin().ask(&wish).await;
        let text = String::from_utf8(reply.body).expect("text");
        (reply.status, text)
    };
    larder.client().get(&artifact("unseen")).await;
    assert_eq!(set("wrong", r#"{"level":"info"}"#).await.0, 401);
    for (wish, why) in [
        (r#"{"level":"loud"}"#, "error, warn, info, debug, trace"),
        (r#"{"level":"info","for":"ever"}"#, "for"),
        ("info", r#"{\"level\":\"LEVEL\"}"#),
        (&"x".repeat(2000), "kibibyte"),
    ] {
        let (status, text) = set("canary", wish).await;
        assert_eq!(status, 400, "{text}");
        assert!(text.contains(why), "{text}");
    }
    let level = async || larder.admin().get("/api/v1/log").await.body;
    assert_eq!(level().await, br#"{"level":"error"}"#);
    let info = r#"{"level":"info"}"#;
    assert_eq!(set("canary", info).await, (200, info.to_owned()));
    assert_eq!(level().await, info.as_bytes());
    larder.client().get(&artifact("seen")).await;
    eventually("an access line", async || larder.printed().contains("seen")).await;
    assert!(!larder.printed().contains("unseen"), "{}", larder.printed());
    let shown = larder.admin().get("/api/v1/config").await;
    let shown = String::from_utf8(shown.body).expect("text");
    assert!(shown.contains("the admin API"), "{shown}");
}
