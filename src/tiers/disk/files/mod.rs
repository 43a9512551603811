//! Every file call of the disk tier at work goes through here, so that tests can record each, refuse
//! it, or let another come first; but for taking the lock and for looking at what other versions left.
//! Decides nothing.

#[cfg(test)]
pub(in crate::tiers) mod shim;

use std::fs::{self, DirBuilder, File, Metadata, OpenOptions, ReadDir};
use std::io::{self, IoSlice};
#[cfg(target_os = "linux")]
use std::num::NonZeroU64;
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::{OFlags, StatVfs};

/// Pieces the system takes in one call.
const MAX_PIECES: usize = 1024;
/// Bytes written in one call: of more at once the page cache makes large pages, which the system has to
/// find first, and a virtual machine to be given.
const MAX_WRITE: usize = 256 * 1024;

/// The way to the files; nothing at all outside of tests.
#[derive(Clone, Debug, Default)]
pub(in crate::tiers) struct Files {
    #[cfg(test)]
    shim: Option<shim::Shim>,
}

/// A file call, as a shim sees it.
#[derive(Debug)]
#[allow(dead_code, reason = "nobody looks at calls but a test's shim")]
pub(in crate::tiers) enum Call<'a> {
    /// A new file.
    Create(&'a Path),
    /// A file that may have been there already and is empty now.
    CreateOver(&'a Path),
    Open(&'a Path),
    /// What a name stands for, a link not followed.
    Look(&'a Path),
    Status(&'a File),
    Allocate(&'a File, u64),
    Write(&'a File, &'a [IoSlice<'a>], u64),
    Read(&'a File, u64, usize),
    /// Only what the page cache holds.
    Peek(&'a File, u64, usize),
    /// No reading ahead.
    Scatter(&'a File),
    /// Out of the page cache, from an offset on; so many bytes, or all.
    Uncache(&'a File, u64, Option<u64>),
    Sync(&'a File),
    SyncFolder(&'a Path),
    Rename(&'a Path, &'a Path),
    Remove(&'a Path),
    MakeFolder(&'a Path),
    List(&'a Path),
    Space(&'a Path),
}

// === impl Files ===

impl Files {
    /// Makes a file that was not there, for reading and writing.
    pub(in crate::tiers) fn create(&self, path: &Path) -> io::Result<File> {
        let call = Call::Create(path);
        self.before(&call)?;
        let mut options = private();
        let file = options.read(true).write(true).create_new(true).open(path)?;
        self.made(&call, &file);
        Ok(file)
    }

    /// Makes a file or empties the one that is there, for writing.
    pub(in crate::tiers) fn create_over(&self, path: &Path) -> io::Result<File> {
        let call = Call::CreateOver(path);
        self.before(&call)?;
        let mut options = private();
        let file = options.write(true).create(true).truncate(true).open(path)?;
        self.made(&call, &file);
        Ok(file)
    }

    /// Opens a file for reading. A link in its place is not followed, a pipe not waited for.
    pub(in crate::tiers) fn open(&self, path: &Path) -> io::Result<File> {
        self.before(&Call::Open(path))?;
        private().read(true).open(path)
    }

    /// What the system knows of a name; a link is not followed.
    pub(in crate::tiers) fn look(&self, path: &Path) -> io::Result<Metadata> {
        self.before(&Call::Look(path))?;
        fs::symlink_metadata(path)
    }

    /// What the system knows of an open file.
    pub(in crate::tiers) fn status(&self, file: &File) -> io::Result<Metadata> {
        self.before(&Call::Status(file))?;
        file.metadata()
    }

    /// Asks for the blocks of a file's first `length` bytes in one piece, which the system lays out
    /// better than many. It need not agree, then writing asks again; returns whether it did.
    #[cfg(target_os = "linux")]
    pub(in crate::tiers) fn allocate(&self, file: &File, length: u64) -> bool {
        use rustix::fs::{FallocateFlags, fallocate};
        self.before(&Call::Allocate(file, length)).is_ok()
            && fallocate(file, FallocateFlags::KEEP_SIZE, 0, length).is_ok()
    }

    #[cfg(not(target_os = "linux"))]
    pub(in crate::tiers) fn allocate(&self, file: &File, length: u64) -> bool {
        drop(self.before(&Call::Allocate(file, length)));
        false
    }

    /// Writes all of `pieces` at `offset`.
    pub(in crate::tiers) fn write_at(
        &self,
        file: &File,
        mut pieces: &mut [IoSlice<'_>],
        mut offset: u64,
    ) -> io::Result<()> {
        self.before(&Call::Write(file, pieces, offset))?;
        IoSlice::advance_slices(&mut pieces, 0);
        while !pieces.is_empty() {
            match write_some(file, pieces, offset) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => {
                    offset += written as u64;
                    IoSlice::advance_slices(&mut pieces, written);
                }
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Fills `buffer` from `offset`; where the file ends before, `UnexpectedEof`.
    pub(in crate::tiers) fn read_at(
        &self,
        file: &File,
        buffer: &mut [u8],
        offset: u64,
    ) -> io::Result<()> {
        self.before(&Call::Read(file, offset, buffer.len()))?;
        file.read_exact_at(buffer, offset)
    }

    /// Reads what the page cache holds, without waiting for the disk; nothing where the system
    /// cannot say, and nothing on an error, which the waiting call will meet again.
    #[cfg(target_os = "linux")]
    pub(in crate::tiers) fn peek_at(&self, file: &File, buffer: &mut [u8], offset: u64) -> usize {
        let call = Call::Peek(file, offset, buffer.len());
        if self.before(&call).is_err() {
            return 0;
        }
        let flags = rustix::io::ReadWriteFlags::NOWAIT;
        let mut buffers = [io::IoSliceMut::new(buffer)];
        rustix::io::preadv2(file, &mut buffers, offset, flags).unwrap_or(0)
    }

    #[cfg(not(target_os = "linux"))]
    pub(in crate::tiers) fn peek_at(&self, file: &File, buffer: &mut [u8], offset: u64) -> usize {
        drop(self.before(&Call::Peek(file, offset, buffer.len())));
        0
    }

    /// Asks the system not to read ahead in a file; it need not agree.
    #[cfg(target_os = "linux")]
    pub(in crate::tiers) fn scatter(&self, file: &File) {
        use rustix::fs::{Advice, fadvise};
        if self.before(&Call::Scatter(file)).is_ok() {
            fadvise(file, 0, None, Advice::Random).unwrap_or_default();
        }
    }

    #[cfg(not(target_os = "linux"))]
    pub(in crate::tiers) fn scatter(&self, file: &File) {
        drop(self.before(&Call::Scatter(file)));
    }

    /// Lets the page cache drop a part of a file; what is being written stays.
    #[cfg(target_os = "linux")]
    pub(in crate::tiers) fn uncache(&self, file: &File, offset: u64, length: Option<u64>) {
        use rustix::fs::{Advice, fadvise};
        if self.before(&Call::Uncache(file, offset, length)).is_ok() {
            let length = length.and_then(NonZeroU64::new);
            fadvise(file, offset, length, Advice::DontNeed).unwrap_or_default();
        }
    }

    #[cfg(not(target_os = "linux"))]
    pub(in crate::tiers) fn uncache(&self, file: &File, offset: u64, length: Option<u64>) {
        drop(self.before(&Call::Uncache(file, offset, length)));
    }

    /// Waits until a file is on the disk.
    pub(in crate::tiers) fn sync(&self, file: &File) -> io::Result<()> {
        self.before(&Call::Sync(file))?;
        file.sync_all()
    }

    /// Waits until the names in a folder are on the disk.
    pub(in crate::tiers) fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        self.before(&Call::SyncFolder(folder))?;
        File::open(folder)?.sync_all()
    }

    /// Gives a file another name, in place of whatever has it.
    pub(in crate::tiers) fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.before(&Call::Rename(from, to))?;
        fs::rename(from, to)
    }

    /// Removes a file.
    pub(in crate::tiers) fn remove(&self, path: &Path) -> io::Result<()> {
        self.before(&Call::Remove(path))?;
        fs::remove_file(path)
    }

    /// Makes a folder that only this user may enter, and those it lies in; one that is there is
    /// left as it is.
    pub(in crate::tiers) fn make_folder(&self, path: &Path) -> io::Result<()> {
        self.before(&Call::MakeFolder(path))?;
        DirBuilder::new().recursive(true).mode(0o700).create(path)
    }

    /// Lists a folder, which must be one itself, not a link to one.
    pub(in crate::tiers) fn list(&self, folder: &Path) -> io::Result<ReadDir> {
        self.before(&Call::List(folder))?;
        if fs::symlink_metadata(folder)?.is_dir() {
            fs::read_dir(folder)
        } else {
            Err(io::ErrorKind::NotADirectory.into())
        }
    }

    /// How full the file system of a folder is.
    pub(in crate::tiers) fn space(&self, folder: &Path) -> io::Result<StatVfs> {
        self.before(&Call::Space(folder))?;
        Ok(rustix::fs::statvfs(folder)?)
    }

    #[cfg(not(test))]
    #[expect(
        clippy::unused_self,
        clippy::unnecessary_wraps,
        reason = "a test's shim may refuse"
    )]
    fn before(&self, _: &Call<'_>) -> io::Result<()> {
        Ok(())
    }

    #[cfg(not(test))]
    #[expect(clippy::unused_self, reason = "a test's shim looks at the file")]
    fn made(&self, _: &Call<'_>, _: &File) {}
}

/// Writes as many of `pieces` as go in one call; of a large one the first part.
fn write_some(file: &File, pieces: &[IoSlice<'_>], offset: u64) -> rustix::io::Result<usize> {
    let mut bytes = 0;
    let fits = |piece: &&IoSlice<'_>| {
        bytes += piece.len();
        bytes <= MAX_WRITE
    };
    let count = pieces.iter().take(MAX_PIECES).take_while(fits).count();
    match (pieces.split_at(count), pieces.first()) {
        (([], _), Some(large)) => {
            let (part, _) = large.split_at(large.len().min(MAX_WRITE));
            rustix::io::pwrite(file, part, offset)
        }
        ((now, _), _) => rustix::io::pwritev(file, now, offset),
    }
}

/// A file that only this user may open; a link that somebody put in its place is refused.
fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.mode(0o600);
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits();
    options.custom_flags(flags.cast_signed());
    options
}
