//! Where the command finds itself, with a Larder beside it and with one that cannot start.

use std::fs;
use std::path::{Path, PathBuf};

use super::{Job, run};
use crate::support::{Larder, Origin, Setup, artifact, bytes};

/// Temporary data in a folder.
fn scratch(folder: &Path) -> Vec<PathBuf> {
    let files = fs::read_dir(folder).expect("a folder");
    let paths = files.map(|file| file.expect("a file").path());
    let is_ours = |path: &PathBuf| path.display().to_string().contains("larder-exec-");
    paths.filter(is_ours).collect()
}

#[tokio::test]
async fn standard_output_is_the_commands_alone_however_much_there_is_to_log() {
    let origin = Origin::start();
    let setup = Setup::before(&origin).set("log.level", "trace");
    let mut job = Job::start(&setup, "").await;
    let mut client = job.client();
    client.put(&artifact("aa"), &bytes(1, 100)).await;
    client.get(&artifact("aa")).await;
    client.get("/v8/artifacts/status").await;
    let api = format!("TURBO_API=http://{}\n", job.api);
    let exit = job.end("0").await;
    assert_eq!(exit.stdout, api);
    assert!(exit.stderr.contains("TRACE") || exit.stderr.contains("DEBUG"));
}

#[tokio::test]
async fn it_says_no_more_than_it_has_to() {
    let origin = Origin::start();
    let setup = Setup::before(&origin).unset("log.level");
    let mut job = Job::start(&setup, "").await;
    job.client().put(&artifact("aa"), b"body").await;
    let exit = job.end("0").await;
    assert!(exit.stderr.lines().count() <= 8, "{}", exit.stderr);
    let is_ours = |line: &str| line.starts_with("larder: ");
    assert!(exit.stderr.lines().all(is_ours), "{}", exit.stderr);
}

#[tokio::test]
async fn a_token_and_a_team_are_there_where_any_will_do_and_nobodys_are_replaced() {
    let said = r#"echo "${TURBO_TOKEN-none} ${TURBO_TEAM-none}""#;
    let setup = Setup::alone();
    assert_eq!(run(&setup, &[], said).await.stdout, "anything my-team\n");
    let own = setup.clone().variable("TURBO_TOKEN", "mine");
    assert_eq!(run(&own, &[], said).await.stdout, "mine my-team\n");
    let own = own.variable("TURBO_TEAM", "acme");
    assert_eq!(run(&own, &[], said).await.stdout, "mine acme\n");

    let origin = Origin::start();
    let before = Setup::before(&origin);
    assert_eq!(run(&before, &[], said).await.stdout, "none none\n");
    let listed = r#"[{ name = "ci", token = "t", teams = ["*"] }]"#;
    let listed = setup.toml("access.tokens", listed);
    assert_eq!(run(&listed, &[], said).await.stdout, "none none\n");
}

#[tokio::test]
async fn the_upstream_is_the_api_that_it_inherits() {
    let origin = Origin::start();
    origin.hold("aa", &bytes(1, 500));
    let setup = Setup::alone()
        .unset("upstream.url")
        .variable("TURBO_API", &origin.url());
    let mut job = Job::start(&setup, "").await;
    job.client()
        .get(&artifact("aa"))
        .await
        .assert_body(&bytes(1, 500));
    assert_eq!(job.end("0").await.code, Some(0));
    assert_eq!(origin.gets("aa"), 1);
}

#[tokio::test]
async fn another_larder_may_stand_behind_it() {
    let near = Larder::alone().await;
    near.client().put(&artifact("aa"), b"body").await;
    let url = format!("http://{}", near.address());
    let setup = Setup::alone()
        .unset("upstream.url")
        .variable("TURBO_API", &url);
    let mut job = Job::start(&setup, "").await;
    let mut client = job.client();
    client.get(&artifact("aa")).await.assert_body(b"body");
    assert_eq!(client.put(&artifact("bb"), b"more").await.status, 202);
    drop(client);
    assert_eq!(job.end("0").await.code, Some(0));
    let reply = near.client().get(&artifact("bb")).await;
    reply.assert_body(b"more");
}

