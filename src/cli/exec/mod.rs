//! `larder exec`: a Larder for as long as one command runs, in the process that runs it.
//!
//! Standard output is the command's: nothing of ours goes there while one runs.

mod command;
mod exports;
mod quiet;
mod sidecar;
mod signals;
mod summary;
mod surroundings;
mod tally;

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;

use self::command::Left;
use self::quiet::quiet;
use self::sidecar::{Refusal, Sidecar};
use self::signals::Signals;
use self::summary::Summary;
use self::surroundings::{changes, variables};
use self::tally::Tally;
use super::{ConfigFlags, complain, quick_runtime};
use crate::app::App;
use crate::config::{Environment, Turbo};
use crate::metrics::Metrics;
use crate::tasks::Tasks;

/// What an end takes beyond the grace: what outlasted that is dropped, and what rests is written down.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// An end that takes longer than this is explained: whoever waits sees a command that is over.
const UNREMARKED: Duration = Duration::from_secs(1);

/// The command, and how Larder runs beside it.
#[derive(Args, Debug)]
pub(super) struct ExecFlags {
    #[command(flatten)]
    config: ConfigFlags,
    /// Fails where Larder cannot start, with the exit code that `serve` would have, and does not run the
    /// command; without it, the command runs as if there were no Larder
    #[arg(long)]
    strict: bool,
    /// Appends what was saved to this file, as Markdown; without it, to the one that
    /// `GITHUB_STEP_SUMMARY` names
    #[arg(long, value_name = "FILE")]
    summary: Option<PathBuf>,
    /// Goes on serving after the command until nobody has asked for so long, such as 30s. Without a
    /// command: prints what points turbo here, adds it to the file that `GITHUB_ENV` names, and serves
    /// until then
    #[arg(long, value_name = "DURATION", value_parser = period)]
    idle_exit: Option<Duration>,
    /// The command and its arguments, behind `--`
    #[arg(last = true, value_name = "CMD", required_unless_present = "idle_exit")]
    command: Vec<OsString>,
}

/// What is to be done, and in which surroundings.
struct Errand<'a> {
    strict: bool,
    summary: Option<PathBuf>,
    idle_exit: Option<Duration>,
    command: Vec<OsString>,
    environment: &'a Environment,
    turbo: Turbo,
}

/// Runs the command, beside a Larder if one starts, and returns its exit code.
pub(super) fn run(flags: ExecFlags, environment: &Environment) -> anyhow::Result<ExitCode> {
    let errand = Errand {
        strict: flags.strict,
        summary: flags.summary,
        idle_exit: flags.idle_exit,
        command: flags.command,
        environment,
        turbo: Turbo::of(environment),
    };
    let code = match Sidecar::start(&flags.config.into(), environment, &errand.turbo) {
        Ok(sidecar) => errand.beside(sidecar)?,
        Err(refusal) => errand.without(&refusal)?,
    };
    Ok(ExitCode::from(code))
}

fn period(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(Duration::ZERO) => Err("must be more than nothing".to_owned()),
        Ok(period) => Ok(period),
        Err(error) => Err(error.to_string()),
    }
}

/// Waits until everything is finished, and says so where that takes a while.
async fn finish(serving: &Tasks, grace: Duration) {
    if serving.drain(UNREMARKED).await == 0 {
        return;
    }
    let grace_words = humantime::format_duration(grace);
    complain(&[format!(
        "larder: finishing what is under way, for {grace_words} at most; a signal (Ctrl-C) ends that"
    )]);
    serving.drain(grace + LAST_WORDS).await;
}

// === impl Errand ===

impl Errand<'_> {
    /// Does it as if there were no Larder, unless that is asked for.
    fn without(&self, refusal: &Refusal) -> anyhow::Result<u8> {
        let words = refusal.words.lines();
        let mut lines: Vec<String> = words.map(|line| format!("larder: {line}")).collect();
        let goes_on = !self.strict && !self.command.is_empty();
        if goes_on {
            lines.push("larder: the command runs without Larder".to_owned());
        }
        complain(&lines);
        if self.strict {
            return Ok(refusal.code);
        }
        if !goes_on {
            return Ok(0);
        }
        let variables = variables(self.environment, &[]);
        quick_runtime()?.block_on(async {
            let mut signals = Signals::listen()?;
            let left = command::run(&self.command, &variables, &mut signals).await?;
            Ok(left.code)
        })
    }

    /// Does it beside a Larder, and says what that saved.
    fn beside(&self, sidecar: Sidecar) -> anyhow::Result<u8> {
        let needs_neither = sidecar.needs_neither();
        let changes = changes(self.environment, &self.turbo, &sidecar.api, needs_neither);
        let lacks = [
            (self.turbo.has_token(), "TURBO_TOKEN"),
            (self.turbo.has_team(), "TURBO_TEAM"),
        ];
        let lacks = lacks.into_iter().filter(|(has, _)| !has && !needs_neither);
        let mut summary = Summary {
            tally: Tally::default(),
            upstream: sidecar.upstream(),
            kept: sidecar.kept(),
            began_empty: sidecar.began_empty,
            lacks: lacks.map(|(_, name)| name).collect(),
        };
        let Sidecar { app, stage, .. } = sidecar;
        let metrics = app.metrics();
        let left = stage.runtime.block_on(self.serve(app, &changes));
        stage.strike();
        let left = left?;
        summary.tally = Tally::of(&metrics);
        if left.has_run {
            self.report(&summary);
        }
        Ok(left.code)
    }

    /// Serves for as long as the errand takes, and then finishes what runs: an upload that is whole here
    /// still goes upstream. A further signal ends that.
    async fn serve(&self, app: App, changes: &[(&'static str, OsString)]) -> io::Result<Left> {
        let mut signals = Signals::listen()?;
        let (metrics, ending) = (app.metrics(), app.ending());
        let grace = app.config().server.shutdown_grace;
        let serving = Tasks::new();
        serving.spawn(app.run());
        let left = self.meanwhile(&mut signals, changes, &metrics).await;
        ending.begin().await;
        tokio::select! {
            () = finish(&serving, grace) => {}
            () = signals.end() => {}
        }
        left
    }

    /// The command, or word of where Larder is; and the wait for those who come after.
    async fn meanwhile(
        &self,
        signals: &mut Signals,
        changes: &[(&'static str, OsString)],
        metrics: &Metrics,
    ) -> io::Result<Left> {
        let left = if self.command.is_empty() {
            let file = self.environment.get("GITHUB_ENV").map(PathBuf::from);
            exports::tell(changes, file.as_deref())?;
            Left {
                code: 0,
                has_run: true,
                is_asked: false,
            }
        } else {
            let variables = variables(self.environment, changes);
            command::run(&self.command, &variables, signals).await?
        };
        let is_over = left.is_asked || !left.has_run;
        if let Some(period) = self.idle_exit.filter(|_| !is_over) {
            tokio::select! {
                () = quiet(metrics, period) => {}
                () = signals.end() => {}
            }
        }
        Ok(left)
    }

    fn report(&self, summary: &Summary) {
        complain(&summary.lines());
        // The page of a step that has ended takes no more.
        let page = self.environment.get("GITHUB_STEP_SUMMARY");
        let page = page.filter(|_| !self.command.is_empty());
        let Some(file) = self.summary.clone().or_else(|| page.map(PathBuf::from)) else {
            return;
        };
        if let Err(error) = exports::append(&file, &summary.markdown()) {
            let file = file.display();
            complain(&[format!(
                "larder: the summary could not be added to {file}: {error}"
            )]);
        }
    }
}
