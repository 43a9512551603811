//! Every state in which a crash can leave a directory, given what was done to it. Pure.
//!
//! A killed process leaves what it had done, the last write cut anywhere. Lost power leaves of a file
//! that was not synced each page as it was at some time, or zeros, under any length the file had or
//! grew through; of names either those after some step, as a journal keeps them, or each name by
//! itself as it was at some time, with a rename torn into its two names. What was synced stays.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::journal::{Content, FileId, Image, Node, Recording, Step, cuts};
use super::pages::Pages;

/// What reaches a disk whole or not at all.
pub(super) const PAGE: usize = 4096;
/// Combinations of the files behind one choice of names; where there are more, all but one file are
/// plain.
const MOST_COMBINED: usize = 40_000;

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Crash {
    Kill,
    /// Power is lost, names were written in their order.
    Ordered,
    /// Power is lost, each name was written or not.
    Unordered,
}

/// How many states.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Extent {
    /// Of several files that were not synced one at a time is in every state, the others are whole,
    /// empty or zeros; so is what nobody reads, a draft.
    Some,
    All,
}

/// What each key may be found as; `None` is a miss.
pub(super) type Allowed = BTreeMap<&'static str, BTreeSet<Option<&'static str>>>;

/// What the disk has after a crash, and what may be found there.
#[derive(Clone, Debug)]
pub(super) struct State {
    pub(super) crash: Crash,
    pub(super) image: Image,
    pub(super) allowed: Arc<Allowed>,
}

/// All different states, with their number for each way to crash; one that is reached in several
/// ways is listed once.
#[derive(Debug, Default)]
pub(super) struct States {
    pub(super) list: Vec<State>,
    pub(super) counts: BTreeMap<Crash, usize>,
    listed: HashSet<u64>,
    counted: HashSet<(Crash, u64)>,
}

/// What names and files may be on the disk at one moment.
struct Histories {
    names: BTreeMap<PathBuf, Vec<Option<Node>>>,
    /// All names after each step since the last that was synced.
    ordered: Vec<BTreeMap<PathBuf, Node>>,
    files: BTreeMap<FileId, Pages>,
}

// === impl States ===

impl States {
    /// The states of `recording`, before which the keys were found as `known`.
    pub(super) fn of(recording: &Recording, known: &Allowed, extent: Extent) -> Self {
        let mut states = Self::default();
        states.killed(recording, known.clone());
        states.powerless(recording, known.clone(), extent);
        states
    }

    fn killed(&mut self, recording: &Recording, mut known: Allowed) {
        let mut image = recording.before.clone();
        let mut allowed = Arc::new(known.clone());
        self.add(Crash::Kill, image.clone(), &allowed);
        for step in &recording.steps {
            match step {
                Step::Begun(key, version) => {
                    known.entry(key).or_default().extend([*version, None]);
                    allowed = Arc::new(known.clone());
                }
                Step::Ended(key, version) => {
                    known.insert(key, BTreeSet::from([*version]));
                    allowed = Arc::new(known.clone());
                }
                Step::Write(_, offset, bytes, ends) => {
                    for cut in cuts(*offset, bytes, ends) {
                        let mut short = image.clone();
                        short.draw(step, cut);
                        self.add(Crash::Kill, short, &allowed);
                    }
                }
                _ => {}
            }
            image.draw(step, usize::MAX);
            self.add(Crash::Kill, image.clone(), &allowed);
        }
    }

    fn powerless(&mut self, recording: &Recording, mut known: Allowed, extent: Extent) {
        let mut histories = Histories::new(&recording.before);
        for step in &recording.steps {
            // What may be on the disk only grows until something is synced.
            if matches!(step, Step::Sync(_) | Step::SyncFolder(_)) {
                self.lost(&histories, &known, extent);
            }
            if let Step::Begun(key, version) = step {
                known.entry(key).or_default().extend([*version, None]);
            }
            histories.draw(step);
        }
        self.lost(&histories, &known, extent);
    }

    fn lost(&mut self, histories: &Histories, known: &Allowed, extent: Extent) {
        let allowed = Arc::new(known.clone());
        for names in histories.ordered.iter().cloned() {
            self.fill(Crash::Ordered, names, histories, &allowed, extent);
        }
        for names in histories.unordered() {
            self.fill(Crash::Unordered, names, histories, &allowed, extent);
        }
    }

    /// Adds every state with these names.
    fn fill(
        &mut self,
        crash: Crash,
        names: BTreeMap<PathBuf, Node>,
        histories: &Histories,
        allowed: &Arc<Allowed>,
        extent: Extent,
    ) {
        let empty = Image {
            names,
            ..Image::default()
        };
        let empty = empty.pruned();
        let named = empty.named();
        let of = |id: &FileId| &histories.files[id];
        let combined = named
            .iter()
            .map(|id| of(id).all().len())
            .fold(1, usize::saturating_mul);
        let combinations = if extent == Extent::All && combined <= MOST_COMBINED {
            product(&named, |id| of(id).all())
        } else {
            let is_read = |id: &&FileId| empty.is_read(**id);
            let mut combinations = product(&named, |id| of(id).plain());
            for focus in named.iter().filter(is_read) {
                combinations.extend(product(&named, |id| {
                    if id == focus {
                        of(id).all()
                    } else {
                        of(id).plain()
                    }
                }));
            }
            combinations
        };
        for contents in combinations {
            let files = named.iter().copied().zip(contents).collect();
            let image = Image {
                names: empty.names.clone(),
                files,
            };
            self.add(crash, image, allowed);
        }
    }

    fn add(&mut self, crash: Crash, image: Image, allowed: &Arc<Allowed>) {
        let image = image.pruned();
        let mut hasher = DefaultHasher::new();
        (&image, allowed).hash(&mut hasher);
        let sum = hasher.finish();
        if self.counted.insert((crash, sum)) {
            *self.counts.entry(crash).or_default() += 1;
        }
        if self.listed.insert(sum) {
            self.list.push(State {
                crash,
                image,
                allowed: Arc::clone(allowed),
            });
        }
    }
}

/// Every way to choose one content for each file.
fn product<'a>(
    ids: &[FileId],
    contents: impl Fn(&FileId) -> &'a [Arc<Content>],
) -> Vec<Vec<Arc<Content>>> {
    ids.iter().fold(vec![Vec::new()], |begun, id| {
        let with = |chosen: &Vec<_>, content: &Arc<Content>| {
            let mut chosen = chosen.clone();
            chosen.push(Arc::clone(content));
            chosen
        };
        begun
            .iter()
            .flat_map(|chosen| {
                contents(id)
                    .iter()
                    .map(move |content| with(chosen, content))
            })
            .collect()
    })
}

// === impl Histories ===

impl Histories {
    fn new(durable: &Image) -> Self {
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

    fn draw(&mut self, step: &Step) {
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

    fn unordered(&self) -> Vec<BTreeMap<PathBuf, Node>> {
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
