//! A CI that gives its jobs signed tokens, and publishes its keys at an origin of its own.

use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};

use super::{Origin, script};

/// What its tokens are for.
const AUDIENCE: &str = "https://cache.acme.example";
/// Where its keys are.
pub const JWKS: &str = "/.well-known/jwks";

/// A running CI.
pub struct Ci {
    pub origin: Origin,
    keys: Vec<EcdsaKeyPair>,
}

impl Ci {
    /// With three keys, of which the first is published.
    pub fn start() -> Self {
        let pair = || EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("a key");
        let ci = Self {
            origin: Origin::start(),
            keys: vec![pair(), pair(), pair()],
        };
        ci.publish(&[0]);
        ci
    }

    /// Publishes these keys and no others from now on.
    pub fn publish(&self, numbers: &[usize]) {
        let keys: Vec<Value> = numbers.iter().map(|number| self.jwk(*number)).collect();
        let set = json!({ "keys": keys }).to_string();
        let answer = script()
            .head(200)
            .header("content-type", "application/json");
        self.origin.forget();
        self.origin
            .always("GET", JWKS, answer.chunk(set.as_bytes()));
    }

    /// `access.oidc`: main writes for the team `acme`, every other job of the owner reads.
    pub fn listed(&self) -> String {
        format!(
            "[{{ issuer = {:?}, audience = {AUDIENCE:?}, algorithm = \"ES256\", grants = [\
             {{ claims = {{ repository_owner = \"acme\", ref = \"refs/heads/main\" }}, teams = [\"acme\"], \
             rights = \"read-write\" }}, \
             {{ claims = {{ repository_owner = \"acme\" }}, teams = [\"acme\"] }}] }}]",
            self.origin.url()
        )
    }

    /// The token of a job on this ref.
    pub fn job(&self, reference: &str) -> String {
        self.token(0, &json!({ "ref": reference }))
    }

    /// A token by the key of that number; `claims` stand over the usual ones.
    pub fn token(&self, number: usize, claims: &Value) -> String {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .expect("after 1970")
            .as_secs();
        let mut all = json!({
            "iss": self.origin.url(),
            "aud": AUDIENCE,
            "iat": now,
            "exp": now + 300,
            "repository_owner": "acme",
            "ref": "refs/heads/main",
        });
        for (name, value) in claims.as_object().expect("claims") {
            all[name] = value.clone();
        }
        let header = json!({ "alg": "ES256", "typ": "JWT", "kid": number.to_string() });
        let part = |value: &Value| BASE64URL_NOPAD.encode(value.to_string().as_bytes());
        let message = format!("{}.{}", part(&header), part(&all));
        let signature = self.keys[number].sign(&SystemRandom::new(), message.as_bytes());
        let signature = signature.expect("a signature");
        format!("{message}.{}", BASE64URL_NOPAD.encode(signature.as_ref()))
    }

    fn jwk(&self, number: usize) -> Value {
        let point = &self.keys[number].public_key().as_ref()[1..];
        let (x, y) = point.split_at(point.len() / 2);
        let (x, y) = (BASE64URL_NOPAD.encode(x), BASE64URL_NOPAD.encode(y));
        json!({ "kty": "EC", "crv": "P-256", "use": "sig", "kid": number.to_string(), "x": x, "y": y })
    }
}
