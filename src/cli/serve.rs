//! `larder serve`: the main job.

use std::io::{Write, stdout};
use std::process::ExitCode;

use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::app::{App, StartError};
use crate::config::{AccessMode, Config, Loaded, LogFormat, Target};
use crate::telemetry;
use crate::tiers::OpenError;

/// Runs until a signal ends it.
pub(super) fn run(loaded: Loaded) -> anyhow::Result<ExitCode> {
    telemetry::init(&loaded.config.log);
    for warning in &loaded.warnings {
        tracing::warn!("{warning}");
    }
    let runtime = super::runtime()?;
    let code = serve(&runtime, loaded.config);
    // Whatever a second signal left behind is not waited for.
    runtime.shutdown_background();
    Ok(code)
}

fn serve(runtime: &Runtime, config: Config) -> ExitCode {
    runtime.block_on(async {
        // Before anything else: the first process of a container gets no signal that it does not
        // listen for.
        let (terminate, interrupt) = match (
            signal(SignalKind::terminate()),
            signal(SignalKind::interrupt()),
        ) {
            (Ok(terminate), Ok(interrupt)) => (terminate, interrupt),
            (Err(error), _) | (_, Err(error)) => {
                tracing::error!("cannot listen for signals: {error}");
                return ExitCode::FAILURE;
            }
        };
        match App::start(config).await {
            Ok(app) => until_stopped(app, terminate, interrupt).await,
            Err(error) => refuse(&error),
        }
    })
}

async fn until_stopped(app: App, mut terminate: Signal, mut interrupt: Signal) -> ExitCode {
    announce(&app);
    let tasks = app.tasks();
    let asked = async move {
        next_of(&mut terminate, &mut interrupt).await;
        tracing::info!("stopping: finishing what runs; a second signal ends at once");
        tasks.stop();
        next_of(&mut terminate, &mut interrupt).await;
    };
    tokio::select! {
        () = app.run() => ExitCode::SUCCESS,
        () = asked => ExitCode::FAILURE,
    }
}

async fn next_of(one: &mut Signal, other: &mut Signal) {
    tokio::select! {
        _ = one.recv() => {}
        _ = other.recv() => {}
    }
}

/// One line, and 2 where the mistake is in what was configured, 1 where it is in the world.
fn refuse(error: &StartError) -> ExitCode {
    tracing::error!("{error}");
    match error {
        StartError::Tiers(OpenError::AlreadyOwned { .. }) | StartError::Upstream(_) => {
            ExitCode::from(2)
        }
        _ => ExitCode::FAILURE,
    }
}

fn announce(app: &App) {
    let config = app.config();
    for address in app.addresses() {
        tracing::info!(%address, "listening");
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
    let api = app
        .addresses()
        .iter()
        .find_map(|address| app.reachable(address));
    let api = api.map_or_else(
        || "# turbo cannot use a unix socket; put a TCP listener beside it".to_owned(),
        |api| format!("export TURBO_API={api}"),
    );
    let token = match (&config.access.mode, app.made_token()) {
        (_, Some(path)) => format!("\"$(cat '{}')\"", path.display()),
        (AccessMode::Tokens(_), None) => "'a token of access.tokens'".to_owned(),
        (AccessMode::Open, None) if is_alone => "anything".to_owned(),
        (AccessMode::Open | AccessMode::Upstream, None) => "'your token upstream'".to_owned(),
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
         \n\
         Point turbo at it:\n\
         {api}\n\
         export TURBO_TOKEN={token}\n\
         export TURBO_TEAM={team}\n\n",
        version = env!("CARGO_PKG_VERSION"),
        data = config.data_dir.display(),
    )
}
