//! Several certificates, each for its own names.

use crate::support::{Certificate, Larder, Setup, Trust, artifact};

use super::connect;

/// What a client makes of the certificate that it is shown.
async fn makes_of(trust: &Trust, larder: &Larder) -> String {
    match trust.secure(connect(larder).await).await {
        Ok(_) => "good".to_owned(),
        Err(error) => error.to_string(),
    }
}

#[tokio::test]
async fn each_name_is_shown_its_own_certificate_and_every_other_the_first() {
    let first = Certificate::new();
    let cache = Certificate::of(&["cache.acme.example", "build.acme.example"]);
    let wild = Certificate::of(&["*.other.example"]);
    let setup = Setup::alone().secured_by(&[&first, &cache, &wild]);
    let larder = setup.start().await;
    for (certificate, name, made) in [
        // An address is no name that is asked for.
        (&first, "127.0.0.1", "good"),
        (&cache, "cache.acme.example", "good"),
        (&cache, "build.acme.example", "good"),
        (&wild, "any.other.example", "good"),
        (&cache, "any.other.example", "BadSignature"),
        (&first, "a.b.other.example", "not valid for name"),
        (&first, "other.example", "not valid for name"),
        (&first, "nobody.example", "not valid for name"),
    ] {
        let trust = certificate.trust().named(name);
        let said = makes_of(&trust, &larder).await;
        assert!(said.contains(made), "{name}: {said}");
    }
    assert_eq!(larder.client().get(&artifact("aa")).await.status, 404);
}

#[tokio::test]
async fn when_each_certificate_ends_is_told_by_its_first_name() {
    let first = Certificate::until(2031, &["cache.acme.example", "127.0.0.1"]);
    let second = Certificate::until(2032, &["127.0.0.1"]);
    let larder = Setup::alone().secured_by(&[&first, &second]).start().await;
    let metrics = larder.metrics().await;
    for (name, end) in [
        ("cache.acme.example", 1_924_992_000.0),
        ("127.0.0.1", 1_956_528_000.0),
    ] {
        let label = [("certificate", name)];
        let told = metrics.sum("larder_tls_certificate_expiry_seconds", &label);
        assert!((told - end).abs() < 0.5, "{name}: {told}");
    }
}

#[tokio::test]
async fn an_expired_certificate_is_a_warning_and_no_mistake() {
    let expired = Certificate::until(2021, &["127.0.0.1"]);
    let setup = Setup::alone().secured(&expired);
    let check = setup.run(&["check", "--config", "{config}"]).await;
    assert_eq!(check.code, Some(0), "{}", check.stderr);
    let larder = setup.start().await;
    for said in [check.stderr, larder.printed()] {
        assert!(
            said.contains("which has expired, on 2021-01-01T00:00:00Z"),
            "{said}"
        );
    }
    let refused = makes_of(&expired.trust(), &larder).await;
    assert!(refused.contains("expired"), "{refused}");
}
