//! Jobs of a CI, let in by what their signed tokens claim.

use std::fs;

use serde_json::json;

use crate::access::assert_nothing_of;
use crate::secrets::read_all;
use crate::support::{Ci, JWKS, Larder, Origin, Setup, artifact, bytes, error_code, eventually};

const MAIN: &str = "refs/heads/main";
const PULL: &str = "refs/pull/7/merge";

/// A cache by itself, which `ci`'s jobs may use.
fn alone(ci: &Ci) -> Setup {
    Setup::alone()
        .set("access.mode", "tokens")
        .toml("access.oidc", &ci.listed())
}

/// What a token gets for an artifact that it asks for.
async fn status(larder: &Larder, token: &str) -> u16 {
    larder.client_as(token).get(&artifact("aa")).await.status
}

/// A Larder that holds the artifact `aa` because main has stored it.
async fn held(ci: &Ci, setup: Setup) -> (Larder, Vec<u8>) {
    let larder = setup.start().await;
    let body = bytes(1, 5000);
    let mut main = larder.client_as(&ci.job(MAIN));
    assert_eq!(main.put(&artifact("aa"), &body).await.status, 202);
    (larder, body)
}

#[tokio::test]
async fn main_writes_and_pull_requests_read() {
    let ci = Ci::start();
    let (larder, body) = held(&ci, alone(&ci)).await;
    let mut pull = larder.client_as(&ci.job(PULL));
    pull.get(&artifact("aa")).await.assert_body(&body);
    let refused = pull.put(&artifact("aa"), b"poison").await;
    assert_eq!(
        (refused.status, refused.cache_status()),
        (403, "larder; detail=denied")
    );
    assert_eq!(error_code(&refused), "forbidden");
    pull.get(&artifact("aa")).await.assert_body(&body);
    assert_eq!(pull.head(&artifact("aa")).await.status, 200);
    let elsewhere = pull.get("/v8/artifacts/aa?slug=other").await;
    assert_eq!(elsewhere.status, 403);
    let metrics = larder.metrics().await;
    let judged = |result| {
        let labels = [("source", "oidc"), ("result", result)];
        metrics.sum("larder_verdicts_total", &labels)
    };
    assert!(judged("accepted") >= 4.0 && judged("refused") >= 2.0);
    let fetched = [("operation", "keys"), ("result", "ok")];
    let fetched = metrics.sum("larder_upstream_requests_total", &fetched);
    assert!((fetched - 1.0).abs() < 1e-9, "{fetched}");
}

#[tokio::test]
async fn what_no_grant_is_for_and_what_nothing_proves_gets_nothing() {
    let ci = Ci::start();
    let stranger = Ci::start();
    let (larder, body) = held(&ci, alone(&ci)).await;
    let other_owner = ci.token(0, &json!({ "repository_owner": "evil" }));
    let other_audience = ci.token(0, &json!({ "aud": "https://cache.evil.example" }));
    let expired = ci.token(0, &json!({ "exp": 1_700_000_000 }));
    let forged = stranger.token(0, &json!({ "iss": ci.origin.url() }));
    let of_a_stranger = stranger.job(MAIN);
    for (token, expected, code) in [
        (other_owner.as_str(), 403, "forbidden"),
        (&other_audience, 401, "unauthorized"),
        (&expired, 401, "unauthorized"),
        (&forged, 401, "unauthorized"),
        (&of_a_stranger, 401, "unauthorized"),
        ("garbage", 401, "unauthorized"),
    ] {
        let mut client = larder.client_as(token);
        for reply in [
            client.get(&artifact("aa")).await,
            client.put(&artifact("aa"), b"poison").await,
        ] {
            assert_eq!((reply.status, &*error_code(&reply)), (expected, code));
            assert_nothing_of(&reply, &body);
        }
    }
    assert_eq!(
        stranger.origin.requests().len(),
        0,
        "nobody asks a stranger"
    );
    let mut pull = larder.client_as(&ci.job(PULL));
    pull.get(&artifact("aa")).await.assert_body(&body);
}

#[tokio::test]
async fn listed_tokens_and_jobs_are_let_in_side_by_side() {
    let ci = Ci::start();
    let laptop = r#"[{ name = "laptop", token = "laptop-token", rights = "read" }]"#;
    let (larder, body) = held(&ci, alone(&ci).toml("access.tokens", laptop)).await;
    let mut laptop = larder.client_as("laptop-token");
    laptop.get(&artifact("aa")).await.assert_body(&body);
    assert_eq!(laptop.put(&artifact("aa"), b"poison").await.status, 403);
}

