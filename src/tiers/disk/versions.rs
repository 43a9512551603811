//! What others left in a data directory before this process: looked at, never touched.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Our own format's folder.
const OURS: &str = "v1";
/// The unit in which systems count a file's blocks.
const BLOCK: u64 = 512;

/// The folder of another version's entries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OtherVersion {
    /// The folder's name.
    pub name: String,
    /// What its files take, in bytes.
    pub bytes: u64,
    /// How many files lie in it.
    pub files: u64,
}

/// Finds the folders of other versions in a data directory, by name, and walks through them. What
/// cannot be read counts as nothing. Blocks, and takes as long as there are files.
pub fn other_versions(data_dir: &Path) -> Vec<OtherVersion> {
    let mut found: Vec<_> = list(data_dir)
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
            (is_folder && name != OURS && is_version(&name)).then_some((name, entry.path()))
        })
        .map(|(name, path)| {
            let (bytes, files) = taken(&path);
            OtherVersion { name, bytes, files }
        })
        .collect();
    found.sort_by(|one, other| one.name.cmp(&other.name));
    found
}

/// The bytes that this version's files take in a data directory. Blocks, and takes as long as there are files.
pub fn held(data_dir: &Path) -> u64 {
    taken(&own_version(data_dir)).0
}

/// What of a data directory has to be kept so that its artifacts are found again.
pub fn own_version(data_dir: &Path) -> PathBuf {
    data_dir.join(OURS)
}

/// Whether our own version's folder in a data directory holds an entry. Blocks for as long as reading 256
/// names takes.
pub fn holds_entries(data_dir: &Path) -> bool {
    list(&own_version(data_dir).join("entries")).any(|folder| list(&folder.path()).next().is_some())
}

fn is_version(name: &str) -> bool {
    name.strip_prefix('v').is_some_and(|number| {
        !number.is_empty() && number.bytes().all(|digit| digit.is_ascii_digit())
    })
}

/// The bytes and the number of all files below a folder; links are not followed.
fn taken(folder: &Path) -> (u64, u64) {
    let (mut bytes, mut files) = (0, 0);
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in list(&folder) {
            match entry.metadata() {
                Ok(found) if found.is_dir() => folders.push(entry.path()),
                Ok(found) if found.is_file() => {
                    bytes += found.blocks() * BLOCK;
                    files += 1;
                }
                _ => {}
            }
        }
    }
    (bytes, files)
}

fn list(folder: &Path) -> impl Iterator<Item = fs::DirEntry> + use<> {
    let listed: io::Result<fs::ReadDir> = fs::read_dir(folder);
    listed.into_iter().flatten().filter_map(Result::ok)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn folders_of_other_versions_are_told_by_name_and_weighed() {
        let dir = tempfile::tempdir().unwrap();
        for folder in [
            "v0",
            "v1/entries/ab",
            "v2/entries/ab",
            "v",
            "vx",
            "v2.old",
            "w2",
        ] {
            fs::create_dir_all(dir.path().join(folder)).unwrap();
        }
        fs::write(dir.path().join("v3"), b"a file").unwrap();
        symlink("v1", dir.path().join("v4")).unwrap();
        for name in ["one", "two"] {
            let path = dir.path().join("v2/entries/ab").join(name);
            fs::write(path, vec![1; 5000]).unwrap();
        }
        symlink("/", dir.path().join("v2/entries/ab/link")).unwrap();
        let found = other_versions(dir.path());
        let names: Vec<_> = found.iter().map(|found| found.name.as_str()).collect();
        assert_eq!(names, ["v0", "v2"]);
        let sizes: Vec<_> = found.iter().map(|it| (it.bytes, it.files)).collect();
        assert_eq!(sizes[0], (0, 0));
        assert!(sizes[1].0 >= 10_000 && sizes[1].1 == 2, "{sizes:?}");
        assert_eq!(other_versions(&dir.path().join("nowhere")), []);
    }

    #[test]
    fn entries_are_held_where_there_is_a_file_of_one() {
        let dir = tempfile::tempdir().unwrap();
        assert!(!holds_entries(dir.path()));
        let folder = dir.path().join("v1/entries/ab");
        fs::create_dir_all(&folder).unwrap();
        assert!(!holds_entries(dir.path()));
        fs::write(folder.join("one"), b"an entry").unwrap();
        assert!(holds_entries(dir.path()));
    }
}
