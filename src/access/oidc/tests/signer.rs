//! Signs tokens as a CI does, and as one does who would like to be taken for a CI.

use std::sync::OnceLock;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair,
    EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384,
    RSA_PKCS1_SHA512, RSA_PSS_SHA256, RSA_PSS_SHA384, RSA_PSS_SHA512, RsaEncoding, RsaKeyPair,
    RsaPublicKeyComponents,
};
use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};

/// A key pair.
pub(super) enum Signer {
    Rsa(RsaKeyPair),
    Ec(EcdsaKeyPair, &'static str),
    Ed(Ed25519KeyPair),
}

/// Making one takes a second: it is the same for all tests.
pub(super) fn rsa() -> &'static Signer {
    static PAIR: OnceLock<Signer> = OnceLock::new();
    PAIR.get_or_init(Signer::new_rsa)
}

impl Signer {
    pub(super) fn new_rsa() -> Self {
        Self::Rsa(RsaKeyPair::generate(KeySize::Rsa2048).unwrap())
    }

    pub(super) fn p256() -> Self {
        Self::ec(&ECDSA_P256_SHA256_FIXED_SIGNING, "P-256")
    }

    pub(super) fn p384() -> Self {
        Self::ec(&ECDSA_P384_SHA384_FIXED_SIGNING, "P-384")
    }

    fn ec(algorithm: &'static EcdsaSigningAlgorithm, curve: &'static str) -> Self {
        Self::Ec(EcdsaKeyPair::generate(algorithm).unwrap(), curve)
    }

    pub(super) fn ed25519() -> Self {
        Self::Ed(Ed25519KeyPair::generate().unwrap())
    }

    /// The public half, as an issuer publishes it.
    pub(super) fn jwk(&self, id: &str) -> Value {
        match self {
            Self::Rsa(pair) => {
                let public = RsaPublicKeyComponents::<Vec<u8>>::from(pair.public_key());
                json!({
                    "kty": "RSA", "use": "sig", "alg": "RS256", "kid": id,
                    "n": encode(&public.n), "e": encode(&public.e),
                })
            }
            Self::Ec(pair, curve) => {
                let point = pair.public_key().as_ref();
                let (x, y) = point[1..].split_at((point.len() - 1) / 2);
                json!({ "kty": "EC", "crv": curve, "kid": id, "x": encode(x), "y": encode(y) })
            }
            Self::Ed(pair) => {
                let point = encode(pair.public_key().as_ref());
                json!({ "kty": "OKP", "crv": "Ed25519", "kid": id, "x": point })
            }
        }
    }

    /// A token by the key of that name, signed as it says.
    pub(super) fn token(&self, algorithm: &str, id: &str, claims: &Value) -> String {
        self.token_with(
            &json!({ "alg": algorithm, "typ": "JWT", "kid": id }),
            claims,
        )
    }

    /// The same with a header of its own.
    pub(super) fn token_with(&self, header: &Value, claims: &Value) -> String {
        let algorithm = header["alg"].as_str().unwrap();
        let message = message(header, claims);
        let signature = self.sign(algorithm, message.as_bytes());
        format!("{message}.{}", encode(&signature))
    }

    /// A signature by `algorithm`, whatever a header says.
    pub(super) fn sign(&self, algorithm: &str, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match self {
            Self::Rsa(pair) => {
                let padding: &'static dyn RsaEncoding = match algorithm {
                    "RS256" => &RSA_PKCS1_SHA256,
                    "RS384" => &RSA_PKCS1_SHA384,
                    "RS512" => &RSA_PKCS1_SHA512,
                    "PS256" => &RSA_PSS_SHA256,
                    "PS384" => &RSA_PSS_SHA384,
                    "PS512" => &RSA_PSS_SHA512,
                    other => panic!("{other} with an RSA key"),
                };
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(padding, &random, message, &mut signature)
                    .unwrap();
                signature
            }
            Self::Ec(pair, _) => pair.sign(&random, message).unwrap().as_ref().to_vec(),
            Self::Ed(pair) => pair.sign(message).as_ref().to_vec(),
        }
    }
}

pub(super) fn message(header: &Value, claims: &Value) -> String {
    let (header, claims) = (header.to_string(), claims.to_string());
    format!(
        "{}.{}",
        encode(header.as_bytes()),
        encode(claims.as_bytes())
    )
}

pub(super) fn encode(bytes: &[u8]) -> String {
    BASE64URL_NOPAD.encode(bytes)
}
