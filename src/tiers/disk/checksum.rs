//! Block checksums of a body: made as the bytes arrive, checked before they leave.
//!
//! CRC-64/NVME: it notices every burst up to 64 bits and keeps up with the page cache. It guards
//! against damage, not against people; who may write the directory may write anything.

use crc_fast::{CrcAlgorithm, Digest, checksum_combine};

const ALGORITHM: CrcAlgorithm = CrcAlgorithm::Crc64Nvme;

/// The block of every body up to 512 MiB, in bytes.
pub(crate) const SMALLEST_BLOCK: u64 = 64 * 1024;
/// Most blocks of a body: larger bodies have larger blocks, so that a footer stays below 80 KiB.
pub(crate) const MAX_BLOCKS: u64 = 8 * 1024;
/// The largest body an entry can describe, in bytes: its blocks are of 4 MiB.
pub(crate) const MAX_BODY: u64 = MAX_BLOCKS * 4 * 1024 * 1024;

/// The checksum of `bytes`.
pub(crate) fn checksum(bytes: &[u8]) -> u64 {
    crc_fast::checksum(ALGORITHM, bytes)
}

/// The block of a body of `size` bytes; `None` where no entry can describe it.
pub(crate) fn block_of(size: u64) -> Option<u64> {
    if size > MAX_BODY {
        return None;
    }
    let mut block = SMALLEST_BLOCK;
    while block * MAX_BLOCKS < size {
        block *= 2;
    }
    Some(block)
}

/// The checksums of a whole body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Table {
    /// Bytes in every block but the last.
    pub(crate) block: u64,
    /// One checksum a block.
    pub(crate) sums: Vec<u64>,
}

/// The checksums of a body that is still arriving, of whatever length.
pub(crate) struct BlockSums {
    block: u64,
    filled: u64,
    digest: Digest,
    sums: Vec<u64>,
}

// === impl Table ===

impl Table {
    /// The checksums of a body that is in memory.
    pub(crate) fn of(body: &[u8]) -> Self {
        let mut sums = BlockSums::new();
        sums.push(body);
        sums.finish()
    }

    /// Whether `bytes`, which begin at a block's start and end at a block's or the body's end, are
    /// what was written.
    pub(crate) fn is_intact(&self, offset: u64, bytes: &[u8]) -> bool {
        let first = usize::try_from(offset / self.block).unwrap_or(usize::MAX);
        let block = usize::try_from(self.block).unwrap_or(usize::MAX);
        let Some(expected) = self.sums.get(first..) else {
            return false;
        };
        bytes.len().div_ceil(block) <= expected.len()
            && bytes
                .chunks(block)
                .zip(expected)
                .all(|(bytes, expected)| checksum(bytes) == *expected)
    }
}

// === impl BlockSums ===

impl BlockSums {
    /// Begins with an empty body.
    pub(crate) fn new() -> Self {
        Self {
            block: SMALLEST_BLOCK,
            filled: 0,
            digest: Digest::new(ALGORITHM),
            sums: Vec::new(),
        }
    }

    /// Takes the next bytes of the body.
    pub(crate) fn push(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            if self.filled == self.block {
                self.close_block();
            }
            let room = usize::try_from(self.block - self.filled).unwrap_or(usize::MAX);
            let (now, rest) = bytes.split_at(room.min(bytes.len()));
            self.digest.update(now);
            self.filled += now.len() as u64;
            bytes = rest;
        }
    }

    /// The checksums of the body, now that it is whole.
    pub(crate) fn finish(mut self) -> Table {
        if self.filled > 0 {
            self.sums.push(self.digest.finalize());
        }
        Table {
            block: self.block,
            sums: self.sums,
        }
    }

    fn close_block(&mut self) {
        self.sums.push(self.digest.finalize_reset());
        self.filled = 0;
        if self.sums.len() as u64 == MAX_BLOCKS {
            self.fold();
        }
    }

    /// Makes one block of every two. The length of a body may be unknown until its end, and the
    /// checksum of two blocks follows from theirs.
    fn fold(&mut self) {
        self.sums = self
            .sums
            .chunks(2)
            .map(|pair| match pair {
                [first, second] => checksum_combine(ALGORITHM, *first, *second, self.block),
                [single] => *single,
                _ => 0,
            })
            .collect();
        self.block *= 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_of_any_size_give_the_same_table() {
        let body: Vec<u8> = (0..300_000_u32).map(|n| (n % 251) as u8).collect();
        let whole = Table::of(&body);
        assert_eq!(whole.sums.len(), 5);
        for piece in [1, 7, 65_535, 65_536, 65_537, 131_072] {
            let mut sums = BlockSums::new();
            body.chunks(piece).for_each(|bytes| sums.push(bytes));
            assert_eq!(sums.finish(), whole, "{piece}");
        }
        assert!(whole.is_intact(0, &body));
        assert!(whole.is_intact(65_536, &body[65_536..131_072]));
        assert!(!whole.is_intact(0, &body[65_536..131_072]));
    }

    #[test]
    fn a_body_that_outgrows_its_table_gets_larger_blocks() {
        let blocks = usize::try_from(MAX_BLOCKS).unwrap();
        let block: Vec<u8> = (0..SMALLEST_BLOCK).map(|n| (n % 253) as u8).collect();
        let mut sums = BlockSums::new();
        for _ in 0..blocks {
            sums.push(&block);
        }
        sums.push(b"one more");
        let table = sums.finish();
        assert_eq!(table.block, 2 * SMALLEST_BLOCK);
        assert_eq!(table.sums.len(), blocks / 2 + 1);
        assert_eq!(Some(table.block), block_of(SMALLEST_BLOCK * MAX_BLOCKS + 8));
        let pair = [block.as_slice(), block.as_slice()].concat();
        assert!(table.is_intact(0, &pair));
        assert!(table.is_intact(SMALLEST_BLOCK * MAX_BLOCKS, b"one more"));
    }

    #[test]
    fn bodies_beyond_the_table_have_no_block() {
        assert_eq!(block_of(0), Some(SMALLEST_BLOCK));
        assert_eq!(block_of(SMALLEST_BLOCK * MAX_BLOCKS), Some(SMALLEST_BLOCK));
        assert_eq!(block_of(MAX_BODY), Some(MAX_BODY / MAX_BLOCKS));
        assert_eq!(block_of(MAX_BODY + 1), None);
        assert_eq!(block_of(u64::MAX), None);
    }
}
