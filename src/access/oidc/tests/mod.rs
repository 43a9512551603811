//! Real keys, real signatures.

mod jobs;
mod renewing;
mod sets;
mod signer;
mod tokens;

use serde_json::{Value, json};

use super::key_set::{KeySet, Named};
use super::verify::{Refused, SKEW, Said};
use crate::config::{Claim, Grant, Issuer, KeySource, Rights, SigningAlgorithm};

const ISSUER: &str = "https://ci.example";
const AUDIENCE: &str = "https://cache.acme.example";
const NOW: u64 = 1_800_000_000;
const RS256: SigningAlgorithm = SigningAlgorithm::Rs256;

/// An issuer of which main may write for the team `acme`, and all of the owner's jobs read.
fn issuer(algorithm: SigningAlgorithm) -> Issuer {
    let claim = |name: &str, text: &str| Claim {
        name: name.to_owned(),
        any_of: vec![text.to_owned()],
    };
    let grant = |claims: Vec<Claim>, rights| Grant {
        claims,
        teams: vec!["acme".to_owned()],
        rights,
    };
    let owner = claim("owner", "acme");
    Issuer {
        issuer: ISSUER.to_owned(),
        audience: AUDIENCE.to_owned(),
        keys: KeySource::File("/nowhere".into()),
        algorithm,
        grants: vec![
            grant(
                vec![owner.clone(), claim("ref", "refs/heads/main")],
                Rights::ReadWrite,
            ),
            grant(vec![owner], Rights::Read),
        ],
    }
}

/// What a job on main claims, from `now` on for five minutes.
fn claims(now: u64) -> Value {
    json!({
        "iss": ISSUER,
        "aud": AUDIENCE,
        "iat": now,
        "nbf": now - 300,
        "exp": now + 300,
        "owner": "acme",
        "ref": "refs/heads/main",
    })
}

/// The same with one claim changed, or left out where it is null.
fn with(now: u64, name: &str, value: Value) -> Value {
    let mut claims = claims(now);
    let table = claims.as_object_mut().unwrap();
    table.remove(name);
    if !value.is_null() {
        table.insert(name.to_owned(), value);
    }
    claims
}

fn set(keys: &[Value], algorithm: SigningAlgorithm) -> KeySet {
    KeySet::new(keys, algorithm).unwrap()
}

/// What becomes of a token, by name, where it comes to nothing.
fn verified(
    token: &str,
    algorithm: SigningAlgorithm,
    set: &KeySet,
) -> Result<Value, Option<Refused>> {
    let issuer = issuer(algorithm);
    let said = Said::read(token.as_bytes()).ok_or(None)?;
    if !said.is_of(&issuer) {
        return Err(Some(Refused::Elsewhere));
    }
    let key = match set.named(said.key_id(&issuer).map_err(Some)?) {
        Named::Key(key) => key,
        Named::Unknown => return Err(Some(Refused::Key)),
        Named::Ambiguous => return Err(Some(Refused::Keys)),
    };
    let verified = said.verify(&issuer, key, NOW).map_err(Some)?;
    assert!(verified.expires + SKEW > NOW);
    Ok(Value::Object(verified.claims))
}
