//! What is said of a run at its end: on standard error, and on a CI's page.

use std::fs;

use super::{Job, run};
use crate::support::{Exit, Origin, Request, Setup, artifact, bytes};

/// The text behind a row's name.
fn row<'a>(exit: &'a Exit, name: &str) -> &'a str {
    let prefix = format!("larder: {name} ");
    let mut lines = exit.stderr.lines();
    let found = lines.find_map(|line| line.strip_prefix(&prefix));
    found
        .unwrap_or_else(|| panic!("no {name}: {}", exit.stderr))
        .trim()
}

fn upload(hash: &str) -> Request {
    let request = Request::new("PUT", &artifact(hash)).body(&bytes(1, 3 << 20));
    request.header("x-artifact-duration", "61000")
}

#[tokio::test]
async fn a_run_says_what_it_found_and_the_next_one_what_it_was_spared() {
    let origin = Origin::start();
    origin.hold("aa", &bytes(2, 500));
    let setup = Setup::before(&origin);
    let mut job = Job::start(&setup, "").await;
    let mut client = job.client();
    assert_eq!(client.ask(&upload("bb")).await.status, 202);
    for hash in ["aa", "cc"] {
        client.get(&artifact(hash)).await;
    }
    drop(client);
    let exit = job.end("0").await;
    assert_eq!(row(&exit, "hits"), "0 of 2 reads");
    assert_eq!(row(&exit, "from upstream"), "1");
    assert_eq!(row(&exit, "misses"), "1");
    assert_eq!(row(&exit, "uploads"), "1 stored");
    let data_dir = setup.data_dir().display().to_string();
    assert!(exit.stderr.contains(&format!("what is in {data_dir}/v1 ")));

    let mut job = Job::start(&setup, "").await;
    let mut client = job.client();
    for hash in ["aa", "bb"] {
        assert!(client.get(&artifact(hash)).await.is_hit(), "{hash}");
    }
    drop(client);
    let exit = job.end("0").await;
    assert!(
        row(&exit, "hits").starts_with("2 of 2 reads"),
        "{}",
        exit.stderr
    );
    assert_eq!(row(&exit, "not fetched"), "3.0 MiB");
    assert!(
        row(&exit, "task time").starts_with("1m 1s"),
        "{}",
        exit.stderr
    );
    assert!(
        !exit.stderr.contains("nothing was here before"),
        "{}",
        exit.stderr
    );
}

#[tokio::test]
async fn an_upstream_that_is_down_is_mentioned() {
    let mut origin = Origin::start();
    origin.stop().await;
    let setup = Setup::before(&origin);
    let mut job = Job::start(&setup, "").await;
    assert_eq!(job.client().get(&artifact("aa")).await.status, 404);
    let exit = job.end("0").await;
    assert!(row(&exit, "degraded").starts_with('1'), "{}", exit.stderr);
}

#[tokio::test]
async fn where_nothing_was_asked_it_says_what_turbo_lacks() {
    let origin = Origin::start();
    let setup = Setup::before(&origin);
    let exit = run(&setup, &[], "exit 0").await;
    let why = "off without TURBO_TOKEN and TURBO_TEAM";
    assert!(exit.stderr.contains(why), "{}", exit.stderr);
    let known = setup
        .variable("TURBO_TOKEN", "t")
        .variable("TURBO_TEAM", "acme");
    let exit = run(&known, &[], "exit 0").await;
    assert!(exit.stderr.contains("no artifact was asked for"));
    assert!(!exit.stderr.contains(" without "), "{}", exit.stderr);
}

#[tokio::test]
async fn a_page_gets_the_same_behind_what_it_has_and_costs_nothing_where_it_cannot() {
    let setup = Setup::alone();
    let page = setup.directory().join("page.md");
    fs::write(&page, "# Before\n").expect("a file");
    let of_github = setup
        .clone()
        .variable("GITHUB_STEP_SUMMARY", page.to_str().expect("a plain path"));
    let mut job = Job::start(&of_github, "").await;
    job.client().get(&artifact("aa")).await;
    job.end("0").await;
    let text = fs::read_to_string(&page).expect("a page");
    assert!(text.starts_with("# Before\n### Larder\n"), "{text}");
    assert!(text.contains("| hits | 0 of 1 reads"), "{text}");

    let own = setup.directory().join("own.md");
    let flag = ["--summary", own.to_str().expect("a plain path")];
    run(&of_github, &flag, "exit 0").await;
    assert_eq!(fs::read_to_string(&page).expect("a page"), text);
    assert!(
        fs::read_to_string(&own)
            .expect("a page")
            .contains("### Larder")
    );

    let exit = run(&setup, &["--summary", "/nowhere/page.md"], "exit 3").await;
    assert_eq!(exit.code, Some(3));
    assert!(exit.stderr.contains("/nowhere/page.md"), "{}", exit.stderr);
}
