//! What rests in a Larder is listed, with who brought it, and purged.

use serde_json::Value;

use crate::support::{
    Client, Larder, Origin, Reply, Request, Setup, artifact, bytes, error_code, eventually, script,
};

const ENTRIES: &str = "/api/v1/entries";

#[track_caller]
fn parsed(reply: &Reply) -> Value {
    assert_eq!(
        reply.status,
        200,
        "{}",
        String::from_utf8_lossy(&reply.body)
    );
    assert_eq!(reply.header("content-type"), Some("application/json"));
    serde_json::from_slice(&reply.body).expect("json")
}

async fn listed(larder: &Larder, query: &str) -> Vec<Value> {
    let told = parsed(&larder.admin().get(&format!("{ENTRIES}?{query}")).await);
    told["entries"].as_array().expect("a list").clone()
}

/// The one entry of a hash.
async fn entry(larder: &Larder, hash: &str) -> Value {
    let entries = listed(larder, &format!("hash={hash}")).await;
    let [entry] = entries.as_slice() else {
        panic!("{entries:?}")
    };
    entry.clone()
}

/// The token that the process has written down for the commands.
fn token(larder: &Larder) -> String {
    let file = larder.setup().data_dir().join("admin.json");
    let text = std::fs::read_to_string(file).expect("admin.json");
    let known: Value = serde_json::from_str(&text).expect("json");
    known["token"].as_str().expect("a token").to_owned()
}

async fn purge(larder: &Larder, query: &str) -> Reply {
    let mut admin = larder.admin().token(&token(larder));
    admin
        .ask(&Request::new("DELETE", &format!("{ENTRIES}?{query}")))
        .await
}

/// With these tokens: one that may upload, and one that may not.
async fn with_tokens() -> Larder {
    let tokens = r#"[{ name = "ci", token = "canary-one", teams = ["acme"] }]"#;
    let setup = Setup::alone().set("access.mode", "tokens");
    setup.toml("access.tokens", tokens).start().await
}

async fn upload(client: &mut Client, hash: &str) {
    let upload = Request::new("PUT", &artifact(hash))
        .header("x-artifact-duration", "1500")
        .header("x-artifact-sha", "beef")
        .header("user-agent", "turbo 2.11");
    let reply = client.ask(&upload.body(&bytes(1, 4000))).await;
    assert_eq!(reply.status, 202);
}

#[tokio::test]
async fn an_entry_is_listed_with_what_is_known_of_it_and_after_a_restart_too() {
    let larder = with_tokens().await;
    upload(&mut larder.client_as("canary-one"), "aa").await;
    let check = |entry: &Value, tiers: &[&str]| {
        assert_eq!(entry["key"].as_str().map(str::len), Some(64));
        assert_eq!(
            (&entry["hash"], &entry["team"], &entry["bytes"]),
            (&"aa".into(), &"acme".into(), &4000.into())
        );
        assert_eq!(
            (&entry["task_ms"], &entry["sha"]),
            (&1500.into(), &"beef".into())
        );
        assert_eq!(entry["tiers"], serde_json::json!(tiers));
        assert!(entry["last_used"].is_string() && entry["age_seconds"].is_u64());
        assert_eq!(
            entry["uploader"],
            serde_json::json!({
                "name": "ci", "digest": null, "address": "127.0.0.1", "user_agent": "turbo 2.11",
            })
        );
    };
    check(&entry(&larder, "aa").await, &["memory", "disk"]);
    let larder = larder.restart().await;
    check(&entry(&larder, "aa").await, &["disk"]);
}

