//! What rests in both tiers, listed for an operator page by page in the order of the digests. Uses nothing up:
//! an entry that is listed does not count as used.
//!
//! A page is a walk from one place to another. What is in memory is known; of what is not, the footer is read,
//! a few in one job, and no lock is held meanwhile.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::io;
use std::str::FromStr;
use std::sync::Arc;

use tokio::task::spawn_blocking;
use tokio::time::{Duration, Instant};

use super::disk::{Disk, EntryName, Named, Prefix};
use super::filter::Filter;
use super::memory::Stored;
use super::{Shared, Tiers};
use crate::artifact::{KeyDigest, Landed, Meta};

/// Entries whose labels are read for one page: each may be a file.
pub const MOST_LOOKED_AT: usize = 1000;
/// Steps of one job: of a disk that takes a third of a second for each it is still over in time.
const STEPS: usize = 8;
/// How long a page is looked for: whoever asks waits no longer than for another answer.
const LOOKING: Duration = Duration::from_secs(1);
/// Bits below a place's first byte, which is its folder.
const BELOW_SHARD: u32 = u128::BITS - u8::BITS;

/// An entry that was listed.
#[derive(Clone, Debug)]
pub struct Listed {
    /// Its key.
    pub key: KeyDigest,
    /// What is known of it.
    pub meta: Arc<Meta>,
    /// Whether it is in memory.
    pub in_memory: bool,
    /// Its file, where it is on the disk.
    pub(super) name: Option<EntryName>,
    /// When it was last used, as far as the disk tier knows.
    pub used: Option<Landed>,
}

/// Some of the entries, in order.
#[derive(Debug, Default)]
pub struct Page {
    /// Those that are meant.
    pub entries: Vec<Listed>,
    /// Where the next page begins; nowhere where this was the last. A page may be empty and not the last.
    pub next: Option<Place>,
    /// Entries whose labels were read.
    pub looked_at: u64,
    /// Those of them that may be meant, and whose labels the disk does not say.
    pub unreadable: u64,
    /// Whether the disk tier was off for some of it, so that what that has is missing.
    pub without_disk: bool,
}

/// A place in the order of the digests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place(u128);

/// This is no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not what an earlier page gave as the next one's beginning")]
pub struct NoPlace;

/// A page in the making.
struct Walk {
    shared: Arc<Shared>,
    filter: Filter,
    limit: usize,
    from: Place,
    /// The next folder; none after the last.
    shard: Option<u8>,
    memory: BTreeMap<Prefix, (KeyDigest, Arc<Stored>)>,
    waiting: VecDeque<(Prefix, Candidate)>,
    page: Page,
}

/// What the tiers have of one key.
#[derive(Default)]
struct Candidate {
    stored: Option<(KeyDigest, Arc<Stored>)>,
    named: Option<Named>,
}

// === impl Listed ===

impl Listed {
    /// Whether it is on the disk.
    pub fn is_on_disk(&self) -> bool {
        self.name.is_some()
    }
}

// === impl Tiers ===

impl Tiers {
    /// Whether what rests on the disk is known one by one, and no more by what the last process said of it.
    pub fn is_read(&self) -> bool {
        let disk = self.shared.disk.as_ref();
        disk.is_none_or(|disk| disk.is_all_read())
    }

    /// Lists entries from a place on, at most `limit`. Folders that were not read yet are read.
    ///
    /// # Errors
    ///
    /// A folder cannot be read, or the disk does not answer in time. Where the disk tier is off, what is in
    /// memory is all there is.
    pub async fn list(&self, filter: &Filter, from: Place, limit: usize) -> io::Result<Page> {
        let mut walk = Walk::new(&self.shared, filter.clone(), from, limit);
        let looking = spawn_blocking(move || {
            walk.look_into_memory();
            walk
        });
        let mut walk = looking.await.map_err(io::Error::other)?;
        let began = Instant::now();
        while !walk.is_over() && began.elapsed() < LOOKING {
            walk = walk.go_on().await?;
        }
        Ok(walk.page())
    }
}

// === impl Walk ===

impl Walk {
    fn new(shared: &Arc<Shared>, filter: Filter, from: Place, limit: usize) -> Self {
        Self {
            shared: Arc::clone(shared),
            filter,
            limit: limit.clamp(1, MOST_LOOKED_AT),
            from,
            shard: Some(from.shard()),
            memory: BTreeMap::new(),
            waiting: VecDeque::new(),
            page: Page::default(),
        }
    }

    /// Notes what is meant in memory: more than one page's worth is not needed, whatever is on the disk.
    fn look_into_memory(&mut self) {
        let (memory, filter, from) = (&mut self.memory, &self.filter, self.from);
        self.shared.memory.each(|key, stored| {
            let prefix = Prefix::of(key);
            if Place::of(&prefix) >= from && filter.takes(&stored.meta) {
                memory.insert(prefix, (*key, Arc::clone(stored)));
                if memory.len() > MOST_LOOKED_AT {
                    memory.pop_last();
                }
            }
        });
    }

