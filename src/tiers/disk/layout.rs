//! What files are called and where they lie: names to text and back. Opens nothing.
//!
//! ```text
//! lock                     the owner's process id, locked while it lives
//! v1/epoch                 how often this directory was opened
//! v1/usage                 how much each folder of entries held
//! v1/entries/ab/<name>     one file an artifact, in the folder of its digest's first byte
//! v1/tmp/                  drafts
//! v1/quarantine/           damaged entries, a few
//! v1/scrub                 how far the scrubber has come
//! v1/recency/ab            how the entries of that folder were used
//! ```
//!
//! An entry's name is all that the index needs, so reading a folder is reading its names.

use std::fmt;
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;

use crate::artifact::{KeyDigest, Landed};

/// The first half of a key's digest: enough to name a file. The footer holds the whole.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Prefix([u8; 16]);

/// The order in which entries of one key were written: the highest wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Serial(u64);

/// The name of an entry's file, unique by its serial: whoever removes it by name cannot remove a
/// newer entry of the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct EntryName {
    /// Which key.
    pub(crate) prefix: Prefix,
    /// Which of the key's entries.
    pub(crate) serial: Serial,
    /// The file's length, body and footer.
    pub(crate) length: u64,
    /// The second of its landing.
    pub(crate) landed: u32,
    /// Milliseconds of the task that made it; 0 where nobody said.
    pub(crate) millis: u32,
}

/// Where everything lies below a data directory.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    v1: PathBuf,
}

// === impl Prefix ===

impl Prefix {
    /// The prefix of a key.
    pub(crate) fn of(key: &KeyDigest) -> Self {
        let mut head = [0; 16];
        for (to, from) in head.iter_mut().zip(key.as_bytes()) {
            *to = *from;
        }
        Self(head)
    }

    /// The prefix with these bytes.
    pub(crate) fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The bytes of the digest that it keeps.
    pub(crate) fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// The folder its entries lie in.
    pub(crate) fn shard(&self) -> u8 {
        let [first, ..] = self.0;
        first
    }

    /// Its place in the order of all prefixes.
    pub(crate) fn number(&self) -> u128 {
        u128::from_be_bytes(self.0)
    }

    fn parse(text: &str) -> Option<Self> {
        let bytes = HEXLOWER.decode(text.as_bytes()).ok()?;
        Some(Self(bytes.try_into().ok()?))
    }
}

impl fmt::Debug for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&HEXLOWER.encode(&self.0))
    }
}

// === impl Serial ===

impl Serial {
    /// Bits of the counter; the boot epoch has the 24 above: sixteen million starts of a trillion
    /// entries each.
    const COUNTER_BITS: u32 = 40;

    /// The last start that serials can tell from others; those after it count as this one.
    pub(crate) const LAST_EPOCH: u32 = u32::MAX >> 8;

    /// The first serial after the `epoch`th start.
    pub(crate) fn first_of(epoch: u32) -> Self {
        Self(u64::from(epoch.min(Self::LAST_EPOCH)) << Self::COUNTER_BITS)
    }

    /// The start it was given out after.
    pub(crate) fn epoch(self) -> u32 {
        u32::try_from(self.0 >> Self::COUNTER_BITS).unwrap_or(Self::LAST_EPOCH)
    }

    /// The serial with this number.
    pub(crate) fn from_number(number: u64) -> Self {
        Self(number)
    }

    /// The serial as a number.
    pub(crate) fn number(self) -> u64 {
        self.0
    }
}

// === impl EntryName ===

impl EntryName {
    /// Reads a name back; anything that this type would not print is no entry of ours.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('-');
        let prefix = Prefix::parse(parts.next()?)?;
        let mut number = || u64::from_str_radix(parts.next()?, 16).ok();
        let name = Self {
            prefix,
            serial: Serial(number()?),
            length: number()?,
            landed: u32::try_from(number()?).ok()?,
            millis: u32::try_from(number()?).ok()?,
        };
        (name.to_string() == text).then_some(name)
    }

    /// The moment of landing as names write it.
    pub(crate) fn second(landed: Landed) -> u32 {
        u32::try_from(landed.as_secs()).unwrap_or(u32::MAX)
    }

    /// When it landed.
    pub(crate) fn landed(&self) -> Landed {
        Landed::from_secs(u64::from(self.landed))
    }
}

impl fmt::Display for EntryName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:?}-{:016x}-{:x}-{:x}-{:x}",
            self.prefix, self.serial.0, self.length, self.landed, self.millis
        )
    }
}

// === impl Layout ===

impl Layout {
    /// The layout below `data_dir`.
    pub(crate) fn new(data_dir: &Path) -> Self {
        Self {
            v1: data_dir.join("v1"),
        }
    }

    /// The folder of this format.
    pub(crate) fn root(&self) -> &Path {
        &self.v1
    }

    /// How often this directory was opened.
    pub(crate) fn epoch(&self) -> PathBuf {
        self.v1.join("epoch")
    }

