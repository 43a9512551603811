//! The admin API is what `docs/openapi.json` says: every path answers, and every answer has the form that is
//! written there.

mod schema;

use serde_json::Value;

use self::schema::Checker;
use crate::support::{Client, Larder, Origin, Reply, Request, artifact, bytes, eventually};

const DOCUMENT: &str = include_str!("../../../docs/openapi.json");

fn document() -> Value {
    serde_json::from_str(DOCUMENT).expect("docs/openapi.json")
}

/// The reply's faults, held against what is documented of it.
fn faults(document: &Value, operation: &Value, reply: &Reply) -> Vec<String> {
    let status = reply.status.to_string();
    let Some(answer) = operation["responses"].get(&status) else {
        return vec![format!("the status {status} is not documented")];
    };
    let told = reply.header("content-type").unwrap_or_default();
    let told = told.split(';').next().unwrap_or_default();
    let Some(content) = answer["content"].get(told) else {
        return vec![format!("{told} is not documented for {status}")];
    };
    let value = if told == "application/json" {
        serde_json::from_slice(&reply.body).expect("json")
    } else {
        Value::String(String::from_utf8_lossy(&reply.body).into_owned())
    };
    Checker(document).faults(&content["schema"], &value)
}

#[track_caller]
fn assert_documented(document: &Value, request: &Request, reply: &Reply, status: u16) {
    let (method, target, _) = request.said();
    let path = target.split('?').next().unwrap_or_default();
    let operation = &document["paths"][path][method.to_lowercase()];
    assert_eq!(reply.status, status, "{method} {target}");
    let faults = faults(document, operation, reply);
    assert!(faults.is_empty(), "{method} {target}: {faults:#?}");
}

fn token(larder: &Larder) -> String {
    let file = larder.setup().data_dir().join("admin.json");
    let text = std::fs::read_to_string(file).expect("admin.json");
    let known: Value = serde_json::from_str(&text).expect("json");
    known["token"].as_str().expect("a token").to_owned()
}

/// Hits, misses, uploads, a conflict and an upstream that has gone: something for every member to say.
async fn with_traffic() -> Larder {
    let mut origin = Origin::start();
    let larder = Larder::before(&origin).await;
    let mut client = larder.client();
    for seed in [1, 2] {
        let upload = Request::new("PUT", &artifact("aa"))
            .header("x-artifact-duration", "1500")
            .header("x-artifact-sha", "beef")
            .header("user-agent", "turbo 2.11");
        client.ask(&upload.body(&bytes(seed, 4000))).await;
    }
    origin.hold("bb", &bytes(1, 2000));
    for hash in ["aa", "bb", "cc"] {
        client.get(&artifact(hash)).await;
    }
    client.head(&artifact("aa")).await;
    larder.settled().await;
    origin.stop().await;
    for hash in ["d1", "d2", "d3", "d4"] {
        client.get(&artifact(hash)).await;
    }
    eventually("the requests to be counted", async || {
        larder.metrics().await.sum("larder_requests_total", &[]) >= 10.0
    })
    .await;
    larder
}

/// What is asked besides every path as it is, and what comes of it.
fn further() -> Vec<(Request, u16)> {
    let request = Request::new;
    vec![
        (request("GET", "/api/v1/entries?limit=1"), 200),
        (request("GET", "/api/v1/entries?limits=1"), 400),
        (request("DELETE", "/api/v1/entries"), 400),
        (
            request("DELETE", "/api/v1/entries?hash=bb&dry_run=true"),
            200,
        ),
        (request("DELETE", "/api/v1/entries?hash=bb"), 200),
        (request("GET", "/api/v1/requests?hash=aa&limit=2"), 200),
        (request("GET", "/api/v1/requests?trouble=true"), 200),
        (request("GET", "/api/v1/requests?troubles=true"), 400),
        (
            request("PUT", "/api/v1/holds").body(br#"{"hash":"bb","team":null}"#),
            200,
        ),
        (
            request("PUT", "/api/v1/holds").body(br#"{"hash":"../b"}"#),
            400,
        ),
        (request("GET", "/api/v1/holds"), 200),
        (request("DELETE", "/api/v1/holds?hash=bb"), 200),
        (request("DELETE", "/api/v1/holds"), 400),
        (
            request("PUT", "/api/v1/log").body(br#"{"level":"warn"}"#),
            200,
        ),
        (
            request("PUT", "/api/v1/log").body(br#"{"level":"loud"}"#),
            400,
        ),
    ]
}

async fn ask(admin: &mut Client, document: &Value, request: &Request, status: u16) {
    let reply = admin.ask(request).await;
    assert_documented(document, request, &reply, status);
}

#[tokio::test]
async fn every_documented_path_answers_as_it_is_documented() {
    let document = document();
    let larder = with_traffic().await;
    let mut admin = larder.admin().token(&token(&larder));
    for path in document["paths"].as_object().expect("paths").keys() {
        ask(&mut admin, &document, &Request::new("GET", path), 200).await;
    }
    for (request, status) in further() {
        ask(&mut admin, &document, &request, status).await;
    }
    let mut nobody = larder.admin();
    for (method, path) in [
        ("DELETE", "/api/v1/entries?all=true"),
        ("PUT", "/api/v1/holds"),
        ("DELETE", "/api/v1/holds?hash=bb"),
        ("PUT", "/api/v1/log"),
    ] {
        ask(&mut nobody, &document, &Request::new(method, path), 401).await;
    }
    let foreign = Request::new("GET", "/api/v1/stats").header("origin", "http://evil.example");
    ask(&mut nobody, &document, &foreign, 403).await;
}
