//! Addresses that are said rather than looked up.

use crate::support::{NAME, Origin, Proxy, Setup, Speech, artifact, script};

use super::{assert_fetched, assert_miss, complaints};

/// Before an upstream of that name, found at these addresses.
fn at(origin: &Origin, addresses: &[&str]) -> Setup {
    let (url, port) = (origin.url(), origin.address().port());
    let scheme = url.split(':').next().expect("a scheme");
    let pins: Vec<_> = addresses
        .iter()
        .map(|address| format!("{NAME}:{port}:{address}"))
        .collect();
    Setup::before(origin)
        .set("upstream.url", &format!("{scheme}://{NAME}:{port}"))
        .toml("upstream.resolve", &format!("{pins:?}"))
}

#[tokio::test]
async fn a_pinned_address_stands_for_the_look_up_and_the_name_in_tls_stays_the_hosts() {
    for speech in [Speech::Http1, Speech::http1_tls(), Speech::http2_tls()] {
        let origin = Origin::speaking(speech);
        origin.hold("aa", b"body".as_slice());
        let setup = at(&origin, &["127.0.0.1"]).toml("upstream.http2", "true");
        let larder = setup.start().await;
        assert_fetched(&mut larder.client(), "aa", b"body").await;
        let port = origin.address().port();
        let pin = format!("upstream.resolve = [\"{NAME}:{port}:127.0.0.1\"]  # ");
        let checked = larder.setup().run(&["check", "--config", "{config}"]).await;
        assert!(checked.stdout.contains(&pin), "{}", checked.stdout);
    }
}

#[tokio::test]
async fn an_address_that_refuses_leaves_it_to_the_next_of_either_family() {
    // The origin is at its port of 127.0.0.1 alone.
    for dead in ["127.0.0.2", "[::1]"] {
        let origin = Origin::start();
        origin.hold("aa", b"body".as_slice());
        let larder = at(&origin, &[dead, "127.0.0.1"]).start().await;
        assert_fetched(&mut larder.client(), "aa", b"body").await;
        assert_eq!(complaints(larder).await, Vec::<String>::new());
    }
}

#[tokio::test]
async fn a_name_that_nobody_finds_is_a_miss_and_one_line() {
    let origin = Origin::start();
    let elsewhere = format!("{NAME}:1:127.0.0.1");
    let larder = at(&origin, &[])
        .set("upstream.resolve", &elsewhere)
        .start()
        .await;
    for _ in 0..2 {
        let reply = larder.client().get(&artifact("aa")).await;
        assert_miss(&reply, "upstream-unreachable");
    }
    let said = complaints(larder).await;
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(
        said[0].contains(&format!("{NAME} is not found")),
        "{said:?}"
    );
}

#[tokio::test]
async fn the_name_of_a_proxy_may_be_pinned_too() {
    let origin = Origin::start();
    origin.hold("aa", b"body".as_slice());
    let proxy = Proxy::to(origin.address()).await;
    let port = proxy.port();
    let larder = Setup::before(&origin)
        .set("upstream.url", &format!("http://{NAME}"))
        .set("upstream.proxy", &format!("http://proxy.invalid:{port}"))
        .set(
            "upstream.resolve",
            &format!("proxy.invalid:{port}:127.0.0.1"),
        )
        .start()
        .await;
    assert_fetched(&mut larder.client(), "aa", b"body").await;
    assert_eq!(proxy.seen().len(), 1);
}

#[tokio::test]
async fn a_redirect_is_judged_by_the_address_that_is_pinned() {
    let (origin, storage) = (Origin::start(), Origin::start());
    storage.hold("aa", b"stored".as_slice());
    let proxy = Proxy::to(origin.address()).await;
    let port = storage.address().port();
    let there = |host: &str| {
        let location = format!("http://{host}:{port}{}", artifact("aa"));
        script().head(302).header("location", &location)
    };
    let pins = format!("near.invalid:{port}:127.0.0.1, meta.invalid:{port}:169.254.169.254");
    let setup = || Setup::before(&origin).set("upstream.resolve", &pins);
    // Through a proxy nobody knows how private the upstream is, and it is taken for public.
    let far = setup()
        .set("upstream.url", &format!("http://{NAME}"))
        .variable("http_proxy", &proxy.url(""))
        .variable("no_proxy", "near.invalid,meta.invalid");
    let (near, far) = (setup().start().await, far.start().await);
    origin.always("GET", "aa", there("near.invalid"));
    assert_fetched(&mut near.client(), "aa", b"stored").await;
    assert_miss(&far.client().get(&artifact("aa")).await, "upstream-error");
    origin.forget();
    origin.always("GET", "bb", there("meta.invalid"));
    for larder in [&near, &far] {
        assert_miss(
            &larder.client().get(&artifact("bb")).await,
            "upstream-error",
        );
    }
    assert_eq!(storage.requests().len(), 1);
}
