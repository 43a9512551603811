//! Whom the operator knows: tokens, and CIs whose signed tokens count.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use http::Uri;

/// The operator's list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Roster {
    /// Tokens, each named.
    pub tokens: Vec<Token>,
    /// CIs whose signed tokens count.
    pub issuers: Vec<Issuer>,
}

/// One entry of the operator's list.
#[derive(Clone, PartialEq, Eq)]
pub struct Token {
    /// What people call it.
    pub name: String,
    /// By what its holder is known.
    pub proof: Proof,
    /// Teams (values of `teamId` or `slug`) it may use; `*` for any and none.
    pub teams: Vec<String>,
    /// What it may do.
    pub rights: Rights,
    /// When it ends, in seconds since 1970.
    pub expires: Option<u64>,
}

/// By what somebody on the list is known.
#[derive(Clone, PartialEq, Eq)]
pub enum Proof {
    /// A token of this SHA-256.
    Token([u8; 32]),
    /// A client's certificate that is for this name, with whatever token.
    Certificate(Arc<str>),
    /// Both together.
    Both([u8; 32], Arc<str>),
}

/// What a token may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rights {
    /// Download.
    Read,
    /// Download and upload.
    ReadWrite,
}

/// A CI that gives each of its jobs a signed token (a JWT, RFC 7519), and what its jobs may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issuer {
    /// The claim `iss` of its tokens, to the letter.
    pub issuer: String,
    /// What the claim `aud` of its tokens must hold: tokens for others are none of ours.
    pub audience: String,
    /// Where its public keys are.
    pub keys: KeySource,
    /// What its tokens are signed with; whatever else a token says of itself, it is refused.
    pub algorithm: SigningAlgorithm,
    /// What its jobs may do, each by what its token claims; whatever no grant allows is denied.
    pub grants: Vec<Grant>,
}

/// Where an issuer's public keys are: a JWK set (RFC 7517 §5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeySource {
    /// On the network.
    Url(Uri),
    /// In a file.
    File(PathBuf),
}

/// What a token may be signed with (RFC 7518 §3.1, RFC 8037): public-key algorithms only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are the registered ones")]
pub enum SigningAlgorithm {
    Rs256,
    Rs384,
    Rs512,
    Ps256,
    Ps384,
    Ps512,
    Es256,
    Es384,
    EdDsa,
}

/// What whoever makes these claims may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// All of them must hold; never none, since anybody may have a token of a public CI.
    pub claims: Vec<Claim>,
    /// Teams (values of `teamId` or `slug`) it may use; `*` for any and none.
    pub teams: Vec<String>,
    /// What it may do.
    pub rights: Rights,
}

/// A claim and what it may say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Its name.
    pub name: String,
    /// What it may say, one of these; a `*` at the end stands for any rest.
    pub any_of: Vec<String>,
}

// === impl Roster ===

impl Roster {
    /// Whether nobody is known.
    pub fn is_empty(&self) -> bool {
        self.tokens.is_empty() && self.issuers.is_empty()
    }
}

// === impl Token ===

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token")
            .field("name", &self.name)
            .field("proof", &self.proof)
            .field("teams", &self.teams)
            .field("rights", &self.rights)
            .field("expires", &self.expires)
            .finish()
    }
}

// === impl Proof ===

impl Proof {
    /// The token's SHA-256, where it takes a token.
    pub fn sha256(&self) -> Option<&[u8; 32]> {
        match self {
            Self::Token(sha256) | Self::Both(sha256, _) => Some(sha256),
            Self::Certificate(_) => None,
        }
    }

    /// The name that a certificate must be for, where it takes one.
    pub fn certificate(&self) -> Option<&Arc<str>> {
        match self {
            Self::Certificate(name) | Self::Both(_, name) => Some(name),
            Self::Token(_) => None,
        }
    }
}

impl fmt::Debug for Proof {
    /// Without the digest: a short token could be guessed from it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Token(_) => f.write_str("Token(***)"),
            Self::Certificate(name) => write!(f, "Certificate({name:?})"),
            Self::Both(_, name) => write!(f, "Both(***, {name:?})"),
        }
    }
}

// === impl Rights ===

impl Rights {
    /// Both, the lesser first.
    pub const ALL: [Self; 2] = [Self::Read, Self::ReadWrite];

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::ReadWrite => "read-write",
        }
    }
}

// === impl KeySource ===

impl fmt::Display for KeySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url(url) => url.fmt(f),
            Self::File(path) => path.display().fmt(f),
        }
    }
}

// === impl SigningAlgorithm ===

impl SigningAlgorithm {
    /// Every algorithm.
    pub const ALL: [Self; 9] = [
        Self::Rs256,
        Self::Rs384,
        Self::Rs512,
        Self::Ps256,
        Self::Ps384,
        Self::Ps512,
        Self::Es256,
        Self::Es384,
        Self::EdDsa,
    ];

    /// The registered name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Rs384 => "RS384",
            Self::Rs512 => "RS512",
            Self::Ps256 => "PS256",
            Self::Ps384 => "PS384",
            Self::Ps512 => "PS512",
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::EdDsa => "EdDSA",
        }
    }
}
