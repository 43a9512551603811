//! An entry being written: a file in `tmp` that becomes an entry or never was.

use std::fs::File;
use std::io::{self, IoSlice};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;

use super::Disk;
use super::checksum::{BlockSums, Table};
use super::entry::Footer;
use super::files::Files;
use super::jobs::Jobs;
use super::layout::{EntryName, Prefix};
use super::reader::{DraftReader, Handle};
use super::room::Reservation;
use crate::artifact::{ArtifactKey, Bypass, KeyDigest, Meta};

/// Bytes reserved ahead of those written, whatever length was claimed: at most this many …
const LONGEST_STEP: u64 = 64 << 20;
/// … and where no length was claimed, as many as were written, but at least this many.
const SHORTEST_STEP: u64 = 1 << 20;

/// An entry being written; dropping it removes the file and gives the reservation back.
///
/// What was appended can be read through [`Draft::reader`] at once, and stays readable through it
/// when the draft has landed or is gone.
pub struct Draft {
    file: Arc<Growing>,
    jobs: Jobs,
    writing: Option<Box<Writing>>,
}

/// The file of a draft and how much of it is good.
#[derive(Debug)]
pub(super) struct Growing {
    pub(super) handle: Handle,
    pub(super) written: AtomicU64,
}

/// The part of a draft that goes where the file calls are.
struct Writing {
    claim: Claim,
    file: Arc<Growing>,
    prefix: Prefix,
    expected: Expected,
    limit: u64,
    written: u64,
    sums: BlockSums,
    is_broken: bool,
}

/// A file written whole, footer and all, waiting to become an entry.
pub(in crate::tiers) struct Staged {
    claim: Claim,
    name: EntryName,
    table: Table,
}

/// The length that somebody says a draft will have.
#[derive(Clone, Copy, Debug, Default)]
pub struct Expected {
    /// In bytes, where it was said at all.
    pub length: Option<u64>,
    /// Whether room is set aside for it before it comes.
    pub is_believed: bool,
}

/// A file in `tmp` and the room promised to it. Dropping it removes the one, then frees the other.
struct Claim {
    path: Option<PathBuf>,
    reservation: Option<Reservation>,
}

// === impl Draft ===

impl Draft {
    /// Begins a draft for `key`, which is expected to be so long.
    pub(in crate::tiers) fn begin(
        disk: &Arc<Disk>,
        key: &KeyDigest,
        expected: Expected,
    ) -> Result<Self, Bypass> {
        let mut reservation = Reservation::none(disk);
        let first = expected.first_step();
        reservation.grow(first)?;
        let (path, file) = create(disk)?;
        if first >= SHORTEST_STEP && disk.files.allocate(&file, first) {
            reservation.wrote(first);
        }
        let file = Arc::new(Growing {
            handle: Handle::new(disk.files.clone(), file, None, Some(disk.jobs.clone())),
            written: AtomicU64::new(0),
        });
        Ok(Self {
            file: Arc::clone(&file),
            jobs: disk.jobs.clone(),
            writing: Some(Box::new(Writing {
                claim: Claim {
                    path: Some(path),
                    reservation: Some(reservation),
                },
                file,
                prefix: Prefix::of(key),
                expected,
                limit: disk.max_artifact,
                written: 0,
                sums: BlockSums::new(),
                is_broken: false,
            })),
        })
    }

    /// Appends `chunks` in one go; best called with about half a mebibyte.
    ///
    /// An error ends the draft as an entry, but what was appended before stays readable. Not
    /// cancel-safe: dropping the future has the same effect, and so has a disk that hangs.
    pub async fn append(&mut self, chunks: Vec<Bytes>) -> Result<(), Bypass> {
        let Some(mut writing) = self.writing.take().filter(|_| !self.jobs.are_off()) else {
            return Err(Bypass::DiskFault);
        };
        let job = move || {
            let outcome = writing.append(&chunks);
            (writing, outcome)
        };
        let Ok((writing, outcome)) = self.jobs.run_within(job).await else {
            return Err(Bypass::DiskFault);
        };
        self.writing = Some(writing);
        outcome
    }

