//! `larder doctor` before upstreams with each kind of trouble: what it says, and what it leaves alone.

use std::time::{Duration, SystemTime};

use serde_json::Value;

use crate::support::{
    Larder, Manners, Moment, NAME, Origin, Proxy, Setup, Speech, bytes, script, within,
};

/// What must be nowhere but in requests.
const TOKEN: &str = "canary-token";

/// What a doctor said.
struct Said {
    code: Option<i32>,
    findings: Vec<Value>,
}

impl Said {
    /// Asserts that one finding of that check has this verdict, and these words.
    #[track_caller]
    fn assert(&self, check: &str, verdict: &str, words: &str) {
        let of_check = |one: &&Value| one["check"] == check;
        let found: Vec<_> = self.findings.iter().filter(of_check).collect();
        let fits = |one: &&Value| one["verdict"] == verdict && one.to_string().contains(words);
        assert!(
            found.iter().any(fits),
            "{check}: {verdict}, {words} in {found:#?}"
        );
    }

    /// Asserts that these checks were not tried.
    #[track_caller]
    fn assert_not_tried(&self, checks: &[&str]) {
        for check in checks {
            self.assert(check, "not-tried", "");
        }
    }

    /// The checks that failed.
    fn failures(&self) -> Vec<&str> {
        let failed = self
            .findings
            .iter()
            .filter(|one| one["verdict"] == "failure");
        failed
            .map(|one| one["check"].as_str().expect("a name"))
            .collect()
    }
}

/// Before an origin, with no disk to be measured.
fn before(origin: &Origin) -> Setup {
    quiet(Setup::before(origin))
}

fn quiet(setup: Setup) -> Setup {
    setup
        .set("tier.disk.capacity", "0")
        .variable("TURBO_TOKEN", TOKEN)
        .variable("TURBO_TEAM", "acme")
}

/// Runs it; the token is printed nowhere.
async fn doctor(setup: &Setup, flags: &[&str]) -> Said {
    let arguments = [&["doctor", "--config", "{config}", "--json"], flags].concat();
    let exit = within("the doctor", setup.run(&arguments)).await;
    let printed = exit.stdout.clone() + &exit.stderr;
    assert!(!printed.contains("canary"), "{printed}");
    let findings = serde_json::from_str(&exit.stdout);
    Said {
        code: exit.code,
        findings: findings.unwrap_or_else(|_| panic!("{printed}")),
    }
}

/// Asserts that nothing was asked that could leave something behind.
#[track_caller]
fn assert_unwritten(origin: &Origin) {
    let written = origin.seen_where(|seen| {
        let is_read = matches!(seen.method(), "GET" | "HEAD");
        let is_question = seen.is("POST", "artifacts");
        let is_empty = seen.is("POST", "events") && seen.body == b"[]";
        !(is_read || is_question || is_empty)
    });
    assert!(written.is_empty(), "{written:?}");
}

#[tokio::test]
async fn a_good_upstream_is_well_and_nothing_is_written_there() {
    let origin = Origin::speaking(Speech::http1_tls());
    origin.members(&[TOKEN], 403);
    let said = doctor(&before(&origin), &[]).await;
    assert_eq!(said.failures(), [""; 0]);
    assert_eq!(said.code, Some(0));
    for (check, words) in [
        ("token", "TURBO_TOKEN"),
        ("team", "slug=acme"),
        ("dns", "nothing to look up"),
        ("tcp", "answers"),
        ("proxy", "none"),
        ("tls", "the authorities in upstream.ca_file"),
        ("http", "HTTP/1.1, agreed on as http/1.1"),
        ("status", "enabled"),
        ("rights", "404"),
        ("batch", "answered"),
        ("events", "taken"),
        ("data-directory", "can be made"),
        ("process", "no Larder"),
        ("room", "off"),
    ] {
        said.assert(check, "ok", words);
    }
    assert_unwritten(&origin);
    let asked = origin.requests();
    assert!(
        asked
            .iter()
            .all(|seen| seen.token() == TOKEN && seen.query() == "slug=acme")
    );
}

#[tokio::test]
async fn without_an_upstream_only_this_machine_is_looked_at() {
    let setup = quiet(Setup::alone());
    let said = doctor(&setup, &[]).await;
    assert_eq!(said.code, Some(0));
    said.assert("status", "not-tried", "Larder itself is the cache");
    said.assert("memory", "ok", "");
    assert!(!setup.data_dir().exists(), "it makes nothing");
}

