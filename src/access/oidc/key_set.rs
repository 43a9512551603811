//! An issuer's public keys: which of a JWK set fit, and which of those a token names. Pure.
//!
//! What is not understood is passed over: a set may hold keys for others.

use data_encoding::BASE64URL_NOPAD;
use jsonwebtoken::DecodingKey;
use serde_json::{Map, Value};

use crate::config::SigningAlgorithm;

/// Keys taken from one set; issuers have two or three, so that they can change them.
const MAX_KEYS: usize = 64;
/// Shorter RSA keys could be forged by those who can afford it (RFC 7518 §3.3).
const MIN_RSA_BITS: usize = 2048;
/// Longer ones make every verification slow, and the crypto library refuses them.
const MAX_RSA_BITS: usize = 8192;

/// The keys of an issuer that fit its algorithm; by default none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct KeySet(Vec<Key>);

/// A public key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Key {
    id: Option<String>,
    material: Material,
}

/// What a token means by the key it names.
#[derive(Debug)]
pub(super) enum Named<'a> {
    /// This one.
    Key(&'a Key),
    /// None that is known: there may be a newer set.
    Unknown,
    /// One of several, and nobody can say which.
    Ambiguous,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Material {
    Rsa {
        modulus: Vec<u8>,
        exponent: Vec<u8>,
    },
    /// Uncompressed, as SEC 1 has it.
    Ec(Vec<u8>),
    Ed(Vec<u8>),
}

// === impl KeySet ===

impl KeySet {
    /// Keeps of `keys` what may verify signatures by `algorithm`. Where none does, that is no set to put
    /// in the place of another: nobody withdraws a key without a next one.
    pub(super) fn new(keys: &[Value], algorithm: SigningAlgorithm) -> Result<Self, &'static str> {
        let fitting = keys.iter().filter_map(|key| Key::read(key, algorithm));
        let fitting: Vec<_> = fitting.take(MAX_KEYS).collect();
        if fitting.is_empty() {
            return Err("no key in the set fits the algorithm");
        }
        Ok(Self(fitting))
    }

    /// The key that a token names; one that names none means the only one.
    pub(super) fn named(&self, id: Option<&str>) -> Named<'_> {
        let is_meant = |key: &&Key| id.is_none() || key.id.as_deref() == id;
        let mut meant = self.0.iter().filter(is_meant);
        match (meant.next(), meant.next()) {
            (None, _) => Named::Unknown,
            (Some(key), None) => Named::Key(key),
            (Some(_), Some(_)) => Named::Ambiguous,
        }
    }
}

// === impl Key ===

impl Key {
    /// Reads a JWK (RFC 7517 §4); none where it is for something else, or too weak.
    fn read(key: &Value, algorithm: SigningAlgorithm) -> Option<Self> {
        let key = key.as_object()?;
        let text = |name| {
            key.get(name)
                .map(|value| value.as_str().unwrap_or_default())
        };
        let is_for = |name, expected| text(name).is_none_or(|said| said == expected);
        if !is_for("use", "sig") || !is_for("alg", algorithm.as_str()) || !may_verify(key) {
            return None;
        }
        let material = match (algorithm, text("kty")?, text("crv")) {
            (
                SigningAlgorithm::Rs256
                | SigningAlgorithm::Rs384
                | SigningAlgorithm::Rs512
                | SigningAlgorithm::Ps256
                | SigningAlgorithm::Ps384
                | SigningAlgorithm::Ps512,
                "RSA",
                _,
            ) => rsa(key)?,
            (SigningAlgorithm::Es256, "EC", Some("P-256")) => ec::<32>(key)?,
            (SigningAlgorithm::Es384, "EC", Some("P-384")) => ec::<48>(key)?,
            (SigningAlgorithm::EdDsa, "OKP", Some("Ed25519")) => {
                Material::Ed(coordinate::<32>(key, "x")?)
            }
            _ => return None,
        };
        let id = key.get("kid").and_then(Value::as_str);
        Some(Self {
            id: id.map(str::to_owned),
            material,
        })
    }

    /// The key as the one who verifies wants it.
    pub(super) fn decoding(&self) -> DecodingKey {
        match &self.material {
            Material::Rsa { modulus, exponent } => {
                DecodingKey::from_rsa_raw_components(modulus, exponent)
            }
            Material::Ec(point) => DecodingKey::from_ec_der(point),
            Material::Ed(point) => DecodingKey::from_ed_der(point),
        }
    }
}

/// Whether its operations, where they are named, are not others (RFC 7517 §4.3).
fn may_verify(key: &Map<String, Value>) -> bool {
    match key.get("key_ops") {
        None => true,
        Some(Value::Array(named)) => named.iter().any(|named| named == "verify"),
        Some(_) => false,
    }
}

fn rsa(key: &Map<String, Value>) -> Option<Material> {
    let modulus = number(key, "n")?;
    let exponent = number(key, "e")?;
    let leading = modulus.first()?.leading_zeros() as usize;
    let bits = modulus.len() * 8 - leading;
    let is_sound = (MIN_RSA_BITS..=MAX_RSA_BITS).contains(&bits) && !exponent.is_empty();
    is_sound.then_some(Material::Rsa { modulus, exponent })
}

fn ec<const BYTES: usize>(key: &Map<String, Value>) -> Option<Material> {
    let mut point = vec![4];
    point.extend(coordinate::<BYTES>(key, "x")?);
    point.extend(coordinate::<BYTES>(key, "y")?);
    Some(Material::Ec(point))
}

/// A coordinate in its full length (RFC 7518 §6.2.1.2).
fn coordinate<const BYTES: usize>(key: &Map<String, Value>, name: &str) -> Option<Vec<u8>> {
    bytes(key, name).filter(|bytes| bytes.len() == BYTES)
}

/// A number without leading zeros, which some write and the crypto library refuses.
fn number(key: &Map<String, Value>, name: &str) -> Option<Vec<u8>> {
    let bytes = bytes(key, name)?;
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    bytes.get(zeros..).map(<[u8]>::to_vec)
}

fn bytes(key: &Map<String, Value>, name: &str) -> Option<Vec<u8>> {
    BASE64URL_NOPAD
        .decode(key.get(name)?.as_str()?.as_bytes())
        .ok()
}
