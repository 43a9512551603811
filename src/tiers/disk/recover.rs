//! What a data directory says about its past: who owns it, how often it was opened, what rests in a
//! folder. Decides nothing about entries.

use std::cmp::Reverse;
use std::fs::{self, File, OpenOptions};
use std::io::{self, IoSlice, Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

use super::files::Files;
use super::layout::{EntryName, Layout, Serial};

/// Most bytes of a count of starts, with some to spare.
const LONGEST_EPOCH: u64 = 32;

/// The data directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process uses it.
    #[error("{path} is in use by {}", owner_name(*.owner))]
    AlreadyOwned {
        /// The data directory.
        path: PathBuf,
        /// The other process, where its id can be read.
        owner: Option<u32>,
    },
    /// It cannot be made, read or written.
    #[error("cannot use {path} as data directory: {source}")]
    Unusable {
        /// What was tried last.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// The names in one folder.
#[derive(Debug, Default)]
pub(super) struct Listing {
    /// Entries.
    pub(super) names: Vec<EntryName>,
    /// Everything else: never followed, never removed.
    pub(super) foreign: u64,
}

// === impl OpenError ===

impl OpenError {
    /// What the system said, where it is the system that refuses.
    pub(super) fn source(&self) -> Option<&io::Error> {
        match self {
            Self::AlreadyOwned { .. } => None,
            Self::Unusable { source, .. } => Some(source),
        }
    }

    /// Whether it would work if the disk were not full.
    pub(super) fn is_for_want_of_room(&self) -> bool {
        use io::ErrorKind::{QuotaExceeded, StorageFull};
        matches!(self, Self::Unusable { source, .. }
            if matches!(source.kind(), StorageFull | QuotaExceeded))
    }
}

/// Makes the directory if need be and takes its lock, which lasts as long as the returned file.
pub(super) fn own(data_dir: &Path) -> Result<File, OpenError> {
    let made = Files::default().make_folder(data_dir);
    made.map_err(|source| unusable(data_dir, source))?;
    let path = data_dir.join("lock");
    let mut lock = no_link()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)
        .map_err(|source| unusable(&path, source))?;
    match lock.try_lock() {
        Ok(()) => {
            // Only a courtesy to the next process; a full disk may refuse it.
            write_owner(&mut lock).unwrap_or_default();
            Ok(lock)
        }
        Err(fs::TryLockError::WouldBlock) => {
            let mut text = String::new();
            let read = lock.read_to_string(&mut text);
            Err(OpenError::AlreadyOwned {
                path: data_dir.to_owned(),
                owner: read.ok().and_then(|_| text.trim().parse().ok()),
            })
        }
        Err(fs::TryLockError::Error(source)) => Err(unusable(&path, source)),
    }
}

/// Whether a process uses this data directory just now.
///
/// A process that begins within the microseconds of this look takes the directory for used.
pub fn is_owned(data_dir: &Path) -> io::Result<bool> {
    let lock = match no_link().read(true).open(data_dir.join("lock")) {
        Ok(lock) => lock,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
    };
    match lock.try_lock_shared() {
        Ok(()) => Ok(false),
        Err(fs::TryLockError::WouldBlock) => Ok(true),
        Err(fs::TryLockError::Error(error)) => Err(error),
    }
}

/// Makes the folders of this format, removes the drafts a former process left, and counts the
/// start, which comes after the `past`th whatever the directory says. Returns the boot epoch.
pub(super) fn boot(files: &Files, layout: &Layout, past: u32) -> Result<u32, OpenError> {
    for folder in [layout.entries(), layout.tmp(), layout.quarantine()] {
        let made = files.make_folder(&folder);
        made.map_err(|source| unusable(&folder, source))?;
    }
    sweep_drafts(files, &layout.tmp()).map_err(|source| unusable(&layout.tmp(), source))?;
    next_epoch(files, layout, past).map_err(|source| unusable(&layout.epoch(), source))
}

/// Reads the names in the folder of one shard: no file is opened or asked for its size. An entry of
/// a start after the `epoch`th is none of ours.
pub(super) fn list(files: &Files, layout: &Layout, shard: u8, epoch: u32) -> io::Result<Listing> {
    let folder = &layout.shard(shard);
    let is_ours = |name: &EntryName| name.prefix.shard() == shard && name.serial.epoch() <= epoch;
    let mut listing = Listing::default();
    let found = match files.list(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(listing),
        found => found?,
    };
    for file in found {
        let file = file?;
        let name = file.file_name().to_str().and_then(EntryName::parse);
        match name.filter(is_ours) {
            Some(name) if file.file_type()?.is_file() => listing.names.push(name),
            _ => listing.foreign += 1,
        }
    }
    Ok(listing)
}

/// Parts found entries into the newest of each key and all others, which have lost.
pub(super) fn contest(mut names: Vec<EntryName>) -> (Vec<EntryName>, Vec<EntryName>) {
    names.sort_unstable_by_key(|name| (name.prefix, Reverse(name.serial)));
    let mut last = None;
    names
        .into_iter()
        .partition(|name| last.replace(name.prefix) != Some(name.prefix))
}

/// The start's number. Serials begin with it, so what is written now wins over what was written
/// before, without a look at what is there.
fn next_epoch(files: &Files, layout: &Layout, past: u32) -> io::Result<u32> {
    let path = layout.epoch();
    let next = next_number(files, layout)?;
    let epoch = next.max(past.saturating_add(1)).min(Serial::LAST_EPOCH);
    let draft = layout.root().join("epoch.new");
    let file = files.create_over(&draft)?;
    let text = format!("{epoch}\n");
    files.write_at(&file, &mut [IoSlice::new(text.as_bytes())], 0)?;
    files.sync(&file)?;
    files.rename(&draft, &path)?;
    files.sync_folder(layout.root())?;
    Ok(epoch)
}

/// The number that the next start will have.
pub(super) fn next_number(files: &Files, layout: &Layout) -> io::Result<u32> {
    let last = match read_epoch(files, &layout.epoch())? {
        Some(last) => last,
        None => highest_epoch(files, layout)?,
    };
    Ok(last.saturating_add(1).min(Serial::LAST_EPOCH))
}

/// The number of the last start, unless it was lost.
pub(super) fn read_epoch(files: &Files, path: &Path) -> io::Result<Option<u32>> {
    let mut text = Vec::new();
    match files.open(path) {
        Ok(file) => file.take(LONGEST_EPOCH).read_to_end(&mut text)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let text = String::from_utf8_lossy(&text);
    Ok(text.trim().parse().ok().filter(|last| *last > 0))
}

/// The last start that left an entry: what the count was, should it have been lost.
fn highest_epoch(files: &Files, layout: &Layout) -> io::Result<u32> {
    let mut highest = 0;
    for shard in 0..=u8::MAX {
        let names = list(files, layout, shard, Serial::LAST_EPOCH)?.names;
        let epochs = names.iter().map(|name| name.serial.epoch());
        highest = epochs.fold(highest, u32::max);
    }
    Ok(highest)
}

/// Opens a file of ours; a link that somebody put in its place is refused.
fn no_link() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.mode(0o600);
    options.custom_flags(OFlags::NOFOLLOW.bits().cast_signed());
    options
}

fn sweep_drafts(files: &Files, tmp: &Path) -> io::Result<()> {
    for file in files.list(tmp)? {
        let file = file?;
        if file.file_name().to_str().is_some_and(Layout::is_draft) && file.file_type()?.is_file() {
            match files.remove(&file.path()) {
                // Whoever dropped it may have been at it already.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                removed => removed?,
            }
        }
    }
    Ok(())
}

fn write_owner(lock: &mut File) -> io::Result<()> {
    lock.set_len(0)?;
    lock.rewind()?;
    writeln!(lock, "{}", std::process::id())
}

fn owner_name(owner: Option<u32>) -> String {
    owner.map_or_else(
        || "another process".to_owned(),
        |pid| format!("process {pid}"),
    )
}

pub(super) fn unusable(path: &Path, source: io::Error) -> OpenError {
    OpenError::Unusable {
        path: path.to_owned(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn make_folder(path: &Path) -> io::Result<()> {
        Files::default().make_folder(path)
    }

    #[test]
    fn whether_somebody_owns_a_directory_is_seen_without_taking_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("data");
        assert!(!is_owned(&path).unwrap());
        let held = own(&path).unwrap();
        assert!(is_owned(&path).unwrap());
        drop(held);
        assert!(!is_owned(&path).unwrap());
        own(&path).unwrap();
    }

    #[test]
    fn a_second_owner_is_refused_and_told_who_owns() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("data");
        let held = own(&path).unwrap();
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
        let refused = own(&path).unwrap_err();
        assert!(
            refused
                .to_string()
                .ends_with(&format!("process {}", std::process::id())),
            "{refused}"
        );
        drop(held);
        own(&path).unwrap();
    }

    #[test]
    fn every_start_has_a_higher_epoch_and_no_drafts() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::new(dir.path());
        assert_eq!(boot(&Files::default(), &layout, 0).unwrap(), 1);
        fs::write(layout.draft(7), b"half").unwrap();
        fs::write(layout.tmp().join("notes"), b"not ours").unwrap();
        assert_eq!(boot(&Files::default(), &layout, 0).unwrap(), 2);
        assert!(!layout.draft(7).exists());
        assert!(layout.tmp().join("notes").exists());
    }

    #[test]
    fn a_damaged_count_of_starts_is_made_up_from_what_was_stored() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::new(dir.path());
        boot(&Files::default(), &layout, 0).unwrap();
        make_folder(&layout.shard(0xab)).unwrap();
        let name = "ab0102030405060708090a0b0c0d0e0f-0000070000000007-1f4-1-0";
        fs::write(layout.shard(0xab).join(name), b"").unwrap();
        for damaged in ["", "0", "seven", "99999999999", "-1"] {
            fs::write(layout.epoch(), damaged).unwrap();
            assert_eq!(
                boot(&Files::default(), &layout, 0).unwrap(),
                8,
                "{damaged:?}"
            );
        }
        fs::write(layout.epoch(), u32::MAX.to_string()).unwrap();
        assert_eq!(
            boot(&Files::default(), &layout, 0).unwrap(),
            Serial::LAST_EPOCH
        );
    }

    #[test]
    fn a_link_in_the_place_of_a_file_of_ours_is_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::new(dir.path());
        let victim = dir.path().join("victim");
        fs::write(&victim, b"theirs").unwrap();
        symlink(&victim, dir.path().join("lock")).unwrap();
        own(dir.path()).unwrap_err();
        make_folder(layout.root()).unwrap();
        for place in [layout.epoch(), layout.root().join("epoch.new")] {
            symlink(&victim, &place).unwrap();
            boot(&Files::default(), &layout, 0).unwrap_err();
            fs::remove_file(place).unwrap();
        }
        assert_eq!(fs::read(&victim).unwrap(), b"theirs");
    }

    #[test]
    fn strangers_in_a_folder_are_counted_and_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::new(dir.path());
        let folder = layout.shard(0xab);
        make_folder(&folder).unwrap();
        let name =
            |first: &str| format!("{first}0102030405060708090a0b0c0d0e0f-0000010000000007-1f4-1-0");
        fs::write(folder.join(name("ab")), b"").unwrap();
        fs::write(folder.join(name("ac")), b"another shard's").unwrap();
        fs::write(folder.join("README"), b"").unwrap();
        fs::create_dir(folder.join(name("ab").replace('7', "8"))).unwrap();
        symlink("/etc/passwd", folder.join(name("ab").replace('7', "9"))).unwrap();
        let beyond = name("ab").replace("-0000010", "-ffffff0");
        fs::write(folder.join(beyond), b"never given out").unwrap();
        let listing = list(&Files::default(), &layout, 0xab, 1).unwrap();
        assert_eq!(listing.names, [EntryName::parse(&name("ab")).unwrap()]);
        assert_eq!(listing.foreign, 5);
        assert_eq!(fs::read_dir(folder).unwrap().count(), 6);
    }

    #[test]
    fn of_each_key_only_the_newest_entry_is_kept_whatever_the_order() {
        let name = |key: u8, serial: u8| {
            let text = format!(
                "ab{key:02x}02030405060708090a0b0c0d0e0f-00000100000000{serial:02x}-1f4-1-0"
            );
            EntryName::parse(&text).unwrap()
        };
        let found = vec![
            name(2, 7),
            name(1, 3),
            name(2, 9),
            name(1, 4),
            name(3, 1),
            name(2, 8),
        ];
        let (newest, mut older) = contest(found);
        assert_eq!(newest, [name(1, 4), name(2, 9), name(3, 1)]);
        older.sort_unstable_by_key(|name| name.serial);
        assert_eq!(older, [name(1, 3), name(2, 7), name(2, 8)]);
    }

    #[test]
    fn a_folder_that_is_a_link_is_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::new(dir.path());
        make_folder(&layout.entries()).unwrap();
        symlink(dir.path(), layout.shard(0xab)).unwrap();
        assert!(list(&Files::default(), &layout, 0xab, 1).is_err());
        assert!(
            list(&Files::default(), &layout, 0xac, 1)
                .unwrap()
                .names
                .is_empty()
        );
    }
}
