//! The client's name for an artifact.
//!
//! Text from a request line becomes an [`ArtifactHash`] here or nowhere: nothing behind the router
//! sees an unchecked one, and no file is ever named after it.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use percent_encoding::percent_decode_str;

/// Longest hash accepted, in bytes. Turborepo sends 16; the widest check seen in the field is 512.
pub const MAX_HASH: usize = 512;

/// What the API has beside artifacts, where an artifact's hash stands. Origins that decode a path
/// before they read it, or that read it in any case, take such a hash for the route of that name, and
/// their answer to it, which may be for anybody, for one about an artifact.
const ROUTES: [&str; 2] = ["status", "events"];

/// A hash of `[A-Za-z0-9_-]{1,512}`, but for `status` and `events` in whatever case: opaque,
/// case-sensitive, cheap to clone.
///
/// Turborepo's own are 16 lower-case hexadecimal digits; the API allows more.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct ArtifactHash(Arc<str>);

/// The path segment is no artifact hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an artifact hash is 1 to 512 letters, digits, '-' or '_'")]
pub struct InvalidHash;

impl ArtifactHash {
    /// Parses one path segment, percent-decoding it once.
    pub fn parse(segment: &str) -> Result<Self, InvalidHash> {
        let decoded: Cow<'_, [u8]> = percent_decode_str(segment).into();
        let text = std::str::from_utf8(&decoded).map_err(|_| InvalidHash)?;
        let legal = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        if text.is_empty() || text.len() > MAX_HASH || !text.bytes().all(legal) {
            return Err(InvalidHash);
        }
        if ROUTES.iter().any(|route| text.eq_ignore_ascii_case(route)) {
            return Err(InvalidHash);
        }
        Ok(Self(text.into()))
    }

    /// The hash as the client wrote it, decoded.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ArtifactHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for ArtifactHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_and_percent_encoded_hashes_are_the_same_name() {
        let plain = ArtifactHash::parse("140a7f78c2a46f3e").unwrap();
        assert_eq!(plain.as_str(), "140a7f78c2a46f3e");
        assert_eq!(ArtifactHash::parse("%3140a7f78c2a46f3e").unwrap(), plain);
    }

    #[test]
    fn text_that_could_reach_a_path_is_no_hash() {
        let long = "a".repeat(MAX_HASH + 1);
        let hostile = [
            "", ".", "..", "%2e%2e", "..%2Fetc", "a/b", "a%2Fb", "a\\b", "a%00", "%252e", "a b",
            "status", "events", "%73tatus", "Status", "EVENTS", "a.tag", "ü", "%FF", "CON.",
            "a%0d%0a", &long,
        ];
        for text in hostile {
            assert_eq!(ArtifactHash::parse(text), Err(InvalidHash), "{text:?}");
        }
        assert!(ArtifactHash::parse(&"a".repeat(MAX_HASH)).is_ok());
    }
}
