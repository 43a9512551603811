//! `larder env`: a line where a Larder answers, and nothing where none does.

use tokio::net::TcpListener;

use crate::support::{Certificate, Exit, Larder, Origin, Setup, eventually};

async fn env(setup: &Setup, url: &str, flags: &[&str]) -> Exit {
    let exit = setup.run(&[&["env", url], flags].concat()).await;
    assert_eq!(exit.code, Some(0), "{}", exit.stderr);
    exit
}

/// What is printed of a Larder that is there, on a machine that may be too busy for 300 ms.
async fn printed(setup: &Setup, url: &str, flags: &[&str]) -> String {
    let mut printed = String::new();
    eventually("an answer in time", async || {
        printed = env(setup, url, flags).await.stdout;
        !printed.is_empty()
    })
    .await;
    printed
}

#[tokio::test]
async fn where_a_larder_answers_turbo_is_pointed_at_it_and_nobody_upstream_is_asked() {
    let origin = Origin::start();
    let larder = Larder::before(&origin).await;
    let url = format!("http://{}", larder.address());
    let setup = larder.setup();
    let line = printed(setup, &url, &[]).await;
    assert_eq!(line, format!("export TURBO_API={url}\n"));
    let line = printed(setup, &format!("{url}/"), &["--format", "fish"]).await;
    assert_eq!(line, format!("set -gx TURBO_API {url}\n"));
    let line = printed(setup, &format!("{url}/api"), &["--format", "dotenv"]).await;
    assert_eq!(line, format!("TURBO_API={url}/api\n"));
    assert!(origin.requests().is_empty());
}

#[tokio::test]
async fn where_tokens_are_asked_for_it_answers_all_the_same() {
    let listed = r#"[{ name = "ci", token = "t", teams = ["*"] }]"#;
    let larder = Setup::alone().toml("access.tokens", listed).start().await;
    let url = format!("http://{}", larder.address());
    assert!(printed(larder.setup(), &url, &[]).await.contains(&url));
}

#[tokio::test]
async fn a_larder_that_speaks_tls_is_found_by_a_certificate_that_the_system_trusts() {
    let certificate = Certificate::new();
    let larder = Setup::alone().secured(&certificate).start().await;
    let port = larder.address().port();
    let url = format!("https://127.0.0.1:{port}");
    let setup = larder.setup().clone();
    let stranger = env(&setup, &url, &["--verbose"]).await;
    assert_eq!(stranger.stdout, "");
    let authority = setup.directory().join("authority.pem");
    std::fs::write(&authority, &certificate.cert).expect("a file");
    let trusting = setup.variable("SSL_CERT_FILE", authority.to_str().expect("a plain path"));
    let line = printed(&trusting, &url, &[]).await;
    assert_eq!(line, format!("export TURBO_API={url}\n"));
}

#[tokio::test]
async fn where_none_answers_nothing_is_printed_unless_that_is_asked_for() {
    let setup = Setup::alone();
    let origin = Origin::start();
    let silent = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let silent_url = format!("http://{}", silent.local_addr().expect("an address"));
    let mut gone = Origin::start();
    gone.stop().await;
    let urls = [
        origin.url(),
        silent_url,
        gone.url(),
        "http://nobody.invalid:8585".to_owned(),
    ];
    for url in &urls {
        let exit = env(&setup, url, &[]).await;
        assert_eq!(
            (exit.stdout.as_str(), exit.stderr.as_str()),
            ("", ""),
            "{url}"
        );
        let exit = env(&setup, url, &["--verbose"]).await;
        assert_eq!(exit.stdout, "");
        assert!(exit.stderr.contains(url.as_str()), "{}", exit.stderr);
    }
}

#[tokio::test]
async fn what_is_no_url_prints_nothing_that_a_shell_would_run() {
    for url in ["", "larder.office", "ftp://larder.office", "http://a?b"] {
        let exit = Setup::alone().run(&["env", url]).await;
        assert_eq!((exit.code, exit.stdout.as_str()), (Some(2), ""), "{url}");
    }
}