    /// Whether there is nothing more to look at, or this page has enough.
    fn is_over(&self) -> bool {
        let is_full = self.page.entries.len() >= self.limit;
        let has_looked = self.page.looked_at >= MOST_LOOKED_AT as u64;
        is_full || has_looked || self.is_at_the_end()
    }

    fn is_at_the_end(&self) -> bool {
        self.shard.is_none() && self.waiting.is_empty()
    }

    /// Goes on for some steps, off the runtime where they are file calls.
    async fn go_on(mut self) -> io::Result<Self> {
        if self.disk().is_none() {
            self.step_on()?;
            return Ok(self);
        }
        let jobs = self.shared.jobs.clone();
        let stepping = jobs.run_within(move || self.step_on().map(|()| self));
        stepping.await?
    }

    fn step_on(&mut self) -> io::Result<()> {
        for _ in 0..STEPS {
            if self.is_over() {
                return Ok(());
            }
            match self.waiting.pop_front() {
                Some((prefix, candidate)) => {
                    self.look_at(candidate);
                    self.from = Place::behind(&prefix);
                }
                None => self.enter_next_shard()?,
            }
        }
        Ok(())
    }

    /// Has what is in the next folder at hand, in order.
    fn enter_next_shard(&mut self) -> io::Result<()> {
        let Some(shard) = self.shard else {
            return Ok(());
        };
        let mut found: BTreeMap<Prefix, Candidate> = BTreeMap::new();
        if let Some(disk) = self.disk().cloned() {
            for named in disk.listed(shard)? {
                let prefix = named.name.prefix;
                let is_due = Place::of(&prefix) >= self.from;
                if is_due && self.may_be_meant(&named.name) {
                    found.entry(prefix).or_default().named = Some(named);
                }
            }
        }
        let stored = self.memory.iter();
        for (prefix, stored) in stored.filter(|(prefix, _)| prefix.shard() == shard) {
            found.entry(*prefix).or_default().stored = Some(stored.clone());
        }
        self.from = self.from.max(Place::beginning_of(shard));
        self.shard = shard.checked_add(1);
        self.waiting = found.into_iter().collect();
        Ok(())
    }

    /// Whether its footer has to be read, or memory knows that it is meant.
    fn may_be_meant(&self, name: &EntryName) -> bool {
        self.memory.contains_key(&name.prefix) || self.filter.may_take(name)
    }

    fn look_at(&mut self, candidate: Candidate) {
        self.page.looked_at += 1;
        let Candidate { stored, named } = candidate;
        let in_memory = stored.is_some();
        let known = match (stored, &named) {
            (Some((key, stored)), _) => Some((key, Arc::clone(&stored.meta))),
            (None, Some(named)) => self.labelled(&named.name),
            (None, None) => None,
        };
        if let Some((key, meta)) = known
            && self.filter.takes(&meta)
        {
            self.page.entries.push(Listed {
                key,
                meta,
                in_memory,
                used: named.as_ref().map(Named::used),
                name: named.map(|named| named.name),
            });
        }
    }

    fn labelled(&mut self, name: &EntryName) -> Option<(KeyDigest, Arc<Meta>)> {
        let labelled = self.disk()?.labelled(name);
        self.page.unreadable += u64::from(labelled.is_err());
        let (key, meta) = labelled.ok()??;
        Some((key, Arc::new(meta)))
    }

    /// The disk tier, where something can be found in it.
    fn disk(&mut self) -> Option<&Arc<Disk>> {
        let disk = self.shared.disk.as_ref()?;
        let is_off = disk.faults.is_off();
        self.page.without_disk |= is_off;
        (!is_off).then_some(disk)
    }

    fn page(self) -> Page {
        let is_at_the_end = self.is_at_the_end();
        Page {
            next: (!is_at_the_end).then_some(self.next_place()),
            ..self.page
        }
    }

    fn next_place(&self) -> Place {
        match (self.waiting.front(), self.shard) {
            (None, Some(shard)) => self.from.max(Place::beginning_of(shard)),
            _ => self.from,
        }
    }
}

// === impl Place ===

impl Place {
    fn of(prefix: &Prefix) -> Self {
        Self(prefix.number())
    }

    fn behind(prefix: &Prefix) -> Self {
        Self(prefix.number().saturating_add(1))
    }

    fn beginning_of(shard: u8) -> Self {
        Self(u128::from(shard) << BELOW_SHARD)
    }

    fn shard(self) -> u8 {
        u8::try_from(self.0 >> BELOW_SHARD).unwrap_or(u8::MAX)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl FromStr for Place {
    type Err = NoPlace;

    fn from_str(text: &str) -> Result<Self, NoPlace> {
        let place = u128::from_str_radix(text, 16).map(Self);
        let place = place.map_err(|_| NoPlace)?;
        (place.to_string() == text).then_some(place).ok_or(NoPlace)
    }
}
