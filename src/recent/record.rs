//! What is kept of one request, and what of that is asked for.

use std::net::IpAddr;
use std::time::SystemTime;

use super::Short;
use super::explanation::explain;
use crate::artifact::{ArtifactHash, Outcome};
use crate::telemetry::{Answered, Ended};

/// Bytes of a team's name: identifiers have some thirty.
const TEAM: usize = 47;
/// Bytes of what a client calls itself: its name and its version stand in front.
const AGENT: usize = 63;

/// Which artifact a request was about, and who sent it. There is no field for a credential or a query.
#[derive(Clone, Debug)]
pub struct Subject {
    /// The client's name for the artifact.
    pub hash: ArtifactHash,
    /// The first team named, raw.
    pub team: Short<TEAM>,
    /// What the client calls itself.
    pub user_agent: Short<AGENT>,
    /// The client's address; none for a unix socket's.
    pub peer: Option<IpAddr>,
}

/// One request that has ended.
#[derive(Clone, Debug)]
pub struct Record {
    /// When its head was whole.
    pub time: SystemTime,
    /// What it was about.
    pub subject: Subject,
    /// What became of it.
    pub answered: Answered,
}

/// Which records are asked for: those that meet all of it.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Of this artifact.
    pub hash: Option<ArtifactHash>,
    /// Of this team, in whichever spelling it is shown.
    pub team: Option<String>,
    /// With this label of [`Outcome::LABELS`].
    pub outcome: Option<&'static str>,
    /// Only what did not go well.
    pub trouble: bool,
    /// So many at most.
    pub limit: usize,
}

// === impl Record ===

impl Record {
    /// What happened and what to do about it, in a sentence.
    pub fn explanation(&self) -> String {
        explain(&self.answered)
    }

    /// When it ended.
    pub(super) fn end(&self) -> SystemTime {
        let end = self.time.checked_add(self.answered.total);
        end.unwrap_or(self.time)
    }

    /// Whether somebody was refused, or an answer is not what it might have been.
    fn is_trouble(&self) -> bool {
        match self.answered.outcome {
            Outcome::Refused(_)
            | Outcome::UploadRefused
            | Outcome::Denied(_)
            | Outcome::Degraded(_)
            | Outcome::Undelivered(_)
            | Outcome::Bypassed(_)
            | Outcome::Error(_) => true,
            Outcome::Hit { .. }
            | Outcome::Filled
            | Outcome::Collapsed
            | Outcome::Absent
            | Outcome::Stored
            | Outcome::Passed
            | Outcome::Answered => self.answered.ended == Ended::Broken,
        }
    }
}

// === impl Wanted ===

impl Wanted {
    pub(super) fn is_met_by(&self, record: &Record) -> bool {
        let subject = &record.subject;
        let is_outcome = |label: &str| label == record.answered.outcome.as_str();
        let is_team = |team: &String| Short::of(team.as_bytes()) == subject.team;
        self.outcome.is_none_or(is_outcome)
            && (!self.trouble || record.is_trouble())
            && self.team.as_ref().is_none_or(is_team)
            && self.hash.as_ref().is_none_or(|hash| *hash == subject.hash)
    }
}
