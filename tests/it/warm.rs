//! `larder warm` through the real binary: what the next build finds, and what it is told of the rest.

use std::fs;

use serde_json::Value;

use crate::support::{Exit, Larder, Origin, Process, Setup, artifact, bytes, script, within};

/// What must be nowhere but in requests.
const TOKEN: &str = "canary-token";

/// Before this origin, as whoever warms.
fn before(origin: &Origin) -> Setup {
    Setup::before(origin)
        .variable("TURBO_TOKEN", TOKEN)
        .variable("TURBO_TEAM", "acme")
}

/// A way to call it: `input` stands in a file of that name, and the words go behind `warm`.
fn command(larder: &Larder, input: &str, words: &str) -> Process {
    let setup = larder.setup();
    fs::write(setup.directory().join("input"), input).expect("a file");
    let url = format!("http://{}", larder.address());
    let line = format!(r#"exec "$0" warm --config "$1" --url {url} {words}"#);
    Process::spawn(setup.script(&line))
}

/// Warms what `input` says; the token is printed nowhere.
async fn warm(larder: &Larder, input: &str, words: &str) -> Exit {
    let exit = within("warming", command(larder, input, words).exit()).await;
    assert!(!(exit.stdout.clone() + &exit.stderr).contains("canary"));
    assert!(!exit.stderr.contains('\x1b'), "no bar without a terminal");
    exit
}

/// The summary of a run that was asked for JSON.
#[track_caller]
fn summary(exit: &Exit) -> Value {
    serde_json::from_str(&exit.stdout).unwrap_or_else(|_| panic!("{exit:?}"))
}

/// Asserts how many are here, fetched, absent, refused, failed and not tried.
#[track_caller]
fn assert_counts(summary: &Value, expected: [u64; 6]) {
    let names = [
        "here",
        "fetched",
        "absent",
        "refused",
        "failed",
        "not_tried",
    ];
    let counts = names.map(|name| summary[name].as_u64().expect("a number"));
    assert_eq!(counts, expected, "{summary:#}");
}

#[tokio::test]
async fn what_is_warmed_is_a_hit_for_the_next_build() {
    let origin = Origin::start();
    for (seed, hash) in [(1, "aa"), (2, "bb"), (3, "cc")] {
        origin.hold(hash, &bytes(seed, 300_000));
    }
    let larder = before(&origin).start().await;
    larder.client_as(TOKEN).get(&artifact("aa")).await;
    larder.settled().await;
    let list = "# a build\naa\nbb\ncc  # twice\ncc\ndd\n";
    let exit = warm(&larder, list, "input --json").await;
    assert_eq!(exit.code, Some(0), "{exit:?}");
    let told = summary(&exit);
    assert_counts(&told, [1, 2, 1, 0, 0, 0]);
    assert_eq!(told["bytes"], 600_000);
    larder.settled().await;
    for (seed, hash) in [(1, "aa"), (2, "bb"), (3, "cc")] {
        let reply = larder.client_as(TOKEN).get(&artifact(hash)).await;
        reply.assert_body(&bytes(seed, 300_000));
        assert_eq!(origin.gets(hash), 1, "{hash}");
    }
    let again = warm(&larder, list, "- < input").await;
    assert_eq!(again.code, Some(0), "{again:?}");
    assert!(
        again
            .stdout
            .contains("here       3\nfetched    0 (0 B)\nabsent     1\n"),
        "{again:?}"
    );
}

#[tokio::test]
async fn a_dry_run_of_turbo_is_read_from_standard_input() {
    let origin = Origin::start();
    origin.hold("aa", &bytes(1, 9000));
    origin.hold("bb", &bytes(2, 9000));
    let larder = before(&origin).start().await;
    let dry = r#"{ "turboVersion": "2.11.11", "tasks": [
        { "taskId": "a#build", "hash": "aa", "command": "tsc", "cache": { "status": "MISS" } },
        { "taskId": "b#build", "hash": "bb", "command": "<NONEXISTENT>" } ] }"#;
    let exit = warm(&larder, dry, "--json < input").await;
    assert_counts(&summary(&exit), [0, 1, 0, 0, 0, 0]);
    assert_eq!(
        origin.gets("bb"),
        0,
        "a task without a command leaves no artifact"
    );
}

