//! Which tokens count, and which do not.

use aws_lc_rs::hmac;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::key_set::KeySet;
use super::super::verify::{Refused, SKEW};
use super::signer::{Signer, encode, message, rsa};
use super::{AUDIENCE, ISSUER, NOW, RS256, claims, set, verified, with};
use crate::config::SigningAlgorithm;

fn by_rsa(token: &str) -> Result<Value, Option<Refused>> {
    verified(token, RS256, &set(&[rsa().jwk("k1")], RS256))
}

#[test]
fn every_algorithm_verifies_its_own_signatures_and_no_others() {
    use SigningAlgorithm::{EdDsa, Es256, Es384, Ps256, Ps384, Ps512, Rs384, Rs512};
    let (p256, p384, ed) = (Signer::p256(), Signer::p384(), Signer::ed25519());
    let all = [
        (RS256, rsa()),
        (Rs384, rsa()),
        (Rs512, rsa()),
        (Ps256, rsa()),
        (Ps384, rsa()),
        (Ps512, rsa()),
        (Es256, &p256),
        (Es384, &p384),
        (EdDsa, &ed),
    ];
    assert_eq!(all.len(), SigningAlgorithm::ALL.len());
    for (pinned, owner) in all {
        let mut jwk = owner.jwk("k1");
        jwk.as_object_mut().unwrap().remove("alg");
        let keys = set(&[jwk], pinned);
        for (other, signer) in all {
            let token = signer.token(other.as_str(), "k1", &claims(NOW));
            let judged = verified(&token, pinned, &keys);
            let expected = if pinned == other {
                Ok(claims(NOW))
            } else {
                Err(Some(Refused::Algorithm))
            };
            assert_eq!(
                judged,
                expected,
                "{} as {}",
                other.as_str(),
                pinned.as_str()
            );
            // And where the header lies about it.
            let message = message(
                &json!({ "alg": pinned.as_str(), "kid": "k1" }),
                &claims(NOW),
            );
            let signature = encode(&signer.sign(other.as_str(), message.as_bytes()));
            let judged = verified(&format!("{message}.{signature}"), pinned, &keys);
            assert_eq!(judged.is_ok(), pinned == other, "{}", other.as_str());
        }
    }
}

#[test]
fn a_public_key_is_no_shared_secret() {
    let jwk = rsa().jwk("k1");
    let modulus = jwk["n"].as_str().unwrap();
    let secrets = [
        modulus.as_bytes().to_vec(),
        data_encoding::BASE64URL_NOPAD
            .decode(modulus.as_bytes())
            .unwrap(),
        jwk.to_string().into_bytes(),
    ];
    for secret in secrets {
        for said in ["HS256", "RS256"] {
            let message = message(&json!({ "alg": said, "kid": "k1" }), &claims(NOW));
            let key = hmac::Key::new(hmac::HMAC_SHA256, &secret);
            let tag = encode(hmac::sign(&key, message.as_bytes()).as_ref());
            let judged = by_rsa(&format!("{message}.{tag}")).unwrap_err();
            let expected = match said {
                "HS256" => Refused::Algorithm,
                _ => Refused::Signature,
            };
            assert_eq!(judged, Some(expected));
        }
    }
}

#[test]
fn a_token_without_a_signature_is_none() {
    for alg in ["none", "None", "NONE", "", "RS257", "ES512"] {
        let message = message(&json!({ "alg": alg, "kid": "k1" }), &claims(NOW));
        for signature in ["", "AAAA"] {
            let judged = by_rsa(&format!("{message}.{signature}"));
            assert_eq!(judged, Err(None), "{alg:?}");
        }
    }
    let message = message(&json!({ "alg": "RS256", "kid": "k1" }), &claims(NOW));
    let empty = by_rsa(&format!("{message}."));
    assert_eq!(empty, Err(Some(Refused::Signature)));
}

