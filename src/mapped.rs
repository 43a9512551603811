//! Files mapped read-only: bytes that stand for a stretch of a file, to be sent from it uncopied.
//!
//! The only place with `unsafe`. Nobody means to read these bytes: a disk that fails would end the
//! process, a slow one would hold up whoever runs here. Read all the same, they are the file's.
//!
//! That a mapped file does not change is the disk tier's promise, not the compiler's: an entry is never
//! written to once it has its name.

#![expect(unsafe_code, reason = "a mapping is made, read and undone by hand")]

use std::fmt;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::ptr::{self, NonNull};
use std::slice;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};

/// Whoever keeps a file open, and closes it in a way of its own.
pub trait Backing: fmt::Debug + Send + Sync {
    /// The open file.
    fn file(&self) -> io::Result<&File>;
}

/// The first bytes of a file, mapped; the file stays open for as long as any of them are held.
///
/// The file must neither be written to nor cut while it is mapped, as is true of an entry.
pub struct Map {
    start: NonNull<u8>,
    length: usize,
    /// Sending from it has failed, and not for the client's sake.
    is_given_up: AtomicBool,
    /// Dropped when the mapping is gone: it may have the last word on the file's blocks.
    backing: Arc<dyn Backing>,
}

/// A map as the owner of its bytes.
struct Owner(Arc<Map>);

// === impl Backing ===

#[cfg(test)]
impl Backing for File {
    fn file(&self) -> io::Result<&File> {
        Ok(self)
    }
}

// === impl Map ===

// SAFETY: the pages are only ever read, and belong to this value until it is dropped.
unsafe impl Send for Map {}
// SAFETY: as above; reading from several threads changes nothing.
unsafe impl Sync for Map {}

impl Map {
    /// Maps the first `length` bytes of a file that is at least so long. Reads nothing.
    pub fn new(backing: Arc<dyn Backing>, length: u64) -> io::Result<Self> {
        let length = usize::try_from(length).map_err(io::Error::other)?;
        let (access, kind) = (ProtFlags::READ, MapFlags::SHARED);
        // SAFETY: the system chooses a place where nothing is.
        let start = unsafe { mmap(ptr::null_mut(), length, access, kind, backing.file()?, 0) }?;
        let start = NonNull::new(start.cast()).ok_or(io::ErrorKind::AddrNotAvailable)?;
        Ok(Self {
            start,
            length,
            is_given_up: AtomicBool::new(false),
            backing,
        })
    }

    /// Bytes that stand for a stretch of the file; none where it is not mapped so far, or can no longer
    /// be sent from.
    pub fn bytes(self: &Arc<Self>, stretch: Range<usize>) -> Option<Bytes> {
        let is_mapped = stretch.start <= stretch.end && stretch.end <= self.length;
        let is_good = !self.is_given_up.load(Ordering::Relaxed);
        (is_mapped && is_good).then(|| Bytes::from_owner(Owner(Arc::clone(self))).slice(stretch))
    }

    /// Where in the file a piece of memory lies, if it does.
    pub fn offset_of(&self, piece: &[u8]) -> Option<usize> {
        let offset = piece.as_ptr().addr().checked_sub(self.start.addr().get())?;
        let end = offset.checked_add(piece.len())?;
        (end <= self.length).then_some(offset)
    }

    /// The file.
    pub fn file(&self) -> io::Result<&File> {
        self.backing.file()
    }

    /// Sending from the file has failed: whoever comes next is to read it, and so to learn what is wrong.
    pub fn give_up(&self) {
        self.is_given_up.store(true, Ordering::Relaxed);
    }
}

impl Drop for Map {
    fn drop(&mut self) {
        // SAFETY: mapped by `new` and not undone since; whoever holds bytes of it holds this value.
        let undone = unsafe { munmap(self.start.as_ptr().cast(), self.length) };
        debug_assert!(undone.is_ok(), "a mapping that was made can be undone");
    }
}

impl fmt::Debug for Map {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Map")
            .field("length", &self.length)
            .field("backing", &self.backing)
            .finish_non_exhaustive()
    }
}

// === impl Owner ===

impl AsRef<[u8]> for Owner {
    fn as_ref(&self) -> &[u8] {
        let map = &self.0;
        // SAFETY: so many bytes are mapped for reading until `map` is dropped, and the file does not
        // change meanwhile.
        unsafe { slice::from_raw_parts(map.start.as_ptr(), map.length) }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn file_of(bytes: &[u8]) -> Arc<dyn Backing> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        Arc::new(file)
    }

    #[test]
    fn a_stretch_is_the_files_bytes_and_knows_its_place() {
        let map = Arc::new(Map::new(file_of(b"abcdef"), 6).unwrap());
        let bytes = map.bytes(2..5).unwrap();
        assert_eq!(bytes, "cde");
        assert_eq!(map.offset_of(&bytes), Some(2));
        assert_eq!(map.offset_of(&bytes.slice(1..)), Some(3));
        assert_eq!(map.offset_of(b"cde"), None);
    }

    #[test]
    fn bytes_keep_their_map_and_its_file() {
        let file = file_of(b"abcdef");
        let open = Arc::downgrade(&file);
        let map = Arc::new(Map::new(file, 6).unwrap());
        let bytes = map.bytes(0..6).unwrap();
        drop(map);
        assert_eq!(bytes, "abcdef");
        assert!(open.upgrade().is_some());
        drop(bytes);
        assert!(open.upgrade().is_none());
    }

    #[test]
    fn what_is_not_mapped_has_no_bytes() {
        let map = Arc::new(Map::new(file_of(b"abcdef"), 6).unwrap());
        assert!(map.bytes(0..7).is_none());
        assert!(Map::new(file_of(b""), 0).is_err());
    }

    #[test]
    fn what_could_not_be_sent_from_stands_for_nothing_any_more() {
        let map = Arc::new(Map::new(file_of(b"abcdef"), 6).unwrap());
        map.give_up();
        assert!(map.bytes(0..6).is_none());
    }
}
