//! What is known of an artifact besides its bytes, and travels with them as one unit.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};

use super::{ArtifactHash, ArtifactKey, Uploader};

/// Most header fields stored with one artifact.
pub const MAX_FIELDS: usize = 32;
/// Most bytes of header names and values stored with one artifact; the API's own limits on its
/// fields add up to about 1.1 KiB.
pub const MAX_FIELD_BYTES: usize = 6 * 1024;

/// The last second since 1970 that RFC 3339 can write.
pub const LAST_SECOND: u64 = 253_402_300_799;

const DURATION: &str = "x-artifact-duration";
const SHA: &str = "x-artifact-sha";

/// The header fields that are replayed with an artifact's body: `content-type` and every
/// `x-artifact-*` that describes the artifact rather than the client that sent it.
///
/// Cheap to clone.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Fields(Arc<Kept>);

#[derive(Debug, Default, PartialEq)]
struct Kept {
    map: HeaderMap,
    /// What the map says of it; every hit counts it.
    duration: Option<Duration>,
}

/// More header fields than an entry may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the x-artifact-* header fields exceed 32 fields or 6 KiB")]
pub struct TooManyFields;

impl Fields {
    /// Picks what is replayed from the headers of an upload or of the upstream's answer.
    ///
    /// A malformed `x-artifact-duration` is left out: clients turn such a hit into a miss, while its
    /// absence costs nothing.
    pub fn pick(headers: &HeaderMap) -> Self {
        let replayed = headers
            .iter()
            .filter(|(name, value)| is_replayed(name, value));
        Self::from_pairs(replayed.map(|(name, value)| (name.clone(), detached(value))))
    }

    /// Whether an entry holds this many.
    pub fn fit(&self) -> Result<(), TooManyFields> {
        let map = self.as_map();
        let bytes: usize = map
            .iter()
            .map(|(name, value)| name.as_str().len() + value.len())
            .sum();
        if map.len() > MAX_FIELDS || bytes > MAX_FIELD_BYTES {
            Err(TooManyFields)
        } else {
            Ok(())
        }
    }

    /// Takes fields back from an entry, in stored order.
    pub fn from_pairs(pairs: impl IntoIterator<Item = (HeaderName, HeaderValue)>) -> Self {
        let mut map = HeaderMap::new();
        for (name, value) in pairs {
            map.append(name, value);
        }
        let duration = duration(&map);
        Self(Arc::new(Kept { map, duration }))
    }

    /// The fields, as they are replayed.
    pub fn as_map(&self) -> &HeaderMap {
        &self.0.map
    }

    /// How long the task took that made the artifact, where the client said so.
    pub fn duration(&self) -> Option<Duration> {
        self.0.duration
    }

    /// The commit that the artifact was made from, where the client said so.
    pub fn sha(&self) -> Option<&str> {
        self.as_map().get(SHA)?.to_str().ok()
    }
}

fn duration(fields: &HeaderMap) -> Option<Duration> {
    let millis = fields.get(DURATION)?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_millis(millis))
}

fn is_replayed(name: &HeaderName, value: &HeaderValue) -> bool {
    if name == CONTENT_TYPE {
        return true;
    }
    let describes_artifact = name.as_str().starts_with("x-artifact-")
        && !name.as_str().starts_with("x-artifact-client-");
    describes_artifact && (name != DURATION || is_millis(value))
}

/// A copy of its own: a value off the wire is a view into the whole buffer it was read with, and
/// would keep that alive for as long as the artifact rests.
fn detached(value: &HeaderValue) -> HeaderValue {
    HeaderValue::from_bytes(value.as_bytes()).unwrap_or_else(|_| value.clone())
}

/// Turborepo reads the duration as an unsigned integer and refuses the hit otherwise.
fn is_millis(value: &HeaderValue) -> bool {
    let bytes = value.as_bytes();
    !bytes.is_empty()
        && bytes.iter().all(u8::is_ascii_digit)
        && value.to_str().is_ok_and(|text| text.parse::<u64>().is_ok())
}

/// What is known of an artifact before its body is whole.
#[derive(Clone, Debug, PartialEq)]
pub struct Label {
    /// The client's name for it.
    pub hash: ArtifactHash,
    /// The first team named in the request, raw, for people to recognise.
    pub team: Option<String>,
    /// What is replayed with the body.
    pub fields: Fields,
    /// Who uploaded it; nobody did what the upstream had.
    pub uploader: Option<Arc<Uploader>>,
}

