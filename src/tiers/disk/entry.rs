//! The footer of an entry: everything about an artifact but its body, behind the body. Pure.
//!
//! ```text
//! body | magic key serial size landed block blocks meta-length meta sums extensions | length checksum
//! ```
//!
//! The meta block is replayed with the body; the extensions, in a form of their own, never are.
//!
//! Numbers are little-endian. The last twelve bytes say how long the footer is and what it sums up
//! to, so a file is read from its end, and one that was cut anywhere says nothing at all.

use std::sync::Arc;

use bytes::BufMut;
use http::header::{HeaderName, HeaderValue};

use super::checksum::{MAX_BLOCKS, SMALLEST_BLOCK, Table, block_of, checksum};
use super::cursor::{Cursor, put_text};
use super::extension::{self, MAX_EXTENSIONS};
use super::layout::{EntryName, Prefix, Serial};
use crate::artifact::{ArtifactHash, Fields, KeyDigest, Label, Landed, Meta};

/// Names the format and its version.
const MAGIC: [u8; 8] = *b"LARDER\x00\x01";
/// Magic, key, serial, size, landed, block, number of blocks, length of the meta block.
const FIXED: usize = 8 + 32 + 8 + 8 + 8 + 4 + 4 + 4;
/// Length and checksum of the footer.
pub(crate) const TRAILER: usize = 4 + 8;
/// Most bytes of the meta block: hash, team, fields.
const MAX_META: usize = 8 * 1024;
/// Most bytes of a footer.
const MAX_FOOTER: u64 = (FIXED + MAX_META + MAX_EXTENSIONS + TRAILER) as u64 + 8 * MAX_BLOCKS;
/// Stands for a team that was not named.
const NO_TEAM: u16 = u16::MAX;

/// Everything about an entry but its body.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Footer {
    /// The whole key.
    pub(crate) key: KeyDigest,
    /// Which of the key's entries.
    pub(crate) serial: Serial,
    /// What travels with the body.
    pub(crate) meta: Meta,
    /// The body's checksums.
    pub(crate) table: Table,
}

/// An entry cannot describe this artifact: its meta or its body is too large.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Indescribable;

/// How long the footer is, read from the file's last [`TRAILER`] bytes; `None` where that cannot be.
pub(crate) fn footer_length(trailer: &[u8]) -> Option<usize> {
    let length = Cursor::over(trailer).u32()?;
    let may_be = (FIXED + TRAILER) as u64..=MAX_FOOTER;
    may_be
        .contains(&u64::from(length))
        .then_some(usize::try_from(length).ok()?)
}

/// The longest footer that a file of `length` bytes can have.
pub(crate) fn longest_footer(length: u64) -> u64 {
    let blocks = length.div_ceil(SMALLEST_BLOCK).min(MAX_BLOCKS);
    (FIXED + MAX_META + MAX_EXTENSIONS + TRAILER) as u64 + 8 * blocks
}

// === impl Footer ===

impl Footer {
    /// Writes the footer as it stands in a file.
    pub(crate) fn encode(&self) -> Result<Vec<u8>, Indescribable> {
        let meta = encode_meta(&self.meta.label)?;
        let block = block_of(self.meta.size).ok_or(Indescribable)?;
        let uploader = self.meta.label.uploader.as_deref();
        let extensions = extension::encode(uploader).ok_or(Indescribable)?;
        let sums = 8 * self.table.sums.len();
        let length = FIXED + meta.len() + sums + extensions.len() + TRAILER;
        let mut out = Vec::with_capacity(length);
        out.put_slice(&MAGIC);
        out.put_slice(self.key.as_bytes());
        out.put_u64_le(self.serial.number());
        out.put_u64_le(self.meta.size);
        out.put_u64_le(self.meta.landed.as_secs());
        out.put_u32_le(short(block)?);
        out.put_u32_le(short(self.table.sums.len())?);
        out.put_u32_le(short(meta.len())?);
        out.put_slice(&meta);
        for sum in &self.table.sums {
            out.put_u64_le(*sum);
        }
        out.put_slice(&extensions);
        out.put_u32_le(short(length)?);
        let sum = checksum(&out);
        out.put_u64_le(sum);
        Ok(out)
    }

