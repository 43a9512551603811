//! Artifacts that the operator holds back: absent for everybody until a new upload of them is accepted.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};

use crate::support::{
    Larder, Origin, Reply, Request, Setup, artifact, assert_whole, bytes, error_code, eventually,
    script,
};

const HELD: &str = "larder; detail=held";
const ADMIN: &str = "sesame";

fn before(origin: &Origin) -> Setup {
    Setup::before(origin).set("admin.token", ADMIN)
}

async fn change(larder: &Larder, method: &str, query: &str, body: &[u8]) -> Reply {
    let request = Request::new(method, &format!("/api/v1/holds{query}"))
        .header("authorization", &format!("Bearer {ADMIN}"));
    larder.admin().ask(&request.body(body)).await
}

async fn hold(larder: &Larder, hash: &str, team: Option<&str>) {
    let wish = json!({ "hash": hash, "team": team }).to_string();
    let reply = change(larder, "PUT", "", wish.as_bytes()).await;
    assert_eq!(reply.status, 200);
    let told: Value = serde_json::from_slice(&reply.body).expect("json");
    assert_eq!((&told["hash"], &told["team"]), (&hash.into(), &team.into()));
}

/// The hash and the team of what is held.
async fn held(larder: &Larder) -> Vec<(String, Option<String>)> {
    let reply = larder.admin().get("/api/v1/holds").await;
    assert_eq!(reply.status, 200);
    let told: Value = serde_json::from_slice(&reply.body).expect("json");
    let holds = told["holds"].as_array().expect("a list").iter();
    holds
        .map(|hold| {
            assert!(hold["since"].as_str().is_some_and(|at| at.ends_with('Z')));
            let text = |name: &str| hold[name].as_str().map(str::to_owned);
            (text("hash").expect("a hash"), text("team"))
        })
        .collect()
}

/// Of each hold, for how many queries it is over.
async fn healed(larder: &Larder) -> Vec<u64> {
    let reply = larder.admin().get("/api/v1/holds").await;
    let told: Value = serde_json::from_slice(&reply.body).expect("json");
    let holds = told["holds"].as_array().expect("a list").iter();
    holds
        .map(|hold| hold["healed"].as_u64().expect("a number"))
        .collect()
}

async fn assert_held(larder: &Larder, target: &str) {
    let reply = larder.client().get(target).await;
    assert_eq!(
        (reply.status, reply.cache_status()),
        (404, HELD),
        "{target}"
    );
    assert_eq!(error_code(&reply), "not_found");
    let head = larder.client().head(target).await;
    assert_eq!((head.status, head.cache_status()), (404, HELD), "{target}");
}

#[tokio::test]
async fn what_is_held_is_absent_here_and_upstream_until_a_new_upload_is_accepted() {
    let origin = Origin::start();
    let larder = before(&origin).start().await;
    let (poison, rebuilt) = (bytes(1, 4000), bytes(2, 3000));
    let mut client = larder.client();
    for hash in ["aa", "bb"] {
        origin.hold(hash, &poison);
        client.get(&artifact(hash)).await.assert_body(&poison);
    }
    larder.settled().await;
    let other = "/v8/artifacts/aa?slug=other";
    assert_eq!(client.put(other, &poison).await.status, 202);
    origin.hold("cc", &poison);
    for hash in ["aa", "cc"] {
        hold(&larder, hash, None).await;
        assert_held(&larder, &artifact(hash)).await;
    }
    assert_eq!(origin.gets("cc"), 0, "what is held is not fetched");
    client.get(&artifact("bb")).await.assert_body(&poison);

    origin.once("PUT", "aa", script().head(403).length(0));
    assert_eq!(client.put(&artifact("aa"), &rebuilt).await.status, 403);
    assert_held(&larder, &artifact("aa")).await;
    assert_eq!(client.put(&artifact("aa"), &rebuilt).await.status, 202);
    let reply = client.get(&artifact("aa")).await;
    reply.assert_body(&rebuilt);
    assert!(reply.is_hit());
    assert_held(&larder, other).await;
    let both = ["cc", "aa"].map(|hash| (hash.to_owned(), None));
    assert_eq!(held(&larder).await, both);
    let metrics = larder.metrics().await;
    let absent = [("route", "get"), ("outcome", "absent")];
    assert!(metrics.sum("larder_requests_total", &absent) >= 3.0);
}

