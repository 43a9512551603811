//! Which keys of a set are taken, and what they verify.

use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};

use super::super::key_set::{KeySet, Named};
use super::super::verify::{Refused, Said};
use super::signer::{Signer, encode, rsa};
use super::{NOW, RS256, claims, issuer, set, verified};
use crate::config::SigningAlgorithm;

#[test]
fn of_a_set_only_what_fits_is_kept() {
    let base = rsa().jwk("k1");
    let changed = |name: &str, value: Value| {
        let mut key = base.clone();
        key[name] = value;
        key
    };
    let short = encode(&[0xff; 255]);
    let long = encode(&[0xff; 1025]);
    let bits_2047 = encode(&[&[0x7f][..], &[0xff; 255]].concat());
    for key in [
        json!(7),
        json!({}),
        changed("kty", json!("oct")),
        changed("kty", json!("EC")),
        changed("use", json!("enc")),
        changed("use", json!(7)),
        changed("alg", json!("RS512")),
        changed("alg", json!("XX999")),
        changed("key_ops", json!(["sign"])),
        changed("key_ops", json!("verify")),
        changed("n", json!(short)),
        changed("n", json!(long)),
        changed("n", json!(bits_2047)),
        changed("n", json!("")),
        changed("n", json!("not base64!")),
        changed("e", json!("")),
        changed("e", json!("AA")),
        changed("e", json!(null)),
    ] {
        assert!(
            KeySet::new(std::slice::from_ref(&key), RS256).is_err(),
            "{key}"
        );
        let mixed = set(&[key, base.clone()], RS256);
        let token = rsa().token("RS256", "k1", &claims(NOW));
        assert!(verified(&token, RS256, &mixed).is_ok());
    }
    let modulus = BASE64URL_NOPAD
        .decode(base["n"].as_str().unwrap().as_bytes())
        .unwrap();
    for key in [
        changed("key_ops", json!(["verify"])),
        changed("x5c", json!(["…"])),
        changed("n", json!(encode(&[&[0, 0][..], &modulus].concat()))),
    ] {
        let token = rsa().token("RS256", "k1", &claims(NOW));
        assert!(verified(&token, RS256, &set(&[key], RS256)).is_ok());
    }
}

#[test]
fn curves_are_not_mixed_up() {
    let (p256, p384) = (Signer::p256(), Signer::p384());
    let mut lying = p384.jwk("k1");
    lying["crv"] = json!("P-256");
    for key in [p384.jwk("k1"), lying, Signer::ed25519().jwk("k1")] {
        assert!(KeySet::new(&[key], SigningAlgorithm::Es256).is_err());
    }
    let mut off_the_curve = p256.jwk("k1");
    off_the_curve["y"] = off_the_curve["x"].clone();
    let set = set(&[off_the_curve], SigningAlgorithm::Es256);
    let token = p256.token("ES256", "k1", &claims(NOW));
    let judged = verified(&token, SigningAlgorithm::Es256, &set);
    assert_eq!(judged, Err(Some(Refused::Signature)));
}

#[test]
fn a_set_has_a_bound() {
    let keys: Vec<_> = (0..100).map(|id| rsa().jwk(&id.to_string())).collect();
    let set = set(&keys, RS256);
    let named = |id| matches!(set.named(Some(id)), Named::Key(_));
    assert!(named("63") && !named("64"));
}

/// RFC 7515, appendices A.2 and A.3: made by others.
#[test]
fn the_standards_own_examples_are_signed_as_they_say() {
    let examples: Vec<Value> = serde_json::from_str(include_str!("rfc7515.json")).unwrap();
    for (example, algorithm) in examples.iter().zip([RS256, SigningAlgorithm::Es256]) {
        let text = |name: &str| example[name].as_str().unwrap();
        assert_eq!(text("algorithm"), algorithm.as_str());
        let header = encode(format!("{{\"alg\":\"{}\"}}", text("algorithm")).as_bytes());
        let keys = set(&[example["key"].clone()], algorithm);
        let Named::Key(key) = keys.named(None) else {
            panic!("one key")
        };
        // They are for nobody in particular: past the signature that is what is wrong with them.
        let judge = |claims: &str| {
            let token = format!("{header}.{claims}.{}", text("signature"));
            let said = Said::read(token.as_bytes()).unwrap();
            said.verify(&issuer(algorithm), key, NOW).err()
        };
        assert_eq!(judge(text("claims")), Some(Refused::Elsewhere));
        assert_eq!(judge(&encode(b"{}")), Some(Refused::Signature));
    }
}