    /// Reads a footer, given exactly; `None` where a single bit is not as it was written.
    pub(crate) fn decode(footer: &[u8]) -> Option<Self> {
        let (summed, sum) = footer.split_last_chunk::<8>()?;
        let (content, length) = summed.split_last_chunk::<4>()?;
        if u64::from_le_bytes(*sum) != checksum(summed)
            || usize::try_from(u32::from_le_bytes(*length)) != Ok(footer.len())
        {
            return None;
        }
        let mut cursor = Cursor::over(content);
        if cursor.array()? != MAGIC {
            return None;
        }
        let key = KeyDigest::from_bytes(cursor.array()?);
        let serial = Serial::from_number(cursor.u64()?);
        let size = cursor.u64()?;
        let landed = Landed::from_secs(cursor.u64()?);
        let block = u64::from(cursor.u32()?);
        let blocks = u64::from(cursor.u32()?);
        let meta = usize::try_from(cursor.u32()?).ok()?;
        if block_of(size) != Some(block) || size.div_ceil(block) != blocks || meta > MAX_META {
            return None;
        }
        let mut label = decode_meta(cursor.take(meta)?)?;
        let sums = (0..blocks)
            .map(|_| cursor.u64())
            .collect::<Option<Vec<_>>>()?;
        label.uploader = extension::decode(cursor.rest())?.uploader.map(Arc::new);
        Some(Self {
            key,
            serial,
            meta: Meta {
                label,
                size,
                landed,
            },
            table: Table { block, sums },
        })
    }

    /// The name of the file of `length` bytes that ends in this footer.
    pub(crate) fn name(&self, length: u64) -> EntryName {
        let millis = self.meta.label.fields.duration().map_or(0, |duration| {
            u32::try_from(duration.as_millis()).unwrap_or(u32::MAX)
        });
        EntryName {
            prefix: Prefix::of(&self.key),
            serial: self.serial,
            length,
            landed: EntryName::second(self.meta.landed),
            millis,
        }
    }
}

fn encode_meta(label: &Label) -> Result<Vec<u8>, Indescribable> {
    let mut out = Vec::with_capacity(256);
    put_meta(&mut out, label.hash.as_str().as_bytes())?;
    match &label.team {
        Some(team) => put_meta(&mut out, team.as_bytes())?,
        None => out.put_u16_le(NO_TEAM),
    }
    for (name, value) in label.fields.as_map() {
        put_meta(&mut out, name.as_str().as_bytes())?;
        put_meta(&mut out, value.as_bytes())?;
    }
    (out.len() <= MAX_META).then_some(out).ok_or(Indescribable)
}

fn decode_meta(meta: &[u8]) -> Option<Label> {
    let mut cursor = Cursor::over(meta);
    let hash = ArtifactHash::parse(std::str::from_utf8(cursor.text()?).ok()?).ok()?;
    let team = match cursor.u16()? {
        NO_TEAM => None,
        length => {
            let text = cursor.take(usize::from(length))?.to_vec();
            Some(String::from_utf8(text).ok()?)
        }
    };
    let mut pairs = Vec::new();
    while !cursor.is_empty() {
        let name = HeaderName::from_bytes(cursor.text()?).ok()?;
        let value = HeaderValue::from_bytes(cursor.text()?).ok()?;
        pairs.push((name, value));
    }
    Some(Label {
        hash,
        team,
        fields: Fields::from_pairs(pairs),
        uploader: None,
    })
}

fn put_meta(out: &mut Vec<u8>, text: &[u8]) -> Result<(), Indescribable> {
    if text.len() > MAX_META {
        return Err(Indescribable);
    }
    put_text(out, text).ok_or(Indescribable)
}

fn short(number: impl TryInto<u32>) -> Result<u32, Indescribable> {
    number.try_into().map_err(|_| Indescribable)
}

#[cfg(test)]
mod tests {
    use std::ops::Range;

    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::artifact::Uploader;

    fn footer(team: Option<String>, fields: &[(String, String)], body: &[u8]) -> Footer {
        let pairs = fields.iter().map(|(name, value)| {
            (
                HeaderName::from_bytes(name.as_bytes()).unwrap(),
                HeaderValue::from_str(value).unwrap(),
            )
        });
        Footer {
            key: KeyDigest::from_bytes([9; 32]),
            serial: Serial::from_number(77),
            meta: Meta {
                label: Label {
                    hash: ArtifactHash::parse("140a7f78c2a46f3e").unwrap(),
                    team,
                    fields: Fields::from_pairs(pairs),
                    uploader: None,
                },
                size: body.len() as u64,
                landed: Landed::from_secs(1_760_000_000),
            },
            table: Table::of(body),
        }
    }