    /// Bytes appended so far.
    pub fn written(&self) -> u64 {
        self.file.written.load(Ordering::Acquire)
    }

    /// Reads what has been appended.
    pub fn reader(&self) -> DraftReader {
        DraftReader::new(Arc::clone(&self.file), self.jobs.clone())
    }

    /// Writes the footer.
    pub(in crate::tiers) fn stage(self, key: &ArtifactKey, meta: &Meta) -> Result<Staged, Bypass> {
        let writing = self.writing.ok_or(Bypass::DiskFault)?;
        writing.stage(key, meta)
    }
}

impl std::fmt::Debug for Draft {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Draft")
            .field("written", &self.written())
            .finish_non_exhaustive()
    }
}

// === impl Writing ===

impl Writing {
    fn append(&mut self, chunks: &[Bytes]) -> Result<(), Bypass> {
        let appended = self.try_append(chunks);
        self.is_broken |= appended.is_err();
        appended
    }

    fn try_append(&mut self, chunks: &[Bytes]) -> Result<(), Bypass> {
        if self.is_broken {
            return Err(Bypass::DiskFault);
        }
        let length: u64 = chunks.iter().map(|chunk| chunk.len() as u64).sum();
        let end = self.written.saturating_add(length);
        if end > self.limit {
            return Err(Bypass::TooLarge);
        }
        let disk = self.claim.make_room(end, self.expected)?;
        let mut pieces: Vec<IoSlice<'_>> = chunks.iter().map(|chunk| IoSlice::new(chunk)).collect();
        let handle = self.file.handle.get();
        handle
            .and_then(|file| {
                let write = || disk.files.write_at(file, &mut pieces, self.written);
                disk.faults.timed(write)
            })
            .map_err(|error| disk.fault("write", &error))?;
        for chunk in chunks {
            self.sums.push(chunk);
        }
        self.claim.wrote(end);
        self.written = end;
        self.file.written.store(end, Ordering::Release);
        Ok(())
    }

    fn stage(self, key: &ArtifactKey, meta: &Meta) -> Result<Staged, Bypass> {
        let Self {
            mut claim,
            file,
            written,
            sums,
            ..
        } = self;
        if self.is_broken || written != meta.size || self.prefix != Prefix::of(&key.digest) {
            return Err(Bypass::DiskFault);
        }
        let disk = claim.disk()?;
        let (footer, name, table) = seal(&disk, key, meta, sums.finish())?;
        claim.grow(name.length)?;
        let handle = file.handle.get();
        handle
            .and_then(|file| {
                disk.files
                    .write_at(file, &mut [IoSlice::new(&footer)], written)
            })
            .map_err(|error| disk.fault("write", &error))?;
        claim.wrote(name.length);
        Ok(Staged { claim, name, table })
    }
}

// === impl Staged ===

impl Staged {
    /// Writes an artifact that is whole in memory.
    pub(in crate::tiers) fn write(
        disk: &Arc<Disk>,
        key: &ArtifactKey,
        meta: &Meta,
        body: &[u8],
    ) -> Result<Self, Bypass> {
        let (footer, name, table) = seal(disk, key, meta, Table::of(body))?;
        let mut reservation = Reservation::none(disk);
        reservation.grow(name.length)?;
        let (path, file) = create(disk)?;
        let mut claim = Claim {
            path: Some(path),
            reservation: Some(reservation),
        };
        let mut pieces = [IoSlice::new(body), IoSlice::new(&footer)];
        let written = disk.files.write_at(&file, &mut pieces, 0);
        written.map_err(|error| disk.fault("write", &error))?;
        claim.wrote(name.length);
        Ok(Self { claim, name, table })
    }

    /// The entry's name-to-be.
    pub(super) fn name(&self) -> EntryName {
        self.name
    }

    /// The body's checksums.
    pub(in crate::tiers) fn table(&self) -> &Table {
        &self.table
    }

    /// Gives the file its name; what it held of the promised room is the entry's from now on.
    pub(super) fn rename(&mut self, files: &Files, to: &Path) -> io::Result<()> {
        let Some(from) = &self.claim.path else {
            return Err(io::ErrorKind::NotFound.into());
        };
        retry_in_folder(files, to, || files.rename(from, to))?;
        self.claim.path = None;
        Ok(())
    }
}