    /// How far the scrubber has come.
    pub(crate) fn scrub(&self) -> PathBuf {
        self.v1.join("scrub")
    }

    /// The folder of all shards.
    pub(crate) fn entries(&self) -> PathBuf {
        self.v1.join("entries")
    }

    /// The folder of one shard.
    pub(crate) fn shard(&self, shard: u8) -> PathBuf {
        self.v1.join(format!("entries/{shard:02x}"))
    }

    /// The file of an entry.
    pub(crate) fn entry(&self, name: &EntryName) -> PathBuf {
        self.v1
            .join(format!("entries/{:02x}/{name}", name.prefix.shard()))
    }

    /// The folder of drafts.
    pub(crate) fn tmp(&self) -> PathBuf {
        self.v1.join("tmp")
    }

    /// The file of a draft.
    pub(crate) fn draft(&self, number: u64) -> PathBuf {
        self.v1.join(format!("tmp/{number:016x}.draft"))
    }

    /// Whether a file in `tmp` can be a draft of ours.
    pub(crate) fn is_draft(text: &str) -> bool {
        let digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        text.strip_suffix(".draft")
            .is_some_and(|number| number.len() == 16 && number.bytes().all(digit))
    }

    /// The folder of damaged entries.
    pub(crate) fn quarantine(&self) -> PathBuf {
        self.v1.join("quarantine")
    }

    /// How much each shard held.
    pub(crate) fn usage(&self) -> PathBuf {
        self.v1.join("usage")
    }

    /// How the entries of one shard were used.
    pub(crate) fn recency(&self, shard: u8) -> PathBuf {
        self.v1.join(format!("recency/{shard:02x}"))
    }

    /// The file of a damaged entry.
    pub(crate) fn quarantined(&self, name: &EntryName) -> PathBuf {
        self.v1.join(format!("quarantine/{name}"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NAME: &str = "000102030405060708090a0b0c0d0e0f-0000010000000007-1f4-68a00000-0";

    #[test]
    fn a_name_carries_what_the_index_needs() {
        let name = EntryName::parse(NAME).unwrap();
        assert_eq!(name.prefix.shard(), 0);
        assert_eq!(name.serial, Serial(Serial::first_of(1).number() + 7));
        assert_eq!(
            (name.length, name.landed, name.millis),
            (500, 0x68a0_0000, 0)
        );
        assert_eq!(name.serial.epoch(), 1);
        let layout = Layout::new(Path::new("/d"));
        assert_eq!(
            layout.entry(&name),
            PathBuf::from(format!("/d/v1/entries/00/{NAME}"))
        );
    }

    #[test]
    fn a_damaged_count_of_starts_does_not_wrap_serials() {
        let last = Serial::first_of(u32::MAX);
        assert_eq!(last, Serial::first_of(Serial::LAST_EPOCH));
        assert!(Serial::first_of(Serial::LAST_EPOCH - 1) < last);
        assert_eq!(last.epoch(), Serial::LAST_EPOCH);
    }

    #[test]
    fn whatever_we_would_not_have_written_is_no_name() {
        let strangers = [
            String::new(),
            ".".to_owned(),
            "..".to_owned(),
            NAME.to_uppercase(),
            NAME.replace("-1f4-", "-01f4-"),
            NAME.replace("-1f4-", "-+1f4-"),
            NAME.replace("-1f4-", "--1f4-"),
            NAME.replace("-1f4-", "-11111111111111111-"),
            NAME.replace("68a00000", "168a00000"),
            NAME.replace("-0000010000000007-", "-10000000007-"),
            format!("{NAME}-0"),
            format!("{NAME}."),
            format!(" {NAME}"),
            NAME.strip_suffix("-0").unwrap().to_owned(),
            NAME.replacen("00", "", 1),
        ];
        for text in strangers {
            assert_eq!(EntryName::parse(&text), None, "{text:?}");
        }
    }

    #[test]
    fn only_our_own_drafts_are_drafts() {
        let draft = Layout::new(Path::new("")).draft(77);
        let name = draft.file_name().unwrap().to_str().unwrap();
        assert!(Layout::is_draft(name));
        for text in [
            "notes.draft",
            "0.draft",
            "000000000000004D.draft",
            "x",
            ".draft",
        ] {
            assert!(!Layout::is_draft(text), "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_name_is_read_back(
            prefix: [u8; 16], serial: u64, length: u64, landed: u32, millis: u32,
        ) {
            let name = EntryName {
                prefix: Prefix(prefix),
                serial: Serial(serial),
                length,
                landed,
                millis,
            };
            prop_assert_eq!(EntryName::parse(&name.to_string()), Some(name));
        }

        #[test]
        fn a_name_that_is_read_is_written_the_same(text in "[0-9a-f-]{40,90}") {
            if let Some(name) = EntryName::parse(&text) {
                prop_assert_eq!(name.to_string(), text);
            }
        }
    }
}