#[tokio::test]
async fn a_budget_is_not_exceeded_by_a_byte_and_the_rest_is_left_out() {
    let origin = Origin::start();
    for (seed, hash) in [(1, "aa"), (2, "bb"), (3, "cc")] {
        origin.hold(hash, &bytes(seed, 10_000));
    }
    let larder = before(&origin).start().await;
    let words = "input --json --concurrency 1 --budget 20000";
    let exit = warm(&larder, "aa\nbb\ncc\n", words).await;
    assert_eq!(exit.code, Some(0), "{exit:?}");
    let told = summary(&exit);
    assert_counts(&told, [0, 2, 0, 0, 0, 1]);
    assert_eq!(
        (&told["bytes"], &told["stopped"]),
        (&20_000.into(), &"budget".into())
    );
    larder.settled().await;
    assert_eq!(origin.gets("cc"), 0, "nothing begins that does not fit");
    let less = words.replace("20000", "29999");
    let several = less.replace("concurrency 1", "concurrency 3");
    let told = summary(&warm(&larder, "aa\nbb\ncc\n", &less).await);
    assert_counts(&told, [2, 1, 0, 0, 0, 0]);
    let other = before(&origin).start().await;
    let told = summary(&warm(&other, "aa\nbb\ncc\n", &several).await);
    assert_counts(&told, [0, 2, 0, 0, 0, 1]);
}

#[tokio::test]
async fn what_did_not_come_takes_nothing_of_the_budget() {
    // It answers as a Larder would, but for what it does to the first.
    let larder = Origin::start();
    let head = || script().head(200).length(15_000);
    let miss = |said: &str| head().header("cache-status", &format!("larder; {said}"));
    for hash in ["aa", "bb", "cc"] {
        larder.always("HEAD", hash, miss("fwd=uri-miss; fwd-status=200"));
    }
    larder.always("GET", "aa", script().cut());
    let body = bytes(1, 15_000);
    larder.always("GET", "bb", miss("hit; detail=disk").chunk(&body));
    larder.always(
        "GET",
        "cc",
        miss("fwd=uri-miss; fwd-status=200; stored").chunk(&body),
    );
    let setup = before(&larder);
    fs::write(setup.directory().join("input"), "aa\nbb\ncc\n").expect("a file");
    let line = format!(
        r#"exec "$0" warm --config "$1" --url {} input --json --concurrency 1 --budget 20000"#,
        larder.url()
    );
    let exit = within("warming", Process::spawn(setup.script(&line)).exit()).await;
    let told = summary(&exit);
    assert_counts(&told, [1, 1, 0, 0, 1, 0]);
    assert_eq!(told["bytes"], 15_000);
}

#[tokio::test]
async fn refusals_and_failures_are_told_and_make_it_fail() {
    let origin = Origin::start();
    origin.members(&["somebody"], 403);
    let larder = before(&origin).start().await;
    let exit = warm(&larder, "aa\n", "input --json").await;
    assert_eq!(exit.code, Some(1), "{exit:?}");
    assert_counts(&summary(&exit), [0, 0, 0, 1, 0, 0]);
    let origin = Origin::start();
    origin.hold("bb", &bytes(1, 9000));
    origin.always("GET", "aa", script().head(500));
    let larder = before(&origin).start().await;
    let exit = warm(&larder, "aa\nbb\n", "input").await;
    assert_eq!(exit.code, Some(1), "{exit:?}");
    for words in [
        "fetched    1 ",
        "failed     1\n",
        "  aa: 404, upstream-error\n",
    ] {
        assert!(exit.stdout.contains(words), "{words}: {exit:?}");
    }
}

#[tokio::test]
async fn an_interruption_ends_it_with_the_summary_so_far() {
    let origin = Origin::start();
    origin.hold("aa", &bytes(1, 9000));
    origin.always("GET", "bb", script().hold("gate").usual());
    let larder = before(&origin).start().await;
    let words = "input --json --concurrency 1";
    let mut process = command(&larder, "aa\nbb\ncc\n", words);
    origin.wait_at("gate").await;
    process.interrupt();
    let exit = within("warming", process.exit()).await;
    assert_eq!(exit.code, Some(1), "{exit:?}");
    let told = summary(&exit);
    assert_counts(&told, [0, 1, 0, 0, 0, 2]);
    assert_eq!(told["stopped"], "interrupted");
    origin.release("gate");
}