#[tokio::test]
async fn who_uploaded_is_known_by_digest_and_is_nobody_for_a_fill_and_no_client_is_told() {
    let origin = Origin::start();
    origin.hold("bb", &bytes(2, 500));
    let larder = Larder::before(&origin).await;
    let mut client = larder.client_as("canary-two");
    upload(&mut client, "aa").await;
    client.get(&artifact("bb")).await;
    larder.settled().await;
    let told = entry(&larder, "aa").await;
    let digest = told["uploader"]["digest"].as_str().expect("a digest");
    assert!(digest.len() == 16 && digest.bytes().all(|it| it.is_ascii_hexdigit()));
    assert_eq!(told["uploader"]["name"], Value::Null);
    assert_eq!(entry(&larder, "bb").await["uploader"], Value::Null);
    let larder = larder.restart().await;
    for _ in 0..2 {
        let hit = larder.client_as("canary-two").get(&artifact("aa")).await;
        assert!(hit.is_hit());
        let head = format!("{:?}", hit.head);
        for word in ["turbo 2.11", "127.0.0.1", digest] {
            assert!(!head.contains(word), "{head}");
        }
    }
    assert_eq!(entry(&larder, "aa").await["uploader"]["digest"], digest);
}

#[tokio::test]
async fn pages_follow_one_another_and_filters_choose() {
    let larder = Larder::alone().await;
    let mut client = larder.client();
    for number in 0..10 {
        let size = 100 + 1000 * number;
        client
            .put(&artifact(&format!("a{number}")), &bytes(1, size))
            .await;
    }
    client
        .put("/v8/artifacts/b?slug=other", &bytes(1, 10))
        .await;
    let (mut found, mut query) = (Vec::new(), "limit=4&team=acme".to_owned());
    loop {
        let told = parsed(&larder.admin().get(&format!("{ENTRIES}?{query}")).await);
        let entries = told["entries"].as_array().expect("a list");
        assert!(entries.len() <= 4);
        found.extend(entries.iter().map(|entry| entry["key"].to_string()));
        let Some(next) = told["next"].as_str() else {
            break;
        };
        query = format!("limit=4&team=acme&after={next}");
    }
    assert_eq!(found.len(), 10);
    assert!(found.is_sorted());
    for (query, number) in [
        ("", 11),
        ("team=other", 1),
        ("team=", 0),
        ("min_size=5000", 5),
        ("max_size=1KiB", 2),
        ("older_than=1h", 0),
        ("newer_than=1h", 11),
        ("newer_than=1h&max_size=2KB&team=acme", 2),
    ] {
        assert_eq!(listed(&larder, query).await.len(), number, "{query}");
    }
    for query in ["hsah=aa", "hash=a&hash=b", "limit=0", "after=x"] {
        let refused = larder.admin().get(&format!("{ENTRIES}?{query}")).await;
        assert_eq!(
            (refused.status, error_code(&refused)),
            (400, "bad_request".to_owned())
        );
    }
}

#[tokio::test]
async fn without_a_disk_tier_what_is_in_memory_is_listed_and_purged() {
    let setup = Setup::alone().set("tier.disk.capacity", "0");
    let larder = setup.start().await;
    upload(&mut larder.client(), "aa").await;
    let told = entry(&larder, "aa").await;
    assert_eq!(told["tiers"], serde_json::json!(["memory"]));
    assert_eq!(told["last_used"], Value::Null);
    let removed = parsed(&purge(&larder, "hash=aa").await);
    assert_eq!(removed["removed"], 1);
    assert_eq!(larder.client().get(&artifact("aa")).await.status, 404);
}

#[tokio::test]
async fn a_purge_removes_what_it_says_and_a_dry_run_nothing() {
    let larder = Larder::alone().await;
    let mut client = larder.client();
    for hash in ["aa", "bb"] {
        upload(&mut client, hash).await;
    }
    client.put("/v8/artifacts/cc?slug=other", b"cc").await;
    let told = parsed(&purge(&larder, "team=acme&dry_run=true").await);
    let expected = serde_json::json!({
        "removed": 2, "bytes": 8000, "dry_run": true, "next": null, "unreadable": 0,
    });
    assert_eq!(told, expected);
    assert_eq!(listed(&larder, "").await.len(), 3);
    let told = parsed(&purge(&larder, "team=acme").await);
    let expected = serde_json::json!({
        "removed": 2, "bytes": 8000, "dry_run": false, "next": null, "unreadable": 0,
    });
    assert_eq!(told, expected);
    let larder = larder.restart().await;
    let mut client = larder.client();
    assert_eq!(client.get(&artifact("aa")).await.status, 404);
    let kept = client.get("/v8/artifacts/cc?slug=other").await;
    kept.assert_body(b"cc");
    let told = parsed(&purge(&larder, "all=true").await);
    assert_eq!(told["removed"], 1);
    assert!(listed(&larder, "").await.is_empty());
    let stderr = larder.stop().await.stderr;
    assert_eq!(
        stderr.matches("entries were purged").count(),
        1,
        "one a call"
    );
}

