//! What looking over a data directory shows: counts, and names as far as somebody reads them. Pure.

use std::io;
use std::path::PathBuf;

use super::versions::OtherVersion;
use crate::artifact::Label;

/// Damaged entries and failures that are told one by one; what goes beyond is only counted.
const MOST_TOLD: usize = 1000;

/// What was found in a data directory.
#[derive(Debug, Default)]
pub struct Findings {
    /// The entries of all keys, one a key.
    pub entries: Sum,
    /// Entries that are what was written.
    pub intact: Sum,
    /// Entries that are not.
    pub damaged: Told<Damage>,
    /// Entries that lost against a newer one of their key.
    pub older: Sum,
    /// Drafts that nobody writes any more.
    pub drafts: Sum,
    /// What was removed.
    pub removed: Sum,
    /// Damaged entries that were put aside earlier; left alone.
    pub quarantined: Sum,
    /// Files, folders and links that are none of ours; left alone.
    pub foreign: u64,
    /// The folders of other versions; left alone.
    pub other_versions: Vec<OtherVersion>,
    /// What could not be read or removed; left alone.
    pub failures: Told<Failure>,
}

/// Some files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sum {
    /// How many.
    pub files: u64,
    /// Their lengths in bytes, together.
    pub bytes: u64,
}

/// The first of many, and how many there are.
#[derive(Debug)]
pub struct Told<T> {
    /// As many as somebody will read.
    pub first: Vec<T>,
    /// All of them.
    pub count: u64,
}

/// A damaged entry.
#[derive(Debug)]
pub struct Damage {
    /// Its file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub how: &'static str,
    /// What it holds, where that can be read.
    pub label: Option<Label>,
}

/// A file or folder that could not be read or removed.
#[derive(Debug)]
pub struct Failure {
    /// Which.
    pub path: PathBuf,
    /// What the system said.
    pub error: io::Error,
}

// === impl Findings ===

impl Findings {
    /// Adds what was found elsewhere.
    pub(super) fn merge(&mut self, other: Self) {
        self.entries.merge(other.entries);
        self.intact.merge(other.intact);
        self.damaged.merge(other.damaged);
        self.older.merge(other.older);
        self.drafts.merge(other.drafts);
        self.removed.merge(other.removed);
        self.quarantined.merge(other.quarantined);
        self.foreign += other.foreign;
        self.other_versions.extend(other.other_versions);
        self.failures.merge(other.failures);
    }

    /// Files that do not belong there: damaged, lost against newer ones, left over.
    pub fn unwanted(&self) -> u64 {
        self.damaged.count + self.older.files + self.drafts.files
    }
}

// === impl Sum ===

impl Sum {
    /// Adds a file of `bytes`.
    pub(super) fn add(&mut self, bytes: u64) {
        self.merge(Self { files: 1, bytes });
    }

    fn merge(&mut self, other: Self) {
        self.files += other.files;
        self.bytes = self.bytes.saturating_add(other.bytes);
    }
}

// === impl Told ===

impl<T> Default for Told<T> {
    fn default() -> Self {
        Self {
            first: Vec::new(),
            count: 0,
        }
    }
}

impl<T> Told<T> {
    /// Adds one.
    pub(super) fn add(&mut self, one: T) {
        self.merge(Self {
            first: vec![one],
            count: 1,
        });
    }

    fn merge(&mut self, other: Self) {
        let room = MOST_TOLD - self.first.len().min(MOST_TOLD);
        self.first.extend(other.first.into_iter().take(room));
        self.count += other.count;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_would_read_is_only_counted() {
        let mut told = Told::default();
        for number in 0..MOST_TOLD + 7 {
            told.add(number);
        }
        assert_eq!(told.first.len(), MOST_TOLD);
        assert_eq!(told.count, MOST_TOLD as u64 + 7);
    }
}
