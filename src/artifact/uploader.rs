//! Who uploaded an artifact, as far as its operator wants to know. Told to no client, and part of no decision.

use std::fmt;
use std::net::IpAddr;

use data_encoding::HEXLOWER;

use crate::caller::CallerDigest;

/// Most bytes of a text that is kept of an uploader.
pub const MAX_UPLOADER_TEXT: usize = 128;

/// Who uploaded an artifact. Everything in it may be unknown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Uploader {
    /// What the operator's list or a certificate calls it.
    pub name: Option<Box<str>>,
    /// Where it has no name, what its credential is known by.
    pub digest: Option<ShortDigest>,
    /// Where it came from.
    pub address: Option<IpAddr>,
    /// What program it said it was.
    pub user_agent: Option<Box<str>>,
}

/// The first half of a quarter of a caller's digest: enough to tell callers apart by eye, and as it is keyed,
/// nothing to guess a credential by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShortDigest(pub [u8; 8]);

// === impl Uploader ===

impl Uploader {
    /// Names it, with no more than the first bytes of the name.
    #[must_use]
    pub fn named(mut self, name: &str) -> Self {
        let end = name.floor_char_boundary(MAX_UPLOADER_TEXT);
        self.name = name.get(..end).map(Into::into);
        self
    }

    /// Says what program it is: printable characters only, and no more than the first bytes of them.
    #[must_use]
    pub fn with_agent(mut self, agent: &[u8]) -> Self {
        let is_printable = |byte: &u8| matches!(byte, b' '..=b'~');
        let kept = agent
            .iter()
            .copied()
            .filter(is_printable)
            .take(MAX_UPLOADER_TEXT);
        let text: String = kept.map(char::from).collect();
        let text = text.trim();
        self.user_agent = (!text.is_empty()).then(|| text.into());
        self
    }

    /// Bytes that it takes in memory.
    pub fn bytes(&self) -> u64 {
        let texts = [&self.name, &self.user_agent].into_iter().flatten();
        let texts: usize = texts.map(|text| text.len()).sum();
        (size_of::<Self>() + texts) as u64
    }
}

// === impl ShortDigest ===

impl From<CallerDigest> for ShortDigest {
    fn from(digest: CallerDigest) -> Self {
        let mut short = [0; 8];
        for (to, from) in short.iter_mut().zip(digest.as_bytes()) {
            *to = *from;
        }
        Self(short)
    }
}

impl fmt::Display for ShortDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&HEXLOWER.encode(&self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_printable_and_short() {
        let agent = |text: &str| Uploader::default().with_agent(text.as_bytes()).user_agent;
        assert_eq!(agent("turbo 2.11").as_deref(), Some("turbo 2.11"));
        assert_eq!(
            agent("tu\u{1b}[2Jrbo\r\nx: y").as_deref(),
            Some("tu[2Jrbox: y")
        );
        assert_eq!(agent("\t\u{7f}"), None);
        assert_eq!(agent(&"a".repeat(1000)).map(|text| text.len()), Some(128));
        let name = |text: &str| Uploader::default().named(text).name;
        assert_eq!(name("ci").as_deref(), Some("ci"));
        assert_eq!(name(&"ü".repeat(1000)).map(|text| text.len()), Some(128));
    }

    #[test]
    fn a_short_digest_is_sixteen_digits() {
        let digest = ShortDigest::from(CallerDigest::from_bytes([0xab; 32]));
        assert_eq!(digest.to_string(), "abababababababab");
    }
}
