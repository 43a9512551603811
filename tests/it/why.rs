//! `larder why`: one artifact, told from all that the admin listener knows.

use serde_json::Value;

use crate::support::{Exit, Larder, Origin, Request, Setup, artifact, eventually};

async fn why(larder: &Larder, arguments: &[&str]) -> Exit {
    let words = [&["why", "--config", "{config}"], arguments].concat();
    larder.setup().run(&words).await
}

#[tokio::test]
async fn what_happened_to_an_artifact_is_told_in_sentences() {
    let origin = Origin::start();
    origin.members(&["member"], 403);
    let larder = Setup::before(&origin)
        .set("admin.token", "sesame")
        .start()
        .await;
    larder.client().put(&artifact("aa"), b"poison").await;
    larder.client_as("canary-token").get(&artifact("aa")).await;
    larder.client().get("/v8/artifacts/aa?slug=other").await;
    let wish = Request::new("PUT", "/api/v1/holds")
        .header("authorization", "Bearer sesame")
        .body(br#"{"hash":"aa","team":"acme"}"#);
    assert_eq!(larder.admin().ask(&wish).await.status, 200);
    let mut told = String::new();
    eventually("the requests", async || {
        let exit = why(&larder, &["aa"]).await;
        assert_eq!((exit.code, exit.stderr.as_str()), (Some(0), ""));
        told = exit.stdout;
        told.contains("3 in all")
    })
    .await;
    for part in [
        "put 202 stored, under the team acme, from 127.0.0.1",
        "get 403 refused, under the team acme",
        "the upstream refused this token for this team",
        "get 404 absent, under the team other",
        "held       for the team acme since ",
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
    assert!(!told.contains("canary"), "{told}");
    let other = why(&larder, &["aa", "--team", "other"]).await;
    assert!(other.stdout.contains("1 in all"), "{}", other.stdout);
}

#[tokio::test]
async fn a_team_with_a_long_name_is_told_of_its_own_requests() {
    let larder = Larder::alone().await;
    let team = "t".repeat(60);
    for slug in [team.as_str(), "other"] {
        let target = format!("/v8/artifacts/aa?slug={slug}");
        larder.client().put(&target, b"x").await;
    }
    eventually("its request", async || {
        let exit = why(&larder, &["aa", "--team", &team]).await;
        exit.stdout.contains("1 in all")
    })
    .await;
}

#[tokio::test]
async fn of_what_nobody_has_heard_there_is_nothing_to_tell() {
    let larder = Larder::alone().await;
    let nothing = why(&larder, &["aa"]).await;
    assert_eq!(nothing.code, Some(1), "{}", nothing.stderr);
    assert_eq!(why(&larder, &["../aa"]).await.code, Some(2));
    larder.client().get(&artifact("aa")).await;
    let mut told = Value::Null;
    eventually("the request", async || {
        let exit = why(&larder, &["aa", "--json"]).await;
        told = serde_json::from_str(&exit.stdout).expect("json");
        exit.code == Some(0)
    })
    .await;
    assert_eq!(told["requests"][0]["outcome"], "absent");
    assert_eq!((&told["hash"], &told["team"]), (&"aa".into(), &Value::Null));
    let setup = larder.setup().clone();
    larder.stop().await;
    let exit = setup.run(&["why", "--config", "{config}", "aa"]).await;
    assert_eq!(exit.code, Some(1));
    assert_eq!(exit.stderr.lines().count(), 1, "{}", exit.stderr);
}
