//! A house for one schedule: how it stands when the threads begin, what each does, and what must
//! hold when all have ended.

use std::os::unix::fs::FileExt;

use futures_util::FutureExt;
use parking_lot::Mutex;

use super::history::{Did, History};
use super::schedule::{Points, Schedule, Unhindered};
use super::*;
use crate::artifact::{Landed, Meta};
use crate::metrics::Eviction;
use crate::tiers::disk::EntryName;
use crate::tiers::locks::shim::{Steer, Steered, steered_by};

/// What a file system hands out.
const UNIT: u64 = 4096;

/// One house, and what happened in it.
pub(super) struct Stage {
    house: House,
    points: Arc<Points>,
    old: Option<EntryName>,
    listed: Vec<Listed>,
    draft: Mutex<Option<Draft>>,
    given_up: AtomicBool,
    history: History,
}

pub(super) fn unhindered() -> Steered {
    steered_by(Arc::new(Unhindered) as Arc<dyn Steer>)
}

fn done<T>(outcome: impl Future<Output = T>) -> T {
    outcome
        .now_or_never()
        .expect("a steered thread waits only where it is steered")
}

// === impl Stage ===

impl Stage {
    pub(super) fn set(begin: Begin) -> Self {
        let points = Arc::new(Points::default());
        let files = Files::watched(Arc::clone(&points) as Arc<_>);
        let is_small = matches!(begin, Begin::Full | Begin::Drafted);
        let memory = if begin == Begin::Open { 0 } else { MIB };
        let config = config(memory, if is_small { 4 * UNIT } else { 64 * MIB });
        let stage = Self {
            house: House::in_memory(config, files),
            points,
            old: None,
            listed: Vec::new(),
            draft: Mutex::new(None),
            given_up: AtomicBool::new(false),
            history: History::default(),
        };
        let stage = stage.begun(begin);
        for (hash, text) in [("a", "old"), ("b", "b"), ("c", "c"), ("d", "d")] {
            stage.history.note(hash, Did::Wrote(text), 0, 0);
        }
        if begin == Begin::Doomed {
            stage.history.note("a", Did::Forgot, 1, 1);
        }
        stage
    }

    fn begun(mut self, begin: Begin) -> Self {
        match begin {
            Begin::Aged => self.publish_aged(),
            Begin::UnreadTwice => {
                self.publish("a", "older");
                let [path] = self.house.entries().try_into().unwrap();
                let older = fs::read(&path).unwrap();
                self.publish("a", "old");
                fs::write(path, older).unwrap();
            }
            _ => self.publish("a", "old"),
        }
        if begin != Begin::Unread && begin != Begin::UnreadTwice {
            // Not asked for: whatever is found counts as used.
            self.old = self.names().pop();
        }
        match begin {
            Begin::Unread | Begin::UnreadTwice => self.house = self.house.restart(),
            Begin::Frames => {
                let rights = &self.disk().whole_reads;
                rights.forget_permits(rights.available_permits());
            }
            Begin::Damaged => {
                let [path] = self.house.entries().try_into().unwrap();
                let file = fs::OpenOptions::new().write(true).open(path).unwrap();
                file.write_all_at(b"X", 0).unwrap();
            }
            Begin::Full => ["b", "c", "d"]
                .into_iter()
                .for_each(|it| self.publish(it, it)),
            Begin::Drafted => {
                self.publish("b", "b");
                let draft = done(self.house.tiers.draft(&key("c"), Some(2 * UNIT)));
                self.draft = Mutex::new(Some(draft.unwrap()));
            }
            Begin::Stuck => self.refuse_removals(true),
            Begin::Outlived => {
                self.refuse_removals(true);
                self.publish("a", "old");
                self.refuse_removals(false);
                self.old = self.disk().find(&digest("a")).now_or_never().unwrap();
            }
            Begin::Doomed => {
                self.refuse_removals(true);
                done(self.house.tiers.forget(&digest("a")));
                self.refuse_removals(false);
            }
            Begin::Open => drop(self.see("a")),
            Begin::Both | Begin::Disk | Begin::Aged => {}
        }
        if begin != Begin::Both {
            self.house.tiers.shared.memory.replace(&digest("a"), None);
        }
        self.listed = self
            .old
            .map(|name| self.listed_as(name))
            .into_iter()
            .collect();
        self
    }