impl Label {
    /// Labels the artifact `key` names with the fields that travel with it.
    pub fn new(key: &ArtifactKey, fields: Fields) -> Self {
        Self {
            hash: key.hash.clone(),
            team: key.scope.team().map(str::to_owned),
            fields,
            uploader: None,
        }
    }

    /// The same artifact, uploaded by somebody.
    #[must_use]
    pub fn from(self, uploader: Uploader) -> Self {
        Self {
            uploader: Some(Arc::new(uploader)),
            ..self
        }
    }
}

/// What is known of a whole artifact.
#[derive(Clone, Debug, PartialEq)]
pub struct Meta {
    /// What was known before the body was whole.
    pub label: Label,
    /// The body's length in bytes.
    pub size: u64,
    /// When the artifact landed; its age counts from here in every tier.
    pub landed: Landed,
}

/// A moment of landing, in whole seconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Landed(u64);

impl Landed {
    /// This second.
    pub fn now() -> Self {
        Self(
            SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .map_or(0, |since| since.as_secs()),
        )
    }

    /// A moment read from an entry.
    pub fn from_secs(secs: u64) -> Self {
        Self(secs)
    }

    /// Whole seconds since 1970.
    pub fn as_secs(self) -> u64 {
        self.0
    }

    /// Time since landing; zero where the clock went backwards.
    pub fn age(self) -> Duration {
        Duration::from_secs(Self::now().0.saturating_sub(self.0))
    }
}

/// As RFC 3339 writes it, in UTC; what is beyond its last second, as that.
impl fmt::Display for Landed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let since = Duration::from_secs(self.0.min(LAST_SECOND));
        humantime::format_rfc3339_seconds(UNIX_EPOCH + since).fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|&(name, value)| {
                (
                    HeaderName::from_static(name),
                    HeaderValue::from_static(value),
                )
            })
            .collect()
    }

    #[test]
    fn only_what_describes_the_artifact_is_kept() {
        let fields = Fields::pick(&headers(&[
            ("content-type", "application/octet-stream"),
            ("x-artifact-duration", "12"),
            ("x-artifact-tag", "abc="),
            ("x-artifact-future", "1"),
            ("x-artifact-client-ci", "GITHUB_ACTIONS"),
            ("set-cookie", "a=b"),
            ("location", "http://elsewhere"),
            ("content-encoding", "gzip"),
        ]));
        let mut names: Vec<_> = fields.as_map().keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        assert_eq!(
            names,
            [
                "content-type",
                "x-artifact-duration",
                "x-artifact-future",
                "x-artifact-tag"
            ]
        );
        assert_eq!(fields.duration(), Some(Duration::from_millis(12)));
    }

    #[test]
    fn what_is_kept_does_not_keep_the_buffer_it_was_read_with() {
        let buffer = bytes::Bytes::from(vec![b't'; 4096]);
        let mut headers = HeaderMap::new();
        headers.insert(
            "x-artifact-tag",
            HeaderValue::from_maybe_shared(buffer.slice(..8)).unwrap(),
        );
        let fields = Fields::pick(&headers);
        drop(headers);
        assert!(buffer.is_unique());
        assert_eq!(fields.as_map().len(), 1);
    }

    #[test]
    fn a_malformed_duration_is_left_out() {
        for bad in ["abc", "1.5", "", "-1", "+1", " ", "99999999999999999999999"] {
            let fields = Fields::pick(&headers(&[("x-artifact-duration", bad)]));
            assert!(fields.as_map().is_empty(), "{bad:?}");
        }
    }

    #[test]
    fn every_moment_can_be_written() {
        for (secs, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (1_801_418_400, "2027-01-31T18:00:00Z"),
            (LAST_SECOND, "9999-12-31T23:59:59Z"),
            (u64::MAX, "9999-12-31T23:59:59Z"),
        ] {
            assert_eq!(Landed::from_secs(secs).to_string(), text);
        }
    }

    #[test]
    fn more_fields_than_an_entry_holds_are_refused() {
        let mut many = HeaderMap::new();
        for number in 0..=MAX_FIELDS {
            many.append(
                HeaderName::from_bytes(format!("x-artifact-{number}").as_bytes()).unwrap(),
                HeaderValue::from_static("v"),
            );
        }
        assert_eq!(Fields::pick(&many).fit(), Err(TooManyFields));
        let mut wide = HeaderMap::new();
        wide.append(
            "x-artifact-tag",
            HeaderValue::from_str(&"t".repeat(MAX_FIELD_BYTES)).unwrap(),
        );
        assert_eq!(Fields::pick(&wide).fit(), Err(TooManyFields));
    }
}
