//! The command line: words and flags in, one command run, an exit code out.
//!
//! What a flag's text means is not known here: `config` reads it with the file and the environment.

mod cache_status;
mod check;
mod credential;
mod demo;
mod doctor;
mod env;
mod exec;
mod fsck;
mod healthcheck;
mod inquiry;
mod manual;
mod once;
mod progress;
mod purge;
mod reload;
mod scratch;
mod serve;
mod shell;
mod stats;
mod warm;
mod why;

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, CommandFactory, Parser, Subcommand};
use tokio::runtime::{Builder, Runtime};

use self::doctor::DoctorFlags;
use self::env::EnvFlags;
use self::exec::ExecFlags;
use self::fsck::FsckFlags;
use self::inquiry::ProcessFlags;
use self::manual::{CompletionFlags, ManualFlags};
use self::purge::PurgeFlags;
use self::stats::StatsFlags;
use self::warm::WarmFlags;
use self::why::WhyFlags;
use crate::config::{self, Environment, Flags, Loaded, Problems};

/// Wrong usage or configuration; any other failure is 1.
const USAGE: u8 = 2;

/// Keeps a team's build artifacts close at hand: a caching reverse proxy in front of a
/// Vercel-compatible remote cache.
///
/// Without a command it serves: `larder` is `larder serve`.
#[derive(Debug, Parser)]
#[command(name = "larder", version)]
#[command(args_conflicts_with_subcommands = true, disable_help_subcommand = true)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    flags: ConfigFlags,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs the proxy; the default command
    Serve(ConfigFlags),
    /// Prints the configuration in effect and where each value comes from, or every mistake in it
    ///
    /// One line a key: `key = value  # default | FILE:LINE | VARIABLE | --flag`. Secrets are shown
    /// as `***`. Exits with 2 when there is a mistake.
    Check(ConfigFlags),
    /// Shows on this machine what Larder saves: an origin behind a slow line, cold, warm and offline
    Demo,
    /// Tries an upstream and a token end to end, and says in plain words what works
    ///
    /// The token is the one in `--token-file`, else Larder's own (`upstream.token_file`), else that in
    /// `TURBO_TOKEN`; it is printed nowhere. Nothing is written upstream without `--write`. Exits with
    /// 0 when nothing fails, with 1 otherwise.
    Doctor(Box<DoctorFlags>),
    /// Runs a command beside a Larder of its own, and says what that saved
    ///
    /// Starts Larder in this process on a free port, sets `TURBO_API` for the command, and exits with the
    /// command's code. The configuration is read as by `serve`; where it names no upstream, that is the
    /// `TURBO_API` it inherits, else Vercel where turbo has a token, else none. A Larder that cannot start
    /// says so, and the command runs without it. Nothing but the command writes to standard output.
    Exec(ExecFlags),
    /// Prints what points turbo at a Larder, if one answers there within 300 ms, else nothing
    ///
    /// For a shell's own start: `eval "$(larder env https://larder.office:8585)"`. Whoever answers gets turbo's
    /// token: by `http://` any network could.
    Env(EnvFlags),
    /// Looks over every entry of a data directory that no process uses, and removes what is damaged
    ///
    /// Removes damaged entries, entries that a newer one of their key has outdated, and drafts that
    /// nobody writes any more. Whatever is not Larder's own is left alone. Exits with 0 when all is
    /// well or was repaired, with 1 when something could not be read or removed, and with 2 when
    /// there is no such directory or another process uses it.
    Fsck(FsckFlags),
    /// Has a Larder that runs fetch artifacts ahead, so that the next build hits
    ///
    /// Reads hashes from a file, or standard input holding `turbo run … --dry=json`. The token is the
    /// one in `--token-file`, else that in `TURBO_TOKEN`. Ctrl-C ends it with the summary so far.
    /// Exits with 0 when nothing was refused or failed.
    Warm(Box<WarmFlags>),
    /// Says by its exit code whether a Larder that runs takes work: 0 when it does
    ///
    /// For containers, which have no other program to ask with. Asks the admin listener of the process that
    /// uses the data directory, else the one that the configuration names.
    Healthcheck(ProcessFlags),
    /// Shows what a Larder that runs has saved, how full it is and how its upstream does
    ///
    /// Asks the admin listener of the process that uses the data directory, else the one that the
    /// configuration names.
    Stats(StatsFlags),
    /// Removes artifacts from a Larder that runs, by hash, team, age or size
    ///
    /// Says first what would be removed, and asks. An artifact that the upstream has comes back with the
    /// next miss, unless its hash is held. Exits with 1 where the answer is no, and with 2 where there is
    /// nobody to ask.
    Purge(PurgeFlags),
    /// Tells what happened to an artifact's last requests and why, where it is, and whether it is held
    ///
    /// Asks the admin listener of the process that uses the data directory, else the one that the configuration
    /// names. Exits with 1 where nothing is known of the artifact.
    Why(WhyFlags),
    /// Prints what completes this command line in a shell
    ///
    /// For bash: `larder completions bash > ~/.local/share/bash-completion/completions/larder`.
    Completions(CompletionFlags),
    /// Prints the manual, or writes a page for each command into a folder
    ///
    /// `larder man /usr/local/share/man/man1`, and `man larder-serve` is there.
    Man(ManualFlags),
}