#[tokio::test]
async fn a_name_that_leads_nowhere_is_told_and_what_rests_on_it_is_not_tried() {
    let setup = quiet(Setup::alone()).set("upstream.url", &format!("https://{NAME}"));
    let said = doctor(&setup, &[]).await;
    assert_eq!((said.code, said.failures()), (Some(1), vec!["dns"]));
    said.assert("dns", "failure", NAME);
    said.assert_not_tried(&["tcp", "proxy", "tls", "http", "clock", "status", "rights"]);
    said.assert("memory", "ok", "");
}

#[tokio::test]
async fn a_port_that_refuses_or_is_silent_is_told_by_its_address() {
    let mut origin = Origin::start();
    let setup = before(&origin).set("upstream.connect_timeout", "300ms");
    origin.stop().await;
    let refused = doctor(&setup, &["--write"]).await;
    refused.assert("tcp", "failure", "refused");
    refused.assert("tcp", "failure", &origin.address().to_string());
    refused.assert_not_tried(&["tls", "status", "rights", "upload", "download"]);
    assert_eq!((refused.code, refused.failures()), (Some(1), vec!["tcp"]));
    origin.jam().await;
    let silent = doctor(&setup, &[]).await;
    silent.assert("tcp", "failure", "no connection in time");
    assert_eq!(silent.failures(), ["tcp"]);
}

#[tokio::test]
async fn an_upstream_that_takes_connections_and_answers_nothing_is_told() {
    let origin = Origin::start();
    origin.always("GET", "status", script().stall());
    let setup = before(&origin).set("upstream.first_byte_timeout", "300ms");
    let said = doctor(&setup, &[]).await;
    said.assert("status", "failure", "upstream.first_byte_timeout");
    said.assert("rights", "ok", "");
    assert_eq!(said.failures(), ["status"]);
}

#[tokio::test]
async fn an_authority_that_nobody_trusts_is_named_with_the_key_that_helps() {
    let origin = Origin::speaking(Speech::http1_tls());
    let said = doctor(&before(&origin).unset("upstream.ca_file"), &[]).await;
    said.assert("tls", "failure", "set upstream.ca_file");
    said.assert("tls", "failure", "CN=rcgen self signed cert");
    said.assert_not_tried(&["status", "rights"]);
    assert_eq!((said.code, said.failures()), (Some(1), vec!["tls"]));
    let other = Origin::speaking(Speech::http1_tls());
    let pem = other.authority().expect("a certificate");
    let said = doctor(&before(&origin).secret("upstream.ca_file", pem), &[]).await;
    said.assert("tls", "failure", "upstream.ca_file does not hold");
    assert!(origin.requests().is_empty(), "no token goes to a stranger");
}

#[tokio::test]
async fn a_certificate_that_has_ended_or_is_for_others_is_told() {
    let origin = Origin::speaking(Speech::http1_tls_ended());
    let said = doctor(&before(&origin), &[]).await;
    said.assert("tls", "failure", "has ended");
    said.assert("tls", "failure", "until 2021-01-01");
    let origin = Origin::speaking(Speech::http1_tls());
    let elsewhere = origin.url().replace("127.0.0.1", "localhost");
    let said = doctor(&before(&origin).set("upstream.url", &elsewhere), &[]).await;
    said.assert("tls", "failure", "another name");
}

#[tokio::test]
async fn a_port_that_speaks_no_tls_is_told() {
    let origin = Origin::start();
    let url = origin.url().replace("http://", "https://");
    let setup = before(&origin).set("upstream.url", &url);
    let said = doctor(&setup, &[]).await;
    said.assert("tls", "failure", "http://");
    origin.greet(
        Moment::Accepted,
        script().loose(b"SSH-2.0-origin\r\n").stall(),
    );
    let said = doctor(&setup, &[]).await;
    said.assert("tls", "failure", "no TLS is spoken there");
}

#[tokio::test]
async fn http2_is_seen_where_it_is_agreed_on() {
    let origin = Origin::speaking(Speech::http2_tls());
    let setup = before(&origin).toml("upstream.http2", "true");
    let said = doctor(&setup, &[]).await;
    said.assert("http", "ok", "HTTP/2.0, agreed on as h2");
    assert_eq!(said.failures(), [""; 0]);
}

#[tokio::test]
async fn refusals_are_told_apart() {
    for (refusal, words) in [
        (401, "does not know this token"),
        (403, "--team"),
        (402, "billing"),
    ] {
        let origin = Origin::start();
        origin.members(&["somebody"], refusal);
        let said = doctor(&before(&origin), &[]).await;
        assert_eq!((said.code, said.failures()), (Some(1), vec!["rights"]));
        said.assert("rights", "failure", words);
        said.assert("status", "ok", "enabled");
    }
    let origin = Origin::start();
    origin.members(&["somebody"], 401);
    let setup = before(&origin).variable("TURBO_TOKEN", "");
    let said = doctor(&setup, &[]).await;
    said.assert("token", "warning", "stranger");
    said.assert("rights", "failure", "wants a token");
}

