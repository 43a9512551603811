//! What stands in a footer behind the checksums: for the operator, and never replayed. Pure.
//!
//! ```text
//! kind length bytes | kind length bytes | …
//! ```
//!
//! A kind is one byte, a length two. Whoever does not know a kind reads past it, so that a newer Larder can
//! write more and an older one has a hit all the same. Entries without any are those of fills.
//!
//! | kind | bytes |
//! |---|---|
//! | 1 | the uploader: name, digest (8 bytes), address (4 or 16 bytes), user agent; each behind its length, which is 0 where it is not known |

use std::net::IpAddr;

use bytes::BufMut;

use super::cursor::{Cursor, put_text};
use crate::artifact::{ShortDigest, Uploader};

/// Most bytes of all extensions together: several times what is written now.
pub(super) const MAX_EXTENSIONS: usize = 4 * 1024;

const UPLOADER: u8 = 1;

/// What the extensions of an entry say.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Extensions {
    /// Who uploaded it.
    pub(super) uploader: Option<Uploader>,
}

/// Writes what is known; none where it is too long.
pub(super) fn encode(uploader: Option<&Uploader>) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    if let Some(uploader) = uploader {
        out.put_u8(UPLOADER);
        put_text(&mut out, &encode_uploader(uploader)?)?;
    }
    (out.len() <= MAX_EXTENSIONS).then_some(out)
}

/// Reads what is said; none where this is no row of extensions.
pub(super) fn decode(bytes: &[u8]) -> Option<Extensions> {
    let mut cursor = Cursor::over(bytes);
    let mut said = Extensions::default();
    while !cursor.is_empty() {
        let (kind, content) = (cursor.u8()?, cursor.text()?);
        if kind == UPLOADER {
            // The footer's checksum fits: what cannot be read was written by another version.
            said.uploader = decode_uploader(content);
        }
    }
    (bytes.len() <= MAX_EXTENSIONS).then_some(said)
}

fn encode_uploader(uploader: &Uploader) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let text = |text: &Option<Box<str>>| text.as_deref().unwrap_or_default().to_owned();
    put_text(&mut out, text(&uploader.name).as_bytes())?;
    let digest = uploader.digest.map(|digest| digest.0.to_vec());
    put_text(&mut out, &digest.unwrap_or_default())?;
    let address = match uploader.address {
        Some(IpAddr::V4(address)) => address.octets().to_vec(),
        Some(IpAddr::V6(address)) => address.octets().to_vec(),
        None => Vec::new(),
    };
    put_text(&mut out, &address)?;
    put_text(&mut out, text(&uploader.user_agent).as_bytes())?;
    Some(out)
}

fn decode_uploader(bytes: &[u8]) -> Option<Uploader> {
    let mut cursor = Cursor::over(bytes);
    let text = |text: &[u8]| {
        let text = std::str::from_utf8(text).ok()?;
        (!text.is_empty()).then(|| Box::from(text))
    };
    let name = text(cursor.text()?);
    let digest = <[u8; 8]>::try_from(cursor.text()?).ok().map(ShortDigest);
    let address = cursor.text()?;
    let address = match (<[u8; 4]>::try_from(address), <[u8; 16]>::try_from(address)) {
        (Ok(octets), _) => Some(IpAddr::from(octets)),
        (_, Ok(octets)) => Some(IpAddr::from(octets)),
        _ => None,
    };
    Some(Uploader {
        name,
        digest,
        address,
        user_agent: text(cursor.text()?),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn uploader() -> impl Strategy<Value = Uploader> {
        let text = || prop::option::of("[ -~ü]{1,40}".prop_map(Box::from));
        let address = prop::option::of(any::<IpAddr>());
        (text(), prop::option::of(any::<[u8; 8]>()), address, text()).prop_map(
            |(name, digest, address, user_agent)| Uploader {
                name,
                digest: digest.map(ShortDigest),
                address,
                user_agent,
            },
        )
    }

    #[test]
    fn what_is_not_known_is_read_past() {
        let mut bytes = vec![9, 3, 0, b'n', b'e', b'w'];
        let known = Uploader::default().named("ci");
        bytes.extend(encode(Some(&known)).unwrap());
        bytes.extend([77, 0, 0]);
        let nothing = Some(Extensions::default());
        let uploader = Some(known);
        assert_eq!(decode(&bytes), Some(Extensions { uploader }));
        assert_eq!(decode(b""), nothing);
        assert_eq!(decode(&[UPLOADER, 1, 0, 9]), nothing, "another form");
        assert_eq!(decode(&[9, 3, 0, b'x']), None, "cut");
    }

    proptest! {
        #[test]
        fn every_uploader_is_read_back(uploader in uploader()) {
            let bytes = encode(Some(&uploader)).unwrap();
            let uploader = Some(uploader);
            prop_assert_eq!(decode(&bytes), Some(Extensions { uploader }));
        }

        #[test]
        fn noise_is_survived(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _read = decode(&bytes);
        }
    }
}
