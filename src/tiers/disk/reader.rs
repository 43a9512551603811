//! Bytes from a file: from the page cache where they are there, else on a thread that may block.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;

use super::draft::Growing;
use super::jobs::Jobs;

/// Reads a draft while it grows and after it has ended; clones share the open file.
#[derive(Clone, Debug)]
pub struct DraftReader {
    draft: Arc<Growing>,
    jobs: Jobs,
}

/// An open file that may be read from anywhere.
#[derive(Clone, Debug)]
pub(super) struct Reader {
    file: Arc<File>,
    jobs: Jobs,
}

/// A stretch of a file.
pub(super) struct Stretch {
    /// Its bytes.
    pub(super) bytes: Bytes,
    /// Whether they had to come from the disk.
    pub(super) was_cold: bool,
}

// === impl DraftReader ===

impl DraftReader {
    pub(super) fn new(draft: Arc<Growing>, jobs: Jobs) -> Self {
        Self { draft, jobs }
    }

    /// Reads at most `limit` bytes at `offset`; fewer where fewer are at hand, none only where
    /// nothing was appended behind `offset`. Cancel-safe.
    pub async fn read_at(&self, offset: u64, limit: usize) -> io::Result<Bytes> {
        let written = self.draft.written.load(Ordering::Acquire);
        let left = usize::try_from(written.saturating_sub(offset)).unwrap_or(usize::MAX);
        let mut buffer = vec![0; limit.min(left)];
        let cached = read_cached(&self.draft.file, &mut buffer, offset);
        if cached > 0 || buffer.is_empty() {
            buffer.truncate(cached);
            return Ok(buffer.into());
        }
        let draft = Arc::clone(&self.draft);
        let job = move || {
            draft.file.read_exact_at(&mut buffer, offset)?;
            io::Result::Ok(buffer.into())
        };
        self.jobs.run(job).await?
    }
}

// === impl Reader ===

impl Reader {
    pub(super) fn new(file: Arc<File>, jobs: Jobs) -> Self {
        Self { file, jobs }
    }

    /// Reads exactly `length` bytes at `offset`; where the file ends before, `UnexpectedEof`.
    pub(super) async fn read_exact(&self, offset: u64, length: usize) -> io::Result<Stretch> {
        let mut buffer = vec![0; length];
        let cached = read_cached(&self.file, &mut buffer, offset);
        if cached == length {
            return Ok(Stretch {
                bytes: buffer.into(),
                was_cold: false,
            });
        }
        let file = Arc::clone(&self.file);
        let job = move || {
            let (_, missing) = buffer.split_at_mut(cached);
            file.read_exact_at(missing, offset + cached as u64)?;
            io::Result::Ok(buffer.into())
        };
        Ok(Stretch {
            bytes: self.jobs.run(job).await??,
            was_cold: true,
        })
    }
}

/// Reads what the page cache holds, without waiting for the disk; nothing where the system cannot
/// say, and nothing on an error, which the waiting call will meet again.
#[cfg(target_os = "linux")]
fn read_cached(file: &File, buffer: &mut [u8], offset: u64) -> usize {
    let flags = rustix::io::ReadWriteFlags::NOWAIT;
    rustix::io::preadv2(file, &mut [io::IoSliceMut::new(buffer)], offset, flags).unwrap_or(0)
}

#[cfg(not(target_os = "linux"))]
fn read_cached(_: &File, _: &mut [u8], _: u64) -> usize {
    0
}