    fn small() -> Footer {
        let fields = [
            ("x-artifact-duration".to_owned(), "1234".to_owned()),
            ("x-artifact-tag".to_owned(), "c2ln".to_owned()),
        ];
        footer(Some("acme".to_owned()), &fields, b"body")
    }

    fn whole_range(bytes: &[u8]) -> Range<usize> {
        0..bytes.len()
    }

    #[test]
    fn the_name_follows_from_the_footer() {
        let name = small().name(500);
        assert_eq!(name.prefix, Prefix::of(&KeyDigest::from_bytes([9; 32])));
        assert_eq!((name.length, name.millis), (500, 1234));
        assert_eq!(name.landed(), Landed::from_secs(1_760_000_000));
    }

    fn uploaded() -> Footer {
        let mut footer = small();
        let uploader = Uploader {
            address: Some([10, 0, 0, 7].into()),
            ..Uploader::default()
        };
        let uploader = uploader.named("ci").with_agent(b"turbo 2.11");
        footer.meta.label = footer.meta.label.from(uploader);
        footer
    }

    #[test]
    fn the_uploader_is_read_back_and_is_none_of_the_fields() {
        let footer = uploaded();
        let read = Footer::decode(&footer.encode().unwrap()).unwrap();
        assert_eq!(read, footer);
        assert_eq!(read.meta.label.fields, small().meta.label.fields);
        let size = |footer: &Footer| footer.encode().unwrap().len();
        assert!(size(&footer) > size(&small()), "and takes room of its own");
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let bytes = uploaded().encode().unwrap();
        for position in whole_range(&bytes) {
            for bit in 0..8 {
                let mut flipped = bytes.clone();
                flipped[position] ^= 1 << bit;
                assert_eq!(Footer::decode(&flipped), None, "byte {position} bit {bit}");
            }
        }
    }

    #[test]
    fn every_truncation_is_noticed() {
        let bytes = small().encode().unwrap();
        for cut in whole_range(&bytes) {
            assert_eq!(Footer::decode(&bytes[..cut]), None, "cut at {cut}");
            assert_eq!(Footer::decode(&bytes[cut + 1..]), None, "cut before {cut}");
        }
    }

    #[test]
    fn the_trailer_says_how_long_the_footer_is() {
        let bytes = small().encode().unwrap();
        let trailer = &bytes[bytes.len() - TRAILER..];
        assert_eq!(footer_length(trailer), Some(bytes.len()));
        assert_eq!(footer_length(&[0; TRAILER]), None);
        assert_eq!(footer_length(&[0xff; TRAILER]), None);
        assert_eq!(footer_length(b""), None);
    }

    #[test]
    fn more_meta_than_an_entry_holds_is_refused() {
        assert_eq!(
            footer(Some("t".repeat(MAX_META)), &[], b"").encode(),
            Err(Indescribable)
        );
    }

    proptest! {
        #[test]
        fn every_footer_is_read_back(
            team in proptest::option::of("[a-zA-Z0-9_%+-]{0,40}"),
            fields in vec(("x-artifact-[a-z]{1,10}", "[ -~]{0,60}"), 0..12),
            size in 0..200_000_usize,
        ) {
            let body = vec![7; size];
            let footer = footer(team, &fields, &body);
            let bytes = footer.encode().unwrap();
            prop_assert_eq!(Footer::decode(&bytes), Some(footer));
        }

        #[test]
        fn noise_is_no_footer(bytes in vec(any::<u8>(), 0..400)) {
            prop_assert_eq!(Footer::decode(&bytes), None);
        }

        #[test]
        fn a_flipped_bit_of_the_body_is_noticed(
            size in 1..150_000_usize, at: prop::sample::Index, bit in 0..8_u8,
        ) {
            let body = vec![7; size];
            let table = Table::of(&body);
            let mut flipped = body.clone();
            flipped[at.index(body.len())] ^= 1 << bit;
            prop_assert!(table.is_intact(0, &body));
            prop_assert!(!table.is_intact(0, &flipped));
        }
    }
}
