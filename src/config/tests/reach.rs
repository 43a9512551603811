//! The way to the upstream: proxies, authorities, what is shown to it, where it is.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use super::{Written, mistake_in, written};

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
    fs::write(&path, "nothing\n").unwrap();
    let mistakes = file.mistakes(&[("LARDER_UPSTREAM__CA_FILE", path.to_str().unwrap()), VERCEL]);
    assert_eq!(
        mistakes,
        ["LARDER_UPSTREAM__CA_FILE: upstream.ca_file: ca.pem holds no certificate"]
    );
}

#[test]
fn lower_case_comes_first_and_an_empty_variable_is_none() {
    let file = written("");
    let upstream = ("LARDER_UPSTREAM__URL", "http://cache.corp.example");
    let shown =
        |pairs: &[(&str, &str)]| file.line(&[pairs, &[upstream]].concat(), "upstream.proxy");
    let both = [
        ("http_proxy", "http://low:1"),
        ("HTTP_PROXY", "http://up:2"),
    ];
    assert_eq!(
        shown(&both),
        "upstream.proxy = \"http://low:1\"  # http_proxy"
    );
    let empty = [("http_proxy", ""), ("HTTP_PROXY", "http://up:2")];
    assert_eq!(
        shown(&empty),
        "upstream.proxy = \"http://up:2\"  # HTTP_PROXY"
    );
    let spared = "# upstream.proxy is not set";
    let no = |low, up| {
        let no = [("no_proxy", low), ("NO_PROXY", up), ("http_proxy", "low:1")];
        shown(&no) == spared
    };
    assert!(no("corp.example", "elsewhere"));
    assert!(!no("elsewhere", "corp.example"));
    assert!(no("", "corp.example"));
    assert!(no("elsewhere cache.corp.example:80", ""));
    assert!(!no("cache.corp.example:443", ""));
}

/// A configuration before `url` with a certificate's file and its key's, for their owner alone.
fn with_pair(url: &str) -> (Written, String) {
    let own = rcgen::generate_simple_self_signed(vec!["larder".to_owned()]).unwrap();
    let file = written("");
    let folder = file.folder.path();
    let (cert, key) = (folder.join("own.pem"), folder.join("own-key.pem"));
    fs::write(&cert, own.cert.pem()).unwrap();
    fs::write(&key, own.signing_key.serialize_pem()).unwrap();
    fs::set_permissions(&key, Permissions::from_mode(0o600)).unwrap();
    let text = format!("[upstream]\nurl = {url:?}\nclient_cert = {cert:?}\nclient_key = {key:?}\n");
    fs::write(file.flags.config.as_ref().unwrap(), text).unwrap();
    (file, own.signing_key.serialize_pem())
}

#[test]
fn a_client_certificate_and_its_key_are_taken_and_never_printed() {
    let (file, secret) = with_pair("vercel");
    let loaded = file.load(&[]).unwrap();
    assert_eq!(loaded.warnings, Vec::<String>::new());
    let identity = loaded.config.upstream.identity.as_ref().unwrap();
    assert_eq!(identity.certified_key().cert.len(), 1);
    let shown: Vec<_> = loaded.values.iter().map(ToString::to_string).collect();
    let shown = format!("{} {loaded:?}", shown.join("\n"));
    for key in ["client_cert", "client_key"] {
        assert!(shown.contains(&format!("upstream.{key} = ")), "{shown}");
    }
    for line in secret.lines() {
        assert!(!shown.contains(line), "{shown}");
    }
}

#[test]
fn a_client_certificate_that_nobody_would_ask_for_is_a_doubt() {
    for (url, why) in [
        ("none", "there is no upstream"),
        ("http://cache.example", "is spoken to in clear text"),
    ] {
        let warnings = with_pair(url).0.load(&[]).unwrap().warnings;
        for key in ["client_cert", "client_key"] {
            let doubt = format!("upstream.{key} has no effect: ");
            let said = |line: &&String| line.contains(&doubt) && line.contains(why);
            assert_eq!(warnings.iter().filter(said).count(), 1, "{warnings:?}");
        }
    }
}

#[test]
fn a_client_certificate_whose_time_is_over_or_to_come_is_a_doubt() {
    let (file, _) = with_pair("vercel");
    let path = file.folder.path().join("own");
    for (begins, ends, doubt) in [
        (
            2020,
            2021,
            "which has expired, on 2021-01-01T00:00:00Z: the upstream will refuse it",
        ),
        (2999, 3000, "which is not valid before 2999-01-01T00:00:00Z"),
    ] {
        let mut params = rcgen::CertificateParams::new(vec!["larder".to_owned()]).unwrap();
        params.not_before = rcgen::date_time_ymd(begins, 1, 1);
        params.not_after = rcgen::date_time_ymd(ends, 1, 1);
        let key = rcgen::KeyPair::generate().unwrap();
        let own = params.self_signed(&key).unwrap();
        fs::write(path.with_extension("pem"), own.pem()).unwrap();
        fs::write(path.with_file_name("own-key.pem"), key.serialize_pem()).unwrap();
        let warnings = file.load(&[]).unwrap().warnings;
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        assert!(
            warnings[0].contains("upstream.client_cert names ") && warnings[0].ends_with(doubt),
            "{warnings:?}"
        );
    }
}

#[test]
fn half_a_client_certificate_or_another_key_is_a_mistake() {
    let half = mistake_in("upstream.url = \"vercel\"\nupstream.client_key = \"/nowhere\"");
    let both = "upstream.client_key: upstream.client_cert is not set: it takes both";
    assert!(half.contains(both), "{half}");
    let (file, _) = with_pair("vercel");
    let other = rcgen::generate_simple_self_signed(vec!["larder".to_owned()]).unwrap();
    let path = file.folder.path().join("own-key.pem");
    fs::write(path, other.signing_key.serialize_pem()).unwrap();
    assert_eq!(
        file.mistakes(&[]),
        [
            "larder.toml:4: upstream.client_key: own-key.pem is not the key of the first certificate in own.pem"
        ]
    );
}

#[test]
fn pinned_addresses_are_shown_as_they_are_tried_and_every_mistake_in_them_is_named() {
    let pins = "[\"Cache:443:[0::1]\", \"cache:443:10.1.2.3\"]";
    let file = written("");
    let variable = ("LARDER_UPSTREAM__RESOLVE", pins);
    assert_eq!(
        file.line(&[variable, VERCEL], "upstream.resolve"),
        "upstream.resolve = [\"cache:443:[::1]\", \"cache:443:10.1.2.3\"]  # LARDER_UPSTREAM__RESOLVE"
    );
    let text = (
        "LARDER_UPSTREAM__RESOLVE",
        "cache:443:10.1.2.3,10.1.2.4,*:1:10.1.2.3",
    );
    let mistakes = file.mistakes(&[text, VERCEL]);
    assert_eq!(mistakes.len(), 1, "{mistakes:?}");
    for part in [
        "\"10.1.2.4\" is not HOST:PORT:ADDRESS",
        "HOST is not a host name",
    ] {
        assert!(mistakes[0].contains(part), "{mistakes:?}");
    }
    let doubts = file.load(&[variable]).unwrap().warnings;
    assert!(doubts[0].contains("there is no upstream"), "{doubts:?}");
}
