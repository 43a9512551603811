//! The requests for artifacts that ended last, for whoever asks what became of one.
//!
//! How a request ends is observed by the router; who may ask is the admin listener's to say.

mod explanation;
mod record;
mod ring;
mod short;

use std::fmt;
use std::time::SystemTime;

use parking_lot::Mutex;

use self::ring::Ring;
use crate::telemetry::{Answered, Ended};

pub use self::record::{Record, Subject, Wanted};
pub use self::short::Short;

/// Hits that are kept: those of a large build or two. They have a ring of their own, for a flood of them
/// must not push out what somebody will ask about.
const HITS: usize = 2048;

/// Everything else that is kept, such as a week's misses of a small team: 2 MiB at most.
const OTHERS: usize = 8192;

/// The requests for artifacts that ended last.
pub struct Recent {
    hits: Mutex<Ring>,
    others: Mutex<Ring>,
}

// === impl Recent ===

impl Recent {
    /// None so far.
    pub fn new() -> Self {
        Self {
            hits: Mutex::new(Ring::new(HITS)),
            others: Mutex::new(Ring::new(OTHERS)),
        }
    }

    /// Takes note of a request that has ended just now.
    pub fn note(&self, subject: Subject, answered: &Answered) {
        let now = SystemTime::now();
        let ring = if answered.outcome.is_hit() && answered.ended != Ended::Broken {
            &self.hits
        } else {
            &self.others
        };
        let record = Record {
            time: now.checked_sub(answered.total).unwrap_or(now),
            subject,
            answered: *answered,
        };
        ring.lock().push(record);
    }

    /// Those of them that are `wanted`, in the order in which they ended, newest first.
    pub fn newest(&self, wanted: &Wanted) -> Vec<Record> {
        let mut found = find(&self.hits, wanted);
        found.append(&mut find(&self.others, wanted));
        found.sort_by_key(|record| std::cmp::Reverse(record.end()));
        found.truncate(wanted.limit);
        found
    }

    /// How many are kept.
    pub fn kept(&self) -> usize {
        self.hits.lock().len() + self.others.lock().len()
    }
}

impl Default for Recent {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Recent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recent")
            .field("kept", &self.kept())
            .finish_non_exhaustive()
    }
}

/// Looks over a ring a stretch at a time: whoever notes a request waits for no more than one.
fn find(ring: &Mutex<Ring>, wanted: &Wanted) -> Vec<Record> {
    let mut found = Vec::new();
    let mut next = Some(u64::MAX);
    while let Some(before) = next {
        let ring = ring.lock();
        let (stretch, left) = ring.before(before);
        let room = wanted.limit - found.len();
        let matching = stretch.filter(|record| wanted.is_met_by(record));
        found.extend(matching.take(room).cloned());
        next = left.filter(|_| found.len() < wanted.limit);
    }
    found
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::artifact::{ArtifactHash, Failure, Ground, Outcome, RouteName, Tier};

    const HIT: Outcome = Outcome::Hit {
        tier: Tier::Memory,
        grace: false,
    };

    fn everything() -> Wanted {
        Wanted {
            hash: None,
            team: None,
            outcome: None,
            trouble: false,
            limit: usize::MAX,
        }
    }

    fn note(recent: &Recent, hash: &str, team: &str, outcome: Outcome) {
        let subject = Subject {
            hash: ArtifactHash::parse(hash).unwrap(),
            team: Short::of(team.as_bytes()),
            user_agent: Short::of(b"turbo"),
            peer: None,
        };
        let answered = Answered {
            outcome,
            ended: Ended::Whole,
            total: Duration::ZERO,
            ..Answered::not_yet(RouteName::Get)
        };
        recent.note(subject, &answered);
    }

    fn hashes(recent: &Recent, wanted: &Wanted) -> Vec<String> {
        let newest = recent.newest(wanted);
        let hashes = newest.iter().map(|record| record.subject.hash.to_string());
        hashes.collect()
    }

    #[test]
    fn a_flood_of_hits_pushes_out_nothing_but_hits() {
        let recent = Recent::new();
        note(&recent, "refused", "acme", Outcome::Refused(403));
        for number in 0..HITS + 10 {
            note(&recent, &format!("hit{number}"), "acme", HIT);
        }
        assert_eq!(recent.kept(), HITS + 1);
        let kept = hashes(&recent, &everything());
        assert_eq!(kept.len(), HITS + 1);
        assert!(kept.contains(&"refused".to_owned()) && kept.contains(&"hit10".to_owned()));
        assert!(!kept.contains(&"hit9".to_owned()));
    }

    #[test]
    fn what_is_kept_is_bounded_whatever_it_is() {
        let recent = Recent::new();
        for _ in 0..OTHERS + 3 {
            note(&recent, "aa", "acme", Outcome::Absent);
        }
        assert_eq!(recent.kept(), OTHERS);
        assert_eq!(recent.newest(&everything()).len(), OTHERS);
        assert!(size_of::<Record>() <= 256, "{}", size_of::<Record>());
    }

    #[test]
    fn those_are_told_that_are_wanted_the_newest_first() {
        let recent = Recent::new();
        note(&recent, "aa", "acme", Outcome::Absent);
        note(&recent, "bb", "other", Outcome::Denied(Ground::OtherTeam));
        note(&recent, "aa", "other", HIT);
        note(&recent, "cc", "", Outcome::Degraded(Failure::Timeout));
        let told = |wanted: Wanted| hashes(&recent, &wanted);
        let limit = Wanted {
            limit: 1,
            ..everything()
        };
        assert_eq!(told(limit), ["cc"]);
        let aa = ArtifactHash::parse("aa").ok();
        let (hash, team) = (aa, Some("acme".to_owned()));
        let both = Wanted {
            hash: hash.clone(),
            ..everything()
        };
        assert_eq!(recent.newest(&both).first().unwrap().answered.outcome, HIT);
        let one = Wanted {
            hash,
            team,
            ..everything()
        };
        assert_eq!(told(one), ["aa"]);
        let trouble = Wanted {
            trouble: true,
            ..everything()
        };
        assert_eq!(told(trouble), ["cc", "bb"]);
        let absent = Wanted {
            outcome: Some("absent"),
            ..everything()
        };
        assert_eq!(told(absent), ["aa"]);
    }
}
