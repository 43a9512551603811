//! Past the proxy: what `NO_PROXY` names, and which of the usual variables counts.

use crate::support::{Larder, NAME, Origin, Proxy, Setup};

use super::assert_fetched;

/// Before an upstream of this host that a proxy leads to as well, with these variables; `{proxy}` stands
/// for its URL and `{port}` for the upstream's port.
async fn with(host: &str, variables: &[(&str, &str)]) -> (Larder, Origin, Proxy) {
    let origin = Origin::start();
    origin.hold("aa", b"body".as_slice());
    let (address, proxy) = (origin.address(), Proxy::to(origin.address()).await);
    let port = address.port();
    let pin = format!("{NAME}:{port}:{}", address.ip());
    let mut setup = Setup::before(&origin)
        .set("upstream.url", &format!("http://{host}:{port}"))
        .set("upstream.resolve", &pin);
    for (name, text) in variables {
        let text = text.replace("{proxy}", &proxy.url("me:word"));
        setup = setup.variable(name, &text.replace("{port}", &port.to_string()));
    }
    (setup.start().await, origin, proxy)
}

/// Whether the upstream is asked past the proxy.
async fn is_direct(host: &str, variables: &[(&str, &str)]) -> bool {
    let (larder, origin, proxy) = with(host, variables).await;
    assert_fetched(&mut larder.client(), "aa", b"body").await;
    assert_eq!(origin.gets("aa"), 1);
    for seen in origin.requests() {
        assert_eq!(seen.header("proxy-authorization"), None);
    }
    proxy.seen().is_empty()
}

#[tokio::test]
async fn hosts_that_no_proxy_names_are_reached_directly() {
    let proxy = ("http_proxy", "{proxy}");
    for (host, list, direct) in [
        (NAME, "", false),
        (NAME, NAME, true),
        (NAME, ".corp.invalid", true),
        (NAME, "*.corp.invalid", true),
        (NAME, "other corp.invalid:{port}", true),
        (NAME, "corp.invalid:1", false),
        ("127.0.0.1", "10.0.0.0/8, 127.0.0.0/8", true),
        ("127.0.0.1", "10.0.0.0/8", false),
        ("127.0.0.1", "*", true),
    ] {
        let found = is_direct(host, &[proxy, ("no_proxy", list)]).await;
        assert_eq!(found, direct, "{host} {list:?}");
    }
}

#[tokio::test]
async fn lower_case_comes_first_as_with_curl() {
    // Nothing listens there: whoever goes by it gets nowhere.
    let dead = "http://127.0.0.1:9";
    for (variables, direct) in [
        (
            &[("http_proxy", "{proxy}"), ("HTTP_PROXY", dead)][..],
            false,
        ),
        (&[("http_proxy", ""), ("HTTP_PROXY", "{proxy}")], false),
        (&[("HTTP_PROXY", "{proxy}"), ("ALL_PROXY", dead)], false),
        (&[("all_proxy", "{proxy}"), ("https_proxy", dead)], false),
        (
            &[
                ("http_proxy", "{proxy}"),
                ("no_proxy", "other"),
                ("NO_PROXY", "*"),
            ],
            false,
        ),
        (
            &[
                ("http_proxy", dead),
                ("no_proxy", NAME),
                ("NO_PROXY", "other"),
            ],
            true,
        ),
        (&[("https_proxy", dead)], true),
    ] {
        assert_eq!(is_direct(NAME, variables).await, direct, "{variables:?}");
    }
}
