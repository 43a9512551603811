//! How a folder's entries were used, as a file keeps it over a restart. Pure.
//!
//! ```text
//! magic shard count (prefix second uses)* checksum
//! ```
//!
//! Numbers are little-endian, the entry used longest ago comes first. A file that is not exactly
//! what was written says nothing, which costs recency and nothing else.

use bytes::{Buf, BufMut};

use super::checksum::checksum;
use super::index::Remembered;
use super::layout::Prefix;

/// Names the format and its version.
const MAGIC: [u8; 8] = *b"LARDREC\x01";
/// Magic, shard, number of entries.
pub(crate) const HEAD: usize = 8 + 4 + 4;
/// Prefix, second of the last use, number of uses.
const ENTRY: usize = 16 + 4 + 1;
/// The checksum of all before it.
const TRAILER: usize = 8;
/// Most entries of a folder that are remembered, those used last: 11 MiB a file, and a tier of a
/// hundred million entries.
const MOST: usize = 512 * 1024;

/// Writes down how the entries of a folder were used, given in the order of their last use.
pub(crate) fn encode(shard: u8, entries: &[Remembered]) -> Vec<u8> {
    let (_, kept) = entries.split_at(entries.len().saturating_sub(MOST));
    let count = u32::try_from(kept.len()).unwrap_or(0);
    let mut out = Vec::with_capacity(HEAD + ENTRY * kept.len() + TRAILER);
    out.put_slice(&MAGIC);
    out.put_u32_le(u32::from(shard));
    out.put_u32_le(count);
    for entry in kept {
        out.put_slice(entry.prefix.as_bytes());
        out.put_u32_le(entry.used);
        out.put_u8(entry.uses);
    }
    let sum = checksum(&out);
    out.put_u64_le(sum);
    out
}

/// How long the file is that begins with `head`; `None` where this is no such file.
pub(crate) fn length(shard: u8, mut head: &[u8]) -> Option<usize> {
    let magic = head.split_off(..MAGIC.len())?;
    let written_for = head.try_get_u32_le().ok()?;
    let count = usize::try_from(head.try_get_u32_le().ok()?).ok()?;
    let is_ours = magic == MAGIC && written_for == u32::from(shard) && count <= MOST;
    is_ours.then(|| HEAD + ENTRY * count + TRAILER)
}

/// Reads a whole file; `None` where a single bit is not as it was written.
pub(crate) fn decode(shard: u8, bytes: &[u8]) -> Option<Vec<Remembered>> {
    let (summed, sum) = bytes.split_last_chunk::<TRAILER>()?;
    if length(shard, bytes) != Some(bytes.len()) || u64::from_le_bytes(*sum) != checksum(summed) {
        return None;
    }
    let (entries, _) = summed.get(HEAD..)?.as_chunks::<ENTRY>();
    entries.iter().map(|entry| entry_of(entry)).collect()
}

fn entry_of(mut bytes: &[u8]) -> Option<Remembered> {
    let prefix = bytes.split_off(..16)?;
    Some(Remembered {
        prefix: Prefix::from_bytes(prefix.try_into().ok()?),
        used: bytes.try_get_u32_le().ok()?,
        uses: bytes.try_get_u8().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn remembered() -> impl Strategy<Value = Remembered> {
        any::<([u8; 16], u32, u8)>().prop_map(|(prefix, used, uses)| Remembered {
            prefix: Prefix::from_bytes(prefix),
            used,
            uses,
        })
    }

    fn entry(number: u32) -> Remembered {
        let mut prefix = [7; 16];
        prefix[8..12].copy_from_slice(&number.to_le_bytes());
        Remembered {
            prefix: Prefix::from_bytes(prefix),
            used: number,
            uses: 1,
        }
    }

    #[test]
    fn every_flipped_bit_of_a_snapshot_is_refused() {
        let whole = encode(7, &[entry(1), entry(2), entry(3)]);
        for bit in 0..whole.len() * 8 {
            let mut bytes = whole.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(decode(7, &bytes), None, "bit {bit}");
        }
    }

    #[test]
    fn another_version_and_another_folder_are_refused_whatever_their_checksum() {
        let whole = encode(7, &[entry(1)]);
        assert_eq!(decode(8, &whole), None);
        let mut next = whole[..whole.len() - TRAILER].to_vec();
        next[7] += 1;
        let sum = checksum(&next);
        next.put_u64_le(sum);
        assert_eq!(decode(7, &next), None);
    }

    #[test]
    fn a_head_that_promises_too_much_is_refused_before_anything_is_read() {
        let mut head = encode(7, &[]);
        head.truncate(HEAD);
        assert_eq!(length(7, &head), Some(HEAD + TRAILER));
        head.truncate(HEAD - 4);
        head.put_u32_le(u32::MAX);
        assert_eq!(length(7, &head), None);
    }

    #[test]
    fn of_too_many_entries_those_used_last_are_kept() {
        let most = u32::try_from(MOST).unwrap();
        let entries: Vec<_> = (0..most + 2).map(entry).collect();
        let read = decode(7, &encode(7, &entries)).unwrap();
        assert_eq!(read.len(), MOST);
        assert_eq!(read.first(), Some(&entry(2)));
    }

    proptest! {
        #[test]
        fn every_snapshot_is_read_back(shard: u8, entries in vec(remembered(), 0..50)) {
            let bytes = encode(shard, &entries);
            prop_assert_eq!(length(shard, &bytes), Some(bytes.len()));
            prop_assert_eq!(decode(shard, &bytes), Some(entries));
        }

        #[test]
        fn every_truncation_and_every_addition_is_refused(
            entries in vec(remembered(), 0..20), cut: prop::sample::Index, more in vec(any::<u8>(), 1..30),
        ) {
            let mut bytes = encode(7, &entries);
            prop_assert_eq!(decode(7, &bytes[..cut.index(bytes.len())]), None);
            bytes.extend(more);
            prop_assert_eq!(decode(7, &bytes), None);
        }

        #[test]
        fn noise_is_refused(shard: u8, noise in vec(any::<u8>(), 0..300)) {
            prop_assert_eq!(decode(shard, &noise), None);
            let marked = [&MAGIC, noise.as_slice()].concat();
            prop_assert_eq!(decode(shard, &marked), None);
        }
    }
}
