//! The certificate and key of the data listeners.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use rcgen::{CertifiedKey, KeyPair, generate_simple_self_signed};

use super::{Loaded, Written, mistake_in, written};

mod clients;
mod several;

const CERT: &str = "LARDER_SERVER__TLS__CERT";
const KEY: &str = "LARDER_SERVER__TLS__KEY";

fn own() -> CertifiedKey<KeyPair> {
    generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap()
}

/// A folder with a certificate's file and a key's, which only its owner may read.
struct Pair(Written);

impl Pair {
    fn of(cert: &str, key: &str) -> Self {
        let file = written("");
        fs::write(file.folder.path().join("tls.pem"), cert).unwrap();
        let pair = Self(file);
        fs::write(pair.path("tls-key.pem"), key).unwrap();
        pair.allow(0o600);
        pair
    }

    fn path(&self, name: &str) -> String {
        let path = self.0.folder.path().join(name);
        path.to_str().unwrap().to_owned()
    }

    fn allow(&self, mode: u32) {
        fs::set_permissions(self.path("tls-key.pem"), Permissions::from_mode(mode)).unwrap();
    }

    fn mistakes(&self) -> Vec<String> {
        let (cert, key) = (self.path("tls.pem"), self.path("tls-key.pem"));
        self.0.mistakes(&[(CERT, &cert), (KEY, &key)])
    }

    fn load(&self, further: &[(&str, &str)]) -> Loaded {
        let (cert, key) = (self.path("tls.pem"), self.path("tls-key.pem"));
        let pairs = [&[(CERT, cert.as_str()), (KEY, key.as_str())], further].concat();
        self.0.load(&pairs).unwrap()
    }
}

#[test]
fn a_certificate_and_its_key_are_taken_and_never_printed() {
    let (own, other) = (own(), own());
    let chain = format!("# ours\n{}{}", own.cert.pem(), other.cert.pem());
    let pair = Pair::of(&chain, &own.signing_key.serialize_pem());
    let loaded = pair.load(&[]);
    assert_eq!(loaded.warnings, Vec::<String>::new());
    let tls = loaded.config.server.tls.as_ref().unwrap();
    let identity = &tls.identities[0];
    assert_eq!(identity.certified_key().cert.len(), 2);
    let shown: Vec<_> = loaded.values.iter().map(ToString::to_string).collect();
    let shown = format!("{} {loaded:?}", shown.join("\n"));
    let line = format!("server.tls.key = {:?}  # {KEY}", pair.path("tls-key.pem"));
    assert!(shown.contains(&line), "{shown}");
    for secret in own.signing_key.serialize_pem().lines() {
        assert!(!shown.contains(secret), "{shown}");
    }
}

#[test]
fn files_that_are_no_pair_are_mistakes_that_name_them_and_quote_nothing() {
    let (own, other) = (own(), own());
    let (cert, key) = (own.cert.pem(), own.signing_key.serialize_pem());
    let body: String = key.lines().skip(1).take(1).collect();
    let reversed = other.cert.pem() + &cert;
    let encrypted = key.replace("PRIVATE", "ENCRYPTED PRIVATE");
    let older = key.replace("KEY-----\n", "KEY-----\nProc-Type: 4,ENCRYPTED\n");
    let torn = key.replace("-----END PRIVATE KEY-----", "");
    let odd = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
    let no_certificate = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    for (cert, key, mistake) in [
        ("", key.as_str(), "tls.pem holds no certificate"),
        (&key, &key, "tls.pem holds no certificate"),
        (
            &cert[..200],
            &key,
            "tls.pem is no PEM file, or a damaged one",
        ),
        (
            no_certificate,
            &key,
            "the first certificate of tls.pem is of no use: ",
        ),
        (&cert, "", "tls-key.pem holds no private key"),
        (&cert, &cert, "tls-key.pem holds no private key"),
        (&cert, &torn, "tls-key.pem holds no private key"),
        (
            &cert,
            odd,
            "tls-key.pem holds a key that is damaged, or of a kind",
        ),
        (&cert, &encrypted, "tls-key.pem holds an encrypted key"),
        (&cert, &older, "tls-key.pem holds an encrypted key"),
        (
            &reversed,
            &key,
            "tls-key.pem is not the key of the first certificate in tls.pem",
        ),
    ] {
        let mistakes = Pair::of(cert, key).mistakes();
        assert_eq!(mistakes.len(), 1, "{mistakes:?}");
        assert!(mistakes[0].contains(mistake), "{mistake}: {mistakes:?}");
        assert!(!mistakes[0].contains(&body), "{mistakes:?}");
    }
    let pair = Pair::of("", "");
    let (cert, key) = (pair.path("nowhere.pem"), pair.path("no-key.pem"));
    let missing = pair.0.mistakes(&[(CERT, &cert), (KEY, &key)]);
    assert_eq!(missing.len(), 2, "{missing:?}");
    assert!(missing[0].starts_with(&format!(
        "{CERT}: server.tls.cert: nowhere.pem cannot be read: "
    )));
    assert!(missing[1].starts_with(&format!(
        "{KEY}: server.tls.key: no-key.pem cannot be read: "
    )));
}

#[test]
fn one_without_the_other_is_a_mistake() {
    let cert = mistake_in("server.tls.cert = \"/nowhere\"");
    assert!(
        cert.contains("server.tls.cert: server.tls.key is not set"),
        "{cert}"
    );
    let key = mistake_in("[server.tls]\nkey = \"/nowhere\"");
    assert!(
        key.contains("server.tls.key: server.tls.cert is not set"),
        "{key}"
    );
}

#[test]
fn a_key_that_everybody_may_read_is_a_doubt() {
    let own = own();
    let pair = Pair::of(&own.cert.pem(), &own.signing_key.serialize_pem());
    pair.allow(0o640);
    assert_eq!(pair.load(&[]).warnings, Vec::<String>::new());
    pair.allow(0o604);
    let warnings = pair.load(&[]).warnings;
    assert_eq!(
        warnings,
        [format!(
            "{KEY}: server.tls.key may be read by every user of this machine"
        )]
    );
}

#[test]
fn with_tls_no_token_crosses_the_network_in_clear_text() {
    let own = own();
    let pair = Pair::of(&own.cert.pem(), &own.signing_key.serialize_pem());
    let far = [
        ("LARDER_SERVER__LISTEN", "0.0.0.0:1"),
        ("LARDER_UPSTREAM__URL", "vercel"),
    ];
    assert_eq!(pair.load(&far).warnings, Vec::<String>::new());
    assert!(pair.0.load(&far).unwrap().warnings[0].contains("in clear text"));
    let unix = pair
        .load(&[("LARDER_SERVER__LISTEN", "unix:/run/l")])
        .warnings;
    assert_eq!(unix.len(), 2, "{unix:?}");
    assert!(
        unix[0].contains("server.tls.cert has no effect: unix sockets"),
        "{unix:?}"
    );
}

#[test]
fn memory_admits_more_where_files_are_encrypted_before_they_leave() {
    let own = own();
    let pair = Pair::of(&own.cert.pem(), &own.signing_key.serialize_pem());
    let memory = |loaded: Loaded| loaded.config.tier.memory.max_artifact;
    assert_eq!(memory(pair.load(&[])), 1 << 20);
    let asked = [("LARDER_TIER__MEMORY__MAX_ARTIFACT", "64KiB")];
    assert_eq!(memory(pair.load(&asked)), 64 << 10);
}