    fn listed_as(&self, name: EntryName) -> Listed {
        let stored = self.house.tiers.shared.memory.get(&digest("a"));
        let in_memory = stored.is_some();
        let on_disk = || Meta {
            label: label(&key("a"), "old"),
            size: 3,
            landed: name.landed(),
        };
        Listed {
            key: digest("a"),
            meta: stored.map_or_else(|| Arc::new(on_disk()), |stored| Arc::clone(&stored.meta)),
            in_memory,
            name: Some(name),
            used: None,
        }
    }

    fn disk(&self) -> &Arc<Disk> {
        self.house.disk()
    }

    fn publish(&self, hash: &str, text: &str) {
        done(self.house.tiers.publish(small(hash, text))).unwrap();
    }

    fn publish_aged(&self) {
        let key = key("a");
        let age = self.house.config.disk.max_age.as_secs();
        let meta = Meta {
            label: label(&key, "old"),
            size: 3,
            landed: Landed::from_secs(Landed::now().as_secs() - age - 1),
        };
        let staged = disk::Staged::write(self.disk(), &key, &meta, b"old").unwrap();
        self.disk().commit(staged).unwrap();
    }

    fn refuse_removals(&self, refuses: bool) {
        *self.points.refused.lock() = refuses.then_some(rustix::io::Errno::IO);
    }

    /// Does on this thread what one thread of the schedule does.
    pub(super) fn act(&self, act: Act, schedule: &Schedule) {
        let began = now(schedule);
        let tiers = &self.house.tiers;
        let did = match act {
            Upload(hash, text) => {
                done(tiers.publish(small(hash, text))).unwrap_or_default();
                Some((hash, Did::Wrote(text)))
            }
            UploadGivenUp(hash, text) => {
                let shared = &self.house.tiers.shared;
                let landed = shared.land(small(hash, text), Entrance::Upload, &self.given_up);
                // Seen, perhaps; but nobody was told that what it replaces is over.
                let did = landed.map_or(Did::Filled(text), |()| Did::Wrote(text));
                Some((hash, did))
            }
            GiveUp(hash) => {
                self.given_up.store(true, Ordering::Release);
                tiers.shared.disown(&digest(hash), None);
                Some((hash, Did::Forgot))
            }
            Fill(hash, text) => {
                let noted = tiers.epoch(&digest(hash));
                let at = now(schedule);
                self.history.note(hash, Did::Filled(text), at, at);
                done(tiers.land(small(hash, text), noted)).unwrap_or_default();
                None
            }
            Forget(hash) => {
                done(tiers.forget(&digest(hash)));
                Some((hash, Did::Forgot))
            }
            Purge => {
                let gone = done(tiers.remove(&self.listed));
                (!gone.is_empty()).then_some(("a", Did::Forgot))
            }
            Read(hash) => self.see(hash).map(|text| (hash, Did::Saw(text))),
            Find(hash) => {
                let text = self.see(hash).expect("it was there all the time");
                Some((hash, Did::Saw(text)))
            }
            DropDraft => {
                drop(self.draft.lock().take());
                None
            }
            _ => {
                self.keep_up(act);
                None
            }
        };
        if let Some((hash, did)) = did {
            self.history.note(hash, did, began, now(schedule));
        }
    }

    fn keep_up(&self, act: Act) {
        let disk = self.disk();
        match act {
            EvictLate => {
                let name = self.old.as_ref().unwrap();
                disk.evict(name, Eviction::Size).unwrap_or_default();
            }
            Trim => while disk.trim(64) {},
            Expire => while disk.expire(64) {},
            ReadFolder => disk.read_shard(shard("a")).unwrap(),
            RemoveDoomed => disk.remove_doomed(),
            WriteRecency => disk.write_recency(shard("a")).unwrap(),
            Scrub => {
                for name in disk.resting_from(shard("a"), 0).unwrap() {
                    self.look_over(&name);
                }
            }
            _ => panic!("{act:?} is no upkeep"),
        }
    }

