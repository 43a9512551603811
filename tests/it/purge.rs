//! `larder purge --hold`, against a process that runs: what is wrong is gone from everywhere at once, and its rebuild
//! is not.

use serde_json::{Value, json};

use crate::support::{Client, Exit, Larder, Origin, artifact, bytes};

const HELD: &str = "larder; detail=held";
const OTHER: &str = "/v8/artifacts/aa?slug=other";

async fn purge(larder: &Larder, arguments: &[&str]) -> Exit {
    let words = [&["purge", "--config", "{config}"], arguments].concat();
    larder.setup().run(&words).await
}

async fn upload(client: &mut Client, target: &str, body: &[u8]) {
    assert_eq!(client.put(target, body).await.status, 202, "{target}");
}

/// What the admin listener lists at `path` under `name`.
async fn list(larder: &Larder, path: &str, name: &str) -> Vec<Value> {
    let reply = larder.admin().get(path).await;
    assert_eq!(reply.status, 200, "{path}");
    let told: Value = serde_json::from_slice(&reply.body).expect("json");
    told[name].as_array().expect("a list").clone()
}

async fn resting(larder: &Larder, hash: &str) -> usize {
    let path = format!("/api/v1/entries?hash={hash}");
    list(larder, &path, "entries").await.len()
}

async fn assert_held(larder: &Larder, target: &str) {
    let reply = larder.client().get(target).await;
    let told = (reply.status, reply.cache_status());
    assert_eq!(told, (404, HELD), "{target}");
}

#[tokio::test]
async fn what_is_purged_and_held_is_a_404_over_a_restart_although_the_upstream_has_it_and_a_new_upload_heals_it()
 {
    let origin = Origin::start();
    let larder = Larder::before(&origin).await;
    let (poison, rebuilt) = (bytes(1, 4096), bytes(2, 3000));
    let mut client = larder.client();
    for target in [&artifact("aa"), OTHER, &artifact("bb")] {
        upload(&mut client, target, &poison).await;
    }
    let exit = purge(&larder, &["--hash", "aa", "--hold", "--yes"]).await;
    assert_eq!(exit.code, Some(0), "{}", exit.stderr);
    assert_eq!(
        exit.stdout,
        "2 entries (8.0 KiB) removed, 1 hash held until a new upload of it is accepted\n"
    );
    let told = "2 entries (8.0 KiB) would be removed";
    assert!(exit.stderr.contains(told), "{}", exit.stderr);
    assert_eq!(resting(&larder, "aa").await, 0);
    for target in [&artifact("aa"), OTHER] {
        assert_held(&larder, target).await;
    }
    client.get(&artifact("bb")).await.assert_body(&poison);

    let larder = larder.restart().await;
    assert_held(&larder, &artifact("aa")).await;
    assert_eq!(origin.gets("aa"), 0, "what is held is not fetched");
    let mut client = larder.client();
    upload(&mut client, &artifact("aa"), &rebuilt).await;
    let healed = client.get(&artifact("aa")).await;
    healed.assert_body(&rebuilt);
    assert!(healed.is_hit());

    let larder = larder.restart().await;
    let healed = larder.client().get(&artifact("aa")).await;
    healed.assert_body(&rebuilt);
    assert_held(&larder, OTHER).await;
    assert_eq!(origin.gets("aa"), 0, "the other team's is held on");
}

#[tokio::test]
async fn a_purge_for_one_team_holds_for_that_team_alone_and_says_so_to_programs() {
    let origin = Origin::start();
    let larder = Larder::before(&origin).await;
    let mut client = larder.client();
    for target in [&artifact("aa"), OTHER] {
        upload(&mut client, target, &bytes(1, 4000)).await;
    }
    let of_acme = ["--hash", "aa", "--team", "acme", "--hold", "--yes"];
    let exit = purge(&larder, &[&of_acme[..], &["--json"]].concat()).await;
    assert_eq!(exit.code, Some(0), "{}", exit.stderr);
    let told: Value = serde_json::from_str(&exit.stdout).expect("json");
    let all = json!({"removed": 1, "bytes": 4000, "unreadable": 0, "held": 1});
    assert_eq!(told, all);
    assert_held(&larder, &artifact("aa")).await;
    assert!(client.get(OTHER).await.is_hit());
}

#[tokio::test]
async fn nothing_is_removed_or_held_where_nobody_says_yes() {
    let larder = Larder::alone().await;
    let mut client = larder.client();
    upload(&mut client, &artifact("aa"), b"x").await;
    let exit = purge(&larder, &["--hash", "aa", "--hold"]).await;
    assert_eq!(exit.code, Some(2), "{}", exit.stderr);
    assert!(exit.stderr.contains("--yes"), "{}", exit.stderr);
    assert!(list(&larder, "/api/v1/holds", "holds").await.is_empty());
    assert!(client.get(&artifact("aa")).await.is_hit());
}