#[tokio::test]
async fn a_purge_wants_the_token_and_says_what_it_means() {
    let larder = Larder::alone().await;
    upload(&mut larder.client(), "aa").await;
    let wish = Request::new("DELETE", &format!("{ENTRIES}?hash=aa"));
    let refused = larder.admin().ask(&wish).await;
    assert_eq!(
        (refused.status, error_code(&refused)),
        (401, "unauthorized".to_owned())
    );
    for query in ["", "dry_run=true", "all=true&hash=aa", "hash=aa&force=true"] {
        let refused = purge(&larder, query).await;
        assert_eq!(refused.status, 400, "{query}");
    }
    assert_eq!(listed(&larder, "").await.len(), 1);
}

/// Both ways: a fill that leads, and one that follows are under way when the purge comes.
#[tokio::test]
async fn a_fill_that_a_purge_meets_does_not_land_and_nobody_new_joins_it() {
    let origin = Origin::start();
    let (poisoned, healthy) = (bytes(1, 100_000), bytes(2, 100_000));
    let (first, second) = poisoned.split_at(50_000);
    let halved = script().head(200).length(100_000);
    origin.once("GET", "aa", halved.chunk(first).hold("rest").chunk(second));
    origin.hold("aa", &healthy);
    let larder = Larder::before(&origin).await;
    let mut early = larder.client();
    early.send_head(&Request::new("GET", &artifact("aa"))).await;
    origin.wait_at("rest").await;
    let told = parsed(&purge(&larder, "hash=aa").await);
    assert_eq!(told["removed"], 0);
    larder
        .client()
        .get(&artifact("aa"))
        .await
        .assert_body(&healthy);
    origin.release("rest");
    early.reply().await.assert_body(&poisoned);
    larder.settled().await;
    eventually("the healthy one", async || {
        !listed(&larder, "hash=aa").await.is_empty()
    })
    .await;
    let hit = larder.client().get(&artifact("aa")).await;
    assert!(hit.is_hit());
    hit.assert_body(&healthy);
    assert_eq!(origin.gets("aa"), 2);
}

#[tokio::test]
async fn the_command_says_what_would_go_and_removes_it_only_where_that_is_said() {
    let larder = Larder::alone().await;
    for hash in ["aa", "bb", "cc"] {
        upload(&mut larder.client(), hash).await;
    }
    let run = async |flags: &[&str]| {
        let words = [&["purge", "--config", "{config}"], flags].concat();
        larder.setup().run(&words).await
    };
    let nobody = run(&["--hash", "aa"]).await;
    assert_eq!(nobody.code, Some(2), "{}", nobody.stderr);
    assert!(nobody.stderr.contains("1 entry (3.9 KiB) would be removed"));
    assert!(nobody.stderr.contains("--yes"));
    assert_eq!(listed(&larder, "").await.len(), 3);
    for unclear in [
        &[][..],
        &["--yes"],
        &["--all", "--team", "acme"],
        &["--hold", "--all"],
    ] {
        assert_eq!(run(unclear).await.code, Some(2), "{unclear:?}");
    }
    let refused = run(&["--older-than", "soon", "--yes"]).await;
    assert_eq!(refused.code, Some(1));
    assert!(refused.stderr.contains("older_than"), "{}", refused.stderr);
    let told = run(&["--hash", "aa", "bb", "--yes", "--json"]).await;
    let told: Value = serde_json::from_str(&told.stdout).expect("json");
    assert_eq!(
        told,
        serde_json::json!({"removed": 2, "bytes": 8000, "unreadable": 0, "held": 0})
    );
    let told = run(&["--team", "acme", "--min-size", "1KiB", "--yes"]).await;
    assert_eq!(
        (told.code, told.stdout.as_str()),
        (Some(0), "1 entry (3.9 KiB) removed\n")
    );
    assert!(listed(&larder, "").await.is_empty());
}
