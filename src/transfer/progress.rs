//! How far a spool has come: what has been written, where each byte is, and how it ended. Pure.

use std::collections::VecDeque;

use bytes::Bytes;

/// How a spool ended. End-of-body is a statement by the writer, never the absence of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Every byte was written.
    Complete,
    /// It broke off.
    Broken(Broken),
}

/// Why a body ends in an error instead of an end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// The source broke off, stalled or lied about its length.
    #[error("the source of this body broke off")]
    Source,
    /// The writer was dropped without a word.
    #[error("the transfer of this body was abandoned")]
    Abandoned,
    /// This reader fell behind what could be kept for it.
    #[error("the reader of this body fell too far behind")]
    Lagged,
    /// What had been written could not be read back.
    #[error("the spool of this body could not be read")]
    Unreadable,
}

/// Where the next bytes for a reader are.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Here.
    Chunk(Bytes),
    /// In the draft's file: this many bytes from the reader's position on.
    Filed(u64),
    /// Not written yet.
    Pending,
    /// Nowhere any more.
    Gone,
    /// There are none.
    Ended(Ending),
}

/// Bytes written so far: those before `filed` are in the draft's file, those from the first kept
/// chunk on are in memory; the two may overlap and leave a gap only once the file stopped growing.
#[derive(Debug, Default)]
pub(super) struct Progress {
    chunks: VecDeque<(u64, Bytes)>,
    written: u64,
    filed: u64,
    ending: Option<Ending>,
}

/// What a piece costs beside its bytes: its place in the queue, and the block that it is a part of.
const OF_A_PIECE: u64 = 64;

/// Pieces in memory: as many as 256 KiB have in chunks of 256 bytes. Clients send such as are a hundred times as
/// large.
const CRUMBS: usize = 1024;

impl Progress {
    /// Bytes written.
    pub(super) fn written(&self) -> u64 {
        self.written
    }

    /// Bytes in the draft's file.
    pub(super) fn filed(&self) -> u64 {
        self.filed
    }

    /// Bytes that are in memory, and what each piece of them costs besides.
    pub(super) fn in_memory(&self) -> u64 {
        self.written - self.kept_from() + self.chunks.len() as u64 * OF_A_PIECE
    }

    /// Whether what is in memory came in so many pieces that they cost more than it.
    pub(super) fn is_crumbled(&self) -> bool {
        self.chunks.len() > CRUMBS
    }

    /// Bytes that are in no file yet.
    pub(super) fn unfiled_bytes(&self) -> u64 {
        self.written - self.filed
    }

    /// How it ended, if it did.
    pub(super) fn ending(&self) -> Option<Ending> {
        self.ending
    }

    /// Adds bytes at the end.
    pub(super) fn push(&mut self, chunk: Bytes) {
        if !chunk.is_empty() {
            let offset = self.written;
            self.written += chunk.len() as u64;
            self.chunks.push_back((offset, chunk));
        }
    }

    /// The chunks that are not in the file yet.
    pub(super) fn unfiled(&self) -> Vec<Bytes> {
        let first = self
            .chunks
            .partition_point(|(offset, _)| *offset < self.filed);
        self.chunks
            .range(first..)
            .map(|(_, chunk)| chunk.clone())
            .collect()
    }

    /// Notes that the file holds everything before `filed`, and lets go of those chunks that end at or
    /// before `wanted`.
    pub(super) fn file(&mut self, filed: u64, wanted: u64) {
        self.filed = filed;
        self.release(filed.min(wanted));
    }

    /// Lets go of chunks that end at or before `offset`.
    pub(super) fn release(&mut self, offset: u64) {
        while self
            .chunks
            .front()
            .is_some_and(|(start, chunk)| start + chunk.len() as u64 <= offset)
        {
            self.chunks.pop_front();
        }
    }

    /// States how it ended; the first statement counts.
    pub(super) fn end(&mut self, ending: Ending) {
        self.ending.get_or_insert(ending);
    }

    /// Finds what comes at `position`.
    pub(super) fn next(&self, position: u64) -> Next {
        if position >= self.kept_from() && position < self.written {
            return self.chunk_at(position).map_or(Next::Gone, Next::Chunk);
        }
        if position < self.filed {
            return Next::Filed(self.filed - position);
        }
        match self.ending {
            _ if position < self.written => Next::Gone,
            Some(ending) => Next::Ended(ending),
            None => Next::Pending,
        }
    }

