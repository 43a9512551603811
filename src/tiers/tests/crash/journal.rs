//! What the tier did to its directory, call by call.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;

use super::image::{Content, FileId, Image, Node, PAGE};
use crate::tiers::disk::files::Call;
use crate::tiers::disk::files::shim::Watch;

/// A change that took effect, or a word of the tier's caller. Paths are below the data directory.
#[derive(Clone, Debug)]
pub(super) enum Step {
    MakeFolder(PathBuf),
    Create(PathBuf, FileId),
    /// A file that was there is empty now.
    Empty(FileId),
    /// Bytes at an offset, and where the pieces end that they were handed over in.
    Write(FileId, usize, Vec<u8>, Vec<usize>),
    Sync(FileId),
    SyncFolder(PathBuf),
    Rename(PathBuf, PathBuf),
    Remove(PathBuf),
    /// From here on a key may have this version, or none …
    Begun(&'static str, Option<&'static str>),
    /// … and from here on it has this and no other.
    Ended(&'static str, Option<&'static str>),
}

/// Writes down what it sees, once it has been told to.
#[derive(Default)]
pub(super) struct Recorder(Mutex<Option<Recording>>);

/// The changes since a moment, and the directory before and after them.
#[derive(Clone, Debug, Default)]
pub(super) struct Recording {
    pub(super) before: Image,
    pub(super) steps: Vec<Step>,
    root: PathBuf,
    now: Image,
    next: FileId,
    /// The files by the system's numbers, which it gives again to others.
    numbers: HashMap<u64, FileId>,
}

// === impl Step ===

impl Step {
    /// The key whose caller speaks.
    pub(super) fn changed_key(&self) -> Option<&'static str> {
        match self {
            Self::Begun(key, _) => Some(key),
            _ => None,
        }
    }
}

// === impl Recorder ===

impl Recorder {
    /// Takes the directory as it is for durable and writes down what comes.
    pub(super) fn begin(&self, root: &Path) {
        let mut recording = Recording {
            root: root.to_owned(),
            ..Recording::default()
        };
        recording.read(root);
        recording.now = recording.before.clone();
        *self.0.lock() = Some(recording);
    }

    pub(super) fn note(&self, step: Step) {
        if let Some(recording) = self.0.lock().as_mut() {
            recording.push(step);
        }
    }

    /// What was written down, which must agree with the directory.
    pub(super) fn end(&self) -> Recording {
        let recording = self.0.lock().take().unwrap();
        let mut real = Recording {
            root: recording.root.clone(),
            ..Recording::default()
        };
        real.read(&recording.root);
        let shown = |image: &Image| -> Vec<(PathBuf, Option<Arc<Content>>)> {
            let content = |node: &Node| match node {
                Node::Folder => None,
                Node::File(id) => Some(Arc::clone(&image.files[id])),
            };
            let names = image.names.iter();
            names
                .map(|(path, node)| (path.clone(), content(node)))
                .collect()
        };
        assert!(shown(&recording.now) == shown(&real.before));
        recording
    }
}

impl Watch for Recorder {
    fn before(&self, call: &Call<'_>) -> io::Result<()> {
        if let Some(recording) = self.0.lock().as_mut() {
            recording.see(call);
        }
        Ok(())
    }

    fn made(&self, call: &Call<'_>, file: &File) {
        if let Some(recording) = self.0.lock().as_mut()
            && let Call::Create(path) | Call::CreateOver(path) = call
        {
            recording.made(path, file.metadata().unwrap().ino());
        }
    }
}

// === impl Recording ===

impl Recording {
    /// What would have been written down; for tests of those who read it.
    pub(super) fn of(before: Image, steps: &[Step]) -> Self {
        Self {
            before,
            steps: steps.to_vec(),
            ..Self::default()
        }
    }

    fn push(&mut self, step: Step) {
        self.now.draw(&step, usize::MAX);
        self.steps.push(step);
    }

    fn has(&self, path: &Path) -> bool {
        path.as_os_str().is_empty() || self.now.names.contains_key(path)
    }

    fn path(&self, path: &Path) -> PathBuf {
        path.strip_prefix(&self.root).unwrap().to_owned()
    }

    fn id(&self, file: &File) -> FileId {
        self.numbers[&file.metadata().unwrap().ino()]
    }

    /// Notes what the call is about to change; a call that will fail changes nothing.
    fn see(&mut self, call: &Call<'_>) {
        match call {
            Call::MakeFolder(path) => {
                let path = self.path(path);
                let missing = path.ancestors().filter(|path| !self.has(path));
                let missing: Vec<_> = missing.map(Path::to_owned).collect();
                for folder in missing.into_iter().rev() {
                    self.push(Step::MakeFolder(folder));
                }
            }
            Call::Write(file, pieces, offset) => {
                let ends = pieces.iter().scan(0, |end, piece| {
                    *end += piece.len();
                    Some(*end)
                });
                let ends = ends.collect();
                let bytes = pieces.iter().flat_map(|piece| piece.to_vec()).collect();
                let offset = usize::try_from(*offset).unwrap();
                self.push(Step::Write(self.id(file), offset, bytes, ends));
            }
            Call::Sync(file) => self.push(Step::Sync(self.id(file))),
            Call::SyncFolder(path) => self.push(Step::SyncFolder(self.path(path))),
            Call::Rename(from, to) => {
                let (from, to) = (self.path(from), self.path(to));
                if self.has(&from) && self.has(to.parent().unwrap()) {
                    self.push(Step::Rename(from, to));
                }
            }
            Call::Remove(path) => {
                let path = self.path(path);
                if self.has(&path) {
                    self.push(Step::Remove(path));
                }
            }
            // Allocated blocks hold zeros and lie behind the file's end; what was made is told later.
            Call::Allocate(..)
            | Call::Create(_)
            | Call::CreateOver(_)
            | Call::Open(_)
            | Call::Status(_)
            | Call::Look(_)
            | Call::Read(..)
            | Call::Peek(..)
            | Call::Scatter(..)
            | Call::Uncache(..)
            | Call::List(_)
            | Call::Space(_) => {}
        }
    }

    fn made(&mut self, path: &Path, number: u64) {
        let path = self.path(path);
        if let Some(Node::File(id)) = self.now.names.get(&path) {
            self.push(Step::Empty(*id));
        } else {
            let id = self.next;
            self.next += 1;
            self.numbers.insert(number, id);
            self.push(Step::Create(path, id));
        }
    }

    fn read(&mut self, folder: &Path) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = self.path(&path);
            let status = fs::symlink_metadata(&path).unwrap();
            if status.is_dir() {
                self.before.names.insert(name, Node::Folder);
                self.read(&path);
            } else if name != Path::new("lock") {
                let content = Content::new(fs::read(&path).unwrap());
                self.before.files.insert(self.next, content);
                self.before.names.insert(name, Node::File(self.next));
                self.numbers.insert(status.ino(), self.next);
                self.next += 1;
            }
        }
    }
}

/// Where a write of `bytes` in pieces may be cut: around their ends, around pages', and between.
pub(super) fn cuts(offset: usize, bytes: &[u8], ends: &[usize]) -> Vec<usize> {
    let length = bytes.len();
    let pages = (0..=length).filter(|at| (offset + at).is_multiple_of(PAGE));
    let mut cuts: Vec<_> = ends
        .iter()
        .copied()
        .chain(pages)
        .chain([1, length / 2])
        .flat_map(|at| [at.saturating_sub(1), at, at + 1])
        .filter(|at| *at < length)
        .collect();
    cuts.sort_unstable();
    cuts.dedup();
    cuts
}
