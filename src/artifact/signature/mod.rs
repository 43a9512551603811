//! Whether an artifact's tag was made with the team's signature key. Pure: a key, a tag and bytes in,
//! a verdict out.
//!
//! Clients of different ages sign differently, and a tag does not say how: a body passes through
//! every scheme at once. What one scheme signs is never what another does, because it begins with a
//! brace, with a character of a hash, or with the length of a name. Within the one that clients used
//! from 1.10 to 2.8, nothing marks where hash, team and body meet: what could be moved across is no
//! archive or no team, and clients trust it all the same.

#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac;
use data_encoding::BASE64;
use serde_json::Value;

use super::{ArtifactKey, Fields, form_decoded};

/// What the newest scheme signs before everything else.
const NEWEST: &[u8] = b"artifact-signature:v2";
/// Bytes of a tag, decoded: those of HMAC-SHA256.
const TAG: usize = 32;

/// The key that a team's clients sign with.
///
/// The key's own bytes are not kept: what stays is the state of a MAC that has taken them in, shared
/// by all clones and wiped when the last of them is dropped.
#[derive(Clone)]
pub struct SignatureKey(Arc<hmac::Key>);

/// A tag, and the body it is for on its way through the schemes that may have made it.
pub struct SignatureCheck {
    tag: [u8; TAG],
    schemes: Vec<hmac::Context>,
    /// The scheme that signs the body's length before the body, while nobody has said the length.
    waiting: Option<Box<hmac::Context>>,
    seen: u64,
}

/// What a body that has passed whole says of its tag.
#[derive(Debug)]
pub enum SignatureVerdict {
    /// The key has made it, for this very artifact.
    Fits,
    /// It has not.
    Refuted,
    /// Not by the schemes that could be tried so far. One is left, for which the length had to be
    /// known: the same bytes must pass once more, through this.
    OnceMore(SignatureCheck),
}

/// Why an artifact does not count as signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum SignatureFault {
    /// It carries no tag.
    #[error("the artifact is not signed, and only signed ones are taken here")]
    Missing,
    /// It carries what no key makes, or does not say which tag, or which team's, is meant.
    #[error("the artifact's x-artifact-tag is no signature")]
    Malformed,
    /// Its tag was made with another key, or for another artifact.
    #[error(
        "the artifact's signature does not fit: it was made with another key, or of other bytes"
    )]
    Mismatch,
}

// === impl SignatureKey ===

impl SignatureKey {
    /// Takes a key in.
    pub fn new(bytes: &[u8]) -> Self {
        Self(Arc::new(hmac::Key::new(hmac::HMAC_SHA256, bytes)))
    }

    /// Begins to check the tag among `fields`, for the artifact that `key` names; `length` is that of
    /// its body where it is known.
    ///
    /// # Errors
    ///
    /// What the head alone shows; no byte of the body needs to be looked at then.
    pub fn begin(
        &self,
        key: &ArtifactKey,
        fields: &Fields,
        length: Option<u64>,
    ) -> Result<SignatureCheck, SignatureFault> {
        let tag = tag_of(fields)?;
        let (hash, team) = (key.hash.as_str(), team_of(key)?);
        let oldest = format!(
            r#"{{"hash":{},"teamId":{}}}"#,
            Value::from(hash),
            Value::from(String::from_utf8_lossy(&team)),
        );
        let check = SignatureCheck {
            tag,
            schemes: vec![
                self.over(&[oldest.as_bytes()]),
                self.over(&[hash.as_bytes(), &team]),
            ],
            waiting: Some(Box::new(self.over(&[
                &framing(NEWEST.len()),
                NEWEST,
                &framing(hash.len()),
                hash.as_bytes(),
                &framing(team.len()),
                &team,
            ]))),
            seen: 0,
        };
        Ok(match length {
            Some(length) => check.knowing(length),
            None => check,
        })
    }

    fn over(&self, parts: &[&[u8]]) -> hmac::Context {
        let mut context = hmac::Context::with_key(&self.0);
        for part in parts {
            context.update(part);
        }
        context
    }
}

impl fmt::Debug for SignatureKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SignatureKey(***)")
    }
}

// === impl SignatureCheck ===

impl SignatureCheck {
    /// Takes the body's next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.seen += bytes.len() as u64;
        for scheme in &mut self.schemes {
            scheme.update(bytes);
        }
    }

    /// Bytes that have passed.
    pub fn seen(&self) -> u64 {
        self.seen
    }

    /// Says what the tag is worth, once every byte of the body has passed.
    pub fn verdict(mut self) -> SignatureVerdict {
        let tried = std::mem::take(&mut self.schemes);
        let fits = |scheme: hmac::Context| {
            verify_slices_are_equal(scheme.sign().as_ref(), &self.tag).is_ok()
        };
        if tried.into_iter().any(fits) {
            SignatureVerdict::Fits
        } else if self.waiting.is_none() {
            SignatureVerdict::Refuted
        } else {
            let length = std::mem::take(&mut self.seen);
            SignatureVerdict::OnceMore(self.knowing(length))
        }
    }

    /// Lets the scheme begin that has waited for the length.
    fn knowing(mut self, length: u64) -> Self {
        if let Some(mut scheme) = self.waiting.take() {
            scheme.update(&length.to_le_bytes());
            self.schemes.push(*scheme);
        }
        self
    }
}

impl fmt::Debug for SignatureCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignatureCheck")
            .field("seen", &self.seen)
            .finish_non_exhaustive()
    }
}

/// The one tag, decoded.
fn tag_of(fields: &Fields) -> Result<[u8; TAG], SignatureFault> {
    let mut tags = fields.as_map().get_all("x-artifact-tag").iter();
    match (tags.next(), tags.next()) {
        (None, _) => Err(SignatureFault::Missing),
        (Some(tag), None) => BASE64
            .decode(tag.as_bytes())
            .ok()
            .and_then(|bytes| bytes.try_into().ok())
            .ok_or(SignatureFault::Malformed),
        // Which of them a reader believes is anybody's guess.
        (Some(_), Some(_)) => Err(SignatureFault::Malformed),
    }
}

/// The team as clients sign it: what `teamId` says, decoded; empty where only a slug is named.
fn team_of(key: &ArtifactKey) -> Result<Vec<u8>, SignatureFault> {
    let mut teams = key
        .scope
        .parameters()
        .filter(|(name, _)| form_decoded(name) == b"teamId")
        .map(|(_, value)| form_decoded(value));
    match (teams.next(), teams.next()) {
        (team, None) => Ok(team.unwrap_or_default()),
        (_, Some(_)) => Err(SignatureFault::Malformed),
    }
}

/// What stands before a field in the newest scheme.
fn framing(length: usize) -> [u8; 8] {
    (length as u64).to_le_bytes()
}
