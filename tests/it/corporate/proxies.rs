//! Through a proxy: what it is told, and what comes of one that misbehaves.

use crate::secrets::read_all;
use crate::support::{
    Exit, Larder, Manners, NAME, Origin, Proxy, Setup, Speech, artifact, bytes, error_code,
};

use super::{assert_fetched, assert_miss, complaints, complaints_in};

/// A user, and a password with a character that a URL has to escape.
const USER: &str = "me:canary%40word";
/// The same as a proxy is told it.
const BASIC: &str = "Basic bWU6Y2FuYXJ5QHdvcmQ=";

/// Before an upstream that only a proxy finds.
fn behind(proxy: &Proxy, origin: &Origin, user: &str) -> Setup {
    let scheme = if origin.authority().is_some() {
        "https"
    } else {
        "http"
    };
    let trusted = [origin.authority().unwrap_or(""), proxy.authority()].concat();
    let setup = Setup::before(origin)
        .set("upstream.url", &format!("{scheme}://{NAME}"))
        .set("upstream.proxy", &proxy.url(user));
    if trusted.is_empty() {
        setup
    } else {
        setup.secret("upstream.ca_file", &trusted)
    }
}

#[tokio::test]
async fn plain_requests_go_to_the_proxy_whole_with_its_credential() {
    let origin = Origin::start();
    origin.hold("aa", b"body".as_slice());
    let proxy = Proxy::to(origin.address()).await;
    let larder = behind(&proxy, &origin, USER).start().await;
    let mut client = larder.client();
    assert_fetched(&mut client, "aa", b"body").await;
    assert_eq!(
        client.put(&artifact("bb"), &bytes(1, 9000)).await.status,
        202
    );
    let seen = proxy.seen();
    let starts: Vec<_> = seen.iter().map(|head| head.start.as_str()).collect();
    let url = |hash| format!("http://{NAME}{}", artifact(hash));
    let whole = [
        format!("GET {} HTTP/1.1", url("aa")),
        format!("PUT {} HTTP/1.1", url("bb")),
    ];
    assert_eq!(starts, whole);
    for head in &seen {
        assert_eq!(head.all("proxy-authorization"), [BASIC]);
        assert_eq!(head.get("host"), Some(NAME));
    }
    for seen in origin.requests() {
        assert_eq!(seen.token(), "member");
    }
}

#[tokio::test]
async fn through_a_tunnel_the_proxy_hears_of_nothing_but_where_it_leads() {
    let origin = Origin::speaking(Speech::http1_tls());
    origin.hold("aa", b"body".as_slice());
    let proxy = Proxy::to(origin.address()).await;
    let larder = behind(&proxy, &origin, USER).start().await;
    assert_fetched(&mut larder.client(), "aa", b"body").await;
    let seen = proxy.seen();
    assert_eq!(seen.len(), 1);
    assert_eq!(seen[0].start, format!("CONNECT {NAME}:443 HTTP/1.1"));
    let expected = [
        ("host".to_owned(), format!("{NAME}:443")),
        ("proxy-authorization".to_owned(), BASIC.to_owned()),
    ];
    assert_eq!(seen[0].headers, expected);
    let asked = &origin.requests()[0];
    assert_eq!(asked.token(), "member");
    assert_eq!(asked.header("proxy-authorization"), None);
}

#[tokio::test]
async fn a_proxy_may_be_reached_by_tls_with_an_authority_of_its_own() {
    for speech in [Speech::Http1, Speech::http1_tls(), Speech::http2_tls()] {
        let origin = Origin::speaking(speech);
        origin.hold("aa", b"body".as_slice());
        let own = Speech::http1_tls();
        let proxy = Proxy::start(origin.address(), Manners::Leads, own).await;
        let setup = behind(&proxy, &origin, USER).toml("upstream.http2", "true");
        let larder = setup.start().await;
        assert_fetched(&mut larder.client(), "aa", b"body").await;
        assert_eq!(proxy.seen()[0].all("proxy-authorization"), [BASIC]);
    }
}

