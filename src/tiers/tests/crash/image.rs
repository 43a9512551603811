//! What a directory holds: names and bytes.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::journal::Step;

/// What reaches a disk whole or not at all.
pub(super) const PAGE: usize = 4096;

/// A file, whatever its names.
pub(super) type FileId = usize;

/// What a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Node {
    Folder,
    File(FileId),
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
    /// Draws the changes of `step`, of a write only the first `upto` bytes.
    pub(super) fn draw(&mut self, step: &Step, upto: usize) {
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
                let written = &written[..upto.min(written.len())];
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
        let used = self.named();
        self.files.retain(|id, _| used.contains(id));
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
                Node::File(id) => {
                    if let Some(known) = first.get(id) {
                        fs::hard_link(root.join(known), to)?;
                    } else {
                        fs::write(to, &self.files[id].bytes)?;
                        first.insert(*id, path);
                    }
                }
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