    fn kept_from(&self) -> u64 {
        self.chunks
            .front()
            .map_or(self.written, |(offset, _)| *offset)
    }

    fn chunk_at(&self, position: u64) -> Option<Bytes> {
        let after = self
            .chunks
            .partition_point(|(offset, _)| *offset <= position);
        let (offset, chunk) = self.chunks.get(after.checked_sub(1)?)?;
        Some(chunk.slice(usize::try_from(position - offset).ok()?..))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_reader_behind_the_file_reads_from_it_and_then_from_memory() {
        let mut progress = Progress::default();
        progress.push(Bytes::from_static(b"abc"));
        progress.file(3, 3);
        progress.push(Bytes::from_static(b"def"));
        assert_eq!(progress.next(0), Next::Filed(3));
        assert_eq!(progress.next(3), Next::Chunk(Bytes::from_static(b"def")));
        assert_eq!(progress.next(5), Next::Chunk(Bytes::from_static(b"f")));
        assert_eq!(progress.next(6), Next::Pending);
    }

    #[test]
    fn what_is_still_wanted_is_in_memory_and_in_the_file() {
        let mut progress = Progress::default();
        progress.push(Bytes::from_static(b"abc"));
        progress.push(Bytes::from_static(b"def"));
        progress.file(6, 4);
        assert_eq!(progress.unfiled_bytes(), 0);
        assert_eq!(progress.unfiled(), Vec::<Bytes>::new());
        assert_eq!(progress.next(0), Next::Filed(6));
        assert_eq!(progress.next(4), Next::Chunk(Bytes::from_static(b"ef")));
    }

    #[test]
    fn what_was_let_go_without_a_file_is_gone() {
        let mut progress = Progress::default();
        progress.push(Bytes::from_static(b"abc"));
        progress.push(Bytes::from_static(b"def"));
        progress.release(3);
        assert_eq!(progress.next(0), Next::Gone);
        assert_eq!(progress.next(3), Next::Chunk(Bytes::from_static(b"def")));
    }

    #[test]
    fn the_first_ending_counts_and_comes_after_the_last_byte() {
        let mut progress = Progress::default();
        progress.push(Bytes::from_static(b"a"));
        progress.end(Ending::Broken(Broken::Source));
        progress.end(Ending::Complete);
        assert_eq!(progress.next(0), Next::Chunk(Bytes::from_static(b"a")));
        assert_eq!(
            progress.next(1),
            Next::Ended(Ending::Broken(Broken::Source))
        );
    }

    #[derive(Clone, Debug)]
    enum Step {
        Push(Vec<u8>),
        File(u64),
        Release(u64),
    }

    proptest! {
        #[test]
        fn every_byte_comes_from_where_it_is(steps in prop::collection::vec(prop_oneof![
            prop::collection::vec(any::<u8>(), 0..20).prop_map(Step::Push),
            (0u64..200).prop_map(Step::File),
            (0u64..200).prop_map(Step::Release),
        ], 0..40)) {
            let mut progress = Progress::default();
            let (mut all, mut file) = (Vec::new(), Vec::new());
            for step in steps {
                match step {
                    Step::Push(bytes) => { all.extend_from_slice(&bytes); progress.push(bytes.into()); }
                    Step::File(wanted) if progress.filed() == file.len() as u64 => {
                        let unfiled = progress.unfiled().concat();
                        if file.len() + unfiled.len() == all.len() {
                            file.extend_from_slice(&unfiled);
                            progress.file(file.len() as u64, wanted);
                        }
                    }
                    Step::File(_) => {}
                    Step::Release(offset) => progress.release(offset),
                }
                prop_assert_eq!(progress.written(), all.len() as u64);
                for position in 0..all.len() {
                    match progress.next(position as u64) {
                        Next::Chunk(chunk) => prop_assert_eq!(&all[position..position + chunk.len()], &chunk[..]),
                        Next::Filed(count) => {
                            let end = position + usize::try_from(count).unwrap();
                            prop_assert_eq!(&file[position..end], &all[position..end]);
                        }
                        Next::Gone => prop_assert!(position >= file.len()),
                        other => prop_assert!(false, "{other:?} at {position}"),
                    }
                }
            }
        }
    }
}
