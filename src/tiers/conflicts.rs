//! Uploads that contradict each other: how many there were, and the newest of them.
//!
//! Two bodies for one key mean a task that does not make the same twice, two versions of a client, or
//! somebody who lies. Which of them it is, and what to do about it, is the operator's to say.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use super::locks::{Lock, Rank};
use crate::artifact::{ArtifactHash, Landed, Meta};
use crate::metrics::Metrics;

/// Conflicts that are listed: more than anybody reads, and with the longest texts a third of a
/// mebibyte.
const MOST_LISTED: usize = 256;
/// Longest text of a client's that is listed, in bytes; teams and commits have shorter names.
const LONGEST_TEXT: usize = 256;

/// The replacement of an artifact by an upload with another body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// When it was noticed.
    pub time: Landed,
    /// The client's name for both.
    pub hash: ArtifactHash,
    /// The first team named, raw.
    pub team: Option<String>,
    /// What was replaced.
    pub before: Version,
    /// What replaced it.
    pub after: Version,
}

/// One of the two artifacts of a conflict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// The length of its body.
    pub bytes: u64,
    /// When it landed.
    pub landed: Landed,
    /// The commit it was made from, as the client said.
    pub sha: Option<String>,
}

/// The conflicts since the process began.
pub struct Conflicts {
    newest: Lock<VecDeque<Arc<Conflict>>>,
    metrics: Arc<Metrics>,
}

// === impl Version ===

impl Version {
    fn of(meta: &Meta) -> Self {
        Self {
            bytes: meta.size,
            landed: meta.landed,
            sha: meta.label.fields.sha().map(shortened),
        }
    }
}

// === impl Conflicts ===

impl Conflicts {
    /// None so far; they are counted in `metrics`.
    pub(crate) fn new(metrics: Arc<Metrics>) -> Self {
        Self {
            newest: Lock::new(Rank::Conflicts, VecDeque::new()),
            metrics,
        }
    }

    /// The last of them, newest first.
    pub fn newest(&self) -> Vec<Arc<Conflict>> {
        self.newest.lock().iter().cloned().collect()
    }

    /// How many there were.
    pub fn total(&self) -> u64 {
        self.metrics.upload_conflicts.get()
    }

    /// Counts and lists the replacement of one artifact by another.
    pub(crate) fn note(&self, before: &Meta, after: &Meta) {
        let conflict = Arc::new(Conflict {
            time: Landed::now(),
            hash: after.label.hash.clone(),
            team: after.label.team.as_deref().map(shortened),
            before: Version::of(before),
            after: Version::of(after),
        });
        self.metrics.upload_conflicts.inc();
        let mut newest = self.newest.lock();
        newest.truncate(MOST_LISTED - 1);
        newest.push_front(conflict);
    }
}

impl fmt::Debug for Conflicts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Conflicts")
            .field("total", &self.total())
            .finish_non_exhaustive()
    }
}

fn shortened(text: &str) -> String {
    let end = text.floor_char_boundary(LONGEST_TEXT);
    text.get(..end).unwrap_or_default().to_owned()
}
