//! The second table: Larder itself is gone, before the build or in its middle.

use std::time::Duration;

use rustix::process::Signal;
use tokio::runtime::Runtime;
use tokio::time::sleep;

use super::{Base, Cell, print};
use crate::client::{Client, Run, Signing, Version};
use crate::faults::BlackHole;
use crate::larder::{Home, Larder};
use crate::monorepo::Monorepo;
use crate::{SLUG, remote};

/// How a Larder can be gone.
#[derive(Clone, Copy, Debug)]
enum Gone {
    Killed,
    Stopped,
    /// Nothing answers at its address.
    BlackHole,
    UnknownHost,
    KilledMidway,
    StoppedMidway,
}

type Settings = &'static [(&'static str, &'static str)];

/// A row: how it is gone, in words too, and what the client is told besides.
struct Row(&'static str, Gone, Settings);

const IMPATIENT: Settings = &[("TURBO_REMOTE_CACHE_TIMEOUT", "5")];
const BOTH: Settings = &[
    ("TURBO_REMOTE_CACHE_TIMEOUT", "5"),
    ("TURBO_REMOTE_CACHE_UPLOAD_TIMEOUT", "5"),
];

#[rustfmt::skip]
const ROWS: [Row; 12] = [
    Row("killed before the build", Gone::Killed, &[]),
    Row("host name unknown", Gone::UnknownHost, &[]),
    Row("its process stopped (`SIGSTOP`)", Gone::Stopped, &[]),
    Row("the same, `TURBO_REMOTE_CACHE_TIMEOUT=5`", Gone::Stopped, IMPATIENT),
    Row("the same, `TURBO_REMOTE_CACHE_UPLOAD_TIMEOUT=5` too", Gone::Stopped, BOTH),
    Row("black hole: a connection is never answered", Gone::BlackHole, &[]),
    Row("the same, `TURBO_REMOTE_CACHE_TIMEOUT=5`", Gone::BlackHole, IMPATIENT),
    Row("the same, `TURBO_REMOTE_CACHE_UPLOAD_TIMEOUT=5` too", Gone::BlackHole, BOTH),
    Row("killed in the middle of the build", Gone::KilledMidway, &[]),
    Row("stopped in the middle", Gone::StoppedMidway, &[]),
    Row("the same, `TURBO_REMOTE_CACHE_TIMEOUT=5`", Gone::StoppedMidway, IMPATIENT),
    Row("the same, `TURBO_REMOTE_CACHE_UPLOAD_TIMEOUT=5` too", Gone::StoppedMidway, BOTH),
];

#[test]
#[ignore = "measures for many minutes: just outages"]
fn of_larder_met_by_2_11() {
    print_table(Version::V2_11);
}

#[test]
#[ignore = "measures for many minutes: just outages"]
fn of_larder_met_by_2_0() {
    print_table(Version::V2_0);
}

/// Seconds added and exit status for each row.
fn print_table(version: Version) {
    let Some(client) = Client::get(version) else {
        return;
    };
    let fresh = || Monorepo::new(version, Signing::Off);
    let mut base = Base::new(&client, &fresh);
    let cells = ROWS.map(|Row(name, gone, settings)| {
        base.measure();
        let cell = Cell::measure(|| {
            let run = gone.build(&client, &fresh(), settings);
            let notes = match run.status.code() {
                Some(0) => "0".to_owned(),
                // Nobody should meet this: then it is worth reading.
                _ => format!("{}: {}", run.status, run.transcript),
            };
            Cell {
                took: run.took,
                notes,
            }
        });
        cell.told(version, name)
    });
    let mut lines = vec![
        base.caption(version),
        String::new(),
        "| Larder | seconds added | exit status |".to_owned(),
        "|---|--:|--:|".to_owned(),
    ];
    let rows = ROWS.iter().zip(&cells);
    lines.extend(rows.map(|(Row(name, ..), cell)| {
        format!("| {name} | {} | {} |", cell.added(&base), cell.notes)
    }));
    print(&lines);
}

// === impl Gone ===

impl Gone {
    fn build(self, client: &Client, monorepo: &Monorepo, settings: Settings) -> Run {
        let build = |api: &str| client.run(monorepo, Some(&remote(api, SLUG)), settings);
        let home = Home::new("none");
        let larder = home.start();
        match self {
            Self::Killed => {
                let api = larder.api.clone();
                drop(larder);
                build(&api)
            }
            Self::Stopped => {
                larder.signal(Signal::STOP);
                build(&larder.api)
            }
            Self::BlackHole => {
                let listener = BlackHole::new();
                build(&format!("http://{}", listener.address))
            }
            Self::UnknownHost => build("http://larder.invalid"),
            Self::KilledMidway => midway(monorepo, &larder, Signal::KILL, build),
            Self::StoppedMidway => midway(monorepo, &larder, Signal::STOP, build),
        }
    }
}

/// Signals Larder as soon as the first task was built.
fn midway(
    monorepo: &Monorepo,
    larder: &Larder<'_>,
    signal: Signal,
    build: impl Fn(&str) -> Run,
) -> Run {
    let runtime = Runtime::new().expect("a runtime");
    let first = monorepo.first_output();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            runtime.block_on(async {
                while !first.exists() {
                    sleep(Duration::from_millis(5)).await;
                }
            });
            larder.signal(signal);
        });
        build(&larder.api)
    })
}
