//! A client's text, cut to a length that is set aside for it, so that keeping it takes no memory of its own.

use std::borrow::Cow;
use std::fmt;

/// At most `N` bytes of a text (255 at most), or none.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Short<const N: usize> {
    length: u8,
    bytes: [u8; N],
}

// === impl Short ===

impl<const N: usize> Short<N> {
    /// Keeps the beginning of `text`.
    pub fn of(text: &[u8]) -> Self {
        let length = text.len().min(N).min(usize::from(u8::MAX));
        let mut bytes = [0; N];
        if let (Some(room), Some(kept)) = (bytes.get_mut(..length), text.get(..length)) {
            room.copy_from_slice(kept);
        }
        Self {
            length: u8::try_from(length).unwrap_or(u8::MAX),
            bytes,
        }
    }

    /// What is kept, with a mark in the place of what is no text; none where there was nothing.
    pub fn text(&self) -> Option<Cow<'_, str>> {
        let kept = self.bytes.get(..usize::from(self.length))?;
        (!kept.is_empty()).then(|| String::from_utf8_lossy(kept))
    }
}

impl<const N: usize> Default for Short<N> {
    fn default() -> Self {
        Self::of(&[])
    }
}

impl<const N: usize> fmt::Debug for Short<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.text().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_kept_as_far_as_there_is_room() {
        for (text, kept) in [
            (&b""[..], None),
            (b"acme", Some("acme")),
            (b"acme-incorporated", Some("acme-inc")),
            (b"t\xc3\xa9l\xc3\xa9", Some("t\u{e9}l\u{e9}")),
            (b"1234567\xc3\xa9", Some("1234567\u{fffd}")),
            (b"\xff", Some("\u{fffd}")),
        ] {
            assert_eq!(Short::<8>::of(text).text().as_deref(), kept);
        }
        assert_eq!(Short::<8>::of(b"12345678"), Short::of(b"123456789"));
    }
}
