//! Every state in which a crash can leave a directory, given what was done to it. Pure.
//!
//! A killed process leaves what it had done, the last write cut anywhere. Lost power leaves of a file
//! that was not synced each page as it was at some time, or zeros, under any length the file had or
//! grew through; of names either those after some step, as a journal keeps them, or each name by
//! itself as it was at some time, with a rename torn into its two names. What was synced stays.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::PathBuf;
use std::sync::Arc;

use super::histories::Histories;
use super::image::{Content, FileId, Image, Node};
use super::journal::{Recording, Step, cuts};

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Crash {
    Kill,
    /// Power is lost, names were written in their order.
    Ordered,
    /// Power is lost, each name was written or not.
    Unordered,
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
#[derive(Debug)]
pub(super) struct States {
    /// Combinations of the files behind one choice of names that are still listed whole. Where there
    /// are more, one file at a time is in every state, the others are whole, empty or zeros.
    most_combined: usize,
    pub(super) list: Vec<State>,
    pub(super) counts: BTreeMap<Crash, usize>,
    listed: HashSet<u64>,
    counted: HashSet<(Crash, u64)>,
}

// === impl States ===

impl States {
    /// The states of `recording`, before which the keys were found as `known`.
    pub(super) fn of(recording: &Recording, known: &Allowed, most_combined: usize) -> Self {
        let mut states = Self::none(most_combined);
        states.killed(recording, known.clone());
        states.powerless(recording, known.clone());
        states
    }

    fn none(most_combined: usize) -> Self {
        Self {
            most_combined,
            list: Vec::new(),
            counts: BTreeMap::new(),
            listed: HashSet::new(),
            counted: HashSet::new(),
        }
    }

    fn killed(&mut self, recording: &Recording, mut known: Allowed) {
        let mut image = recording.before.clone();
        let mut allowed = Arc::new(known.clone());
        self.add(Crash::Kill, image.clone(), &allowed);
        for step in &recording.steps {
            match step {
                Step::Begun(key, version) => {
                    // Whatever the moment, a killed process takes nothing with it.
                    known.entry(key).or_default().insert(*version);
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

    fn powerless(&mut self, recording: &Recording, mut known: Allowed) {
        let mut histories = Histories::new(&recording.before);
        for step in &recording.steps {
            // What may be on the disk only grows until something is synced.
            if matches!(step, Step::Sync(_) | Step::SyncFolder(_)) {
                self.lost(&histories, &known);
            }
            if let Step::Begun(key, version) = step {
                known.entry(key).or_default().extend([*version, None]);
            }
            histories.draw(step);
        }
        self.lost(&histories, &known);
    }

    fn lost(&mut self, histories: &Histories, known: &Allowed) {
        let allowed = Arc::new(known.clone());
        for names in histories.ordered.iter().cloned() {
            self.fill(Crash::Ordered, names, histories, &allowed);
        }
        for names in histories.unordered() {
            self.fill(Crash::Unordered, names, histories, &allowed);
        }
    }

    /// Adds every state with these names.
    fn fill(
        &mut self,
        crash: Crash,
        names: BTreeMap<PathBuf, Node>,
        histories: &Histories,
        allowed: &Arc<Allowed>,
    ) {
        let empty = Image {
            names,
            ..Image::default()
        };
        let empty = empty.pruned();
        let ids = empty.named();
        let of = |id: &FileId| &histories.files[id];
        let combined = ids
            .iter()
            .map(|id| of(id).all().len())
            .fold(1, usize::saturating_mul);
        let combinations = if combined <= self.most_combined {
            product(&ids, |id| of(id).all())
        } else {
            let around = |focus: &FileId| {
                product(&ids, |id| {
                    if id == focus {
                        of(id).all()
                    } else {
                        of(id).plain()
                    }
                })
            };
            ids.iter().flat_map(around).collect()
        };
        for contents in combinations {
            let files = ids.iter().copied().zip(contents).collect();
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

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> PathBuf {
        PathBuf::from(text)
    }

    /// Every state of `steps` on a directory with `old`, a line each: what the names hold, where a
    /// page of zeros is a zero.
    fn states(crash: Crash, steps: &[Step]) -> BTreeSet<String> {
        let old = Image {
            names: BTreeMap::from([(path("old"), Node::File(0))]),
            files: BTreeMap::from([(0, Content::new(b"was".to_vec()))]),
        };
        let recording = Recording::of(old, steps);
        let mut states = States::none(100);
        if crash == Crash::Kill {
            states.killed(&recording, Allowed::new());
        } else {
            states.powerless(&recording, Allowed::new());
        }
        // What an order allows, no order does too.
        let of_crash = states.list.iter();
        let of_crash = of_crash.filter(|state| state.crash <= crash);
        of_crash.map(|state| line(&state.image)).collect()
    }

    fn line(image: &Image) -> String {
        let names = image.names.iter().map(|(name, node)| match node {
            Node::Folder => format!("{}/", name.display()),
            Node::File(id) => {
                let text = String::from_utf8(image.files[id].bytes.clone()).unwrap();
                format!("{}={}", name.display(), text.replace('\0', "0"))
            }
        });
        names.collect::<Vec<_>>().join(" ")
    }

    fn set(lines: &[&str]) -> BTreeSet<String> {
        lines.iter().map(|line| (*line).to_owned()).collect()
    }

    fn replacement() -> Vec<Step> {
        vec![
            Step::Create(path("tmp"), 1),
            Step::Write(1, 0, b"is".to_vec(), vec![2]),
            Step::Rename(path("tmp"), path("new")),
            Step::Remove(path("old")),
        ]
    }

    #[test]
    fn a_killed_process_leaves_what_it_had_done_and_a_part_of_its_last_write() {
        assert_eq!(
            states(Crash::Kill, &replacement()),
            set(&[
                "old=was",
                "old=was tmp=",
                "old=was tmp=i",
                "old=was tmp=is",
                "new=is old=was",
                "new=is",
            ])
        );
    }

    #[test]
    fn without_power_a_renamed_file_may_be_empty_or_zeros() {
        assert_eq!(
            states(Crash::Ordered, &replacement()),
            set(&[
                "old=was",
                "old=was tmp=",
                "old=was tmp=00",
                "old=was tmp=is",
                "new= old=was",
                "new=00 old=was",
                "new=is old=was",
                "new=",
                "new=00",
                "new=is",
            ])
        );
    }

    #[test]
    fn without_order_a_removal_may_come_first_and_a_rename_be_torn() {
        let all = states(Crash::Unordered, &replacement());
        for unordered in ["", "tmp=is", "new=is tmp=is", "new=00 old=was tmp=00"] {
            assert!(all.contains(unordered), "{unordered:?} of {all:?}");
        }
        // The old file is there or not, and so are two names of the new one, which may be three things.
        assert_eq!(all.len(), 2 * (1 + 3 * 3));
    }

    #[test]
    fn what_was_synced_is_there() {
        let mut steps = replacement();
        steps.insert(2, Step::Sync(1));
        steps.push(Step::SyncFolder(path("")));
        let last = [Step::Create(path("last"), 2)];
        let all = states(Crash::Unordered, &[steps, last.to_vec()].concat());
        assert!(all.contains("new=is") && all.contains("last= new=is"));
        assert!(!all.contains("last="), "{all:?}");
        assert!(!all.contains("last= old=was"), "{all:?}");
    }

    #[test]
    fn a_name_is_there_only_with_its_folder() {
        let steps = [
            Step::MakeFolder(path("a")),
            Step::Rename(path("old"), path("a/old")),
        ];
        assert_eq!(
            states(Crash::Unordered, &steps),
            set(&[
                "",
                "a/",
                "a/ a/old=was",
                "old=was",
                "a/ old=was",
                "a/ a/old=was old=was"
            ])
        );
        assert_eq!(
            states(Crash::Ordered, &steps),
            set(&["old=was", "a/ old=was", "a/ a/old=was"])
        );
    }

    #[test]
    fn of_too_many_files_one_at_a_time_is_in_every_state() {
        let file = |id: FileId| {
            [
                Step::Create(path(&id.to_string()), id),
                Step::Write(id, 0, b"ab".to_vec(), vec![2]),
                Step::Write(id, 2, b"cd".to_vec(), vec![2]),
            ]
        };
        let recording = Recording::of(Image::default(), &[file(1), file(2)].concat());
        let number = |most| States::of(&recording, &Allowed::new(), most).counts[&Crash::Unordered];
        // Six a file: empty, "ab", two zeros, four, "ab" and two zeros, whole; plain are three.
        assert_eq!(number(36), 1 + 6 + 6 + 36);
        assert_eq!(number(35), 1 + 6 + 6 + (6 * 3 + 3 * 6 - 3 * 3));
    }
}
