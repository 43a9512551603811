//! Bytes from a file: from the page cache where they are there, else on a thread that may block.

use std::fs::{File, Metadata};
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;

use super::draft::Growing;
use super::files::Files;
use super::jobs::Jobs;
use crate::mapped::{Backing, Map};

/// Files up to this length are closed by whoever drops them.
const CLOSED_HERE: u64 = 1 << 20;

/// Reads a draft while it grows and after it has ended; clones share the open file.
#[derive(Clone, Debug)]
pub struct DraftReader {
    draft: Arc<Growing>,
    jobs: Jobs,
}

/// An open file that is closed where that may take its time: with the last handle of a removed file
/// all of its blocks are freed.
#[derive(Debug)]
pub(super) struct Handle {
    files: Files,
    /// Taken when dropped.
    file: Option<File>,
    is_large: bool,
    /// Who closes it where that may take its time; nobody where there is no hurry.
    jobs: Option<Jobs>,
}

/// An open file that may be read from anywhere.
#[derive(Clone, Debug)]
pub(super) struct Reader {
    handle: Arc<Handle>,
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
        let cached = self.draft.handle.peek_at(&mut buffer, offset)?;
        if cached > 0 || buffer.is_empty() {
            buffer.truncate(cached);
            return Ok(buffer.into());
        }
        let draft = Arc::clone(&self.draft);
        let job = move || {
            draft.handle.read_at(&mut buffer, offset)?;
            io::Result::Ok(buffer.into())
        };
        self.jobs.run_patiently(job).await?
    }
}

// === impl Handle ===

impl Handle {
    /// A file of `length` bytes, or of any length where nobody knows yet.
    pub(super) fn new(files: Files, file: File, length: Option<u64>, jobs: Option<Jobs>) -> Self {
        Self {
            files,
            file: Some(file),
            is_large: length.is_none_or(|length| length > CLOSED_HERE),
            jobs,
        }
    }

    /// Takes the file out.
    pub(super) fn take(&mut self) -> Self {
        Self {
            files: self.files.clone(),
            file: self.file.take(),
            is_large: self.is_large,
            jobs: self.jobs.clone(),
        }
    }

    /// The file.
    pub(super) fn get(&self) -> io::Result<&File> {
        self.file
            .as_ref()
            .ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    /// What the system knows of the file.
    pub(super) fn status(&self) -> io::Result<Metadata> {
        self.files.status(self.get()?)
    }

    /// Tells the system that reading goes in steps, so that it does not read ahead.
    pub(super) fn scatter(&self) {
        if let Some(file) = &self.file {
            self.files.scatter(file);
        }
    }

    /// Runs a small job of which nobody waits for the end.
    pub(super) fn aside(&self, job: impl FnOnce() + Send + 'static) {
        match &self.jobs {
            Some(jobs) => jobs.run_aside(job),
            None => job(),
        }
    }

    /// Lets the page cache drop the bytes from `offset` on, `length` of them or all.
    pub(super) fn uncache(&self, offset: u64, length: Option<u64>) {
        if let Some(file) = &self.file {
            self.files.uncache(file, offset, length);
        }
    }

    /// Fills `buffer` from `offset`.
    pub(super) fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let file = self.get()?;
        match &self.jobs {
            Some(jobs) => jobs.timed(|| self.files.read_at(file, buffer, offset)),
            None => self.files.read_at(file, buffer, offset),
        }
    }

    /// Reads what the page cache holds.
    pub(super) fn peek_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        Ok(self.files.peek_at(self.get()?, buffer, offset))
    }
}

impl Backing for Handle {
    fn file(&self) -> io::Result<&File> {
        self.get()
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        let file = self.file.take();
        if let Some(jobs) = &self.jobs
            && (self.is_large || jobs.may_hang())
        {
            jobs.run_aside(move || drop(file));
        }
    }
}

// === impl Reader ===

impl Reader {
    pub(super) fn new(handle: Handle, jobs: Jobs) -> Self {
        Self {
            jobs,
            handle: Arc::new(handle),
        }
    }

    /// Maps the first `length` bytes; the handle is the map's as well.
    pub(super) fn map(&self, length: u64) -> io::Result<Map> {
        Map::new(Arc::<Handle>::clone(&self.handle), length)
    }

    /// Whether the page cache has the byte at `offset`.
    pub(super) fn is_cached(&self, offset: u64) -> bool {
        matches!(self.handle.peek_at(&mut [0], offset), Ok(1))
    }

    /// Reads exactly `length` bytes at `offset`; where the file ends before, `UnexpectedEof`.
    pub(super) async fn read_exact(&self, offset: u64, length: usize) -> io::Result<Stretch> {
        let mut buffer = vec![0; length];
        let cached = self.handle.peek_at(&mut buffer, offset)?;
        if cached == length {
            return Ok(Stretch {
                bytes: buffer.into(),
                was_cold: false,
            });
        }
        let handle = Arc::clone(&self.handle);
        let job = move || {
            let (_, missing) = buffer.split_at_mut(cached);
            handle.read_at(missing, offset + cached as u64)?;
            io::Result::Ok(buffer.into())
        };
        Ok(Stretch {
            bytes: self.jobs.run_patiently(job).await??,
            was_cold: true,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::os::fd::OwnedFd;
    use std::os::unix::net::UnixStream;
    use std::sync::mpsc;

    use super::super::fault::Faults;
    use super::*;
    use crate::metrics::Metrics;

    #[test]
    fn a_large_file_is_not_closed_by_whoever_drops_it() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .max_blocking_threads(1)
            .build()
            .unwrap();
        let (release, released) = mpsc::channel::<()>();
        drop(runtime.spawn_blocking(move || released.recv()));
        // The other end of a socket tells when this one is closed.
        let (ours, mut other) = UnixStream::pair().unwrap();
        other.set_nonblocking(true).unwrap();
        let file = File::from(OwnedFd::from(ours));
        let metrics = Arc::new(Metrics::new().unwrap());
        let jobs = Jobs::new(Arc::new(Faults::new(metrics)));
        let length = Some(CLOSED_HERE + 1);
        runtime.block_on(async { drop(Handle::new(Files::default(), file, length, Some(jobs))) });
        let open = other.read(&mut [0]).unwrap_err();
        assert_eq!(open.kind(), io::ErrorKind::WouldBlock);
        release.send(()).unwrap();
        other.set_nonblocking(false).unwrap();
        assert_eq!(other.read(&mut [0]).unwrap(), 0);
    }
}