#[tokio::test]
async fn what_the_status_says_is_told_in_words() {
    for (word, words) in [
        ("disabled", "disabled"),
        ("over_limit", "over its limit"),
        ("paused", "paused"),
    ] {
        let origin = Origin::start();
        let body = format!(r#"{{"status":"{word}"}}"#);
        origin.always("GET", "status", script().head(200).chunk(body.as_bytes()));
        let said = doctor(&before(&origin), &[]).await;
        said.assert("status", "failure", words);
        said.assert("rights", "ok", "");
        assert_eq!(said.code, Some(1));
    }
}

#[tokio::test]
async fn a_login_page_in_place_of_the_api_is_a_failure() {
    let origin = Origin::start();
    let page = || {
        script()
            .head(200)
            .header("content-type", "text/html")
            .chunk(b"<html>")
    };
    origin.always("GET", "status", page());
    let said = doctor(&before(&origin), &[]).await;
    said.assert("status", "failure", "login in a browser");
}

#[tokio::test]
async fn a_token_that_a_server_repeats_is_masked() {
    let origin = Origin::start();
    let body = format!(r#"{{"error":{{"code":"forbidden","message":"bad {TOKEN}"}}}}"#);
    origin.always("GET", "status", script().head(403).chunk(body.as_bytes()));
    let said = doctor(&before(&origin), &[]).await;
    said.assert("status", "failure", "403 forbidden: bad ***");
}

#[tokio::test]
async fn a_clock_that_is_wrong_is_told() {
    for (hours, verdict, words) in [(2, "warning", "behind"), (0, "ok", " s ")] {
        let origin = Origin::start();
        let theirs = SystemTime::now() + Duration::from_secs(hours * 3600);
        let date = httpdate::fmt_http_date(theirs);
        let answer = script().head(200).header("date", &date);
        origin.always("GET", "status", answer.chunk(br#"{"status":"enabled"}"#));
        let said = doctor(&before(&origin), &[]).await;
        said.assert("clock", verdict, words);
        assert_eq!(said.code, Some(0));
    }
}

#[tokio::test]
async fn an_upload_is_tried_where_that_is_asked_for_and_its_hash_is_told() {
    let origin = Origin::start();
    let said = doctor(&before(&origin), &["--write"]).await;
    let puts = origin.seen_where(|seen| seen.method() == "PUT");
    assert_eq!(puts.len(), 1);
    let hash = puts[0].path().rsplit('/').next().expect("a hash");
    assert_eq!(puts[0].header("content-length"), Some("4096"));
    for (check, words) in [
        ("upload", "taken (202)"),
        ("description", "with its length"),
        ("download", "the same bytes"),
        (
            "headers",
            "x-artifact-tag, x-artifact-duration, x-artifact-sha come back",
        ),
        ("removal", hash),
    ] {
        said.assert(check, "ok", words);
    }
    assert_eq!(said.code, Some(0));
}

#[tokio::test]
async fn a_token_that_may_only_read_fails_the_upload_alone() {
    let origin = Origin::start();
    let refusal = br#"{"error":{"code":"forbidden","message":"Read only."}}"#;
    // The hash is random: every upload is meant.
    origin.always("PUT", "*", script().head(403).chunk(refusal));
    let said = doctor(&before(&origin), &["--write"]).await;
    said.assert("upload", "failure", "403 forbidden: Read only.");
    said.assert_not_tried(&["description", "download", "headers"]);
    assert_eq!((said.code, said.failures()), (Some(1), vec!["upload"]));
}

#[tokio::test]
async fn headers_and_lengths_that_are_dropped_are_told_with_what_that_means() {
    let origin = Origin::start();
    origin.always("HEAD", "*", script().head(200).chunked());
    origin.always("GET", "*", script().head(200).chunked().chunk(b"other"));
    let said = doctor(&before(&origin), &["--write"]).await;
    said.assert("description", "warning", "length is not said");
    said.assert("download", "failure", "5 bytes came back of 4096");
    said.assert("headers", "warning", "the tag is lost");
    said.assert("headers", "warning", "the duration is lost");
}

#[tokio::test]
async fn a_redirect_is_followed_without_the_token_and_its_host_is_told() {
    let (origin, store) = (Origin::start(), Origin::start());
    let at = format!("{}/bucket", store.url());
    origin.always("GET", "*", script().head(302).header("location", &at));
    store.always("GET", "bucket", script().head(200).chunk(b"other"));
    let said = doctor(&before(&origin), &["--write"]).await;
    said.assert("download", "failure", "5 bytes");
    let asked = store.seen("GET", "bucket");
    assert!(!asked.is_empty() && asked.iter().all(|seen| seen.token().is_empty()));
    assert!(asked.iter().all(|seen| seen.query().is_empty()));
    store.forget();
    store.always("GET", "bucket", script().head(302).header("location", &at));
    let said = doctor(&before(&origin), &["--write"]).await;
    said.assert("download", "failure", "in a circle");
}

#[tokio::test]
async fn a_proxy_is_told_with_its_answer() {
    let origin = Origin::speaking(Speech::http1_tls());
    let proxy = Proxy::to(origin.address()).await;
    let setup = before(&origin)
        .set("upstream.url", &format!("https://{NAME}"))
        .variable("HTTPS_PROXY", &proxy.url("me:canary-word"));
    let said = doctor(&setup, &[]).await;
    said.assert("proxy", "ok", "HTTPS_PROXY: it leads to the upstream");
    assert_eq!(said.failures(), [""; 0]);
    for (manners, words) in [
        (Manners::Refuses(407), "user and password into HTTPS_PROXY"),
        (Manners::Refuses(502), "answers 502"),
        (Manners::Garbles, "NO_PROXY"),
    ] {
        let proxy = Proxy::misbehaving(manners).await;
        let setup = setup
            .clone()
            .variable("HTTPS_PROXY", &proxy.url("me:canary-word"));
        let said = doctor(&setup, &[]).await;
        said.assert("proxy", "failure", words);
        assert_eq!(said.failures(), ["proxy"]);
    }
}

#[tokio::test]
async fn a_larder_that_runs_is_seen_and_left_in_peace() {
    let larder = Larder::alone().await;
    let mut client = larder.client();
    let put = client
        .put("/v8/artifacts/aa?slug=acme", &bytes(1, 9000))
        .await;
    assert_eq!(put.status, 202);
    let setup = larder.setup().clone().set("tier.disk.capacity", "1GiB");
    let said = doctor(&setup, &[]).await;
    let id = larder.process().id().to_string();
    said.assert("process", "ok", &format!("process {id}"));
    said.assert("process", "ok", "admin listener is at 127.0.0.1:");
    let speed = said.findings.iter().find(|one| one["check"] == "speed");
    let told = speed.expect("a speed").to_string();
    assert!(told.contains("writes"), "{told}");
    assert_eq!(said.code, Some(0));
    let left = std::fs::read_dir(setup.data_dir()).expect("a folder");
    let left: Vec<_> = left.map(|file| file.expect("a file").file_name()).collect();
    assert!(
        left.iter()
            .all(|name| !name.to_string_lossy().contains("doctor")),
        "{left:?}"
    );
    client
        .get("/v8/artifacts/aa?slug=acme")
        .await
        .assert_body(&bytes(1, 9000));
}

#[tokio::test]
async fn a_table_is_for_people_and_without_colours_where_there_is_no_terminal() {
    let origin = Origin::start();
    let exit = before(&origin)
        .run(&["doctor", "--config", "{config}"])
        .await;
    assert_eq!(exit.code, Some(0), "{}", exit.stderr);
    let begins = |words: &str| exit.stdout.lines().any(|line| line.starts_with(words));
    assert!(
        begins("ok         status          remote caching is enabled ("),
        "{}",
        exit.stdout
    );
    assert!(!exit.stdout.contains('\x1b') && !exit.stdout.contains("canary"));
}

#[tokio::test]
async fn a_token_file_comes_first_and_one_that_is_not_there_is_wrong_usage() {
    let origin = Origin::start();
    let setup = before(&origin);
    let path = setup.directory().join("mine");
    std::fs::write(&path, "of-the-file\n").expect("a file");
    let flag = [
        "--token-file",
        path.to_str().expect("a plain path"),
        "--team",
        "team_1",
    ];
    doctor(&setup, &flag)
        .await
        .assert("token", "ok", "--token-file");
    let asked = origin.requests();
    assert!(asked.iter().all(|seen| seen.token() == "of-the-file"));
    assert!(asked.iter().all(|seen| seen.query() == "teamId=team_1"));
    let arguments = ["doctor", "--config", "{config}", "--token-file", "/nowhere"];
    let exit = setup.run(&arguments).await;
    assert_eq!(exit.code, Some(2), "{}", exit.stderr);
    assert!(exit.stderr.contains("/nowhere"), "{}", exit.stderr);
}
