//! Who vouches for the upstream, and what Larder shows of itself.

use crate::support::{
    Certificate, Demand, Manners, NAME, Origin, Proxy, Setup, Speech, artifact, script,
};

use super::{assert_fetched, assert_miss, complaints};

/// Before this origin, with a certificate to show.
fn showing(own: &Certificate, origin: &Origin) -> Setup {
    Setup::before(origin)
        .secret("upstream.client_cert", &own.cert)
        .secret("upstream.client_key", &own.key)
}

/// An origin that wants such a certificate, and holds an artifact.
fn demanding(own: &Certificate) -> Origin {
    let origin = Origin::speaking(Speech::http1_tls_with(Demand::Wants(&own.cert)));
    origin.hold("aa", b"body".as_slice());
    origin
}

#[tokio::test]
async fn an_upstream_of_another_authority_is_a_miss_and_one_line() {
    let (origin, other) = (
        Origin::speaking(Speech::http1_tls()),
        Origin::speaking(Speech::http1_tls()),
    );
    let wrong = other.authority().expect("TLS");
    let larder = Setup::before(&origin)
        .secret("upstream.ca_file", wrong)
        .start()
        .await;
    for _ in 0..2 {
        let reply = larder.client().get(&artifact("aa")).await;
        assert_miss(&reply, "upstream-unreachable");
    }
    let said = complaints(larder).await;
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].contains("invalid peer certificate: "), "{said:?}");
    assert!(origin.requests().is_empty());
}

#[tokio::test]
async fn an_upstream_that_wants_a_client_certificate_is_shown_it() {
    let own = Certificate::new();
    let origin = demanding(&own);
    let larder = showing(&own, &origin).start().await;
    assert_fetched(&mut larder.client(), "aa", b"body").await;
    assert_eq!(
        larder.client().put(&artifact("bb"), b"new").await.status,
        202
    );
    assert_eq!(origin.shown(), 1, "one connection");
}

#[tokio::test]
async fn through_a_tunnel_it_is_shown_to_the_upstream_and_not_to_the_proxy() {
    let own = Certificate::new();
    let origin = demanding(&own);
    let asking = Speech::http1_tls_with(Demand::Asks(&own.cert));
    let proxy = Proxy::start(origin.address(), Manners::Leads, asking).await;
    let trusted = [origin.authority().expect("TLS"), proxy.authority()].concat();
    let larder = showing(&own, &origin)
        .set("upstream.url", &format!("https://{NAME}"))
        .set("upstream.proxy", &proxy.url(""))
        .secret("upstream.ca_file", &trusted)
        .start()
        .await;
    assert_fetched(&mut larder.client(), "aa", b"body").await;
    assert_eq!((origin.shown(), proxy.shown()), (1, 0));
}

#[tokio::test]
async fn where_the_upstream_redirects_to_it_is_not_shown() {
    let own = Certificate::new();
    let origin = demanding(&own);
    let storage = Origin::speaking(Speech::http1_tls_with(Demand::Asks(&own.cert)));
    storage.hold("aa", b"stored".as_slice());
    let location = storage.url() + &artifact("aa");
    let there = script().head(302).header("location", &location);
    origin.always("GET", "aa", there);
    let trusted = [&origin, &storage].map(|origin| origin.authority().expect("TLS"));
    let larder = showing(&own, &origin)
        .secret("upstream.ca_file", &trusted.concat())
        .start()
        .await;
    assert_fetched(&mut larder.client(), "aa", b"stored").await;
    assert_eq!((origin.shown(), storage.shown()), (1, 0));
    assert_eq!(storage.gets("aa"), 1);
}

#[tokio::test]
async fn without_one_or_with_a_strangers_the_upstream_is_unreachable_and_one_line_says_why() {
    let (own, other) = (Certificate::new(), Certificate::new());
    for (shown, why) in [
        (None, "CertificateRequired"),
        (Some(&other), "received fatal alert: "),
    ] {
        let origin = demanding(&own);
        let setup = match shown {
            None => Setup::before(&origin),
            Some(shown) => showing(shown, &origin),
        };
        let larder = setup.start().await;
        let reply = larder.client().get(&artifact("aa")).await;
        assert_miss(&reply, "upstream-unreachable");
        let said = complaints(larder).await;
        assert_eq!(said.len(), 1, "{said:?}");
        assert!(said[0].contains(why), "{said:?}");
        assert!(origin.requests().is_empty());
    }
}

#[tokio::test]
async fn files_that_are_no_pair_are_one_clear_line_and_exit_2_and_the_key_is_printed_nowhere() {
    let (own, other) = (Certificate::new(), Certificate::new());
    let origin = demanding(&own);
    let wrong = showing(&own, &origin).secret("upstream.client_key", &other.key);
    for command in ["serve", "check"] {
        let exit = wrong.run(&[command, "--config", "{config}"]).await;
        assert_eq!(exit.code, Some(2), "{}", exit.stderr);
        assert_eq!(exit.stderr.lines().count(), 1, "{}", exit.stderr);
        let why = "is not the key of the first certificate in ";
        assert!(exit.stderr.contains(why), "{}", exit.stderr);
    }
    let larder = showing(&own, &origin)
        .set("log.level", "trace")
        .start()
        .await;
    assert_fetched(&mut larder.client(), "aa", b"body").await;
    let (metrics, setup) = (larder.metrics().await, larder.setup().clone());
    let checked = setup.run(&["check", "--config", "{config}"]).await;
    for key in [
        "upstream.client_cert",
        "upstream.client_key",
        "upstream.ca_file",
    ] {
        let path = setup.directory().join(format!("{key}.secret"));
        let line = format!("{key} = {path:?}  # ");
        assert!(checked.stdout.contains(&line), "{}", checked.stdout);
    }
    let exit = larder.stop().await;
    let told = [metrics.text(), &checked.stdout, &exit.stdout, &exit.stderr].concat();
    for secret in own.key.lines().filter(|line| !line.starts_with('-')) {
        assert!(!told.contains(secret));
    }
}
