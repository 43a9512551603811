//! Tokens go upstream and nowhere else.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::support::{Exit, Larder, Origin, Process, Request, Setup, artifact, bytes};

#[tokio::test]
async fn no_token_reaches_a_log_a_metric_or_the_disk() {
    let mut origin = Origin::start();
    origin.members(&["canary-accepted"], 403);
    origin.hold("aa", &bytes(1, 50_000));
    let larder = Setup::before(&origin)
        .set("log.level", "trace")
        .start()
        .await;
    for token in ["canary-accepted", "canary-refused"] {
        let mut client = larder.client_as(token);
        client.get(&artifact("aa")).await;
        larder.settled().await;
        client.get(&artifact("aa")).await;
        client.head(&artifact("bb")).await;
        for seed in [2, 3] {
            client.put(&artifact("cc"), &bytes(seed, 500)).await;
        }
        client.get("/v8/artifacts/own").await;
        client.get("/v2/user").await;
        client.post("/v8/artifacts/events?slug=acme", b"[]").await;
        client.post("/v8/artifacts?slug=acme", b"{}").await;
        let second = Request::new("GET", &artifact("aa")).header("x-api-key", "canary-api-key");
        client
            .ask(&second.header("cookie", "session=canary-cookie"))
            .await;
        let twice =
            Request::new("GET", &artifact("aa")).header("authorization", "Bearer canary-one");
        client
            .ask(&twice.header("authorization", "Bearer canary-two"))
            .await;
        client
            .ask(&Request::new("GET", "/v8/artifacts/a.b").header("authorization", "canary raw"))
            .await;
    }
    origin.stop().await;
    larder
        .client_as("canary-accepted")
        .put(&artifact("dd"), b"x")
        .await;
    assert_kept(larder).await;
}

#[tokio::test]
async fn neither_does_a_credential_of_its_own_nor_a_token_of_the_list() {
    let mut origin = Origin::start();
    origin.members(&["canary-own"], 403);
    origin.hold("aa", &bytes(1, 50_000));
    let tokens = r#"[{ name = "ci", token = "canary-listed", teams = ["acme"] }]"#;
    let mut larder = Setup::before(&origin)
        .set("log.level", "trace")
        .set("access.mode", "tokens")
        .toml("access.tokens", tokens)
        .secret("upstream.token_file", "canary-own")
        .secret("admin.token_file", "canary-admin")
        .start()
        .await;
    for token in ["canary-listed", "canary-unknown"] {
        let mut client = larder.client_as(token);
        for path in [
            "/v8/artifacts/aa?slug=acme",
            "/v8/artifacts/aa?slug=other",
            "/v2/user",
        ] {
            client.get(path).await;
        }
        for seed in [2, 3] {
            client.put(&artifact("cc"), &bytes(seed, 500)).await;
        }
    }
    // Refused upstream, read once more, replaced, mistaken, and without an upstream at all.
    origin.members(&[], 403);
    larder.client_as("canary-listed").get(&artifact("dd")).await;
    larder.reload(|setup| setup).await;
    let mistaken = |setup: Setup| setup.secret("upstream.token_file", "canary own");
    larder.reload(mistaken).await;
    origin.stop().await;
    let listed = Request::new("GET", &artifact("ee"));
    larder.client_as("canary-listed").ask(&listed).await;
    larder
        .admin()
        .ask(&Request::new("GET", "/metrics").header("authorization", "Bearer canary-admin"))
        .await;
    // The file for the commands holds the admin's token, and is for them alone.
    let admin = larder.setup().data_dir().join("admin.json");
    assert!(
        fs::read_to_string(&admin)
            .expect("a file")
            .contains("canary-admin")
    );
    fs::remove_file(&admin).expect("ours");
    assert_kept(larder).await;
}

/// Asserts that no canary is in anything that the process wrote.
async fn assert_kept(larder: Larder) {
    let metrics = larder.metrics().await;
    assert!(!metrics.text().contains("canary"), "in the metrics");
    let conflicts = larder.admin().get("/api/v1/conflicts").await.body;
    let conflicts = String::from_utf8(conflicts).expect("text");
    assert!(conflicts.contains("\"cc\""), "there is one to look at");
    assert!(!conflicts.contains("canary"), "in the conflicts");
    let setup = larder.setup().clone();
    let Exit { stdout, stderr, .. } = larder.stop().await;
    for printed in [&stdout, &stderr] {
        let found = printed.lines().find(|line| line.contains("canary"));
        assert_eq!(found, None, "in the log");
    }
    assert!(
        read_all(&setup.data_dir()) > 0,
        "a session leaves something to look at"
    );
}

#[tokio::test]
async fn a_crash_leaves_no_core_file() {
    let mut other = Command::new("/bin/sleep");
    let directory = tempfile::tempdir().expect("a directory");
    other.arg("60").current_dir(directory.path());
    // Where the system keeps no core files there is nothing to see.
    if !Process::spawn(other).crash().await {
        return;
    }
    let mut larder = Larder::alone().await;
    larder.client_as("canary").get(&artifact("aa")).await;
    assert!(!larder.crash().await, "tokens are in it");
}

/// Asserts that no file below `directory` holds or is named a canary; returns how many there were.
pub fn read_all(directory: &Path) -> usize {
    let mut files = 0;
    for entry in fs::read_dir(directory)
        .expect("a directory")
        .map(|entry| entry.expect("an entry"))
    {
        let path = entry.path();
        assert!(
            !path.to_string_lossy().contains("canary"),
            "{}",
            path.display()
        );
        if path.is_dir() {
            files += read_all(&path);
        } else if path.is_file() {
            let bytes = fs::read(&path).expect("a file");
            let found = bytes.windows(6).any(|window| window == b"canary");
            assert!(!found, "in {}", path.display());
            files += 1;
        }
    }
    files
}
