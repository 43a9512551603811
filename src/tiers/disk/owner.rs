//! The right to a data directory: a lock that lasts as long as the file it is on.
//!
//! Whoever removes the directory removes the lock with it; then somebody else may have taken the
//! place, and nothing below the path is ours until it is taken again.

use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use super::files::Files;
use super::recover::{OpenError, own};
use crate::tiers::locks::{Lock, Rank};

/// The lock on a data directory.
pub(in crate::tiers) struct Owner {
    data_dir: PathBuf,
    /// Nothing once it was given back.
    held: Lock<Option<Held>>,
    is_over: AtomicBool,
}

struct Held {
    _lock: File,
    place: Place,
}

/// Which file of which file system.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Place(u64, u64);

/// Whether some process uses the data directory now: its id, or 0 where that cannot be read. Makes nothing.
///
/// Looking takes the lock for a moment where nobody has it: a process that starts in just that moment fails.
pub fn used_by(data_dir: &Path) -> Option<u32> {
    let mut lock = File::open(data_dir.join("lock")).ok()?;
    match lock.try_lock_shared() {
        Ok(()) | Err(fs::TryLockError::Error(_)) => None,
        Err(fs::TryLockError::WouldBlock) => {
            let mut text = String::new();
            let read = lock.read_to_string(&mut text).ok();
            Some(read.and_then(|_| text.trim().parse().ok()).unwrap_or(0))
        }
    }
}

// === impl Owner ===

impl Owner {
    /// Makes the directory if need be and takes its lock.
    pub(in crate::tiers) fn take(data_dir: &Path) -> Result<Self, OpenError> {
        Ok(Self {
            data_dir: data_dir.to_owned(),
            held: Lock::new(Rank::Owner, Some(Held::take(data_dir)?)),
            is_over: AtomicBool::new(false),
        })
    }

    /// Whether the path still leads to the directory that is locked.
    pub(super) fn is_owner(&self, files: &Files) -> io::Result<bool> {
        match files.look(&self.data_dir.join("lock")) {
            Ok(found) => {
                let held = self.held.lock();
                Ok(held.as_ref().map(|held| held.place) == Some(Place::of(&found)))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Takes the lock of the directory that the path leads to now, which may have to be made.
    pub(super) fn retake(&self) -> Result<(), OpenError> {
        let taken = self.take_again();
        if self.is_over.load(Ordering::Acquire) {
            self.give_back();
        }
        taken
    }

    fn take_again(&self) -> Result<(), OpenError> {
        let mut held = self.held.lock();
        if held.is_some() {
            *held = Some(Held::take(&self.data_dir)?);
        }
        Ok(())
    }

    /// Gives the lock back for good, whoever still has a handle to it. Where somebody is taking it
    /// again, on a disk that may hang, that is left to him: a stop waits for nobody here.
    pub(in crate::tiers) fn give_back(&self) {
        self.is_over.store(true, Ordering::Release);
        if let Some(mut held) = self.held.try_lock() {
            *held = None;
        }
    }
}

// === impl Held ===

impl Held {
    fn take(data_dir: &Path) -> Result<Self, OpenError> {
        let lock = own(data_dir)?;
        let found = lock.metadata().map_err(|source| OpenError::Unusable {
            path: data_dir.to_owned(),
            source,
        })?;
        Ok(Self {
            place: Place::of(&found),
            _lock: lock,
        })
    }
}

// === impl Place ===

impl Place {
    fn of(file: &Metadata) -> Self {
        Self(file.dev(), file.ino())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_uses_a_directory_is_told_without_a_trace() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("data");
        assert_eq!(used_by(&path), None);
        assert!(!path.exists());
        let owner = Owner::take(&path).unwrap();
        assert_eq!(used_by(&path), Some(std::process::id()));
        owner.give_back();
        assert_eq!(used_by(&path), None);
    }

    #[test]
    fn whoever_is_robbed_of_its_directory_owns_what_it_takes_next() {
        let dir = tempfile::tempdir().unwrap();
        let (path, files) = (dir.path().join("data"), Files::default());
        let owner = Owner::take(&path).unwrap();
        assert!(owner.is_owner(&files).unwrap());
        fs::remove_dir_all(&path).unwrap();
        assert!(!owner.is_owner(&files).unwrap());
        owner.retake().unwrap();
        assert!(owner.is_owner(&files).unwrap());
        Owner::take(&path).err().unwrap();
        owner.give_back();
        assert!(!owner.is_owner(&files).unwrap());
        let next = Owner::take(&path).unwrap();
        owner.retake().unwrap();
        assert!(next.is_owner(&files).unwrap() && !owner.is_owner(&files).unwrap());
    }

    #[test]
    fn giving_back_waits_for_nobody_who_is_taking_again() {
        let dir = tempfile::tempdir().unwrap();
        let owner = Owner::take(dir.path()).unwrap();
        let taking = owner.held.lock();
        std::thread::scope(|scope| {
            let (told, given) = std::sync::mpsc::channel();
            let owner = &owner;
            scope.spawn(move || {
                owner.give_back();
                told.send(())
            });
            let given = given.recv_timeout(std::time::Duration::from_secs(5));
            drop(taking);
            given.unwrap();
        });
        owner.retake().unwrap_err();
        Owner::take(dir.path()).unwrap();
    }

    #[test]
    fn whoever_took_the_place_in_between_keeps_it() {
        let dir = tempfile::tempdir().unwrap();
        let (path, files) = (dir.path().join("data"), Files::default());
        let owner = Owner::take(&path).unwrap();
        fs::remove_dir_all(&path).unwrap();
        let other = Owner::take(&path).unwrap();
        assert!(!owner.is_owner(&files).unwrap());
        owner.retake().unwrap_err();
        drop(other);
        owner.retake().unwrap();
        assert!(owner.is_owner(&files).unwrap());
    }
}
