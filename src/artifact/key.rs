//! Which artifact: the origin it belongs to, the scope it was asked under, and its hash.
//!
//! Nothing here decodes or folds: two requests share an entry only where the origin could not tell
//! them apart either.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use percent_encoding::percent_decode_str;

use super::ArtifactHash;
use crate::caller::CallerDigest;

/// The origin whose artifacts a data directory holds: the normalised upstream base URL, or `none`.
///
/// Part of every key, so that changing the upstream never turns old entries into hits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OriginId(String);

impl OriginId {
    /// Names an origin by its normalised base URL, or `none`.
    pub fn new(normalised: impl Into<String>) -> Self {
        Self(normalised.into())
    }

    /// The name as a fixed-size digest.
    pub fn digest(&self) -> [u8; 32] {
        sha256(self.0.as_bytes())
    }
}

/// Who an artifact is visible to: the request's query in canonical order, and the caller where no
/// team is named.
///
/// The raw query is split at `&` and stably sorted by raw name, so an unknown or repeated parameter
/// can never fold two tenants into one. The digest of the caller joins unless a `teamId` or `slug`
/// is there and not empty: who else the origin would let in is not ours to guess.
///
/// Cheap to clone.
#[derive(Clone)]
pub struct Scope(Arc<Asked>);

/// What a scope was read from.
struct Asked {
    query: String,
    /// The query and the caller as they are digested, here and in the key of every artifact.
    framed: Vec<u8>,
    caller: Option<CallerDigest>,
    team: Option<String>,
    digest: ScopeDigest,
}

impl Scope {
    /// Reads the scope of a request from its raw query (without the `?`) and its caller.
    pub fn new(raw_query: &str, caller: CallerDigest) -> Self {
        let mut parts: Vec<&str> = raw_query
            .split('&')
            .filter(|part| !part.is_empty())
            .collect();
        parts.sort_by_key(|part| name_of(part));
        let query = parts.join("&");
        let team = named_teams(&query).next().map(str::to_owned);
        let caller = team.is_none().then_some(caller);
        let mut framed = Vec::with_capacity(query.len() + 64);
        push_framed(&mut framed, query.as_bytes());
        let alone = caller.as_ref().map_or(&[][..], |caller| caller.as_bytes());
        push_framed(&mut framed, alone);
        Self(Arc::new(Asked {
            digest: ScopeDigest(sha256(&framed)),
            framed,
            query,
            caller,
            team,
        }))
    }

    /// Whether this scope belongs to one caller alone, because the request names no team.
    pub fn is_personal(&self) -> bool {
        self.0.caller.is_some()
    }

    /// The first team named, raw, for people to recognise; never part of a decision.
    pub fn team(&self) -> Option<&str> {
        self.0.team.as_deref()
    }

    /// Every team named, raw.
    pub fn teams(&self) -> impl Iterator<Item = &str> {
        named_teams(&self.0.query)
    }

    /// The query's parameters, raw; one without a value has an empty one.
    pub(super) fn parameters(&self) -> impl Iterator<Item = (&str, &str)> {
        parameters(&self.0.query)
    }

    /// The digest under which verdicts for this scope are remembered.
    pub fn digest(&self) -> ScopeDigest {
        self.0.digest
    }
}

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scope")
            .field("team", &self.0.team)
            .field("personal", &self.is_personal())
            .finish_non_exhaustive()
    }
}

/// A scope as a fixed-size digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ScopeDigest([u8; 32]);

impl ScopeDigest {
    /// Takes a digest back from where it was remembered.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The digest's bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// Names one artifact of one origin under one scope.
#[derive(Clone, Debug)]
pub struct ArtifactKey {
    /// The client's name for it.
    pub hash: ArtifactHash,
    /// Who it is visible to.
    pub scope: Scope,
    /// What tables and files know it by.
    pub digest: KeyDigest,
}

impl ArtifactKey {
    /// Names `hash` under `scope` at `origin`.
    pub fn new(origin: &OriginId, scope: Scope, hash: ArtifactHash) -> Self {
        let (origin, asked) = (origin.0.as_bytes(), scope.0.framed.as_slice());
        let name = hash.as_str().as_bytes();
        // Digested in one piece: in a context of its own every piece costs a few calls.
        let mut framed = Vec::with_capacity(origin.len() + asked.len() + name.len() + 16);
        push_framed(&mut framed, origin);
        framed.extend_from_slice(asked);
        push_framed(&mut framed, name);
        let digest = KeyDigest(sha256(&framed));
        Self {
            hash,
            scope,
            digest,
        }
    }
}

/// A key as a fixed-size cryptographic digest: the only name of an artifact that reaches a file.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyDigest([u8; 32]);

impl KeyDigest {
    /// Takes a digest back from an entry's footer.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The digest's bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for KeyDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&data_encoding::HEXLOWER.encode(&self.0))
    }
}

