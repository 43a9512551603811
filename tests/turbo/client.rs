//! The real client: `turbo` as npm delivers it, run in a clean environment.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use parking_lot::Mutex;
use serde_json::Value;

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
    fn number(self) -> &'static str {
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
        match install(version) {
            Ok(program) => Some(Self { program }),
            Err(reason) => {
                skip(version, &reason);
                None
            }
        }
    }

    /// Runs `turbo run build`; the build itself must succeed.
    pub(crate) fn build(&self, monorepo: &Monorepo, remote: &Remote<'_>) -> Run {
        let (variable, team) = match remote.team {
            Team::Slug(slug) => ("TURBO_TEAM", slug),
            Team::Id(id) => ("TURBO_TEAMID", id),
        };
        let output = Command::new(&self.program)
            .args(["run", "build", "--no-daemon", "--summarize", "--cache-dir"])
            .arg(monorepo.local_cache())
            .args(remote.preflight.then_some("--preflight"))
            .current_dir(monorepo.root())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", monorepo.home())
            .env("TURBO_TELEMETRY_DISABLED", "1")
            .env("DO_NOT_TRACK", "1")
            .env("TURBO_API", remote.api)
            .env("TURBO_TOKEN", remote.token)
            .env(variable, team)
            .env("TURBO_REMOTE_CACHE_SIGNATURE_KEY", remote.signature_key)
            .output()
            .expect("turbo runs");
        let transcript = [output.stdout, output.stderr]
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .join("\n");
        assert!(output.status.success(), "{}:\n{transcript}", output.status);
        Run::read(transcript, &monorepo.root())
    }
}

/// Why npm could not be used; asked once a process, because a missing registry is slow to be missed.
static UNREACHABLE: Mutex<Option<String>> = Mutex::new(None);

fn install(version: Version) -> Result<PathBuf, String> {
    let clients = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("turbo-clients");
    let folder = clients.join(version.number());
    let program = folder.join("node_modules/.bin/turbo");
    fs::create_dir_all(&clients).expect("a folder for the clients");
    // Tests that run at the same time, in one process or in several, install once.
    let lock = File::create(clients.join("lock")).expect("a lock file");
    lock.lock().expect("the lock");
    if !program.exists() {
        let partial = folder.with_file_name(format!("{}.partial", version.number()));
        npm_install(&partial, version)?;
        fs::rename(&partial, &folder).expect("an installed client");
    }
    Ok(program)
}

fn npm_install(folder: &Path, version: Version) -> Result<(), String> {
    let mut unreachable = UNREACHABLE.lock();
    if let Some(reason) = &*unreachable {
        return Err(reason.clone());
    }
    let output = Command::new("npm")
        .args(["install", "--no-audit", "--no-fund", "--loglevel=error"])
        .arg("--prefix")
        .arg(folder)
        .arg(format!("turbo@{}", version.number()))
        .output();
    let reason = match output {
        Ok(output) if output.status.success() => return Ok(()),
        Ok(output) => String::from_utf8_lossy(&output.stderr).into_owned(),
        Err(error) => format!("npm: {error}"),
    };
    *unreachable = Some(reason.clone());
    Err(reason)
}

fn skip(version: Version, reason: &str) {
    let version = version.number();
    assert!(
        std::env::var_os("CI").is_none(),
        "no turbo {version}: {reason}"
    );
    // Written past the test runner's capture: a test that did not run must be seen.
    let said = writeln!(
        std::io::stderr(),
        "NOT TESTED: no turbo {version} here: {reason}"
    );
    said.expect("standard error");
}

// === impl Run ===

impl Run {
    fn read(transcript: String, root: &Path) -> Self {
        let cached = transcript
            .lines()
            .find_map(|line| line.trim().strip_prefix("Cached:"))
            .unwrap_or_default()
            .trim()
            .to_owned();
        Self {
            remote_hits: remote_hits(&summary(root)),
            cached,
            full_turbo: transcript.contains("FULL TURBO"),
            transcript,
        }
    }
}

/// The newest summary; its name sorts by time.
fn summary(root: &Path) -> Value {
    let runs = fs::read_dir(root.join(".turbo/runs")).expect("the run left a summary");
    let newest = runs
        .map(|entry| entry.expect("a summary").path())
        .max()
        .expect("the run left a summary");
    let text = fs::read_to_string(newest).expect("a summary that can be read");
    serde_json::from_str(&text).expect("a summary in JSON")
}

fn remote_hits(summary: &Value) -> usize {
    let tasks = summary["tasks"].as_array().expect("a summary lists tasks");
    tasks
        .iter()
        .filter(|task| task["cache"]["status"] == "HIT" && task["cache"]["source"] == "REMOTE")
        .count()
}
