//! What the tier did to its directory, call by call, and what a directory holds.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;

use super::states::PAGE;
use crate::tiers::disk::files::Call;
use crate::tiers::disk::files::shim::Watch;

/// A file, whatever its names.
pub(super) type FileId = usize;

/// What a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Node {
    Folder,
    File(FileId),
}

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

/// A file's bytes, with a sum that stands for them.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Content {
    sum: u64,
    pub(super) bytes: Vec<u8>,
}

/// What a directory holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Image {
    pub(super) names: BTreeMap<PathBuf, Node>,
    pub(super) files: BTreeMap<FileId, Arc<Content>>,
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

// === impl Content ===

impl Content {
    pub(super) fn new(bytes: Vec<u8>) -> Arc<Self> {
        let mut hasher = DefaultHasher::new();
        bytes.hash(&mut hasher);
        Arc::new(Self {
            sum: hasher.finish(),
            bytes,
        })
    }
}

impl Hash for Content {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.sum.hash(state);
    }
}

// === impl Image ===

impl Image {
    /// Draws the changes of `step`, of a write only the first `bytes`.
    pub(super) fn draw(&mut self, step: &Step, bytes: usize) {
        match step {
            Step::MakeFolder(path) => {
                self.names.insert(path.clone(), Node::Folder);
            }
            Step::Create(path, id) => {
                self.names.insert(path.clone(), Node::File(*id));
                self.files.insert(*id, Content::new(Vec::new()));
            }
            Step::Empty(id) => {
                self.files.insert(*id, Content::new(Vec::new()));
            }
            Step::Write(id, offset, written, _) => {
                let written = &written[..bytes.min(written.len())];
                let mut content = self.files[id].bytes.clone();
                overlay(&mut content, *offset, written);
                self.files.insert(*id, Content::new(content));
            }
            Step::Rename(from, to) => {
                if let Some(node) = self.names.remove(from) {
                    self.names.insert(to.clone(), node);
                }
            }
            Step::Remove(path) => {
                self.names.remove(path);
            }
            Step::Sync(_) | Step::SyncFolder(_) | Step::Begun(..) | Step::Ended(..) => {}
        }
    }

    /// Leaves out files without a name and names in folders that are not there.
    pub(super) fn pruned(mut self) -> Self {
        let names = self.names.clone();
        let is_there = |folder: &Path| names.get(folder) == Some(&Node::Folder);
        self.names.retain(|path, _| {
            let mut above = path.ancestors().skip(1);
            above.all(|folder| folder.as_os_str().is_empty() || is_there(folder))
        });
        let named = self.named();
        self.files.retain(|id, _| named.contains(id));
        self
    }

    /// The files that have a name.
    pub(super) fn named(&self) -> Vec<FileId> {
        let nodes = self.names.values().filter_map(|node| match node {
            Node::File(id) => Some(*id),
            Node::Folder => None,
        });
        let mut named: Vec<_> = nodes.collect();
        named.sort_unstable();
        named.dedup();
        named
    }

    /// Whether anybody ever reads this file: drafts of a former process go unread.
    pub(super) fn is_read(&self, id: FileId) -> bool {
        let mut names = self
            .names
            .iter()
            .filter(|(_, node)| **node == Node::File(id));
        names.any(|(path, _)| !path.starts_with("v1/tmp"))
    }

    /// A line a name: its file's length and which of its pages hold nothing but zeros.
    pub(super) fn shown(&self) -> String {
        let line = |(path, node): (&PathBuf, &Node)| match node {
            Node::Folder => format!("  {}/", path.display()),
            Node::File(id) => {
                let bytes = &self.files[id].bytes;
                let is_zero = |page: &[u8]| page.iter().all(|byte| *byte == 0);
                let zeros: Vec<_> = bytes.chunks(PAGE).map(is_zero).collect();
                let path = path.display();
                format!(
                    "  {path}: file {id}, {} bytes, zeros {zeros:?}",
                    bytes.len()
                )
            }
        };
        let lines: Vec<_> = self.names.iter().map(line).collect();
        lines.join("\n")
    }

    /// Makes an empty directory hold all this; a file of two names is one file.
    pub(super) fn write(&self, root: &Path) -> io::Result<()> {
        let mut first: HashMap<FileId, &Path> = HashMap::new();
        for (path, node) in &self.names {
            let to = root.join(path);
            match node {
                Node::Folder => fs::create_dir(to)?,
                Node::File(id) => match first.get(id) {
                    Some(known) => fs::hard_link(root.join(known), to)?,
                    None => {
                        fs::write(to, &self.files[id].bytes)?;
                        first.insert(*id, path);
                    }
                },
            }
        }
        Ok(())
    }
}

/// Writes `bytes` at `offset`, with zeros before where nothing was.
pub(super) fn overlay(content: &mut Vec<u8>, offset: usize, bytes: &[u8]) {
    let end = offset + bytes.len();
    if content.len() < end && !bytes.is_empty() {
        content.resize(end, 0);
    }
    if !bytes.is_empty() {
        content[offset..end].copy_from_slice(bytes);
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
            // Allocated blocks hold zeros and are behind the file's end.
            Call::Allocate(..) => {}
            Call::Create(_) | Call::CreateOver(_) => {}
            Call::Open(_) | Call::Status(_) | Call::Read(..) | Call::Peek(..) => {}
            Call::List(_) | Call::Space(_) => {}
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