#[tokio::test]
async fn a_hold_of_one_team_is_nothing_to_another_and_is_healed_by_that_teams_upload() {
    let origin = Origin::start();
    let larder = before(&origin).start().await;
    let mut client = larder.client();
    let other = "/v8/artifacts/aa?slug=other";
    for target in [&artifact("aa"), other] {
        assert_eq!(client.put(target, b"poison").await.status, 202);
    }
    hold(&larder, "aa", Some("acme")).await;
    assert_held(&larder, &artifact("aa")).await;
    client.get(other).await.assert_body(b"poison");
    assert_eq!(client.put(other, b"other").await.status, 202);
    assert_held(&larder, &artifact("aa")).await;
    assert_eq!(client.put(&artifact("aa"), b"rebuilt").await.status, 202);
    client.get(&artifact("aa")).await.assert_body(b"rebuilt");
    assert_eq!(healed(&larder).await, [1]);
}

#[tokio::test]
async fn what_rests_here_under_another_name_of_the_team_stays_held_when_that_team_uploads() {
    let origin = Origin::start();
    let larder = before(&origin).start().await;
    let mut client = larder.client();
    let others = ["teamId=acme", "slug=ACME", "slug=acme&x=1"];
    let others = others.map(|query| format!("/v8/artifacts/aa?{query}"));
    for target in others.iter().chain([&artifact("aa")]) {
        assert_eq!(client.put(target, b"poison").await.status, 202);
    }
    hold(&larder, "aa", Some("acme")).await;
    assert_eq!(client.put(&artifact("aa"), b"rebuilt").await.status, 202);
    client.get(&artifact("aa")).await.assert_body(b"rebuilt");
    for target in &others {
        assert_held(&larder, target).await;
    }
    assert_eq!(client.put(&others[0], b"rebuilt").await.status, 202);
    client.get(&others[0]).await.assert_body(b"rebuilt");
}

