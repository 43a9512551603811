//! Several certificates, each for its own names, and what there is to say of them.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use rcgen::{CertificateParams, KeyPair, date_time_ymd};

use super::{CERT, KEY, Pair, own};

#[test]
fn several_certificates_each_have_their_key_in_order() {
    let (one, two) = (own(), own());
    let pair = Pair::of(&one.cert.pem(), &one.signing_key.serialize_pem());
    let further = |name: &str, text: &str| {
        fs::write(pair.path(name), text).unwrap();
        pair.path(name)
    };
    let cert = format!(
        "{}, {}",
        pair.path("tls.pem"),
        further("two.pem", &two.cert.pem())
    );
    let two_key = further("two-key.pem", &two.signing_key.serialize_pem());
    let key = format!("{}, {two_key}", pair.path("tls-key.pem"));
    fs::set_permissions(&two_key, Permissions::from_mode(0o600)).unwrap();
    let loaded = pair.0.load(&[(CERT, &cert), (KEY, &key)]).unwrap();
    assert_eq!(loaded.warnings, Vec::<String>::new());
    let tls = loaded.config.server.tls.as_ref().unwrap();
    assert_eq!(tls.identities.len(), 2);
    let shown = loaded.values.iter().map(ToString::to_string);
    let paths = [pair.path("tls-key.pem"), two_key.clone()];
    let line = format!("server.tls.key = {paths:?}  # {KEY}");
    assert!(shown.into_iter().any(|shown| shown == line), "{line}");

    let swapped = format!("{two_key}, {}", pair.path("tls-key.pem"));
    let mistakes = pair.0.mistakes(&[(CERT, &cert), (KEY, &swapped)]);
    assert_eq!(mistakes.len(), 2, "{mistakes:?}");
    for (mistake, file) in mistakes.iter().zip(["tls.pem", "two.pem"]) {
        let said = format!("is not the key of the first certificate in {file}");
        assert!(mistake.contains(&said), "{mistakes:?}");
    }
    let mistakes = pair.0.mistakes(&[(CERT, &cert), (KEY, &two_key)]);
    assert!(
        mistakes[0].contains("names 1 files for 2 in server.tls.cert"),
        "{mistakes:?}"
    );
    let none = pair.0.mistakes(&[(CERT, " , "), (KEY, &two_key)]);
    assert!(none[0].contains("names no file"), "{none:?}");
}

/// A certificate for this name, or none, until the first day of a year.
fn until(year: i32, name: Option<&str>) -> (String, String) {
    let names: Vec<_> = name.map(str::to_owned).into_iter().collect();
    let mut params = CertificateParams::new(names).unwrap();
    params.not_after = date_time_ymd(year, 1, 1);
    if year > 2500 {
        params.not_before = date_time_ymd(year - 1, 1, 1);
    }
    let key = KeyPair::generate().unwrap();
    (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
}

#[test]
fn a_certificate_out_of_its_time_or_shown_to_nobody_is_a_doubt() {
    for (year, name, doubt) in [
        (
            2020,
            "a",
            "tls.pem, which has expired, on 2020-01-01T00:00:00Z: clients will refuse it",
        ),
        (
            2600,
            "a",
            "tls.pem, which is not valid before 2599-01-01T00:00:00Z",
        ),
    ] {
        let (cert, key) = until(year, Some(name));
        let pair = Pair::of(&cert, &key);
        let warnings = pair.load(&[]).warnings;
        let expected = format!("{CERT}: server.tls.cert names {}", pair.path(doubt));
        assert_eq!(warnings, [expected]);
    }
    let (cert, key) = until(2100, None);
    let pair = Pair::of(&cert, &key);
    assert_eq!(
        pair.load(&[]).warnings,
        Vec::<String>::new(),
        "it is the first"
    );
    let twice = |name: &str| format!("{0},{0}", pair.path(name));
    let (certs, keys) = (twice("tls.pem"), twice("tls-key.pem"));
    let warnings = pair
        .0
        .load(&[(CERT, &certs), (KEY, &keys)])
        .unwrap()
        .warnings;
    let doubt = pair.path("tls.pem, which is for no host: nobody is shown it");
    assert_eq!(warnings, [format!("{CERT}: server.tls.cert names {doubt}")]);
}
