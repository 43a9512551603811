//! `larder serve`: the main job.

use std::convert::Infallible;
use std::io::{self, Write, stdout};
use std::iter;
use std::process::ExitCode;
use std::time::Duration;

#[cfg(target_os = "linux")]
use rustix::process::{DumpableBehavior, set_dumpable_behavior};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::USAGE;
use super::reload::{Read, Reload};
use crate::app::{App, Ending, Notices, StartError};
use crate::config::{AccessMode, InEffect, Listen, Loaded, LogFormat, Target};
use crate::server::Passed;
use crate::telemetry;
use crate::tiers::OpenError;

/// What file calls under way get to end in once everything else has.
const LAST_FILES: Duration = Duration::from_secs(1);

/// The signals that are listened for.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

/// Runs until a signal ends it; `read` reads the configuration once more.
pub(super) fn run(loaded: Loaded, read: Read) -> anyhow::Result<ExitCode> {
    // Before another thread could see the variables, and a file of ours take the place of one.
    let passed = Passed::take(&loaded.supervisor.sockets);
    telemetry::init(&loaded.config.log);
    for warning in &loaded.warnings {
        tracing::warn!("{warning}");
    }
    if let Err(error) = raise_open_files() {
        tracing::warn!(%error, "the limit of open files stays as it is");
    }
    let runtime = super::runtime()?;
    let code = serve(&runtime, loaded, read, passed);
    // Drafts are still being removed, which takes no time unless the disk hangs. Whatever else
    // a second signal left behind is not waited for.
    runtime.shutdown_timeout(LAST_FILES);
    Ok(code)
}

/// Keeps the tokens in this process's memory there: no core file, and no look into it for other
/// processes of the same user, such as the scripts of the very build that Larder runs beside.
///
/// For before the first of them is read.
pub(super) fn seal() -> io::Result<()> {
    #[cfg(target_os = "linux")]
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    Ok(())
}

/// Lets the process have as many open files as the system allows it: the 1024 that most begin with are
/// fewer than `server.max_connections`.
fn raise_open_files() -> io::Result<()> {
    let limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum {
        let current = limit.maximum;
        setrlimit(Resource::Nofile, Rlimit { current, ..limit })?;
    }
    Ok(())
}

fn serve(runtime: &Runtime, loaded: Loaded, read: Read, passed: Passed) -> ExitCode {
    runtime.block_on(async {
        // Before anything else: the first process of a container gets no signal that it does not
        // listen for.
        let signals = match Signals::listen() {
            Ok(signals) => signals,
            Err(error) => {
                tracing::error!("cannot listen for signals: {error}");
                return ExitCode::FAILURE;
            }
        };
        let Loaded {
            config,
            values,
            supervisor,
            ..
        } = loaded;
        let in_effect = InEffect::new(values);
        match App::start(config, in_effect.clone(), passed).await {
            Ok(app) => {
                let reload = Reload::new(read, app.live(), in_effect);
                until_stopped(app, signals, reload, Notices::new(&supervisor)).await
            }
            Err(error) => refuse(&error),
        }
    })
}

async fn until_stopped(app: App, signals: Signals, reload: Reload, notices: Notices) -> ExitCode {
    announce(&app);
    let ending = app.ending();
    let status = status(&app);
    let Signals {
        mut terminate,
        mut interrupt,
        mut hangup,
    } = signals;
    notices.ready(&status).await;
    let reloading = async {
        while hangup.recv().await.is_some() {
            notices.reloading().await;
            reload.run().await;
            notices.ready(&status).await;
        }
        // None can come any more, which ends nothing.
        std::future::pending::<Infallible>().await
    };
    let asked = async {
        next_of(&mut terminate, &mut interrupt).await;
        let begun = begin_to_stop(&ending, &notices);
        tokio::select! {
            biased;
            () = begun => next_of(&mut terminate, &mut interrupt).await,
            () = next_of(&mut terminate, &mut interrupt) => {}
        }
    };
    tokio::select! {
        () = app.run() => ExitCode::SUCCESS,
        () = asked => ExitCode::FAILURE,
        never = notices.keep_alive() => match never {},
        never = reloading => match never {},
    }
}

/// Says that it ends, and tells everything to stop once nobody is sent here any more.
async fn begin_to_stop(ending: &Ending, notices: &Notices) {
    let delay = ending.delay();
    if !delay.is_zero() {
        tracing::info!(
            ?delay,
            "stopping: not ready from now on, and still taking connections"
        );
    }
    let saying = notices.stopping("finishing what runs");
    tokio::join!(saying, ending.begin());
    tracing::info!("stopping: finishing what runs; a second signal ends at once");
}