#[test]
fn the_name_of_the_key_chooses_it_and_nothing_else_of_the_header_does() {
    let other = Signer::new_rsa();
    let keys = [rsa().jwk("k1"), other.jwk("k2")];
    let both = set(&keys, RS256);
    let judge = |header: Value, keys: &KeySet| {
        verified(&rsa().token_with(&header, &claims(NOW)), RS256, keys)
    };
    let named = |id: &str| json!({ "alg": "RS256", "kid": id });
    let nameless = json!({ "alg": "RS256" });
    assert!(judge(named("k1"), &both).is_ok());
    assert_eq!(judge(named("k2"), &both), Err(Some(Refused::Signature)));
    assert_eq!(judge(named("k3"), &both), Err(Some(Refused::Key)));
    assert_eq!(judge(named(""), &both), Err(Some(Refused::Key)));
    assert_eq!(judge(nameless.clone(), &both), Err(Some(Refused::Keys)));
    assert!(judge(nameless.clone(), &set(&keys[..1], RS256)).is_ok());
    let wrong = judge(nameless.clone(), &set(&keys[1..], RS256));
    assert_eq!(wrong, Err(Some(Refused::Signature)));
    let twice = [rsa().jwk("k1"), other.jwk("k1")];
    assert_eq!(
        judge(named("k1"), &set(&twice, RS256)),
        Err(Some(Refused::Keys))
    );
    let mut unnamed = rsa().jwk("");
    unnamed.as_object_mut().unwrap().remove("kid");
    let unnamed = set(&[unnamed], RS256);
    assert_eq!(judge(named("k1"), &unnamed), Err(Some(Refused::Key)));
    assert!(judge(nameless, &unnamed).is_ok());
    // A key of the token's own, wherever it is said to be.
    for (name, value) in [
        ("jwk", other.jwk("k2")),
        ("jku", json!("https://evil.example/jwks")),
        ("x5u", json!("https://evil.example/x5u")),
        ("x5c", json!(["AAAA"])),
    ] {
        let mut header = named("k2");
        header[name] = value.clone();
        assert_eq!(
            judge(header, &both),
            Err(Some(Refused::Signature)),
            "{name}"
        );
        let mut header = named("k1");
        header[name] = value;
        assert!(judge(header, &both).is_ok(), "{name}");
    }
}

#[test]
fn what_a_header_says_must_be_understood_is_not() {
    for (name, value) in [
        ("crit", json!(["exp"])),
        ("crit", json!(["b64"])),
        ("crit", json!([])),
    ] {
        let mut header = json!({ "alg": "RS256", "kid": "k1", "b64": true });
        header[name] = value;
        let judged = by_rsa(&rsa().token_with(&header, &claims(NOW)));
        assert_eq!(judged, Err(Some(Refused::Extension)), "{header}");
    }
    let unencoded = json!({ "alg": "RS256", "kid": "k1", "b64": false });
    let judged = by_rsa(&rsa().token_with(&unencoded, &claims(NOW)));
    assert_eq!(judged, Err(Some(Refused::Signature)));
}

#[test]
fn a_token_is_of_its_issuer_and_for_its_audience_to_the_letter() {
    let judge = |name: &str, value: Value| {
        by_rsa(&rsa().token("RS256", "k1", &with(NOW, name, value))).map(drop)
    };
    for audience in [json!(AUDIENCE), json!([AUDIENCE]), json!(["x", AUDIENCE])] {
        assert_eq!(judge("aud", audience), Ok(()));
    }
    for (name, value) in [
        ("iss", json!(null)),
        ("iss", json!(format!("{ISSUER}/"))),
        ("iss", json!("https://CI.example")),
        ("iss", json!("https://ci.example.evil.example")),
        ("iss", json!("")),
        ("iss", json!([ISSUER])),
        ("iss", json!({ "iss": ISSUER })),
        ("aud", json!(null)),
        ("aud", json!("https://cache.acme.example/")),
        ("aud", json!("")),
        ("aud", json!([])),
        ("aud", json!([[AUDIENCE]])),
        ("aud", json!({ "aud": AUDIENCE })),
    ] {
        let judged = judge(name, value.clone());
        assert_eq!(judged, Err(Some(Refused::Elsewhere)), "{name} {value}");
    }
}