/// Each overrides the configuration file and the environment.
#[derive(Args, Debug)]
struct ConfigFlags {
    /// Reads this file, instead of the one `LARDER_CONFIG` names, /etc/larder/larder.toml, or
    /// larder/larder.toml in the user's config folder
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Listens here: HOST:PORT or unix:PATH; may be given more than once
    #[arg(long, value_name = "ADDR")]
    listen: Vec<String>,
    /// Listens here for metrics, health and administration
    #[arg(long, value_name = "ADDR")]
    admin_listen: Option<String>,
    /// Fetches misses from here; `none`: Larder itself is the cache
    #[arg(long, value_name = "URL|vercel|none")]
    upstream: Option<String>,
    /// Keeps its data here
    #[arg(long, value_name = "DIR")]
    data_dir: Option<String>,
    /// Holds this much in memory, such as 256MiB; 0 for none
    #[arg(long, value_name = "SIZE")]
    memory: Option<String>,
    /// Holds this much on disk, such as 20GiB or 10%; 0 for none
    #[arg(long, value_name = "SIZE")]
    disk: Option<String>,
    /// Writes its log as text or json
    #[arg(long, value_name = "text|json")]
    log_format: Option<String>,
    /// Logs from this level on: error, warn, info, debug or trace
    #[arg(long, value_name = "LEVEL")]
    log_level: Option<String>,
}

/// Runs the command that `arguments` name.
pub fn run(arguments: impl IntoIterator<Item = OsString>, environment: &Environment) -> ExitCode {
    let result = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments.run(environment),
        Err(error) => return usage(&error),
    };
    result.unwrap_or_else(|error| {
        complain(&[format!("larder: {error:#}")]);
        ExitCode::FAILURE
    })
}

/// Help and version are answers to a wish, printed to where answers go; anything else is a mistake.
fn usage(error: &clap::Error) -> ExitCode {
    // Nobody is left to tell when the terminal is gone.
    error.print().ok();
    if error.use_stderr() {
        ExitCode::from(USAGE)
    } else {
        ExitCode::SUCCESS
    }
}

/// Most threads for calls that block: the disk tier bounds its own jobs well below this.
const BLOCKING_THREADS: usize = 64;

/// Turns of tasks between two looks at the sockets. With the runtime's own 61, and a ration of 256 KiB
/// sent in a turn, small requests beside large bodies wait for several milliseconds before anybody sees
/// that they are there.
const TURNS_BETWEEN_LOOKS: u32 = 8;

/// Of so many turns of a thread, one goes to a task that its own queue had no room for, or that another
/// thread woke. The runtime's own choice is rarer than one in thirty: with more busy connections than that
/// queue has places (256), those that do not fit wait for hundreds of turns. At every turn it would be the
/// own queue that waits, until the shared one is empty.
const TURNS_BETWEEN_SHARED: u32 = 2;

/// For commands that ask a question or two.
fn quick_runtime() -> io::Result<Runtime> {
    Builder::new_current_thread().enable_all().build()
}

/// The runtime that everything runs on.
fn runtime() -> io::Result<Runtime> {
    Builder::new_multi_thread()
        .enable_all()
        .event_interval(TURNS_BETWEEN_LOOKS)
        .global_queue_interval(TURNS_BETWEEN_SHARED)
        .max_blocking_threads(BLOCKING_THREADS)
        .thread_name("larder")
        .build()
}