#[tokio::test]
async fn no_secret_of_ours_reaches_the_command() {
    let said = r#"echo "${LARDER_ADMIN__TOKEN-none} ${LARDER_CONFIG-none}""#;
    let setup = Setup::alone().variable("LARDER_ADMIN__TOKEN", "canary-admin");
    let exit = run(&setup, &[], said).await;
    assert_eq!((exit.code, exit.stdout.as_str()), (Some(0), "none none\n"));
    let mistaken = setup.set("upstream.url", "ftp://nowhere");
    let exit = run(&mistaken, &[], said).await;
    assert_eq!((exit.code, exit.stdout.as_str()), (Some(0), "none none\n"));
}

#[tokio::test]
async fn no_proxy_stands_between_the_command_and_its_larder() {
    let setup = Setup::alone()
        .variable("HTTP_PROXY", "http://proxy.invalid:3128")
        .variable("NO_PROXY", ".lan");
    let exit = run(&setup, &[], r#"echo "$NO_PROXY $no_proxy""#).await;
    assert_eq!(exit.stdout, ".lan,127.0.0.1 .lan,127.0.0.1\n");
}

#[tokio::test]
async fn data_that_another_process_has_is_left_to_it() {
    let larder = Larder::alone().await;
    let folder = larder.setup().directory().to_owned();
    let setup = larder.setup().clone();
    let setup = setup.variable("TMPDIR", folder.to_str().expect("a plain path"));
    let mut job = Job::start(&setup, "--strict").await;
    assert_eq!(scratch(&folder).len(), 1);
    let mut client = job.client();
    client.put(&artifact("aa"), b"body").await;
    assert!(client.get(&artifact("aa")).await.is_hit());
    drop(client);
    let exit = job.end("5").await;
    assert_eq!(exit.code, Some(5), "{}", exit.stderr);
    assert!(
        exit.stderr.contains("a temporary directory"),
        "{}",
        exit.stderr
    );
    assert_eq!(scratch(&folder), [] as [PathBuf; 0]);
    assert!(!larder.client().get(&artifact("aa")).await.is_hit());
}

#[tokio::test]
async fn a_larder_that_cannot_start_costs_the_cache_and_not_the_command() {
    let setup = Setup::alone().variable("TURBO_API", "http://far.invalid");
    fs::write(setup.directory().join("file"), "no folder").expect("a file");
    let file = setup.directory().join("file");
    let mistaken = setup.clone().set("upstream.url", "ftp://nowhere");
    let unusable = setup
        .clone()
        .set("data_dir", file.to_str().expect("a plain path"));
    let said = r#"echo "$TURBO_API"; exit 7"#;
    for (setup, code) in [(mistaken, 2), (unusable, 1)] {
        let exit = run(&setup, &[], said).await;
        assert_eq!(exit.code, Some(7), "{}", exit.stderr);
        assert_eq!(exit.stdout, "http://far.invalid\n");
        let word = "the command runs without Larder";
        assert!(exit.stderr.contains(word), "{}", exit.stderr);
        let exit = run(&setup, &["--strict"], said).await;
        assert_eq!(exit.code, Some(code), "{}", exit.stderr);
        assert_eq!(exit.stdout, "");
    }
}

#[tokio::test]
async fn a_port_that_is_taken_and_an_upstream_that_is_itself_are_refused() {
    let larder = Larder::alone().await;
    let taken = larder.address().to_string();
    let setup = Setup::alone();
    let exit = run(&setup, &["--strict", "--listen", &taken], "exit 7").await;
    assert_eq!(exit.code, Some(1), "{}", exit.stderr);
    larder.stop().await;
    let itself = ["--strict", "--listen", &taken, "--upstream"];
    let url = format!(
        "http://localhost:{}",
        taken.rsplit(':').next().expect("a port")
    );
    let exit = run(&setup, &[&itself[..], &[&url]].concat(), "exit 7").await;
    assert_eq!(exit.code, Some(2), "{}", exit.stderr);
}