#[tokio::test]
async fn another_list_of_issuers_counts_from_the_next_request_on() {
    let ci = Ci::start();
    let laptop = r#"[{ name = "laptop", token = "laptop-token" }]"#;
    let setup = Setup::alone().set("access.mode", "tokens");
    let mut larder = setup.toml("access.tokens", laptop).start().await;
    let mut pull = larder.client_as(&ci.job(PULL));
    assert_eq!(pull.get(&artifact("aa")).await.status, 401);
    let listed = ci.listed();
    larder
        .reload(|setup| setup.toml("access.oidc", &listed))
        .await;
    assert_eq!(pull.get(&artifact("aa")).await.status, 404);
    larder.reload(|setup| setup.unset("access.oidc")).await;
    assert_eq!(pull.get(&artifact("aa")).await.status, 401);
}

#[tokio::test]
async fn a_list_of_issuers_alone_makes_no_first_token() {
    let ci = Ci::start();
    let setup = Setup::alone().toml("access.oidc", &ci.listed());
    let (larder, _) = held(&ci, setup).await;
    assert_eq!(larder.stranger().get(&artifact("aa")).await.status, 401);
    assert!(!larder.setup().data_dir().join("token").exists());
}

#[tokio::test]
async fn a_key_that_the_issuer_publishes_later_counts_and_so_does_the_old_one() {
    let ci = Ci::start();
    let (larder, _) = held(&ci, alone(&ci)).await;
    ci.publish(&[0, 1]);
    assert_eq!(status(&larder, &ci.token(1, &json!({}))).await, 200);
    assert_eq!(status(&larder, &ci.token(0, &json!({}))).await, 200);
    for _ in 0..20 {
        assert_eq!(status(&larder, &ci.token(2, &json!({}))).await, 401);
    }
    assert_eq!(ci.origin.seen("GET", JWKS).len(), 2);
}

#[tokio::test]
async fn an_issuer_that_is_down_at_the_start_counts_once_it_is_up() {
    let mut ci = Ci::start();
    ci.origin.stop().await;
    let larder = alone(&ci).start().await;
    let main = ci.job(MAIN);
    assert_eq!(status(&larder, &main).await, 401);
    let stale = async || larder.metrics().await.sum("larder_oidc_keys_stale", &[]) > 0.0;
    assert!(stale().await);
    ci.origin.resume();
    eventually("its keys to be fetched", async || {
        status(&larder, &main).await == 404
    })
    .await;
    assert!(!stale().await);
    let exit = larder.stop().await;
    let printed = exit.stdout + &exit.stderr;
    for line in [
        "keys of this issuer cannot be",
        "keys of this issuer can be",
    ] {
        assert_eq!(printed.matches(line).count(), 1, "{printed}");
    }
}

#[tokio::test]
async fn an_issuer_that_goes_down_later_takes_nothing_from_its_jobs() {
    let mut ci = Ci::start();
    let (larder, body) = held(&ci, alone(&ci)).await;
    ci.origin.stop().await;
    let mut pull = larder.client_as(&ci.job(PULL));
    pull.get(&artifact("aa")).await.assert_body(&body);
    assert_eq!(status(&larder, &ci.token(1, &json!({}))).await, 401);
    pull.get(&artifact("aa")).await.assert_body(&body);
}

#[tokio::test]
async fn a_jobs_token_goes_nowhere() {
    let (ci, mut origin) = (Ci::start(), Origin::start());
    let setup = Setup::before(&origin).set("log.level", "trace");
    let own = setup.directory().join("own");
    fs::write(&own, "own-credential").expect("a file");
    let setup = setup
        .set("access.mode", "tokens")
        .set("upstream.token_file", own.to_str().expect("a plain path"))
        .toml("access.oidc", &ci.listed());
    let (larder, _) = held(&ci, setup).await;
    let canary = json!({ "job": "canary-claim" });
    let accepted = ci.token(0, &canary);
    let (message, _) = accepted.rsplit_once('.').expect("a token");
    let forged = format!("{message}.canarysignature");
    let unknown = ci.token(1, &canary);
    for token in [&accepted, &forged, &unknown] {
        let mut client = larder.client_as(token);
        client.get(&artifact("aa")).await;
        client.get(&artifact("bb")).await;
        client.put(&artifact("cc"), b"x").await;
        client.get("/v2/user").await;
    }
    origin.stop().await;
    larder.client_as(&accepted).get(&artifact("dd")).await;
    for seen in origin.requests() {
        assert_eq!(seen.token(), "own-credential", "{}", seen.target());
    }
    assert!(!larder.metrics().await.text().contains("canary"));
    let setup = larder.setup().clone();
    let exit = larder.stop().await;
    let printed = exit.stdout + &exit.stderr;
    let parts = [&accepted, &forged, &unknown].map(|token| token.split('.').skip(1));
    for secret in parts.into_iter().flatten().chain(["canary"]) {
        assert!(!printed.contains(secret), "{secret}");
    }
    assert!(printed.contains("a job's token is refused"), "{printed}");
    read_all(&setup.data_dir());
}
