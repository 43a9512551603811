//! Who vouches for clients.

use std::fs;

use super::{CERT, KEY, Pair, mistake_in, own};

#[test]
fn who_vouches_for_clients_and_what_they_have_revoked_is_looked_at() {
    let own = own();
    let pair = Pair::of(&own.cert.pem(), &own.signing_key.serialize_pem());
    let file = |name: &str, text: &str| {
        fs::write(pair.path(name), text).unwrap();
        pair.path(name)
    };
    let key = |text: &str| file("client.pem", text);
    let (cert, own_key) = (pair.path("tls.pem"), pair.path("tls-key.pem"));
    let mistakes = |ca: Option<&str>, crl: Option<&str>| {
        let mut set = vec![(CERT, cert.as_str()), (KEY, own_key.as_str())];
        set.extend(ca.map(|path| ("LARDER_SERVER__TLS__CLIENT_CA", path)));
        set.extend(crl.map(|path| ("LARDER_SERVER__TLS__CLIENT_CRL", path)));
        pair.0.mistakes(&set)
    };
    let (good, empty) = (file("ca.pem", &own.cert.pem()), key(""));
    let torn = file(
        "torn.pem",
        "-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n",
    );
    for (ca, crl, mistake) in [
        (
            Some(&*empty),
            None,
            "client_ca: client.pem holds no certificate",
        ),
        (
            Some("nowhere.pem"),
            None,
            "client_ca: nowhere.pem cannot be read",
        ),
        (
            Some(&*good),
            Some(&*empty),
            "client_crl: client.pem holds no list",
        ),
        (
            Some(&*good),
            Some(&*torn),
            "client_crl: torn.pem holds a damaged list",
        ),
        (
            Some(&*good),
            Some("nowhere.pem"),
            "client_crl: nowhere.pem cannot be read",
        ),
        (
            None,
            Some(&*torn),
            "client_crl: server.tls.client_ca is not set",
        ),
    ] {
        let mistakes = mistakes(ca, crl);
        assert_eq!(mistakes.len(), 1, "{mistakes:?}");
        assert!(mistakes[0].contains(mistake), "{mistake}: {mistakes:?}");
    }
    let alone = [("LARDER_SERVER__TLS__CLIENT_CA", good.as_str())];
    let alone = pair.0.mistakes(&alone);
    assert!(alone[0].contains("server.tls.cert is not set"), "{alone:?}");
}

#[test]
fn a_damaged_file_is_told_from_others_and_not_quoted() {
    let own = own();
    let pair = Pair::of(&own.cert.pem(), &own.signing_key.serialize_pem());
    fs::write(pair.path("ca.pem"), own.cert.pem()).unwrap();
    let torn = "-----BEGIN X509 CRL-----\nAAAA\n-----END canary-----\n";
    fs::write(pair.path("torn.pem"), torn).unwrap();
    let (cert, key) = (pair.path("tls.pem"), pair.path("tls-key.pem"));
    let (ca, torn) = (pair.path("ca.pem"), pair.path("torn.pem"));
    let set = |ca, crl: Option<&str>| {
        let mut set = vec![
            (CERT, cert.as_str()),
            (KEY, &key),
            ("LARDER_SERVER__TLS__CLIENT_CA", ca),
        ];
        set.extend(crl.map(|path| ("LARDER_SERVER__TLS__CLIENT_CRL", path)));
        pair.0.mistakes(&set)
    };
    for (mistakes, key) in [
        (set(&torn, None), "client_ca"),
        (set(&ca, Some(&torn)), "client_crl"),
    ] {
        let mistake = format!("server.tls.{key}: torn.pem is no PEM file, or a damaged one");
        assert_eq!(mistakes.len(), 1, "{mistakes:?}");
        assert!(mistakes[0].ends_with(&mistake), "{mistakes:?}");
    }
}

#[test]
fn open_to_everyone_means_those_with_a_certificate_where_clients_are_asked_for_one() {
    let own = own();
    let pair = Pair::of(&own.cert.pem(), &own.signing_key.serialize_pem());
    let ca = pair.path("tls.pem");
    let far = [
        ("LARDER_SERVER__TLS__CLIENT_CA", ca.as_str()),
        ("LARDER_SERVER__LISTEN", "0.0.0.0:1"),
        ("LARDER_ACCESS__MODE", "open"),
    ];
    let warnings = pair.load(&far).warnings;
    assert!(
        warnings[0].contains("everyone with a certificate who reaches"),
        "{warnings:?}"
    );
}

#[test]
fn entries_that_name_certificates_want_clients_to_be_asked_for_them() {
    let mistake = mistake_in("access.tokens = [{name = \"ci\", certificate = \"ci.example\"}]");
    assert!(
        mistake.contains(
            "access.tokens: \"ci\" names a certificate, and without server.tls.client_ca"
        ),
        "{mistake}"
    );
}
