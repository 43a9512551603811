//! What servers leave behind: emptied at once, removed when the run is over.
//!
//! ext4 without a journal gives nobody the inode of a removed file for some minutes, and looks at each
//! such inode of a group whenever a file is created there: after a row had removed its files, nginx took
//! seven times as long for a miss.

use std::fs::{self, OpenOptions};
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime};

use anyhow::Result;

/// For how long ext4 spares the inode of a removed file, and a little.
const SPARED: Duration = Duration::from_secs(370);
/// As few removed files and folders are not worth waiting for.
const FEW: u64 = 1000;
/// A file beside the folder that is cleared, written when more than a few were removed.
const MARK: &str = "removed";

/// Distinguishes folders of one name.
static NEXT: AtomicU32 = AtomicU32::new(0);

/// Takes a server's folder out of the way, and gives the space of its files back.
pub(super) fn set_aside(folder: &Path) -> Result<()> {
    empty(folder)?;
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    fs::rename(folder, folder.with_extension(format!("left-{number}")))?;
    Ok(())
}

/// Removes all that servers left.
pub(crate) fn clear(run: &Path) -> Result<()> {
    if !run.exists() {
        return Ok(());
    }
    let removed = count(run)?;
    fs::remove_dir_all(run)?;
    if removed > FEW {
        fs::write(run.with_file_name(MARK), removed.to_string())?;
    }
    Ok(())
}

/// How long it takes until removed files slow nobody down.
pub(crate) fn calm(run: &Path) -> Option<Duration> {
    let mark = fs::metadata(run.with_file_name(MARK)).ok()?;
    let since = SystemTime::now().duration_since(mark.modified().ok()?);
    SPARED.checked_sub(since.ok()?)
}

fn empty(folder: &Path) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() {
            empty(&entry.path())?;
        } else if kind.is_file() {
            OpenOptions::new()
                .write(true)
                .truncate(true)
                .open(entry.path())?;
        }
    }
    Ok(())
}

/// The files and folders below a folder.
pub(super) fn count(folder: &Path) -> Result<u64> {
    let mut entries = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        entries += 1;
        if entry.file_type()?.is_dir() {
            entries += count(&entry.path())?;
        }
    }
    Ok(entries)
}
