//! Uploads that contradict each other, and who may see which did.

use std::fs;

use data_encoding::BASE64;
use serde_json::Value;

use crate::support::{
    Client, Larder, Origin, Reply, Request, Setup, artifact, bytes, error_code, eventually,
};

const REPORT: &str = "/api/v1/conflicts";

fn upload(hash: &str, body: &[u8], sha: &str) -> Request {
    Request::new("PUT", &artifact(hash))
        .header("x-artifact-sha", sha)
        .header("x-artifact-tag", "canary-tag")
        .body(body)
}

#[track_caller]
fn parsed(reply: &Reply) -> Value {
    assert_eq!(reply.status, 200);
    assert_eq!(reply.header("content-type"), Some("application/json"));
    serde_json::from_slice(&reply.body).expect("json")
}

async fn total(larder: &Larder) -> f64 {
    let metrics = larder.metrics().await;
    metrics.sum("larder_upload_conflicts_total", &[])
}

#[tokio::test]
async fn two_bodies_under_one_key_are_shown_to_the_operator() {
    let origin = Origin::start();
    let larder = Larder::before(&origin).await;
    let mut client = larder.client_as("canary-token");
    let (old, new) = (bytes(1, 4000), bytes(2, 4000));
    for (body, sha) in [(&old, "beef"), (&old, "f00d"), (&new, "cafe")] {
        let reply = client.ask(&upload("aa", body, sha)).await;
        assert_eq!(reply.status, 202);
    }
    let reply = larder.admin().get(REPORT).await;
    let told = parsed(&reply);
    assert_eq!((&told["total"], total(&larder).await), (&1.into(), 1.0));
    let conflict = &told["conflicts"][0];
    assert_eq!(
        (&conflict["hash"], &conflict["team"]),
        (&"aa".into(), &"acme".into())
    );
    for (version, sha) in [("before", "f00d"), ("after", "cafe")] {
        let version = &conflict[version];
        assert_eq!(
            (&version["bytes"], &version["sha"]),
            (&4000.into(), &sha.into())
        );
        assert!(
            version["landed"]
                .as_str()
                .is_some_and(|at| at.ends_with('Z'))
        );
    }
    assert!(!told.to_string().contains("canary"));
    let head = larder.admin().head(REPORT).await;
    assert_eq!(
        head.header("content-length"),
        reply.header("content-length")
    );
}

#[tokio::test]
async fn what_an_upload_replaces_from_before_the_start_is_compared_too() {
    let larder = Larder::alone().await;
    let body = bytes(1, 2_000_000);
    for hash in ["aa", "bb"] {
        larder.client().put(&artifact(hash), &body).await;
    }
    let larder = larder.restart().await;
    larder.client().put(&artifact("aa"), &body).await;
    larder.client().put(&artifact("bb"), &body[1..]).await;
    eventually("the conflict", async || total(&larder).await > 0.0).await;
    let told = parsed(&larder.admin().get(REPORT).await);
    let conflicts = told["conflicts"].as_array().expect("a list");
    let hashes: Vec<_> = conflicts.iter().map(|it| &it["hash"]).collect();
    assert_eq!(hashes, ["bb"]);
}

/// The report, asked for with this credential.
async fn shown(admin: &mut Client, credential: &str) -> Reply {
    admin
        .ask(&Request::new("GET", REPORT).header("authorization", credential))
        .await
}

fn basic(token: &str) -> String {
    format!(
        "Basic {}",
        BASE64.encode(format!("operator:{token}").as_bytes())
    )
}

async fn assert_wants(larder: &Larder, token: &str) {
    let mut admin = larder.admin();
    let refused = admin.get(REPORT).await;
    assert_eq!(
        (refused.status, error_code(&refused).as_str()),
        (401, "unauthorized")
    );
    assert_eq!(
        refused.head.all("www-authenticate"),
        [r#"Basic realm="larder""#, r#"Bearer realm="larder""#]
    );
    for wrong in ["Bearer another", &basic("another"), &basic("")] {
        assert_eq!(shown(&mut admin, wrong).await.status, 401, "{wrong}");
    }
    for right in [format!("Bearer {token}"), basic(token)] {
        parsed(&shown(&mut admin, &right).await);
    }
    for free in ["/metrics", "/healthz", "/readyz"] {
        assert_eq!(admin.get(free).await.status, 200, "{free}");
    }
}

#[tokio::test]
async fn where_strangers_reach_the_admin_listener_the_report_wants_the_token() {
    // Who comes from this machine comes from anywhere, as far as the listener knows.
    let setup = Setup::alone().set("admin.listen", "0.0.0.0:0");
    let larder = setup.set("admin.token", "sesame").start().await;
    assert_wants(&larder, "sesame").await;
}

#[tokio::test]
async fn a_token_made_at_the_start_is_the_one_in_the_admin_file() {
    let larder = Setup::alone()
        .set("admin.listen", "0.0.0.0:0")
        .start()
        .await;
    let file = larder.setup().data_dir().join("admin.json");
    let known: Value = serde_json::from_slice(&fs::read(file).expect("a file")).expect("json");
    assert_wants(&larder, known["token"].as_str().expect("a token")).await;
}
