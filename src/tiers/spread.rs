//! Where a digest falls in a table of memory: a few multiplications, since digests are mixed already.
//!
//! Whoever uploads chooses hashes, and with them digests; not the seeds, without which nobody can
//! choose digests that fall together.

use std::hash::{BuildHasher, Hasher, RandomState};

/// Makes hashers for digests, under seeds of this process.
#[derive(Clone, Copy)]
pub(super) struct Spread {
    seeds: [u64; 2],
}

/// The hash of one digest.
pub(super) struct Spreading {
    seeds: [u64; 2],
    hash: u64,
}

impl Spread {
    /// Under new seeds.
    pub(super) fn new() -> Self {
        let random = RandomState::new();
        Self::seeded([random.hash_one(0), random.hash_one(1)])
    }

    fn seeded(seeds: [u64; 2]) -> Self {
        Self { seeds }
    }
}

impl BuildHasher for Spread {
    type Hasher = Spreading;

    fn build_hasher(&self) -> Spreading {
        Spreading {
            seeds: self.seeds,
            hash: 0,
        }
    }
}

impl Hasher for Spreading {
    fn write(&mut self, bytes: &[u8]) {
        let [first, second] = self.seeds;
        for piece in bytes.chunks(16) {
            let mut padded = [0; 16];
            for (place, byte) in padded.iter_mut().zip(piece) {
                *place = *byte;
            }
            let words = u128::from_le_bytes(padded);
            self.hash = folded(
                low(words) ^ first ^ self.hash,
                low(words >> u64::BITS) ^ second,
            );
        }
    }

    /// Of a digest, only its length: the same for all.
    fn write_usize(&mut self, _: usize) {}

    fn finish(&self) -> u64 {
        self.hash
    }
}

/// Both halves of the product: every bit of either factor moves bits of it everywhere.
fn folded(one: u64, other: u64) -> u64 {
    let product = u128::from(one) * u128::from(other);
    low(product) ^ low(product >> u64::BITS)
}

#[expect(clippy::cast_possible_truncation, reason = "the lower half is meant")]
fn low(wide: u128) -> u64 {
    wide as u64
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::artifact::KeyDigest;

    /// Digests that differ in one of their first bytes, and in the last.
    fn alike() -> impl Iterator<Item = KeyDigest> {
        (0..32).flat_map(|place| {
            (1..=255).map(move |value| {
                let mut bytes = [0; 32];
                bytes[place] = value;
                KeyDigest::from_bytes(bytes)
            })
        })
    }

    #[test]
    fn digests_that_are_almost_alike_fall_apart() {
        let spread = Spread::seeded([0x243f_6a88_85a3_08d3, 0x1319_8a2e_0370_7344]);
        let whole: HashSet<_> = alike().map(|key| spread.hash_one(key)).collect();
        assert_eq!(whole.len(), 32 * 255);
        // As tables take it: some bits from the top, some from the bottom. Of 8,160 in 65,536
        // places, some five hundred share one by chance.
        for bits in [0, 48] {
            let places: HashSet<_> = whole.iter().map(|hash| (hash >> bits) & 0xffff).collect();
            assert!(places.len() > 7000, "{}", places.len());
        }
    }

    #[test]
    fn where_a_digest_falls_is_another_process_own_affair() {
        let key = KeyDigest::from_bytes([7; 32]);
        assert_ne!(Spread::new().hash_one(key), Spread::new().hash_one(key));
    }
}
