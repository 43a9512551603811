//! Certificates that change while connections stay.

use std::fs;

use super::{connect, handshakes, secured};
use crate::support::{Authority, Certificate, Client, Larder, artifact, eventually};

const EXPIRY: &str = "larder_tls_certificate_expiry_seconds";

/// Whether a new client that trusts this certificate alone is served.
async fn is_shown(larder: &Larder, certificate: &Certificate) -> bool {
    let trust = certificate.trust().afresh();
    trust.secure(connect(larder).await).await.is_ok()
}

#[tokio::test]
async fn a_new_certificate_counts_from_the_next_handshake_on_and_drops_no_connection() {
    let (mut larder, old) = secured().await;
    let mut open = larder.client();
    assert_eq!(open.put(&artifact("aa"), b"body").await.status, 202);
    let new = Certificate::until(2031, &["127.0.0.1", "cache.acme.example"]);
    let said = larder.reload(|setup| setup.secured(&new)).await;
    assert!(said.contains("the TLS files have changed"), "{said}");
    assert!(!said.contains("takes effect at the next start"), "{said}");
    assert!(is_shown(&larder, &new).await);
    assert!(!is_shown(&larder, &old).await);
    open.get(&artifact("aa")).await.assert_body(b"body");
    let metrics = larder.metrics().await;
    let ends = metrics.sum(EXPIRY, &[("certificate", "127.0.0.1")]);
    assert!((ends - 1_924_992_000.0).abs() < 0.5, "{ends}");
    assert!(metrics.sum("larder_tls_reload_failures_total", &[]) < 0.5);
}

#[tokio::test]
async fn files_that_change_are_seen_without_a_signal() {
    let (larder, old) = secured().await;
    let new = Certificate::new();
    let file = |key: &str| larder.setup().directory().join(format!("{key}.secret"));
    fs::write(file("server.tls.cert"), &new.cert).expect("a file");
    fs::write(file("server.tls.key"), &new.key).expect("a file");
    eventually("the new certificate", async || {
        is_shown(&larder, &new).await
    })
    .await;
    assert!(!is_shown(&larder, &old).await);
}

#[tokio::test]
async fn other_files_and_more_of_them_count_too() {
    let (mut larder, old) = secured().await;
    let (new, further) = (Certificate::new(), Certificate::of(&["cache.acme.example"]));
    let said = larder
        .reload(|setup| setup.secured_by(&[&new, &further]))
        .await;
    assert!(!said.contains("takes effect at the next start"), "{said}");
    for (certificate, name, shown) in [
        (&new, "127.0.0.1", true),
        (&further, "cache.acme.example", true),
        (&old, "127.0.0.1", false),
    ] {
        let trust = certificate.trust().named(name);
        let secured = trust.secure(connect(&larder).await).await;
        assert_eq!(secured.is_ok(), shown, "{name}");
    }
}

#[tokio::test]
async fn a_pair_that_is_none_leaves_the_old_one_and_is_said_without_its_key() {
    let (mut larder, old) = secured().await;
    let (new, other) = (Certificate::new(), Certificate::new());
    let said = larder
        .reload(|setup| {
            let setup = setup.secret("server.tls.cert", &new.cert);
            setup.secret("server.tls.key", &other.key)
        })
        .await;
    assert!(
        said.contains("is not the key of the first certificate"),
        "{said}"
    );
    assert!(said.contains("stays as it was"), "{said}");
    for secret in other.key.lines().filter(|line| !line.starts_with('-')) {
        assert!(!said.contains(secret), "{said}");
    }
    assert!(is_shown(&larder, &old).await);
    assert!(!is_shown(&larder, &new).await);
    larder.client().get(&artifact("aa")).await;
}

#[tokio::test]
async fn to_speak_tls_at_all_takes_a_start() {
    let certificate = Certificate::new();
    let mut larder = Larder::alone().await;
    let said = larder.reload(|setup| setup.secured(&certificate)).await;
    for key in ["server.tls.cert", "server.tls.key"] {
        let line = format!("{key} takes effect at the next start");
        assert!(said.contains(&line), "{said}");
    }
    let mut clear = Client::new(larder.address());
    assert_eq!(clear.get(&artifact("aa")).await.status, 404);
}

#[tokio::test]
async fn a_session_outlives_a_certificate_but_not_what_clients_are_judged_by() {
    let (mut larder, old) = secured().await;
    let trusting = |larder: &Larder| Client::new(larder.address()).trusting(Some(old.trust()));
    assert_eq!(trusting(&larder).get(&artifact("aa")).await.status, 404);
    let new = Certificate::new();
    larder.reload(|setup| setup.secured(&new)).await;
    // It knows nothing of the new certificate, and needs not.
    assert_eq!(trusting(&larder).get(&artifact("aa")).await.status, 404);
    assert!((handshakes(&larder, "resumed").await - 1.0).abs() < 0.5);

    let authority = Authority::new("Acme clients");
    let said = larder
        .reload(|setup| setup.secret("server.tls.client_ca", &authority.pem()))
        .await;
    assert!(!said.contains("takes effect at the next start"), "{said}");
    assert_eq!(trusting(&larder).get(&artifact("aa")).await.status, 0);
    assert!((handshakes(&larder, "resumed").await - 1.0).abs() < 0.5);
    let badge = authority.certify("ci.acme.example");
    let mut known = larder.client_showing("any", &badge);
    assert_eq!(known.get(&artifact("aa")).await.status, 404);
    // Nor is one that began with a certificate enough once others vouch.
    let others = Authority::new("Other clients");
    larder
        .reload(|setup| setup.secret("server.tls.client_ca", &others.pem()))
        .await;
    let resumed = handshakes(&larder, "resumed").await;
    assert_eq!(known.get(&artifact("aa")).await.status, 404, "it is open");
    known.leave();
    assert_eq!(known.get(&artifact("aa")).await.status, 0);
    assert!((handshakes(&larder, "resumed").await - resumed).abs() < 0.5);
}