#[tokio::test]
async fn a_restart_holds_what_was_held_and_not_what_was_healed_or_released() {
    let origin = Origin::start();
    let mut larder = before(&origin).start().await;
    let mut client = larder.client();
    for hash in ["aa", "bb", "cc"] {
        assert_eq!(client.put(&artifact(hash), b"poison").await.status, 202);
        hold(&larder, hash, None).await;
    }
    assert_eq!(client.put(&artifact("bb"), b"rebuilt").await.status, 202);
    let released = change(&larder, "DELETE", "?hash=cc", b"").await;
    assert_eq!(released.body, br#"{"released":1}"#);
    let again = change(&larder, "DELETE", "?hash=cc", b"").await;
    assert_eq!(again.body, br#"{"released":0}"#);
    // What was answered outlasts a kill.
    larder.kill().await;
    let larder = larder.setup().clone().start().await;
    assert_held(&larder, &artifact("aa")).await;
    let mut client = larder.client();
    client.get(&artifact("cc")).await.assert_body(b"poison");
    assert_eq!(client.put(&artifact("bb"), b"rebuilt").await.status, 202);
    let larder = larder.restart().await;
    assert_held(&larder, &artifact("aa")).await;
    let reply = larder.client().get(&artifact("bb")).await;
    reply.assert_body(b"rebuilt");
    let file = larder.setup().data_dir().join("holds");
    let mode = fs::metadata(file).expect("a file").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[tokio::test]
async fn a_damaged_list_keeps_larder_from_starting_rather_than_letting_anything_out() {
    let larder = Setup::alone().set("admin.token", ADMIN).start().await;
    hold(&larder, "aa", None).await;
    let setup = larder.setup().clone();
    larder.stop().await;
    let file = setup.data_dir().join("holds");
    let whole = fs::read_to_string(&file).expect("a file");
    fs::write(&file, whole.replace("\"aa\"", "\"ab\"")).expect("a file");
    let exit = setup.run(&["serve", "--config", "{config}"]).await;
    assert_eq!(exit.code, Some(1), "{}", exit.stderr);
    assert!(
        exit.stderr.contains("holds lists the artifacts"),
        "{}",
        exit.stderr
    );
    fs::remove_file(&file).expect("a file");
    setup.start().await;
}

#[tokio::test]
async fn who_reads_finishes_and_nothing_under_way_lands_or_is_joined() {
    let origin = Origin::start();
    let larder = before(&origin).start().await;
    let body = bytes(1, 8000);
    let held_up = script()
        .head(200)
        .length(body.len())
        .chunk(&body[..4000])
        .hold("rest")
        .chunk(&body[4000..]);
    origin.once("GET", "aa", held_up);
    let mut reader = larder.client();
    reader
        .send_head(&Request::new("GET", &artifact("aa")))
        .await;
    origin.wait_at("rest").await;
    reader.read_head().await.expect("a head");
    hold(&larder, "aa", Some("acme")).await;
    assert_held(&larder, &artifact("aa")).await;
    origin.release("rest");
    assert_whole(&reader.read_rest().await, &body);
    larder.settled().await;
    change(&larder, "DELETE", "?hash=aa&team=acme", b"").await;
    assert_eq!(held(&larder).await, []);
    let after = larder.client().get(&artifact("aa")).await;
    assert_eq!(
        after.status, 404,
        "it has not landed, and the origin has it no more"
    );
    assert!(!after.is_hit());
}

#[tokio::test]
async fn whoever_waits_for_a_head_is_told_of_the_hold_that_came_meanwhile() {
    let origin = Origin::start();
    let larder = before(&origin).start().await;
    // Proven, so that nothing is asked about it.
    larder.client().put(&artifact("bb"), b"x").await;
    origin.once(
        "GET",
        "aa",
        script().hold("head").head(200).length(6).chunk(b"poison"),
    );
    let mut asker = larder.client();
    asker.send_head(&Request::new("GET", &artifact("aa"))).await;
    origin.wait_at("head").await;
    hold(&larder, "aa", None).await;
    origin.release("head");
    let reply = asker.reply().await;
    assert_eq!((reply.status, reply.cache_status()), (404, HELD));
}

#[tokio::test]
async fn an_upload_that_began_before_the_hold_heals_nothing() {
    let origin = Origin::start();
    let larder = before(&origin).start().await;
    let body = bytes(1, 4000);
    let mut client = larder.client();
    let upload = Request::new("PUT", &artifact("aa")).body(&body);
    client
        .send_head(&upload.clone().header("content-length", "4000"))
        .await;
    client.send(&body[..2000]).await;
    eventually("the upload", async || !origin.seen("PUT", "aa").is_empty()).await;
    hold(&larder, "aa", None).await;
    client.send(&body[2000..]).await;
    assert_eq!(client.reply().await.status, 202);
    assert_held(&larder, &artifact("aa")).await;
    assert_eq!(client.ask(&upload).await.status, 202);
    client.get(&artifact("aa")).await.assert_body(&body);
}

#[tokio::test]
async fn strangers_are_told_what_they_would_be_without_the_hold() {
    let origin = Origin::start();
    origin.members(&["member"], 403);
    let larder = before(&origin).start().await;
    larder.client().put(&artifact("aa"), b"poison").await;
    hold(&larder, "aa", None).await;
    let stranger = larder.client_as("stranger").get(&artifact("aa")).await;
    assert_eq!(stranger.status, 403);
    assert!(
        !stranger.cache_status().contains("held"),
        "{}",
        stranger.cache_status()
    );
    assert_held(&larder, &artifact("aa")).await;
}

#[tokio::test]
async fn without_an_upstream_a_hold_is_absent_from_batches_too_and_an_upload_here_ends_it() {
    let larder = Setup::alone().set("admin.token", ADMIN).start().await;
    let mut client = larder.client();
    client.put(&artifact("aa"), b"poison").await;
    hold(&larder, "aa", Some("acme")).await;
    assert_held(&larder, &artifact("aa")).await;
    let batch = "/v8/artifacts?slug=acme";
    let asked = br#"{"hashes":["aa"]}"#;
    assert_eq!(client.post(batch, asked).await.body, br#"{"aa":null}"#);
    assert_eq!(client.put(&artifact("aa"), b"rebuilt").await.status, 202);
    client.get(&artifact("aa")).await.assert_body(b"rebuilt");
    let found: Value = serde_json::from_slice(&client.post(batch, asked).await.body).expect("json");
    assert_eq!(found["aa"]["size"], 7);
}

#[tokio::test]
async fn holding_and_releasing_want_the_admin_token_and_a_clear_wish() {
    let larder = Setup::alone().set("admin.token", ADMIN).start().await;
    let wish = br#"{"hash":"aa","team":null}"#;
    for (method, query) in [("PUT", ""), ("DELETE", "?hash=aa")] {
        let bare = Request::new(method, &format!("/api/v1/holds{query}")).body(wish);
        assert_eq!(larder.admin().ask(&bare).await.status, 401, "{method}");
    }
    for body in [
        "{}",
        r#"{"hash":"..","team":null}"#,
        r#"{"hash":"aa","teem":"acme"}"#,
        r#"{"hash":"aa","team":""}"#,
        "aa",
    ] {
        let reply = change(&larder, "PUT", "", body.as_bytes()).await;
        assert_eq!(
            (reply.status, error_code(&reply).as_str()),
            (400, "bad_request"),
            "{body}"
        );
    }
    for query in [
        "",
        "?team=acme",
        "?hash=aa&hash=bb",
        "?hash=aa&all=true",
        "?hash=..",
    ] {
        let reply = change(&larder, "DELETE", query, b"").await;
        assert_eq!(
            (reply.status, error_code(&reply).as_str()),
            (400, "bad_request"),
            "{query}"
        );
    }
    assert_eq!(held(&larder).await, []);
}
