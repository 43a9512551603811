//! What the demo has to say: four builds side by side, every number measured. Pure.

use std::fmt::{self, Display, Formatter};
use std::time::Duration;

use bytesize::ByteSize;

use super::build::{Artifact, total};
use super::machine::Tally;
use super::wan::Line;

/// Width of the rows' names and of each column: together they fit any terminal.
const NAME: usize = 18;
const COLUMN: usize = 14;

/// One build, measured.
#[derive(Clone, Copy, Debug)]
pub(super) struct Run {
    /// From its first request to its last answer.
    pub(super) took: Duration,
    /// What it found.
    pub(super) tally: Tally,
    /// Bytes that crossed the line meanwhile, both ways.
    pub(super) carried: u64,
}

/// All builds of the demo.
#[derive(Clone, Copy, Debug)]
pub(super) struct Report {
    /// Without Larder; everything is at the origin.
    pub(super) direct: Run,
    /// Through Larder; nothing is anywhere yet.
    pub(super) cold: Run,
    /// Through Larder, on a machine that never built before.
    pub(super) warm: Run,
    /// The same, and the origin cannot be reached.
    pub(super) down: Run,
}

/// What is about to happen, and what of it is real.
pub(super) fn preface(line: Line, artifacts: &[Artifact]) -> String {
    format!(
        "A build of {tasks} tasks, {size} of artifacts, four times, always on a new machine:\n\
         \n  no Larder    straight to the origin, which has everything\
         \n  cold         through Larder, before anybody has anything: all is uploaded\
         \n  warm         through Larder, after that\
         \n  origin down  the same with the line to the origin cut\n\n\
         Real: Larder, sockets, HTTP, bytes. Simulated: the WAN to the origin, {delay} ms there\n\
         and back, {pace} Mbit/s. No task is run: only its artifact is moved.\n",
        tasks = artifacts.len(),
        size = ByteSize::b(total(artifacts)),
        delay = line.round_trip.as_millis(),
        pace = line.bits_per_second / 1_000_000,
    )
}

// === impl Report ===

impl Report {
    /// Whether every build found what was there.
    pub(super) fn is_whole(&self) -> bool {
        [self.direct, self.warm, self.down]
            .iter()
            .all(|run| run.tally.hits == run.tally.tasks)
    }

    fn row(&self, f: &mut Formatter<'_>, name: &str, cell: impl Fn(&Run) -> String) -> fmt::Result {
        write!(f, "{name:<NAME$}")?;
        for run in [&self.direct, &self.cold, &self.warm, &self.down] {
            write!(f, "{:>COLUMN$}", cell(run))?;
        }
        writeln!(f)
    }

    fn conclusion(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self {
            direct, warm, down, ..
        } = self;
        let factor = direct.took.as_secs_f64() / warm.took.as_secs_f64().max(0.001);
        writeln!(
            f,
            "Warm, the build had its artifacts in {} instead of {}, {factor:.1} times as fast,\n\
             with {} instead of {} over the WAN. With the origin down, {} of {} tasks\n\
             were still hits.",
            seconds(warm),
            seconds(direct),
            size(warm),
            size(direct),
            down.tally.hits,
            down.tally.tasks,
        )
    }
}

impl Display for Report {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:NAME$}{:>COLUMN$}{:>COLUMN$}{:>COLUMN$}{:>COLUMN$}",
            "", "no Larder", "cold", "warm", "origin down",
        )?;
        self.row(f, "time", seconds)?;
        self.row(f, "hits", |run| {
            format!("{}/{}", run.tally.hits, run.tally.tasks)
        })?;
        self.row(f, "  out of Larder", |run| {
            run.tally.from_larder.to_string()
        })?;
        self.row(f, "bytes over the WAN", size)?;
        writeln!(f)?;
        self.conclusion(f)
    }
}

fn seconds(run: &Run) -> String {
    format!("{:.2} s", run.took.as_secs_f64())
}

fn size(run: &Run) -> String {
    ByteSize::b(run.carried).to_string()
}

#[cfg(test)]
mod tests {
    use super::super::build::artifacts;
    use super::*;

    fn run(millis: u64, hits: usize, from_larder: usize, carried: u64) -> Run {
        let tally = Tally {
            tasks: 24,
            hits,
            from_larder,
        };
        Run {
            took: Duration::from_millis(millis),
            tally,
            carried,
        }
    }

    fn report() -> Report {
        Report {
            direct: run(2_349, 24, 0, 12_345_678),
            cold: run(2_612, 0, 0, 12_400_000),
            warm: run(201, 24, 24, 4_321),
            down: run(38, 24, 24, 0),
        }
    }

    #[test]
    fn builds_stand_side_by_side_and_the_conclusion_repeats_their_numbers() {
        let expected = "
                       no Larder          cold          warm   origin down
time                      2.35 s        2.61 s        0.20 s        0.04 s
hits                       24/24          0/24         24/24         24/24
  out of Larder                0             0            24            24
bytes over the WAN      11.8 MiB      11.8 MiB       4.2 KiB           0 B

Warm, the build had its artifacts in 0.20 s instead of 2.35 s, 11.7 times as fast,
with 4.2 KiB instead of 11.8 MiB over the WAN. With the origin down, 24 of 24 tasks
were still hits.
";
        assert_eq!(format!("\n{}", report()), expected);
    }

    #[test]
    fn a_miss_of_what_was_there_is_no_success() {
        assert!(report().is_whole());
        for miss in 0..3 {
            let mut report = report();
            let runs = [&mut report.direct, &mut report.warm, &mut report.down];
            runs.into_iter().nth(miss).unwrap().tally.hits = 23;
            assert!(!report.is_whole());
        }
    }

    #[test]
    fn the_preface_names_what_is_simulated() {
        let line = Line {
            round_trip: Duration::from_millis(60),
            bits_per_second: 50_000_000,
        };
        let preface = preface(line, &artifacts());
        assert!(
            preface.starts_with("A build of 24 tasks, 11.2 MiB of artifacts"),
            "{preface}"
        );
        assert!(
            preface.contains("60 ms there\nand back, 50 Mbit/s"),
            "{preface}"
        );
    }
}
