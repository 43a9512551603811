//! The table of what is held: for whom a hold is, and whom an upload has healed it for. Pure.

use std::collections::{HashMap, VecDeque};

use super::{Held, MOST_HOLDS, NotHeld};
use crate::artifact::{ArtifactHash, ArtifactKey, Landed, Scope, ScopeDigest, form_decoded};

/// Scopes that one hold remembers as healed. One that is forgotten is held again, until its next upload.
const MOST_HEALED: usize = 64;

/// Everything that is held, by hash.
#[derive(Debug, Default)]
pub(super) struct Table {
    holds: HashMap<ArtifactHash, Vec<Hold>>,
    count: usize,
}

/// One hold of a hash.
#[derive(Debug)]
pub(super) struct Hold {
    pub(super) team: Option<String>,
    pub(super) since: Landed,
    /// Its place in the order of all of them.
    pub(super) number: u64,
    /// The scopes whose upload was accepted since.
    pub(super) healed: VecDeque<ScopeDigest>,
}

// === impl Table ===

impl Table {
    pub(super) fn len(&self) -> usize {
        self.count
    }

    pub(super) fn covers(&self, key: &ArtifactKey) -> bool {
        let holds = self.holds.get(&key.hash);
        holds.is_some_and(|holds| holds.iter().any(|hold| hold.covers(&key.scope)))
    }

    /// Adds a hold, in place of the same one.
    pub(super) fn insert(&mut self, held: Held, number: u64) -> Result<(), NotHeld> {
        let Held {
            hash, team, since, ..
        } = held;
        let replaces = self.remove(&hash, team.as_deref());
        if self.count >= MOST_HOLDS && !replaces {
            return Err(NotHeld::TooMany);
        }
        let fresh = Hold {
            team,
            since,
            number,
            healed: VecDeque::new(),
        };
        self.put(hash, fresh);
        Ok(())
    }

    /// Puts a hold there as it is.
    pub(super) fn put(&mut self, hash: ArtifactHash, hold: Hold) {
        self.holds.entry(hash).or_default().push(hold);
        self.count += 1;
    }

    pub(super) fn remove(&mut self, hash: &ArtifactHash, team: Option<&str>) -> bool {
        self.retain(hash, |hold| hold.team.as_deref() != team)
    }

    /// Heals what is older than `number` for this key's scope; whether there was anything to heal.
    ///
    /// For no other, also where that names the same team: under it the old one may still rest here.
    pub(super) fn heal(&mut self, key: &ArtifactKey, number: u64) -> bool {
        let scope = &key.scope;
        let mut any = false;
        for hold in self.holds.get_mut(&key.hash).into_iter().flatten() {
            if hold.number < number && hold.covers(scope) {
                hold.heal(scope.digest());
                any = true;
            }
        }
        any
    }

    /// Newest first.
    pub(super) fn list(&self) -> Vec<Held> {
        let listed = self.sorted().into_iter().rev();
        listed
            .map(|(hash, hold)| Held {
                hash: hash.clone(),
                team: hold.team.clone(),
                since: hold.since,
                healed: hold.healed.len(),
            })
            .collect()
    }

    /// In their order.
    pub(super) fn sorted(&self) -> Vec<(&ArtifactHash, &Hold)> {
        let holds = self.holds.iter();
        let each = holds.flat_map(|(hash, holds)| holds.iter().map(move |hold| (hash, hold)));
        let mut sorted: Vec<_> = each.collect();
        sorted.sort_by_key(|(_, hold)| hold.number);
        sorted
    }

    /// Keeps those of a hash that are to be kept; whether any went.
    fn retain(&mut self, hash: &ArtifactHash, is_kept: impl Fn(&Hold) -> bool) -> bool {
        let Some(holds) = self.holds.get_mut(hash) else {
            return false;
        };
        let before = holds.len();
        holds.retain(is_kept);
        let gone = before - holds.len();
        if holds.is_empty() {
            self.holds.remove(hash);
        }
        self.count -= gone;
        gone > 0
    }
}

// === impl Hold ===

impl Hold {
    /// Whether what is asked for under `scope` is held back.
    fn covers(&self, scope: &Scope) -> bool {
        let is_named = match &self.team {
            None => true,
            // Of several that are named nobody can say which the upstream goes by.
            Some(team) => scope.teams().any(|named| is_same(team, named)),
        };
        is_named && !self.healed.contains(&scope.digest())
    }

    fn heal(&mut self, scope: ScopeDigest) {
        if self.healed.len() == MOST_HEALED {
            self.healed.pop_front();
        }
        self.healed.push_back(scope);
    }
}

/// Whether a query's raw `named` means `team`, however it is spelled: the upstream may take more for the same
/// than we do, and a hold that covers too much costs a miss.
fn is_same(team: &str, named: &str) -> bool {
    let decoded = form_decoded(named);
    decoded.eq_ignore_ascii_case(team.as_bytes()) || named.eq_ignore_ascii_case(team)
}
