//! A data directory looked over as a whole: what is removed, and what is not ours to remove.

use rustix::io::Errno;

use super::*;
use crate::tiers::disk::files::Call;
use crate::tiers::disk::files::shim::Watch;

/// Refuses to read entries for one reason.
struct Unreadable(Errno);

impl Watch for Unreadable {
    fn before(&self, call: &Call<'_>) -> io::Result<()> {
        match call {
            Call::Open(path) if path.to_string_lossy().contains("entries") => Err(self.0.into()),
            _ => Ok(()),
        }
    }
}

/// The directory of a process that has ended.
async fn left() -> tempfile::TempDir {
    let house = House::with(config(0, 64 * MIB));
    house.tiers.publish(small("a", "one")).await.unwrap();
    house.tiers.publish(small("b", "two")).await.unwrap();
    house.dir
}

fn shape(dir: &Path) -> Vec<PathBuf> {
    let house = walk(&dir.join("v1/entries"));
    house.into_iter().filter(|path| path.is_file()).collect()
}

fn walk(folder: &Path) -> Vec<PathBuf> {
    let listed = fs::read_dir(folder).unwrap();
    let paths = listed.map(|entry| entry.unwrap().path());
    paths
        .flat_map(|path| {
            if path.is_dir() {
                walk(&path)
            } else {
                vec![path]
            }
        })
        .collect()
}

/// A second file of the same key under a serial of this start.
fn copy_under(path: &Path, serial: &str) -> PathBuf {
    let text = path.file_name().unwrap().to_str().unwrap();
    let mut parts: Vec<_> = text.split('-').collect();
    parts[1] = serial;
    let copy = path.with_file_name(parts.join("-"));
    fs::copy(path, &copy).unwrap();
    copy
}

#[tokio::test]
async fn of_two_files_of_a_key_the_older_goes_also_where_the_newer_is_damaged() {
    let dir = left().await;
    let older = shape(dir.path()).remove(0);
    // Its footer tells the older serial: as the newer one it is damaged.
    let newer = copy_under(&older, "0000010000000fff");
    let found = Fsck::open(dir.path(), Repair::Remove).unwrap().run(&|_| {});
    assert_eq!((found.older.files, found.damaged.count), (1, 1));
    assert_eq!((found.intact.files, found.removed.files), (1, 2));
    assert!(!older.exists() && !newer.exists());
}

#[tokio::test]
async fn an_entry_of_a_start_that_never_was_is_none_of_ours() {
    let dir = left().await;
    let path = shape(dir.path()).remove(0);
    let beyond = copy_under(&path, "ffffff0000000001");
    let found = Fsck::open(dir.path(), Repair::Remove).unwrap().run(&|_| {});
    assert_eq!((found.foreign, found.intact.files), (1, 2));
    assert!(beyond.exists());
    let epoch = fs::read_to_string(dir.path().join("v1/epoch")).unwrap();
    assert_eq!(epoch, "1\n", "looking over is no start");
}

#[tokio::test]
async fn what_cannot_be_read_is_told_and_never_removed() {
    for error in [Errno::IO, Errno::MFILE, Errno::ACCESS] {
        let dir = left().await;
        let files = Files::watched(Arc::new(Unreadable(error)));
        let fsck = Fsck::with(dir.path(), Repair::Remove, files).unwrap();
        let found = fsck.run(&|_| {});
        assert_eq!((found.failures.count, found.removed.files), (2, 0));
        assert_eq!(shape(dir.path()).len(), 2);
    }
}

#[tokio::test]
async fn the_progress_ends_where_it_was_said_to() {
    let dir = left().await;
    let path = shape(dir.path()).remove(0);
    fs::write(&path, b"torn").unwrap();
    let fsck = Fsck::open(dir.path(), Repair::TellOnly).unwrap();
    let (expected, told) = (fsck.bytes(), std::sync::atomic::AtomicU64::new(0));
    fsck.run(&|bytes| {
        told.fetch_add(bytes, Ordering::Relaxed);
    });
    assert_eq!(told.into_inner(), expected);
}
