//! Tokens go upstream and nowhere else.

use std::fs;
use std::path::Path;

use crate::support::{Origin, Request, Setup, artifact, bytes};

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
        client.put(&artifact("cc"), &bytes(2, 500)).await;
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
    let metrics = larder.metrics().await;
    assert!(!metrics.text().contains("canary"), "in the metrics");
    let setup = larder.setup().clone();
    let exit = larder.stop().await;
    for printed in [&exit.stdout, &exit.stderr] {
        let found = printed.lines().find(|line| line.contains("canary"));
        assert_eq!(found, None, "in the log");
    }
    assert!(
        read_all(&setup.data_dir()) > 0,
        "a session leaves something to look at"
    );
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