/// What it does, in a line for the service manager.
fn status(app: &App) -> String {
    let addresses = app.addresses();
    let addresses: Vec<String> = addresses.iter().map(ToString::to_string).collect();
    format!("serving at {}", addresses.join(", "))
}

async fn next_of(one: &mut Signal, other: &mut Signal) {
    tokio::select! {
        _ = one.recv() => {}
        _ = other.recv() => {}
    }
}

fn refuse(error: &StartError) -> ExitCode {
    tracing::error!("{error}");
    ExitCode::from(code_of(error))
}

/// 2 where the mistake is in what was configured, 1 where it is in the world.
pub(super) fn code_of(error: &StartError) -> u8 {
    match error {
        StartError::Tiers(OpenError::AlreadyOwned { .. }) | StartError::Upstream(_) => USAGE,
        StartError::Bind(error) if error.is_configured() => USAGE,
        _ => 1,
    }
}

// === impl Signals ===

impl Signals {
    fn listen() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }
}

fn announce(app: &App) {
    let config = app.config();
    for listener in app.listeners() {
        let (address, access) = (&listener.address, listener.access.as_str());
        let speaks = if listener.is_secured() {
            "TLS"
        } else {
            "clear text"
        };
        tracing::info!(%address, speaks, access, "listening");
    }
    for address in app.admin_addresses() {
        tracing::info!(%address, "admin listening");
    }
    let lines = match config.log.format {
        LogFormat::Text => welcome(app),
        // Whoever reads this stream expects an object a line.
        LogFormat::Json => format!("{}\n", serde_json::json!({ "message": welcome(app) })),
    };
    if let Err(error) = stdout().write_all(lines.as_bytes()) {
        tracing::debug!("nobody reads the first lines: {error}");
    }
}

/// What a user needs to point turbo here, to be copied into a shell.
fn welcome(app: &App) -> String {
    let config = app.config();
    let is_alone = config.upstream.target == Target::None;
    let (api, access) = reachable(app);
    let token = match (access, app.made_token()) {
        (AccessMode::Tokens, Some(path)) => format!("\"$(cat '{}')\"", path.display()),
        (AccessMode::Tokens, None) => "'a token of access.tokens'".to_owned(),
        (AccessMode::Open, _) if is_alone => "anything".to_owned(),
        (AccessMode::Open | AccessMode::Upstream, _) => "'your token upstream'".to_owned(),
    };
    let team = if is_alone {
        "my-team"
    } else {
        "'your team upstream'"
    };
    let upstream = match &config.upstream.target {
        Target::None => {
            "none: Larder is the cache by itself (--upstream vercel puts it before Vercel)"
                .to_owned()
        }
        Target::Http(base) => base.to_string(),
    };
    format!(
        "larder {version}\n\
         upstream   {upstream}\n\
         data       {data}\n\
         {dashboard}\
         \n\
         Point turbo at it:\n\
         {api}\n\
         export TURBO_TOKEN={token}\n\
         export TURBO_TEAM={team}\n\n",
        version = env!("CARGO_PKG_VERSION"),
        data = config.data_dir.display(),
        dashboard = dashboard(app).unwrap_or_default(),
    )
}

/// The line that says where people look; none where browsers cannot.
fn dashboard(app: &App) -> Option<String> {
    let mut addresses = app.admin_addresses().into_iter();
    let address = addresses.find(|address| matches!(address, Listen::Tcp { .. }))?;
    Some(format!("dashboard  http://{address}/\n"))
}

/// The line that says where turbo reaches Larder, and who judges there. Where listeners differ, each of
/// the others has a line as well.
fn reachable(app: &App) -> (String, AccessMode) {
    let listeners = app.listeners();
    let mut urls = listeners
        .iter()
        .filter_map(|listener| Some((App::reachable(listener)?, listener.access)));
    let Some((first, access)) = urls.next() else {
        let none = "# turbo cannot use a unix socket; put a TCP listener beside it".to_owned();
        let access = listeners.first().map(|listener| listener.access);
        return (none, access.unwrap_or(app.config().access.mode));
    };
    let others = urls.filter(|_| !app.config().server.named.is_empty());
    let others = others.map(|(url, access)| {
        let access = access.as_str();
        format!("# or {url}, where access is `{access}`")
    });
    let lines: Vec<String> = iter::once(format!("export TURBO_API={first}"))
        .chain(others)
        .collect();
    (lines.join("\n"), access)
}

#[cfg(test)]
mod tests {
    #[cfg(target_os = "linux")]
    #[test]
    fn a_sealed_process_can_neither_be_dumped_nor_looked_into() {
        use rustix::process::{DumpableBehavior, dumpable_behavior};

        super::seal().unwrap();
        let behavior = dumpable_behavior().unwrap();
        assert_eq!(behavior, DumpableBehavior::NotDumpable);
    }
}
