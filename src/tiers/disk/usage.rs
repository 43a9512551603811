//! How much each folder holds: what was found in it, and until it is read what the last process left
//! word of. Opens nothing.
//!
//! ```text
//! magic start trust (bytes entries)*256 checksum
//! ```
//!
//! What a process leaves word of when it stops is exact at the very next start. After any other end
//! more may have landed since; but the process kept the capacity, so the next one may exceed it only
//! by what it promises before it has read every folder, which is little. A process that ended before
//! it knew what rests leaves no word, and the next one promises nothing before it knows: so the
//! excess of several short lives does not add up.

use std::collections::BTreeSet;

use bytes::{Buf, BufMut};

use super::checksum::checksum;

/// Names the format and its version.
const MAGIC: [u8; 8] = *b"LARDUSE\x01";
/// Folders.
const SHARDS: usize = 256;
/// Bytes of the file.
pub(crate) const LENGTH: usize = 8 + 4 + 4 + SHARDS * 16 + 8;
/// The part of the capacity that may be promised before it is known what rests: as much as eviction
/// ahead of need keeps free, so that mostly not even this exceeds the capacity.
const BLIND: u64 = 32;

/// What one folder holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Share {
    /// Bytes, in the file system's units.
    pub(crate) bytes: u64,
    /// Entries.
    pub(crate) entries: u64,
}

/// How right a word is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trust {
    /// Folders were unread and unvouched for, or held more than the capacity.
    Guessed,
    /// It was right when it was written, and from then on the capacity was kept.
    Known,
    /// It was right, and nothing was added any more.
    Last,
}

/// What a process left word of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Word {
    /// The start of the process that wrote it.
    pub(crate) epoch: u32,
    /// How right it is.
    pub(crate) trust: Trust,
    /// One share a folder.
    pub(crate) shares: Vec<Share>,
}

/// What the folders hold, as far as it is known.
#[derive(Debug)]
pub(crate) struct Usage {
    found: Vec<Share>,
    told: Vec<Share>,
    unread: Share,
    /// Folders to be read …
    waiting: BTreeSet<u8>,
    /// … and those that could not be.
    given_up: BTreeSet<u8>,
    /// Bytes that may be promised before they are; `None` if what is said of them is right.
    blind: Option<u64>,
}

// === impl Share ===

impl Share {
    fn add(&mut self, bytes: u64) {
        self.bytes = self.bytes.saturating_add(bytes);
        self.entries = self.entries.saturating_add(1);
    }

    fn subtract(&mut self, other: Self) {
        self.bytes = self.bytes.saturating_sub(other.bytes);
        self.entries = self.entries.saturating_sub(other.entries);
    }

    fn plus(self, other: Self) -> Self {
        Self {
            bytes: self.bytes.saturating_add(other.bytes),
            entries: self.entries.saturating_add(other.entries),
        }
    }
}

// === impl Word ===

impl Word {
    /// Writes it as it stands in a file.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(LENGTH);
        out.put_slice(&MAGIC);
        out.put_u32_le(self.epoch);
        out.put_u32_le(self.trust as u32);
        for share in &self.shares {
            out.put_u64_le(share.bytes);
            out.put_u64_le(share.entries);
        }
        let sum = checksum(&out);
        out.put_u64_le(sum);
        out
    }

    /// Reads a whole file; `None` where a single bit is not as it was written.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let (summed, sum) = bytes.split_last_chunk::<8>()?;
        if bytes.len() != LENGTH || u64::from_le_bytes(*sum) != checksum(summed) {
            return None;
        }
        let mut rest = summed.strip_prefix(&MAGIC)?;
        let epoch = rest.try_get_u32_le().ok()?;
        let trust = rest.try_get_u32_le().ok()?;
        let kinds = [Trust::Guessed, Trust::Known, Trust::Last];
        let trust = kinds.into_iter().find(|kind| *kind as u32 == trust)?;
        let mut share = || {
            let bytes = rest.try_get_u64_le().ok()?;
            let entries = rest.try_get_u64_le().ok()?;
            Some(Share { bytes, entries })
        };
        let shares = (0..SHARDS).map(|_| share()).collect::<Option<_>>()?;
        Some(Self {
            epoch,
            trust,
            shares,
        })
    }
}

