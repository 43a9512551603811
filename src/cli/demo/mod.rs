//! `larder demo`: the main job on this machine with nothing else installed and no account.
//!
//! An embedded origin behind a simulated WAN, Larder before it, and a build's worth of HTTP over
//! real sockets: once cold, once warm, once with the origin down, and once without Larder.

mod build;
mod loopback;
mod machine;
mod origin;
mod report;
mod stage;
mod wan;

use std::io::{IsTerminal, Write, stderr, stdout};
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, bail, ensure};
use tokio::runtime;
use tokio::signal::ctrl_c;
use tokio::time::{Duration, timeout};

use self::build::Artifact;
use self::report::Report;
use self::stage::{GRACE, Stage, config};
use self::wan::Line;
use super::scratch::Scratch;
use crate::config::Config;
use crate::telemetry;

/// From a home to a data centre on the same continent.
const LINE: Line = Line {
    round_trip: Duration::from_millis(60),
    bits_per_second: 50_000_000,
};

/// The whole demo takes seconds; a machine too busy for this shows nothing worth seeing.
const PATIENCE: Duration = Duration::from_mins(2);

/// Which build is running: for people who watch, not for logs.
struct Progress {
    is_shown: bool,
}

/// Shows what Larder is worth, with its data in a folder of its own in `temp_dir`.
///
/// Starts its own runtime: not to be called from within one.
///
/// # Errors
///
/// When anything that should work here does not, a build misses what was there, or an artifact
/// comes back as another.
pub(super) fn run(temp_dir: &Path) -> anyhow::Result<ExitCode> {
    let scratch = Scratch::make(temp_dir, "demo")?;
    let config = config(scratch.path());
    telemetry::init(&config.log);
    let artifacts = build::artifacts();
    writeln!(stdout(), "{}", report::preface(LINE, &artifacts))?;
    let runtime = runtime::Builder::new_multi_thread().enable_all().build()?;
    let progress = Progress {
        is_shown: stderr().is_terminal(),
    };
    let played = runtime.block_on(bounded(play(LINE, config, &artifacts, &progress)));
    progress.show("");
    // Nothing writes into the folder any more when it is removed.
    runtime.shutdown_timeout(GRACE);
    drop(scratch);
    let report = played?;
    write!(stdout(), "{report}")?;
    ensure!(
        report.is_whole(),
        "a build missed artifacts that were there"
    );
    Ok(ExitCode::SUCCESS)
}

async fn bounded(play: impl Future<Output = anyhow::Result<Report>>) -> anyhow::Result<Report> {
    tokio::select! {
        played = timeout(PATIENCE, play) => played.context("the demo takes too long here")?,
        interrupted = ctrl_c() => {
            interrupted?;
            bail!("interrupted")
        }
    }
}

/// Runs the builds one after the other, each on a new machine.
async fn play(
    line: Line,
    config: Config,
    artifacts: &[Artifact],
    progress: &Progress,
) -> anyhow::Result<Report> {
    let stage = Stage::set(line, config).await?;
    progress.show("1/4 cold: every artifact is uploaded");
    let cold = stage.through_larder(artifacts).await.context("cold")?;
    progress.show("2/4 no Larder: everything from the origin");
    let direct = stage.without_larder(artifacts).await.context("no Larder")?;
    progress.show("3/4 warm: everything from Larder");
    let warm = stage.through_larder(artifacts).await.context("warm")?;
    stage.cut().await;
    progress.show("4/4 origin down");
    let down = stage
        .through_larder(artifacts)
        .await
        .context("origin down")?;
    stage.strike().await;
    Ok(Report {
        direct,
        cold,
        warm,
        down,
    })
}

impl Progress {
    fn show(&self, step: &str) {
        if self.is_shown {
            // Nobody is watching when standard error is gone.
            write!(stderr(), "\r{step:<60}\r").ok();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAST: Line = Line {
        round_trip: Duration::from_millis(2),
        bits_per_second: 1_000_000_000,
    };

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn every_build_after_the_first_hits_and_larder_needs_no_origin() {
        let dir = tempfile::tempdir().unwrap();
        let artifacts = build::artifacts();
        let progress = Progress { is_shown: false };
        let report = play(FAST, config(dir.path()), &artifacts, &progress)
            .await
            .unwrap();
        assert!(report.is_whole());
        let tasks = artifacts.len();
        let from_larder =
            [report.direct, report.cold, report.warm, report.down].map(|run| run.tally.from_larder);
        assert_eq!(from_larder, [0, 0, tasks, tasks]);
        assert_eq!(report.cold.tally.hits, 0);
        let total = build::total(&artifacts);
        assert!(report.cold.carried > total && report.direct.carried > total);
        assert!(report.warm.carried < 64 * 1024);
        assert_eq!(report.down.carried, 0);
    }
}
