//! The way to the upstream: proxies and authorities.

use super::written;

const VERCEL: (&str, &str) = ("LARDER_UPSTREAM__URL", "vercel");

#[test]
fn the_proxy_of_the_usual_variables_is_shown_with_its_variable() {
    let pairs = [("HTTPS_PROXY", "http://me:pw@p:1"), VERCEL];
    let file = written("");
    assert_eq!(
        file.line(&pairs, "upstream.proxy"),
        "upstream.proxy = \"http://***@p:1\"  # HTTPS_PROXY"
    );
    let keyed = written("upstream.proxy = \"http://q:2\"")
        .load(&pairs)
        .unwrap();
    assert_eq!(
        keyed.config.upstream.proxy.https.as_deref(),
        Some("http://q:2")
    );
}

#[test]
fn a_proxy_that_would_be_used_and_cannot_be_is_a_mistake_of_its_variable() {
    let file = written("");
    for (variable, text) in [
        ("HTTPS_PROXY", "http://me:canary@"),
        ("https_proxy", "http://me:canary@p:99999"),
        ("ALL_PROXY", "socks5://me:canary@p:1"),
    ] {
        let expected =
            format!("{variable}: upstream.proxy: is not a proxy such as http://proxy.example:3128");
        assert_eq!(file.mistakes(&[(variable, text), VERCEL]), [expected]);
    }
}

#[test]
fn a_proxy_that_is_not_used_does_not_matter() {
    let file = written("");
    let socks = ("ALL_PROXY", "socks5://p:1");
    for (no_proxy, upstream) in [
        ("vercel.com", "vercel"),
        ("*", "vercel"),
        ("10.0.0.0/8", "http://10.1.2.3:80/"),
        ("elsewhere", "none"),
    ] {
        let pairs = [
            socks,
            ("NO_PROXY", no_proxy),
            ("LARDER_UPSTREAM__URL", upstream),
        ];
        assert_eq!(
            file.line(&pairs, "upstream.proxy"),
            "# upstream.proxy is not set",
            "{no_proxy} {upstream}"
        );
    }
    let other_scheme = [("HTTP_PROXY", "socks5://p:1"), VERCEL];
    file.load(&other_scheme).unwrap();
    let keyed = [socks, VERCEL, ("LARDER_UPSTREAM__PROXY", "https://q:2")];
    let loaded = file.load(&keyed).unwrap();
    assert_eq!(
        loaded.config.upstream.proxy.https.as_deref(),
        Some("https://q:2")
    );
}

#[test]
fn a_file_of_authorities_without_one_is_a_mistake() {
    let file = written("");
    let path = file.folder.path().join("ca.pem");
    std::fs::write(&path, "nothing\n").unwrap();
    let mistakes = file.mistakes(&[("LARDER_UPSTREAM__CA_FILE", path.to_str().unwrap()), VERCEL]);
    assert_eq!(
        mistakes,
        ["LARDER_UPSTREAM__CA_FILE: upstream.ca_file: ca.pem holds no certificate"]
    );
}
