//! The real client: `turbo` as npm delivers it, run in a clean environment.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Output};
use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

use crate::install::installed;
use crate::larder::Home;
use crate::monorepo::Monorepo;

/// Longer than the 32 bytes below which the client warns.
pub(crate) const SIGNATURE_KEY: &str = "a signature key of more than thirty-two bytes";

/// The generations of the client that speak the protocol differently.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Version {
    /// The last in Go: lengths, gzip accepted, its own redirects and retries.
    V1_10,
    /// The first line in Rust: uploads are chunked and carry no length.
    V2_0,
    /// Today's: lengths again, a status request first, another signature.
    V2_11,
}

/// Whether artifacts are signed and checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signing {
    On,
    Off,
}

/// How the team is named.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Team {
    Slug(&'static str),
    /// Ignored by the client unless it begins with `team_`.
    Id(&'static str),
}

/// What the client is told about its remote cache.
pub(crate) struct Remote<'a> {
    pub(crate) api: &'a str,
    pub(crate) token: &'a str,
    pub(crate) team: Team,
    /// What artifacts are signed with, where they are.
    pub(crate) signature_key: &'a str,
    /// Ask by OPTIONS before every request.
    pub(crate) preflight: bool,
}

/// An installed client.
pub(crate) struct Client {
    program: PathBuf,
}

/// How one `turbo run build` went.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) status: ExitStatus,
    /// From start to exit.
    pub(crate) took: Duration,
    /// Tasks whose outputs came from the remote cache.
    pub(crate) remote_hits: usize,
    /// The client's own closing line.
    pub(crate) cached: String,
    /// Whether the client says `FULL TURBO`.
    pub(crate) full_turbo: bool,
    /// Everything it printed, for a failing test.
    pub(crate) transcript: String,
}

// === impl Version ===

impl Version {
    /// The version to install.
    pub(crate) fn number(self) -> &'static str {
        match self {
            Self::V1_10 => "1.10.16",
            Self::V2_0 => "2.0.14",
            Self::V2_11 => "2.11.11",
        }
    }

    /// The key of `turbo.json` that holds the tasks.
    pub(crate) fn tasks_key(self) -> &'static str {
        match self {
            Self::V1_10 => "pipeline",
            Self::V2_0 | Self::V2_11 => "tasks",
        }
    }
}

// === impl Client ===

impl Client {
    /// The client, installed from npm where it is not there yet.
    ///
    /// `None`, said loudly, on a machine where it cannot be had; with `CI` set that is a failure.
    pub(crate) fn get(version: Version) -> Option<Self> {
        let program = installed(version)?;
        Some(Self { program })
    }

    /// Runs `turbo run build`; the build itself must succeed.
    pub(crate) fn build(&self, monorepo: &Monorepo, remote: &Remote<'_>) -> Run {
        let run = self.run(monorepo, Some(remote), &[]);
        assert!(run.status.success(), "{}:\n{}", run.status, run.transcript);
        run
    }

    /// The same however it ends, with no remote cache where there is none, and with further settings
    /// from the environment.
    pub(crate) fn run(
        &self,
        monorepo: &Monorepo,
        remote: Option<&Remote<'_>>,
        further: &[(&str, &str)],
    ) -> Run {
        let mut command = self.command(monorepo);
        if let Some(remote) = remote {
            remote.tell(&mut command);
        }
        let begun = Instant::now();
        let output = command
            .envs(further.iter().copied())
            .output()
            .expect("turbo runs");
        Run::read(output, begun.elapsed(), &monorepo.root())
    }

    /// Runs `turbo run build` beside a Larder of its own, which finds its configuration at `home`.
    pub(crate) fn build_beside(
        &self,
        monorepo: &Monorepo,
        home: &Home,
        remote: Option<&Remote<'_>>,
    ) -> Run {
        let mut beside = Command::new(env!("CARGO_BIN_EXE_larder"));
        beside
            .args(["exec", "--strict", "--config"])
            .arg(home.path("larder.toml"))
            .arg("--")
            .arg(&self.program);
        let mut command = surrounded(beside, monorepo);
        if let Some(remote) = remote {
            remote.tell(&mut command);
        }
        let begun = Instant::now();
        let output = command.output().expect("larder runs");
        let run = Run::read(output, begun.elapsed(), &monorepo.root());
        assert!(run.status.success(), "{}:\n{}", run.status, run.transcript);
        run
    }

    fn command(&self, monorepo: &Monorepo) -> Command {
        surrounded(Command::new(&self.program), monorepo)
    }
}

/// A command that runs the client, with its arguments and in its place.
fn surrounded(mut command: Command, monorepo: &Monorepo) -> Command {
    command
        .args(["run", "build", "--no-daemon", "--summarize", "--cache-dir"])
        .arg(monorepo.local_cache())
        .current_dir(monorepo.root())
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", monorepo.home())
        .env("TURBO_TELEMETRY_DISABLED", "1")
        .env("DO_NOT_TRACK", "1");
    command
}

// === impl Remote ===

impl Remote<'_> {
    fn tell(&self, command: &mut Command) {
        let (variable, team) = match self.team {
            Team::Slug(slug) => ("TURBO_TEAM", slug),
            Team::Id(id) => ("TURBO_TEAMID", id),
        };
        command
            .args(self.preflight.then_some("--preflight"))
            .env("TURBO_API", self.api)
            .env("TURBO_TOKEN", self.token)
            .env(variable, team)
            .env("TURBO_REMOTE_CACHE_SIGNATURE_KEY", self.signature_key);
    }
}

// === impl Run ===

impl Run {
    fn read(output: Output, took: Duration, root: &Path) -> Self {
        let transcript = [output.stdout, output.stderr]
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .join("\n");
        let cached = transcript
            .lines()
            .find_map(|line| line.trim().strip_prefix("Cached:"))
            .unwrap_or_default()
            .trim()
            .to_owned();
        Self {
            status: output.status,
            took,
            remote_hits: summary(root).map_or(0, |summary| remote_hits(&summary)),
            cached,
            full_turbo: transcript.contains("FULL TURBO"),
            transcript,
        }
    }
}

/// The newest summary; its name sorts by time. A build that broke off leaves none.
fn summary(root: &Path) -> Option<Value> {
    let runs = fs::read_dir(root.join(".turbo/runs")).ok()?;
    let newest = runs
        .map(|entry| entry.expect("a summary").path())
        .max()
        .expect("the run left a summary");
    let text = fs::read_to_string(newest).expect("a summary that can be read");
    Some(serde_json::from_str(&text).expect("a summary in JSON"))
}

fn remote_hits(summary: &Value) -> usize {
    let tasks = summary["tasks"].as_array().expect("a summary lists tasks");
    tasks
        .iter()
        .filter(|task| task["cache"]["status"] == "HIT" && task["cache"]["source"] == "REMOTE")
        .count()
}