#[tokio::test]
async fn a_proxy_whose_certificate_nobody_vouches_for_is_no_way() {
    let origin = Origin::start();
    let own = Speech::http1_tls();
    let proxy = Proxy::start(origin.address(), Manners::Leads, own).await;
    let larder = behind(&proxy, &origin, USER)
        .unset("upstream.ca_file")
        .start()
        .await;
    let reply = larder.client().get(&artifact("aa")).await;
    assert_miss(&reply, "upstream-unreachable");
    let said = complaints(larder).await;
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].contains("the proxy cannot be reached"), "{said:?}");
    assert!(said[0].contains("UnknownIssuer"), "{said:?}");
    assert!(proxy.seen().is_empty());
}

#[tokio::test]
async fn a_proxy_that_wants_another_credential_costs_misses_and_a_line_and_is_told_no_more() {
    for speech in [Speech::Http1, Speech::http1_tls()] {
        let origin = Origin::speaking(speech);
        let proxy = Proxy::misbehaving(Manners::Refuses(407)).await;
        let larder = behind(&proxy, &origin, USER)
            .set("log.level", "trace")
            .start()
            .await;
        let mut client = larder.client();
        for asked in 1..=2 {
            let reply = client.get(&artifact("aa")).await;
            assert_miss(&reply, "upstream-unreachable");
            assert_eq!(
                proxy.seen().len(),
                asked,
                "a refusal is not asked for again"
            );
            assert_eq!(reply.header("proxy-authenticate"), None);
            assert!(!reply.body.starts_with(b"no"));
        }
        let put = client.put(&artifact("bb"), b"body").await;
        assert_eq!(put.status, 424);
        assert_eq!(error_code(&put), "upload_undelivered");
        assert_eq!(proxy.seen().len(), 3);
        let passed = client.get("/v2/user").await;
        assert_eq!(
            (passed.status, passed.header("proxy-authenticate")),
            (502, None)
        );
        assert!(origin.requests().is_empty());
        let said = complaints_in(&assert_kept(larder).await);
        assert_eq!(said.len(), 1, "{said:?}");
        assert!(said[0].contains("wants a user and password, or others (407)"));
    }
}

/// Asserts that the proxy's password is in nothing that the process has told or written, and ends it.
async fn assert_kept(larder: Larder) -> Exit {
    let metrics = larder.metrics().await;
    let setup = larder.setup().clone();
    let checked = setup.run(&["check", "--config", "{config}"]).await;
    let masked = "upstream.proxy = \"http://***@127.0.0.1:";
    assert!(checked.stdout.contains(masked), "{}", checked.stdout);
    let exit = larder.stop().await;
    let told = [metrics.text(), &checked.stdout, &exit.stdout, &exit.stderr].concat();
    for secret in ["canary", &BASIC["Basic ".len()..]] {
        let found = told.lines().find(|line| line.contains(secret));
        assert_eq!(found, None);
    }
    assert!(read_all(&setup.data_dir()) > 0);
    exit
}

#[tokio::test]
async fn a_proxy_that_leads_nowhere_is_a_miss_that_says_why() {
    for (manners, why) in [
        (Manners::Refuses(403), "the proxy answers 403 to CONNECT"),
        (Manners::Refuses(503), "the proxy answers 503 to CONNECT"),
        (
            Manners::Garbles,
            "what the proxy answers to CONNECT is none",
        ),
        (Manners::Leaves, "what the proxy answers to CONNECT is none"),
        (Manners::Hangs, "no connection in time"),
    ] {
        let origin = Origin::speaking(Speech::http1_tls());
        let proxy = Proxy::misbehaving(manners).await;
        let larder = behind(&proxy, &origin, USER)
            .set("upstream.connect_timeout", "300ms")
            .start()
            .await;
        let reply = larder.client().get(&artifact("aa")).await;
        assert_miss(&reply, "upstream-unreachable");
        let said = complaints(larder).await;
        assert_eq!(said.len(), 1, "{said:?}");
        assert!(said[0].contains(why), "{said:?}");
    }
}
