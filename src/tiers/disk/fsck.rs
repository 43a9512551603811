//! Looking over a whole data directory that no process uses, and removing what is damaged.
//!
//! Entries are checked as the scrubber checks them; what counts as an entry, a draft or a stranger is
//! what the next start would say. No link is followed, and nothing is removed but files of ours.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::slice::Iter;
use std::thread;

use parking_lot::Mutex;

use super::fault::Fault;
use super::files::Files;
use super::findings::{Damage, Failure, Findings};
use super::layout::{EntryName, Layout};
use super::recover::{OpenError, contest, list, next_number, own, unusable};
use super::scrub::Checking;
use super::versions::other_versions;

/// Files read at once: enough for a disk that takes several calls at a time.
const MOST_THREADS: usize = 8;

/// A data directory that is looked over; nobody else uses it meanwhile.
#[derive(Debug)]
pub struct Fsck {
    files: Files,
    layout: Layout,
    repair: Repair,
    newest: Vec<EntryName>,
    older: Vec<EntryName>,
    drafts: Vec<(PathBuf, u64)>,
    found: Findings,
    _lock: File,
}

/// What is done about what does not belong there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repair {
    /// It is removed.
    Remove,
    /// It is told.
    TellOnly,
}

/// A data directory cannot be looked over.
#[derive(Debug, thiserror::Error)]
pub enum FsckError {
    /// There is none.
    #[error("there is no data directory of this version at {0}")]
    NotThere(PathBuf),
    /// It is in use, or cannot be read.
    #[error(transparent)]
    Open(#[from] OpenError),
}

/// Told of bytes that have been looked over.
type Progress<'a> = &'a (dyn Fn(u64) + Sync);

// === impl Fsck ===

impl Fsck {
    /// Takes the lock of the directory and reads its names; opens no entry. Blocks.
    ///
    /// # Errors
    ///
    /// There is no such directory, which is not made; another process uses it; or its count of starts
    /// cannot be read.
    pub fn open(data_dir: &Path, repair: Repair) -> Result<Self, FsckError> {
        Self::with(data_dir, repair, Files::default())
    }

    pub(in crate::tiers) fn with(
        data_dir: &Path,
        repair: Repair,
        files: Files,
    ) -> Result<Self, FsckError> {
        let layout = Layout::new(data_dir);
        match files.list(&layout.entries()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(FsckError::NotThere(data_dir.to_owned()));
            }
            Err(error) => return Err(unusable(&layout.entries(), error).into()),
            Ok(_) => {}
        }
        let lock = own(data_dir)?;
        let epoch =
            next_number(&files, &layout).map_err(|error| unusable(&layout.epoch(), error))?;
        let mut fsck = Self {
            files,
            layout,
            repair,
            newest: Vec::new(),
            older: Vec::new(),
            drafts: Vec::new(),
            found: Findings::default(),
            _lock: lock,
        };
        fsck.read_names(data_dir, epoch);
        Ok(fsck)
    }

    /// The bytes that there are to look over.
    pub fn bytes(&self) -> u64 {
        self.newest.iter().map(|name| name.length).sum()
    }

    /// Looks over every entry; `progress` is told of bytes as they are done with, from several
    /// threads. Blocks.
    pub fn run(mut self, progress: Progress<'_>) -> Findings {
        let mut found = std::mem::take(&mut self.found);
        // As at a start: no older entry may outlive a newer one.
        for name in &self.older {
            found.older.add(name.length);
            self.remove(&self.layout.entry(name), name.length, &mut found);
        }
        for (path, length) in &self.drafts {
            found.drafts.add(*length);
            self.remove(path, *length, &mut found);
        }
        let left = Mutex::new(self.newest.iter());
        thread::scope(|scope| {
            let threads: Vec<_> = (0..threads())
                .map(|_| scope.spawn(|| self.check_all(&left, progress)))
                .collect();
            for thread in threads {
                match thread.join() {
                    Ok(more) => found.merge(more),
                    Err(_) => found.failures.add(Failure {
                        path: self.layout.entries(),
                        error: io::Error::other("a check ended early"),
                    }),
                }
            }
        });
        found.damaged.first.sort_by(|a, b| a.path.cmp(&b.path));
        found.failures.first.sort_by(|a, b| a.path.cmp(&b.path));
        found
    }

