//! What the users of the real client wait for when something between them and their cache is bad: measured,
//! and printed as tables. Nothing is asserted but that builds succeed; what must hold is in `faults`.
//!
//! Cells are measured one after another, because builds that share their processors take longer.

mod gone;
mod undelivered;
mod upstream;

use std::io::Write;
use std::time::Duration;

use crate::client::{Client, Version};
use crate::monorepo::Monorepo;

/// A build that takes longer mostly waits.
const LONG: Duration = Duration::from_secs(15);

/// A build as it was measured, and what else is to be said of it.
struct Cell {
    took: Duration,
    notes: String,
}

/// How long the same build takes with no remote cache at all; asked for before each row, since a machine is
/// not always as fast.
struct Base<'a> {
    client: &'a Client,
    monorepo: &'a dyn Fn() -> Monorepo,
    least: Duration,
}

// === impl Cell ===

impl Cell {
    /// Runs a long build once. Of others the shortest of three counts, which whoever else uses the machine
    /// has disturbed least.
    fn measure(build: impl Fn() -> Self) -> Self {
        let mut least = build();
        for _ in 0..2 {
            if least.took > LONG {
                break;
            }
            let next = build();
            if next.took < least.took {
                least = next;
            }
        }
        least
    }

    /// Tells on standard error how far the measuring is.
    fn told(self, version: Version, what: &str) -> Self {
        let (number, took) = (version.number(), self.took.as_secs_f64());
        let notes = &self.notes;
        let said = writeln!(std::io::stderr(), "{number}, {what}: {took:.1} s · {notes}");
        said.expect("standard error");
        self
    }

    /// Seconds beyond the base, to a tenth.
    fn added(&self, base: &Base<'_>) -> String {
        format!("{:+.1}", self.took.as_secs_f64() - base.least.as_secs_f64())
    }
}

// === impl Base ===

impl<'a> Base<'a> {
    fn new(client: &'a Client, monorepo: &'a dyn Fn() -> Monorepo) -> Self {
        Self {
            client,
            monorepo,
            least: Duration::MAX,
        }
    }

    fn measure(&mut self) {
        let run = self.client.run(&(self.monorepo)(), None, &[]);
        assert!(run.status.success(), "{}", run.transcript);
        self.least = self.least.min(run.took);
    }

    /// The line above a version's table.
    fn caption(&self, version: Version) -> String {
        let (number, took) = (version.number(), self.least.as_secs_f64());
        let tasks = (self.monorepo)().tasks();
        format!("turbo {number}: {tasks} tasks, {took:.1} s without a remote cache")
    }
}

fn print(lines: &[String]) {
    let text = lines.join("\n");
    writeln!(std::io::stdout(), "\n{text}\n").expect("standard output");
}