/// What printing came to, where whoever reads may have read enough, as in `larder check | head`.
fn unless_read_enough(printed: io::Result<()>) -> io::Result<()> {
    printed.or_else(|error| match error.kind() {
        io::ErrorKind::BrokenPipe => Ok(()),
        _ => Err(error),
    })
}

/// Prints lines to standard error.
fn complain(lines: &[String]) {
    let mut stderr = io::stderr().lock();
    for line in lines {
        // Nobody is left to tell when standard error is gone.
        writeln!(stderr, "{line}").ok();
    }
}

// === impl Arguments ===

impl Arguments {
    fn run(self, environment: &Environment) -> anyhow::Result<ExitCode> {
        match self.command {
            None => serve(self.flags, environment),
            Some(Command::Serve(flags)) => serve(flags, environment),
            Some(Command::Check(flags)) => loaded(flags, environment, |loaded| check::run(&loaded)),
            Some(Command::Doctor(flags)) => {
                seal();
                let (flags, trial) = flags.parts();
                loaded(flags, environment, |loaded| {
                    doctor::run(&loaded, &trial, environment)
                })
            }
            Some(Command::Fsck(flags)) => {
                let repair = flags.repair();
                loaded(flags, environment, |loaded| fsck::run(&loaded, repair))
            }
            Some(Command::Warm(flags)) => {
                seal();
                loaded(&flags.whose, environment, |loaded| {
                    warm::run(&loaded, &flags.warming, environment)
                })
            }
            Some(Command::Healthcheck(flags)) => loaded(&flags, environment, |loaded| {
                healthcheck::run(&loaded.config)
            }),
            Some(Command::Stats(flags)) => loaded(&flags.process, environment, |loaded| {
                stats::run(&loaded.config, &flags)
            }),
            Some(Command::Purge(flags)) => loaded(&flags.process, environment, |loaded| {
                purge::run(&loaded.config, &flags)
            }),
            Some(Command::Why(flags)) => loaded(&flags.process, environment, |loaded| {
                why::run(&loaded.config, &flags)
            }),
            Some(Command::Completions(flags)) => manual::complete(&flags, Self::command()),
            Some(Command::Man(flags)) => manual::write(&flags, Self::command()),
            Some(Command::Exec(flags)) => {
                seal();
                exec::run(flags, environment)
            }
            Some(Command::Env(flags)) => env::run(&flags),
            Some(Command::Demo) => demo::run(&environment.temp_dir()),
        }
    }
}

/// For commands that are given tokens of others.
fn seal() {
    if let Err(error) = serve::seal() {
        complain(&[format!(
            "larder: a crash may leave tokens in a core file: {error}"
        )]);
    }
}

fn serve(flags: impl Into<Flags>, environment: &Environment) -> anyhow::Result<ExitCode> {
    seal();
    let (flags, environment) = (flags.into(), environment.clone());
    let read: reload::Read = Arc::new(move || config::load(&flags, &environment));
    match read() {
        Ok(loaded) => serve::run(loaded, read),
        Err(problems) => Ok(mistaken(&problems)),
    }
}

/// Runs a command that needs the configuration; with mistakes in it, says them all instead.
fn loaded(
    flags: impl Into<Flags>,
    environment: &Environment,
    command: impl FnOnce(Loaded) -> anyhow::Result<ExitCode>,
) -> anyhow::Result<ExitCode> {
    match config::load(&flags.into(), environment) {
        Ok(loaded) => command(loaded),
        Err(problems) => Ok(mistaken(&problems)),
    }
}

fn mistaken(problems: &Problems) -> ExitCode {
    complain(&[problems.to_string()]);
    ExitCode::from(USAGE)
}

// === impl ConfigFlags ===

impl From<ConfigFlags> for Flags {
    fn from(flags: ConfigFlags) -> Self {
        Self {
            config: flags.config,
            listen: flags.listen,
            admin_listen: flags.admin_listen,
            upstream: flags.upstream,
            data_dir: flags.data_dir,
            memory: flags.memory,
            disk: flags.disk,
            log_format: flags.log_format,
            log_level: flags.log_level,
        }
    }
}
