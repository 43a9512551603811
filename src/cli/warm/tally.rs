//! What became of all artifacts, and how it is told.

use std::io::{self, Write, stdout};

use bytesize::ByteSize;
use serde::Serialize;

use super::ending::Ending;

/// Reasons that are told.
const TOLD: usize = 10;

/// Why the rest was not tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Stop {
    /// The next one would exceed `--budget`.
    Budget,
    /// Somebody pressed Ctrl-C.
    Interrupted,
    /// Nobody answers at the address, or whoever does is not to be trusted.
    Unreachable,
    /// Who answers there is no Larder.
    Stranger,
    /// One after the other came to nothing.
    Hopeless,
}

/// What became of the artifacts so far.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Tally {
    pub(super) here: usize,
    pub(super) fetched: usize,
    pub(super) absent: usize,
    pub(super) refused: usize,
    pub(super) failed: usize,
    pub(super) not_tried: usize,
    /// Bytes that were fetched.
    pub(super) bytes: u64,
    pub(super) seconds: f64,
    pub(super) stopped: Option<Stop>,
    /// The first reasons for refusals and failures.
    pub(super) reasons: Vec<String>,
    /// Refusals and failures with nothing else in between.
    #[serde(skip)]
    pub(super) in_a_row: usize,
}

// === impl Stop ===

impl Stop {
    fn as_str(self) -> &'static str {
        match self {
            Self::Budget => "the next would exceed the budget",
            Self::Interrupted => "interrupted",
            Self::Unreachable => "there is no connection to that address",
            Self::Stranger => "who answers at that address is no Larder",
            Self::Hopeless => "too many in a row came to nothing",
        }
    }
}

// === impl Tally ===

impl Tally {
    /// Counts what became of `hash`.
    pub(super) fn note(&mut self, hash: &str, ending: Ending) {
        self.in_a_row += 1;
        match ending {
            Ending::Refused(why) => {
                self.refused += 1;
                return self.tell(hash, &why);
            }
            Ending::Failed(why) => {
                self.failed += 1;
                return self.tell(hash, &why);
            }
            Ending::Here => self.here += 1,
            Ending::Fetched => self.fetched += 1,
            Ending::Absent => self.absent += 1,
            Ending::Stranger => {
                self.failed += 1;
                self.stopped.get_or_insert(Stop::Stranger);
            }
        }
        self.in_a_row = 0;
    }

    fn tell(&mut self, hash: &str, why: &str) {
        if self.reasons.len() < TOLD {
            self.reasons.push(format!("{hash}: {why}"));
        }
    }

    /// How many have ended.
    pub(super) fn ended(&self) -> usize {
        self.here + self.fetched + self.absent + self.refused + self.failed
    }

    /// Whether all is as it was wanted: what the budget leaves out is.
    pub(super) fn is_well(&self) -> bool {
        let is_whole = matches!(self.stopped, None | Some(Stop::Budget));
        is_whole && self.refused == 0 && self.failed == 0
    }

    /// Prints it for people, or as JSON.
    pub(super) fn print(&self, is_json: bool) -> io::Result<()> {
        let mut out = stdout().lock();
        if is_json {
            writeln!(out, "{}", serde_json::to_string_pretty(self)?)?;
            return out.flush();
        }
        writeln!(out, "here       {}", self.here)?;
        writeln!(
            out,
            "fetched    {} ({})",
            self.fetched,
            ByteSize::b(self.bytes)
        )?;
        writeln!(out, "absent     {}", self.absent)?;
        writeln!(out, "refused    {}", self.refused)?;
        writeln!(out, "failed     {}", self.failed)?;
        if let Some(stop) = self.stopped {
            writeln!(out, "not tried  {}: {}", self.not_tried, stop.as_str())?;
        }
        writeln!(out, "seconds    {:.1}", self.seconds)?;
        for reason in &self.reasons {
            writeln!(out, "  {reason}")?;
        }
        out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_refused_or_fails_is_not_well_and_what_is_left_out_for_the_budget_is() {
        let after = |endings: Vec<Ending>| {
            let mut tally = Tally::default();
            for ending in endings {
                tally.note("aa", ending);
            }
            tally
        };
        let well = after(vec![Ending::Here, Ending::Fetched, Ending::Absent]);
        assert!(well.is_well());
        assert_eq!(well.ended(), 3);
        let stopped = |stop| Tally {
            stopped: Some(stop),
            ..well.clone()
        };
        assert!(stopped(Stop::Budget).is_well());
        assert!(!stopped(Stop::Interrupted).is_well());
        let refused = || Ending::Refused("403, denied".to_owned());
        let bad = after(vec![refused(), Ending::Here, refused(), refused()]);
        assert!(!bad.is_well());
        assert_eq!((bad.refused, bad.in_a_row), (3, 2));
        assert_eq!(bad.reasons[0], "aa: 403, denied");
        assert_eq!(after(vec![refused(); TOLD + 1]).reasons.len(), TOLD);
        assert_eq!(after(vec![Ending::Stranger]).stopped, Some(Stop::Stranger));
    }
}
