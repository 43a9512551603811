//! What other processes take of the machine meanwhile: a turn that they disturb is taken once more.

use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::figures::{Metric, Sample};
use crate::usage::{Processes, TICK};

/// Of all cores, in cores; the kernel itself needs a little.
const QUIET: f64 = 0.1;
/// How often a turn is taken before the least disturbed one counts.
const TRIES: usize = 3;

/// What was taken of all cores up to a moment.
struct Moment {
    at: Instant,
    all: Duration,
    ours: Duration,
}

/// Takes a turn until nobody disturbs it, and notes in the sample how much others did.
pub(crate) fn undisturbed(mut turn: impl FnMut() -> Result<Sample>) -> Result<Sample> {
    let mut best: Option<Sample> = None;
    for _ in 0..TRIES {
        let before = Moment::now()?;
        let mut sample = turn()?;
        let others = Moment::now()?.others_since(&before);
        sample.insert(Metric::Others, others);
        if best
            .as_ref()
            .is_none_or(|best| others < best[&Metric::Others])
        {
            best = Some(sample);
        }
        if others <= QUIET {
            break;
        }
    }
    best.context("a turn")
}

impl Moment {
    fn now() -> Result<Self> {
        let text = fs::read_to_string("/proc/stat")?;
        let line = text.lines().next().context("a line for all cores")?;
        let fields = line.split_whitespace().skip(1).map(str::parse);
        let fields: Vec<u64> = fields.collect::<Result<_, _>>()?;
        // User, nice, system, and what the machine below took.
        let busy = fields[0] + fields[1] + fields[2] + fields[7];
        Ok(Self {
            at: Instant::now(),
            all: Duration::from_millis(busy * TICK.as_millis() as u64),
            ours: Processes::below(std::process::id())?.ticks()?,
        })
    }

    fn others_since(&self, before: &Self) -> f64 {
        let all = self.all.saturating_sub(before.all);
        let ours = self.ours.saturating_sub(before.ours);
        all.saturating_sub(ours).as_secs_f64() / (self.at - before.at).as_secs_f64()
    }
}