/// The parameters of a raw query, in its order; one without a value has an empty one.
pub fn parameters(raw_query: &str) -> impl Iterator<Item = (&str, &str)> {
    let parts = raw_query.split('&').filter(|part| !part.is_empty());
    parts.map(|part| part.split_once('=').unwrap_or((part, "")))
}

/// The teams that a raw query names, raw and in its order: what stands behind each `teamId` and
/// `slug`, unless it is empty.
pub fn named_teams(raw_query: &str) -> impl Iterator<Item = &str> {
    parameters(raw_query)
        .filter(|(name, value)| matches!(*name, "teamId" | "slug") && !value.is_empty())
        .map(|(_, value)| value)
}

/// The team by which a request is shown to people: [`Scope::team`], without the scope.
pub fn shown_team(raw_query: &str) -> Option<&str> {
    // As most clients write it: every hit is shown by its team.
    if let Some(only) = raw_query.strip_prefix("slug=")
        && !only.is_empty()
        && !only.as_bytes().contains(&b'&')
    {
        return Some(only);
    }
    let mut identifier = None;
    for (name, value) in parameters(raw_query).filter(|(_, value)| !value.is_empty()) {
        match name {
            // In the order of a scope it stands in front, wherever it was written.
            "slug" => return Some(value),
            "teamId" => identifier = identifier.or(Some(value)),
            _ => {}
        }
    }
    identifier
}

/// Undoes the encoding of forms, in which clients write their queries.
pub fn form_decoded(text: &str) -> Vec<u8> {
    percent_decode_str(&text.replace('+', " ")).collect()
}

fn name_of(part: &str) -> &str {
    part.split_once('=').map_or(part, |(name, _)| name)
}

/// Appends one field behind its length, so that no two field lists share an encoding.
fn push_framed(framed: &mut Vec<u8>, field: &[u8]) {
    framed.extend_from_slice(&(field.len() as u64).to_le_bytes());
    framed.extend_from_slice(field);
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut fixed = [0; 32];
    fixed.copy_from_slice(digest(&SHA256, bytes).as_ref());
    fixed
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(query: &str, caller: u8, hash: &str) -> KeyDigest {
        let origin = OriginId::new("https://vercel.com/api");
        let scope = Scope::new(query, CallerDigest::from_bytes([caller; 32]));
        ArtifactKey::new(&origin, scope, ArtifactHash::parse(hash).unwrap()).digest
    }

    #[test]
    fn the_order_of_different_parameters_does_not_matter() {
        assert_eq!(
            digest("teamId=team_1&slug=acme", 1, "a"),
            digest("slug=acme&teamId=team_1", 2, "a")
        );
    }

    #[test]
    fn the_order_of_repeated_parameters_does() {
        assert_ne!(
            digest("slug=a&slug=b", 1, "h"),
            digest("slug=b&slug=a", 1, "h")
        );
    }

    #[test]
    fn nothing_is_decoded_and_nothing_is_ignored() {
        assert_ne!(digest("slug=a+b", 1, "h"), digest("slug=a%20b", 1, "h"));
        assert_ne!(digest("slug=a", 1, "h"), digest("slug=a&x=1", 1, "h"));
        assert_ne!(digest("slug=a", 1, "h"), digest("teamId=a", 1, "h"));
    }

    #[test]
    fn a_request_is_shown_by_the_team_of_its_scope() {
        for query in [
            "",
            "slug=acme",
            "slug=acme&slug=b",
            "slug==",
            "teamId=team_1&slug=acme",
            "slug=&teamId=team_1",
            "teamId=team_1&teamId=team_2",
            "x=1&slug=b&slug=a",
            "slug",
        ] {
            let scope = Scope::new(query, CallerDigest::from_bytes([1; 32]));
            assert_eq!(shown_team(query), scope.team(), "{query}");
        }
    }

    #[test]
    fn without_a_team_every_caller_is_alone() {
        for query in [
            "",
            "slug=",
            "teamId=&slug=",
            "team=acme",
            "Slug=acme",
            "slug",
        ] {
            assert_ne!(digest(query, 1, "h"), digest(query, 2, "h"), "{query:?}");
        }
        assert_eq!(digest("slug=acme", 1, "h"), digest("slug=acme", 2, "h"));
    }

    #[test]
    fn another_origin_is_another_key() {
        let scope = Scope::new("slug=a", CallerDigest::from_bytes([1; 32]));
        let hash = ArtifactHash::parse("h").unwrap();
        let one = ArtifactKey::new(&OriginId::new("none"), scope.clone(), hash.clone());
        let other = ArtifactKey::new(&OriginId::new("https://vercel.com/api"), scope, hash);
        assert_ne!(one.digest, other.digest);
    }
}