    fn check_all(&self, left: &Mutex<Iter<'_, EntryName>>, progress: Progress<'_>) -> Findings {
        let mut found = Findings::default();
        loop {
            let next = left.lock().next();
            let Some(name) = next else { return found };
            self.check_one(name, progress, &mut found);
        }
    }

    fn check_one(&self, name: &EntryName, progress: Progress<'_>, found: &mut Findings) {
        found.entries.add(name.length);
        let path = self.layout.entry(name);
        let mut left = name.length;
        let mut passed = |bytes: u64| {
            left = left.saturating_sub(bytes);
            progress(bytes);
        };
        let (label, checked) = match Checking::open(&self.files, None, &path, name) {
            Ok(mut checking) => {
                let checked = check_body(&mut checking, &mut passed);
                (Some(checking.meta().label.clone()), checked)
            }
            Err(fault) => (None, Err(fault)),
        };
        progress(left);
        match checked {
            Ok(()) => found.intact.add(name.length),
            // A link or a folder that took the file's place a moment ago.
            Err(Fault::Missing) => found.foreign += 1,
            Err(Fault::Corrupt(how)) => {
                self.remove(&path, name.length, found);
                found.damaged.add(Damage { path, how, label });
            }
            Err(Fault::Failing(error)) => found.failures.add(Failure { path, error }),
        }
    }

    fn remove(&self, path: &Path, length: u64, found: &mut Findings) {
        if self.repair == Repair::TellOnly {
            return;
        }
        match self.files.remove(path) {
            Ok(()) => found.removed.add(length),
            Err(error) => found.failures.add(Failure {
                path: path.to_owned(),
                error,
            }),
        }
    }

    fn read_names(&mut self, data_dir: &Path, epoch: u32) {
        for shard in 0..=u8::MAX {
            match list(&self.files, &self.layout, shard, epoch) {
                Ok(listing) => {
                    self.found.foreign += listing.foreign;
                    let (newest, older) = contest(listing.names);
                    self.newest.extend(newest);
                    self.older.extend(older);
                }
                // It is counted below, with whatever else is no folder of ours.
                Err(error) if error.kind() == io::ErrorKind::NotADirectory => {}
                Err(error) => self.cannot_read(self.layout.shard(shard), error),
            }
        }
        let shards: Vec<_> = (0..=u8::MAX)
            .map(|shard| self.layout.shard(shard))
            .collect();
        self.sort(&self.layout.entries(), |path, is_folder, _| {
            is_folder && shards.iter().any(|shard| shard == path)
        });
        self.drafts = self.sort(&self.layout.tmp(), |_, is_folder, name| {
            !is_folder && Layout::is_draft(name)
        });
        for (_, length) in self.sort(&self.layout.quarantine(), |_, is_folder, name| {
            !is_folder && EntryName::parse(name).is_some()
        }) {
            self.found.quarantined.add(length);
        }
        self.found.other_versions = other_versions(data_dir);
    }

    /// Parts what lies in a folder into what is ours, which is returned with its length, and strangers,
    /// which are counted: links always are.
    fn sort(
        &mut self,
        folder: &Path,
        is_ours: impl Fn(&Path, bool, &str) -> bool,
    ) -> Vec<(PathBuf, u64)> {
        let found = match self.files.list(folder) {
            Ok(found) => found,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Vec::new(),
            Err(error) => {
                self.cannot_read(folder.to_owned(), error);
                return Vec::new();
            }
        };
        let mut ours = Vec::new();
        for file in found {
            // What is known of a link is the link.
            match file.and_then(|file| Ok((file.path(), file.metadata()?))) {
                Ok((path, known)) => {
                    let name = path.file_name().and_then(OsStr::to_str);
                    let is_ours = |name| is_ours(&path, known.is_dir(), name);
                    if !known.is_symlink() && name.is_some_and(is_ours) {
                        ours.push((path, known.len()));
                    } else {
                        self.found.foreign += 1;
                    }
                }
                Err(error) => self.cannot_read(folder.to_owned(), error),
            }
        }
        ours
    }

    fn cannot_read(&mut self, path: PathBuf, error: io::Error) {
        self.found.failures.add(Failure { path, error });
    }
}

/// Checks every block of a body.
fn check_body(checking: &mut Checking, passed: &mut dyn FnMut(u64)) -> Result<(), Fault> {
    while !checking.is_done() {
        passed(checking.step()?);
    }
    Ok(())
}

fn threads() -> usize {
    thread::available_parallelism().map_or(1, |threads| threads.get().min(MOST_THREADS))
}