// === impl Claim ===

impl Claim {
    fn disk(&self) -> Result<Arc<Disk>, Bypass> {
        let reservation = self.reservation.as_ref().ok_or(Bypass::DiskFault)?;
        Ok(reservation.disk())
    }

    fn grow(&mut self, length: u64) -> Result<(), Bypass> {
        let reservation = self.reservation.as_mut().ok_or(Bypass::DiskFault)?;
        reservation.grow(length)
    }

    fn wrote(&mut self, length: u64) {
        if let Some(reservation) = &mut self.reservation {
            reservation.wrote(length);
        }
    }

    /// Makes room up to `end`, and some more so as not to ask for every piece.
    fn make_room(&mut self, end: u64, expected: Expected) -> Result<Arc<Disk>, Bypass> {
        let reservation = self.reservation.as_mut().ok_or(Bypass::DiskFault)?;
        if end > reservation.bytes() {
            let ahead = reservation.grow(end.saturating_add(expected.step(end)));
            ahead.or_else(|_| reservation.grow(end))?;
        }
        Ok(reservation.disk())
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let reservation = self.reservation.take();
        let Some(path) = self.path.take() else { return };
        let Some(reservation) = reservation else {
            return;
        };
        let disk = reservation.disk();
        disk.jobs.run_aside(move || {
            // What cannot be removed now is removed at the next start.
            drop(reservation.disk().files.remove(&path));
        });
    }
}

// === impl Expected ===

impl Expected {
    fn first_step(self) -> u64 {
        let believed = self.length.filter(|_| self.is_believed);
        believed.map_or(0, |length| length.min(LONGEST_STEP))
    }

    /// How much more than up to `end`.
    fn step(self, end: u64) -> u64 {
        let as_much_again = end.clamp(SHORTEST_STEP, LONGEST_STEP);
        match self.length.map(|length| length.saturating_sub(end)) {
            Some(rest) if self.is_believed => rest.min(LONGEST_STEP),
            Some(rest) => rest.min(as_much_again),
            None => as_much_again,
        }
    }
}

impl From<Option<u64>> for Expected {
    /// Somebody says so who may be believed.
    fn from(length: Option<u64>) -> Self {
        Self {
            length,
            is_believed: true,
        }
    }
}

/// The footer of an entry that is about to be written, its name, and its body's checksums.
fn seal(
    disk: &Disk,
    key: &ArtifactKey,
    meta: &Meta,
    table: Table,
) -> Result<(Vec<u8>, EntryName, Table), Bypass> {
    // A folder is read before anything is put into it: only then is the serial sure to be the
    // key's highest.
    let prefix = Prefix::of(&key.digest);
    disk.read_shard(prefix.shard())
        .map_err(|error| disk.fault("read a folder", &error))?;
    let footer = Footer {
        key: key.digest,
        serial: disk.serials.next(),
        meta: meta.clone(),
        table,
    };
    let bytes = footer.encode().map_err(|_| Bypass::TooManyFields)?;
    let name = footer.name(meta.size + bytes.len() as u64);
    Ok((bytes, name, footer.table))
}

fn create(disk: &Disk) -> Result<(PathBuf, File), Bypass> {
    // Whoever has the path by now must not find files of ours.
    disk.look_at_lock().map_err(|error| disk.is_lost(&error))?;
    let path = disk.layout.draft(disk.next_draft());
    let created = retry_in_folder(&disk.files, &path, || disk.files.create(&path));
    let file = created.map_err(|error| disk.fault("create", &error))?;
    Ok((path, file))
}

/// Repeats a call once where its folder was missing: shards are made when they are needed, and an
/// operator may have removed any of them.
pub(super) fn retry_in_folder<T>(
    files: &Files,
    path: &Path,
    call: impl Fn() -> io::Result<T>,
) -> io::Result<T> {
    match (call(), path.parent()) {
        (Err(error), Some(folder)) if error.kind() == io::ErrorKind::NotFound => {
            files.make_folder(folder)?;
            call()
        }
        (outcome, _) => outcome,
    }
}