#[test]
fn time_is_kept_to_the_second_but_for_the_skew() {
    let judge = |name: &str, value: Value| {
        by_rsa(&rsa().token("RS256", "k1", &with(NOW, name, value))).map(drop)
    };
    let (past, future) = (NOW - SKEW, NOW + SKEW);
    for (name, value, expected) in [
        ("exp", json!(past + 1), Ok(())),
        ("exp", json!(past), Err(Refused::Expired)),
        ("exp", json!(0), Err(Refused::Expired)),
        ("exp", json!(1_799_999_941.5), Ok(())),
        ("exp", json!(1_799_999_940.5), Err(Refused::Expired)),
        ("exp", json!(null), Err(Refused::Timeless)),
        ("exp", json!("1900000000"), Err(Refused::Timeless)),
        ("exp", json!(-1), Err(Refused::Timeless)),
        ("exp", json!(1e300), Err(Refused::Timeless)),
        ("exp", json!(u64::MAX), Err(Refused::Timeless)),
        ("exp", json!([NOW + 300]), Err(Refused::Signature)),
        ("nbf", json!(null), Ok(())),
        ("nbf", json!(future), Ok(())),
        ("nbf", json!(future + 1), Err(Refused::Early)),
        ("nbf", json!("0"), Err(Refused::Timeless)),
        ("iat", json!(null), Ok(())),
        ("iat", json!(future), Ok(())),
        ("iat", json!(future + 1), Err(Refused::Early)),
        ("iat", json!(true), Err(Refused::Timeless)),
    ] {
        let judged = judge(name, value.clone());
        assert_eq!(judged, expected.map_err(Some), "{name} {value}");
    }
}

#[test]
fn a_changed_token_is_worth_nothing() {
    let token = rsa().token("RS256", "k1", &claims(NOW));
    let [header, body, signature] = token.split('.').collect::<Vec<_>>()[..] else {
        panic!("{token}")
    };
    let main = encode(
        with(NOW, "ref", json!("refs/heads/other"))
            .to_string()
            .as_bytes(),
    );
    let changed = format!("{header}.{main}.{signature}");
    assert_eq!(by_rsa(&changed), Err(Some(Refused::Signature)));
    let foreign = Signer::new_rsa().token("RS256", "k1", &claims(NOW));
    assert_eq!(by_rsa(&foreign), Err(Some(Refused::Signature)));
    for malformed in [
        String::new(),
        ".".to_owned(),
        "..".to_owned(),
        "a.b.c".to_owned(),
        format!("{header}.{body}"),
        format!("{header}..{signature}"),
        format!(".{body}.{signature}"),
        format!("{token}.{signature}"),
        format!("{header}=.{body}.{signature}"),
        format!("{header}.{body}=.{signature}"),
        format!("{header} .{body}.{signature}"),
        format!("{header}.{}.{signature}", encode(b"[]")),
        format!("{header}.{}.{signature}", encode(b"{")),
    ] {
        assert_eq!(by_rsa(&malformed), Err(None), "{malformed}");
    }
}

#[test]
fn a_token_has_a_bound() {
    let long = |filler: usize| {
        let claims = with(NOW, "filler", json!("x".repeat(filler)));
        rsa().token("RS256", "k1", &claims)
    };
    let (fits, too_long) = (long(5000), long(6000));
    assert!(fits.len() <= 8 * 1024 && too_long.len() > 8 * 1024);
    assert!(by_rsa(&fits).is_ok());
    assert_eq!(by_rsa(&too_long), Err(None));
}

proptest! {
    #[test]
    fn no_bytes_panic_and_none_verify(bytes in prop::collection::vec(any::<u8>(), 0..300), parts in prop::collection::vec("[A-Za-z0-9_-]{0,40}", 0..5)) {
        let set = set(&[rsa().jwk("k1")], RS256);
        for token in [String::from_utf8_lossy(&bytes).into_owned(), parts.join(".")] {
            prop_assert!(verified(&token, RS256, &set).is_err());
        }
    }
}
