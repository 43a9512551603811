//! What of a directory may be on the disk at one moment: its names and its files. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::image::{FileId, Image, Node};
use super::journal::Step;
use super::pages::Pages;

/// What names and files may be on the disk at one moment.
pub(super) struct Histories {
    names: BTreeMap<PathBuf, Vec<Option<Node>>>,
    /// All names after each step since the last that was synced.
    pub(super) ordered: Vec<BTreeMap<PathBuf, Node>>,
    pub(super) files: BTreeMap<FileId, Pages>,
}

// === impl Histories ===

impl Histories {
    pub(super) fn new(durable: &Image) -> Self {
        let nodes = durable.names.iter();
        let contents = durable.files.iter();
        Self {
            names: nodes
                .map(|(path, node)| (path.clone(), vec![Some(*node)]))
                .collect(),
            ordered: vec![durable.names.clone()],
            files: contents
                .map(|(id, content)| (*id, Pages::durable(&content.bytes)))
                .collect(),
        }
    }

    pub(super) fn draw(&mut self, step: &Step) {
        match step {
            Step::MakeFolder(path) => self.name(&[(path, Some(Node::Folder))]),
            Step::Create(path, id) => {
                self.files.insert(*id, Pages::durable(b""));
                self.name(&[(path, Some(Node::File(*id)))]);
            }
            Step::Rename(from, to) => {
                let node = self.names.get(from).and_then(|was| *was.last()?);
                self.name(&[(to, node), (from, None)]);
            }
            Step::Remove(path) => self.name(&[(path, None)]),
            Step::Empty(id) => self.file(*id, Pages::empty),
            Step::Write(id, offset, bytes, _) => {
                self.file(*id, |pages| pages.write(*offset, bytes));
            }
            Step::Sync(id) => self.file(*id, Pages::sync),
            Step::SyncFolder(folder) => self.sync_folder(folder),
            Step::Begun(..) | Step::Ended(..) => {}
        }
    }

    fn file(&mut self, id: FileId, change: impl FnOnce(&mut Pages)) {
        if let Some(pages) = self.files.get_mut(&id) {
            change(pages);
        }
    }

    fn name(&mut self, changes: &[(&PathBuf, Option<Node>)]) {
        let mut now = self.ordered.last().cloned().unwrap_or_default();
        for (path, node) in changes {
            match node {
                Some(node) => drop(now.insert((*path).clone(), *node)),
                None => drop(now.remove(*path)),
            }
            let was = self.names.entry((*path).clone());
            was.or_insert_with(|| vec![None]).push(*node);
        }
        self.ordered.push(now);
    }

    /// A journal has written everything before by then; without one only this folder's names.
    fn sync_folder(&mut self, folder: &Path) {
        self.ordered.drain(..self.ordered.len() - 1);
        for (path, was) in &mut self.names {
            if path.parent() == Some(folder) {
                was.drain(..was.len() - 1);
            }
        }
    }

    /// Every choice of what each name was at some time.
    pub(super) fn unordered(&self) -> Vec<BTreeMap<PathBuf, Node>> {
        let mut all = vec![BTreeMap::new()];
        for (path, was) in &self.names {
            let was: BTreeSet<_> = was.iter().copied().collect();
            let with = |names: &BTreeMap<PathBuf, Node>, node: Option<Node>| {
                let mut names = names.clone();
                names.extend(node.map(|node| (path.clone(), node)));
                names
            };
            all = all
                .iter()
                .flat_map(|names| was.iter().map(move |node| with(names, *node)))
                .collect();
        }
        let pruned = all.into_iter().map(|names| {
            let image = Image {
                names,
                ..Image::default()
            };
            image.pruned().names
        });
        let different: BTreeSet<_> = pruned.collect();
        different.into_iter().collect()
    }
}