#[tokio::test]
async fn as_many_at_once_as_were_asked_for_and_no_more() {
    let origin = Origin::start();
    for hash in ["aa", "bb", "cc"] {
        origin.always("GET", hash, script().hold(hash).usual());
    }
    let larder = before(&origin).start().await;
    let mut process = command(&larder, "aa\nbb\ncc\n", "input --json --concurrency 2");
    origin.wait_at("aa").await;
    origin.wait_at("bb").await;
    origin.release("aa");
    origin.wait_at("cc").await;
    let begun = |hash: &str| origin.gets(hash);
    assert_eq!((begun("bb"), begun("cc")), (1, 1));
    origin.release("bb");
    origin.release("cc");
    let exit = within("warming", process.exit()).await;
    assert_counts(&summary(&exit), [0, 0, 3, 0, 0, 0]);
}

#[tokio::test]
async fn wrong_input_is_named_by_its_lines_and_nothing_is_asked() {
    let origin = Origin::start();
    let larder = before(&origin).start().await;
    for (input, words) in [
        ("aa\n../up\n", "line 2: \"../up\""),
        ("{ \"tasks\": 1 }", "no dry run of turbo"),
    ] {
        let exit = warm(&larder, input, "input").await;
        assert_eq!(exit.code, Some(2), "{exit:?}");
        assert!(exit.stderr.contains(words), "{exit:?}");
    }
    let exit = warm(&larder, "", "nowhere").await;
    assert!(
        exit.code == Some(2) && exit.stderr.contains("nowhere"),
        "{exit:?}"
    );
    assert!(origin.requests().is_empty());
}

#[tokio::test]
async fn who_is_no_larder_or_not_there_is_told_once() {
    let origin = Origin::start();
    origin.hold("aa", &bytes(1, 9000));
    let setup = before(&origin);
    fs::write(setup.directory().join("input"), "aa\nbb\ncc\n").expect("a file");
    let at = |url: &str| {
        let line = format!(r#"exec "$0" warm --config "$1" --url {url} input --concurrency 1"#);
        Process::spawn(setup.script(&line))
    };
    let exit = within("warming", at(&origin.url()).exit()).await;
    assert_eq!(exit.code, Some(1), "{exit:?}");
    assert!(
        exit.stdout
            .contains("not tried  2: who answers at that address is no Larder"),
        "{exit:?}"
    );
    let exit = within("warming", at("http://127.0.0.1:9").exit()).await;
    assert_eq!(exit.code, Some(1), "{exit:?}");
    assert!(
        exit.stdout
            .contains("not tried  3: there is no connection to that address"),
        "{exit:?}"
    );
    let exit = within("warming", at("http://me:canary@127.0.0.1:9").exit()).await;
    assert!(
        exit.stderr.contains("--url: a user or password") && !exit.stderr.contains("canary"),
        "{exit:?}"
    );
    let exit = within("warming", at("larder").exit()).await;
    assert!(
        exit.stderr.contains("no URL") || exit.stderr.contains("not a URL"),
        "{exit:?}"
    );
}

#[tokio::test]
async fn the_larder_of_the_data_directory_says_where_its_clients_reach_it() {
    let origin = Origin::start();
    origin.hold("aa", &bytes(1, 9000));
    let larder = before(&origin).start().await;
    let admin = Origin::start();
    let stats = format!(r#"{{"api":"http://{}"}}"#, larder.address());
    admin.always("GET", "stats", script().head(200).chunk(stats.as_bytes()));
    let setup = before(&origin).set("admin.listen", &admin.address().to_string());
    fs::write(setup.directory().join("input"), "aa\n").expect("a file");
    let exit = setup.run(&["warm", "--config", "{config}", "input"]).await;
    assert_eq!(exit.code, Some(0), "{exit:?}");
    assert!(exit.stdout.contains("fetched    1 "), "{exit:?}");
    assert_eq!(admin.seen("GET", "stats").len(), 1);
}