// === impl Usage ===

impl Usage {
    /// Nothing rests anywhere, and that is known.
    pub(crate) fn empty() -> Self {
        Self {
            found: vec![Share::default(); SHARDS],
            told: vec![Share::default(); SHARDS],
            unread: Share::default(),
            waiting: BTreeSet::new(),
            given_up: BTreeSet::new(),
            blind: None,
        }
    }

    /// No folder was read at the `epoch`th start, and this is what the last process said of them.
    pub(crate) fn told(word: Option<Word>, epoch: u32, capacity: u64) -> Self {
        let word = word.unwrap_or_else(|| Word {
            epoch: 0,
            trust: Trust::Guessed,
            shares: vec![Share::default(); SHARDS],
        });
        let unread = word
            .shares
            .iter()
            .copied()
            .fold(Share::default(), Share::plus);
        let is_of_last_start = word.epoch.checked_add(1) == Some(epoch);
        Self {
            unread,
            waiting: (0..=u8::MAX).collect(),
            blind: match word.trust {
                Trust::Last if is_of_last_start => None,
                Trust::Known if is_of_last_start => Some(capacity / BLIND),
                _ => Some(0),
            },
            told: word.shares,
            ..Self::empty()
        }
    }

    /// What the folders that were not read are said to hold.
    pub(crate) fn unread(&self) -> Share {
        self.unread
    }

    /// A folder that should be read before room is made in others.
    pub(crate) fn waiting(&self) -> Option<u8> {
        self.waiting.first().copied()
    }

    /// Whether `bytes` may be promised, as far as folders that were not read have a say; they count
    /// as promised then.
    pub(crate) fn grant(&mut self, bytes: u64) -> bool {
        let Some(blind) = self.blind.as_mut().filter(|_| !self.waiting.is_empty()) else {
            return true;
        };
        let left = blind.checked_sub(bytes);
        *blind = left.unwrap_or(*blind);
        left.is_some()
    }

    /// Counts an entry that rests in a folder.
    pub(crate) fn count(&mut self, shard: u8, bytes: u64) {
        if let Some(found) = self.found.get_mut(usize::from(shard)) {
            found.add(bytes);
        }
    }

    /// Counts an entry no longer.
    pub(crate) fn discount(&mut self, shard: u8, bytes: u64) {
        if let Some(found) = self.found.get_mut(usize::from(shard)) {
            found.subtract(Share { bytes, entries: 1 });
        }
    }

    /// Notes that an entry was found in a folder that is being read: it is not unread any more.
    pub(crate) fn find(&mut self, shard: u8, bytes: u64) {
        let one = Share { bytes, entries: 1 };
        if let Some(told) = self.told.get_mut(usize::from(shard)) {
            let before = *told;
            told.subtract(one);
            let mut gone = before;
            gone.subtract(*told);
            self.unread.subtract(gone);
        }
    }

    /// Notes that a folder was read: what was found in it is all.
    pub(crate) fn settle(&mut self, shard: u8) {
        if let Some(told) = self.told.get_mut(usize::from(shard)) {
            self.unread.subtract(std::mem::take(told));
        }
        self.waiting.remove(&shard);
        self.given_up.remove(&shard);
    }

    /// Notes that a folder counts as unread, whatever was known of it: nobody vouches for what it
    /// holds.
    pub(crate) fn doubt(&mut self, shard: u8) {
        self.given_up.remove(&shard);
        self.waiting.insert(shard);
        self.blind = Some(0);
    }

    /// Waits no longer for a folder that cannot be read; what was said of it still counts.
    pub(crate) fn give_up(&mut self, shard: u8) {
        if self.waiting.remove(&shard) {
            self.given_up.insert(shard);
        }
    }

    /// Whether it is known what every folder holds.
    pub(crate) fn is_known(&self) -> bool {
        self.blind.is_none() || (self.waiting.is_empty() && self.given_up.is_empty())
    }