    /// As the scrubber does, in one go.
    fn look_over(&self, name: &EntryName) {
        let disk = self.disk();
        let checked = disk.begin_check(name).and_then(|begun| {
            let mut begun = begun.into_iter();
            begun.try_for_each(|mut checking| {
                while !checking.is_done() {
                    checking.step()?;
                }
                Ok(())
            })
        });
        match checked {
            Ok(()) => disk.passed(name),
            Err(fault) => disk.failed(name, &fault),
        };
    }

    /// The text of a key, whole and with its own label, or nothing.
    fn see(&self, hash: &str) -> Option<String> {
        let found = done(self.house.tiers.lookup(&digest(hash)))?;
        let artifact = done(found.open()).ok()?;
        let body = match artifact.body {
            ArtifactBody::Whole(body) => body,
            ArtifactBody::File(body) => done(body.collect())
                .expect("an open reader keeps its bytes")
                .to_bytes(),
        };
        let text = String::from_utf8(body.to_vec()).unwrap();
        assert_eq!(artifact.meta.label, label(&key(hash), &text), "mixed");
        Some(text)
    }

    /// What must hold when all have ended, after which `a` has one of `ends`.
    pub(super) fn check(&self, ends: &[Option<&str>], schedule: &Schedule) {
        self.refuse_removals(false);
        self.history.check();
        drop(self.draft.lock().take());
        self.check_files();
        self.disk().read_shard(shard("a")).unwrap();
        self.check_files();
        let now = now(schedule) + 1;
        let found = self.see("a");
        assert!(ends.contains(&found.as_deref()), "a ends as {found:?}");
        self.house.tiers.shared.memory.replace(&digest("a"), None);
        let below = self.see("a");
        assert_eq!(below, found, "on the disk and above it");
        for text in [found, below].into_iter().flatten() {
            self.history.note("a", Did::Saw(text), now, now);
        }
        self.history.check();
        self.check_files();
        self.check_nothing_outlives_an_eviction();
    }

    /// No older file is left behind an entry that is evicted, to be found after the next start.
    fn check_nothing_outlives_an_eviction(&self) {
        for name in self.names() {
            self.disk().evict(&name, Eviction::Size).unwrap();
        }
        for name in self.names() {
            assert!(self.disk().is_doomed(&name.prefix), "{name} came back");
        }
    }

    /// The files of all entries.
    fn names(&self) -> Vec<EntryName> {
        let name_of = |path: PathBuf| {
            let name = path.file_name().unwrap().to_str().unwrap();
            EntryName::parse(name).unwrap()
        };
        self.house.entries().into_iter().map(name_of).collect()
    }

    /// Files and index never part; no promise is left and no draft.
    fn check_files(&self) {
        let disk = self.disk();
        assert_eq!((disk.reserved(), disk.unwritten()), (0, 0));
        assert_eq!(self.house.files_in("tmp"), Vec::<PathBuf>::new());
        let (known, unknown): (Vec<_>, Vec<_>) = self
            .names()
            .into_iter()
            .filter(|name| disk.is_read(name.prefix.shard()))
            .partition(|name| disk.holds(name));
        for name in unknown {
            let goes_first = disk.is_doomed(&name.prefix) || disk.is_outlived(&name.prefix);
            assert!(goes_first, "{name} is unknown");
        }
        assert_eq!(disk.entries(), known.len(), "files are missing");
        for name in disk.names_kept() {
            let stays = disk.holds(&name) && !disk.is_doomed(&name.prefix);
            assert!(stays, "{name} goes and stays open");
        }
        disk.report();
        let used: u64 = known.iter().map(|it| it.length.div_ceil(UNIT) * UNIT).sum();
        let told = self.house.metrics.tier(Tier::Disk).bytes.get();
        assert_eq!(u64::try_from(told).unwrap(), used);
        assert!(used <= self.house.config.disk.capacity);
    }
}

/// The moment, after those before the threads began.
fn now(schedule: &Schedule) -> usize {
    schedule.now() + 2
}

fn digest(hash: &str) -> KeyDigest {
    key(hash).digest
}

fn shard(hash: &str) -> u8 {
    disk::Prefix::of(&digest(hash)).shard()
}
