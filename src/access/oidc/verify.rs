//! Whether a token is what it says, and from whom: its form, its signature, its time.
//!
//! What its claims are worth is decided elsewhere. Nothing that the token says of itself chooses how it is
//! verified but the name of one of the issuer's keys.

use jsonwebtoken::dangerous::insecure_decode_claims;
use jsonwebtoken::{Algorithm, Header, Validation, decode, decode_header};
use serde_json::{Map, Value};

use super::key_set::Key;
use crate::config::{Issuer, SigningAlgorithm};

/// Longest token looked at, in bytes: a CI's takes two thousand.
const MAX_TOKEN: usize = 8 * 1024;
/// How far the issuer's clock and ours may be apart, in seconds: virtual machines drift, and wake up late.
pub(super) const SKEW: u64 = 60;

/// What a token says of itself, of which nothing is proven.
pub(super) struct Said<'a> {
    token: &'a [u8],
    header: Header,
    claims: Map<String, Value>,
}

/// What a token was proven to say.
pub(super) struct Verified {
    /// All of it.
    pub(super) claims: Map<String, Value>,
    /// When it ends, in seconds since 1970.
    pub(super) expires: u64,
}

/// Why a token counts for nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refused {
    #[error("it is signed in another way than `algorithm` says")]
    Algorithm,
    #[error("its header asks for what is not known here")]
    Extension,
    #[error("its key is none of the issuer's, as far as they are known here")]
    Key,
    #[error("it could mean more than one of the issuer's keys")]
    Keys,
    #[error("its signature does not hold, or it is malformed")]
    Signature,
    #[error("it is of another issuer, or for another audience")]
    Elsewhere,
    #[error("it does not say when it ends, or not in seconds")]
    Timeless,
    #[error("its time is up")]
    Expired,
    #[error("its time has not come")]
    Early,
}

// === impl Said ===

impl<'a> Said<'a> {
    /// Reads a token; none where it has not the form of one.
    pub(super) fn read(token: &'a [u8]) -> Option<Self> {
        if token.len() > MAX_TOKEN {
            return None;
        }
        Some(Self {
            token,
            header: decode_header(token).ok()?,
            claims: insecure_decode_claims(token).ok()?,
        })
    }

    /// Whether it says to be of this issuer, for its audience.
    pub(super) fn is_of(&self, issuer: &Issuer) -> bool {
        is_of(&self.claims, issuer)
    }

    /// The name of the key it says to be signed with, once the rest of its header does.
    pub(super) fn key_id(&self, issuer: &Issuer) -> Result<Option<&str>, Refused> {
        if self.header.alg != algorithm(issuer.algorithm) {
            return Err(Refused::Algorithm);
        }
        // Whatever must be understood is not understood here, `b64` included.
        if self.header.crit.is_some() {
            return Err(Refused::Extension);
        }
        Ok(self.header.kid.as_deref())
    }

    /// Verifies all of it with the issuer's key, at the time `now`, in seconds since 1970.
    pub(super) fn verify(&self, issuer: &Issuer, key: &Key, now: u64) -> Result<Verified, Refused> {
        let rules = signature_alone(issuer.algorithm);
        let data = decode::<Map<String, Value>>(self.token, &key.decoding(), &rules);
        let claims = data.map_err(|_| Refused::Signature)?.claims;
        if !is_of(&claims, issuer) {
            return Err(Refused::Elsewhere);
        }
        let expires = lifetime(&claims, now)?;
        Ok(Verified { claims, expires })
    }
}

/// One algorithm and the signature. The claims are checked here: the library takes any of several
/// issuers, knows no `iat`, and only the time it is now.
fn signature_alone(algorithm: SigningAlgorithm) -> Validation {
    let mut rules = Validation::new(self::algorithm(algorithm));
    rules.required_spec_claims.clear();
    rules.validate_exp = false;
    rules.validate_nbf = false;
    rules.validate_aud = false;
    rules
}

fn algorithm(algorithm: SigningAlgorithm) -> Algorithm {
    match algorithm {
        SigningAlgorithm::Rs256 => Algorithm::RS256,
        SigningAlgorithm::Rs384 => Algorithm::RS384,
        SigningAlgorithm::Rs512 => Algorithm::RS512,
        SigningAlgorithm::Ps256 => Algorithm::PS256,
        SigningAlgorithm::Ps384 => Algorithm::PS384,
        SigningAlgorithm::Ps512 => Algorithm::PS512,
        SigningAlgorithm::Es256 => Algorithm::ES256,
        SigningAlgorithm::Es384 => Algorithm::ES384,
        SigningAlgorithm::EdDsa => Algorithm::EdDSA,
    }
}

/// Whether both say to be theirs, to the letter.
fn is_of(claims: &Map<String, Value>, issuer: &Issuer) -> bool {
    let is = |value: &Value, text: &str| value.as_str() == Some(text);
    let is_issuer = claims
        .get("iss")
        .is_some_and(|value| is(value, &issuer.issuer));
    let is_audience = match claims.get("aud") {
        Some(Value::Array(several)) => several.iter().any(|value| is(value, &issuer.audience)),
        Some(value) => is(value, &issuer.audience),
        None => false,
    };
    is_issuer && is_audience
}

/// When the token ends, if it has begun and has not ended (RFC 7519 §4.1.4 to §4.1.6).
fn lifetime(claims: &Map<String, Value>, now: u64) -> Result<u64, Refused> {
    let expires = claims.get("exp").and_then(seconds);
    let expires = expires.ok_or(Refused::Timeless)?;
    if now >= expires.saturating_add(SKEW) {
        return Err(Refused::Expired);
    }
    for name in ["nbf", "iat"] {
        let Some(value) = claims.get(name) else {
            continue;
        };
        let begins = seconds(value).ok_or(Refused::Timeless)?;
        if begins > now.saturating_add(SKEW) {
            return Err(Refused::Early);
        }
    }
    Ok(expires)
}

/// Whole seconds since 1970; a fraction is cut off.
fn seconds(value: &Value) -> Option<u64> {
    /// The year 9999: later is no time, and an `f64` is exact up to here.
    const LAST: f64 = 253_402_300_799.0;
    let seconds = value
        .as_f64()
        .filter(|seconds| (0.0..=LAST).contains(seconds))?;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the range was just checked"
    )]
    Some(seconds as u64)
}