    /// What to leave word of at the `epoch`th start.
    pub(crate) fn word(&self, epoch: u32, trust: Trust) -> Word {
        let shares = self.found.iter().zip(&self.told);
        Word {
            epoch,
            trust,
            shares: shares.map(|(found, told)| found.plus(*told)).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn word(epoch: u32, trust: Trust, bytes: u64) -> Word {
        let share = Share { bytes, entries: 1 };
        let shares = vec![share; SHARDS];
        Word {
            epoch,
            trust,
            shares,
        }
    }

    #[test]
    fn every_flipped_bit_and_every_cut_of_a_word_is_refused() {
        let whole = word(7, Trust::Last, 4096).encode();
        assert_eq!(whole.len(), LENGTH);
        for bit in 0..whole.len() * 8 {
            let mut bytes = whole.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Word::decode(&bytes), None, "bit {bit}");
        }
        for cut in 0..whole.len() {
            assert_eq!(Word::decode(&whole[..cut]), None, "cut at {cut}");
        }
    }

    #[test]
    fn what_is_found_in_a_folder_takes_the_place_of_what_was_said_of_it() {
        let mut usage = Usage::told(Some(word(1, Trust::Last, 100)), 2, 1000);
        assert_eq!(
            (usage.unread().bytes, usage.unread().entries),
            (25_600, 256)
        );
        usage.find(3, 60);
        assert_eq!(usage.unread().bytes, 25_540);
        usage.find(3, 60);
        assert_eq!(usage.unread().bytes, 25_500, "no folder counts for another");
        usage.settle(4);
        assert_eq!((usage.unread().bytes, usage.waiting()), (25_400, Some(0)));
        for shard in 0..=u8::MAX {
            usage.settle(shard);
        }
        assert_eq!((usage.unread(), usage.waiting()), (Share::default(), None));
    }

    #[test]
    fn how_much_is_granted_unseen_depends_on_how_the_last_process_ended() {
        let granted = |word: Option<Word>| {
            let mut usage = Usage::told(word, 7, 32 * 100);
            [60, 60, 40, 1, 3200].map(|bytes| usage.grant(bytes))
        };
        let (all, some, none) = ([true; 5], [true, false, true, false, false], [false; 5]);
        assert_eq!(granted(Some(word(6, Trust::Last, 1))), all);
        assert_eq!(granted(Some(word(6, Trust::Known, 1))), some);
        assert_eq!(granted(Some(word(6, Trust::Guessed, 1))), none);
        assert_eq!(granted(None), none);
        for other in [5, 7, u32::MAX] {
            assert_eq!(granted(Some(word(other, Trust::Last, 1))), none);
            assert_eq!(granted(Some(word(other, Trust::Known, 1))), none);
        }
    }

    #[test]
    fn once_every_folder_is_read_there_is_nothing_unseen() {
        let mut usage = Usage::told(None, 7, 32 * 100);
        for shard in 0..u8::MAX {
            usage.settle(shard);
        }
        assert!(!usage.grant(1) && !usage.is_known());
        usage.give_up(u8::MAX);
        assert!(usage.grant(1), "nobody waits for what cannot be read");
        assert!(!usage.is_known(), "but nobody vouches for it");
        usage.settle(u8::MAX);
        assert!(usage.grant(1) && usage.is_known());
    }

    proptest! {
        #[test]
        fn every_word_is_read_back(
            epoch: u32,
            trust in prop::sample::select(vec![Trust::Guessed, Trust::Known, Trust::Last]),
            shares in vec(any::<(u64, u64)>(), SHARDS),
        ) {
            let shares = shares.into_iter().map(|(bytes, entries)| Share { bytes, entries });
            let word = Word { epoch, trust, shares: shares.collect() };
            prop_assert_eq!(Word::decode(&word.encode()), Some(word));
        }

        #[test]
        fn noise_is_no_word(noise in vec(any::<u8>(), 0..2 * LENGTH)) {
            prop_assert_eq!(Word::decode(&noise), None);
        }
    }
}
