//! A Larder in this process, on ports of the system's choice, for one command.

use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Duration;

use tokio::runtime::Runtime;

use crate::app::{App, StartError};
use crate::cli::scratch::Scratch;
use crate::cli::{USAGE, complain, runtime, serve};
use crate::config::{
    self, AccessMode, Config, Environment, Flags, InEffect, Listen, Loaded, Target, Turbo,
};
use crate::server::Passed;
use crate::tasks::Tasks;
use crate::telemetry;
use crate::tiers::{OpenError, holds_entries, own_version};

/// A start takes a tenth of a second. On a disk that hangs it would take for ever, and the command with it.
const LONGEST_START: Duration = Duration::from_secs(10);

/// What file calls under way get to end in once everything else has.
const LAST_FILES: Duration = Duration::from_secs(1);

/// Addresses that stand for every one of this machine, and the one by which the command finds it then.
const ANY: [&str; 2] = ["0.0.0.0", "::"];
const LOOPBACK: &str = "127.0.0.1";

/// A Larder that listens, and what it runs on.
pub(super) struct Sidecar {
    pub(super) app: App,
    /// What `TURBO_API` is to be.
    pub(super) api: String,
    /// There was no artifact in its data directory.
    pub(super) began_empty: bool,
    pub(super) stage: Stage,
}

/// What is there for as long as it runs, and goes with it.
pub(super) struct Stage {
    pub(super) runtime: Runtime,
    /// Its data, where the data directory is another process's.
    scratch: Option<Scratch>,
}

/// Why it does not start.
#[derive(Debug)]
pub(super) struct Refusal {
    /// For whoever reads standard error.
    pub(super) words: String,
    /// What `larder serve` would exit with.
    pub(super) code: u8,
}

impl Sidecar {
    /// Starts it, as `flags`, the environment and the file say, before whom `turbo` would have asked.
    pub(super) fn start(
        flags: &Flags,
        environment: &Environment,
        turbo: &Turbo,
    ) -> Result<Self, Refusal> {
        let loaded =
            config::load_sidecar(flags, environment, turbo).map_err(|problems| Refusal {
                words: problems.to_string(),
                code: USAGE,
            })?;
        telemetry::init(&loaded.config.log);
        for warning in &loaded.warnings {
            tracing::warn!("{warning}");
        }
        let runtime = runtime().map_err(|error| Refusal::of_system(error.to_string()))?;
        let late = Refusal::of_time(&loaded.config.data_dir);
        let temp_dir = environment.temp_dir();
        let opening = async move {
            let began_empty = !holds_entries(&loaded.config.data_dir);
            let (app, api, scratch) = open(loaded, &temp_dir).await?;
            Ok((app, api, scratch, began_empty))
        };
        match within(LONGEST_START, &runtime, opening).unwrap_or(Err(late)) {
            Ok((app, api, scratch, began_empty)) => Ok(Self {
                app,
                api,
                began_empty,
                stage: Stage { runtime, scratch },
            }),
            Err(refusal) => {
                // What was begun is not to go on beside the command.
                runtime.shutdown_timeout(LAST_FILES);
                Err(refusal)
            }
        }
    }

    /// Whether turbo needs no token and no team of anybody's.
    pub(super) fn needs_neither(&self) -> bool {
        let listeners = self.app.listeners();
        let is_open = listeners.iter().all(|it| it.access == AccessMode::Open);
        is_open && self.app.config().upstream.target == Target::None
    }

    /// Where misses go, if anywhere.
    pub(super) fn upstream(&self) -> Option<String> {
        match &self.app.config().upstream.target {
            Target::Http(base) => Some(base.to_string()),
            Target::None => None,
        }
    }

    /// Where its artifacts stay for another run, if they do.
    pub(super) fn kept(&self) -> Option<PathBuf> {
        let data_dir = &self.app.config().data_dir;
        let stays = self.stage.scratch.is_none();
        stays.then(|| own_version(data_dir))
    }
}

/// What comes of `work`, unless it takes longer than `limit`, though it may hang in a file call where no
/// timer could end it.
fn within<T: Send + 'static>(
    limit: Duration,
    runtime: &Runtime,
    work: impl Future<Output = T> + Send + 'static,
) -> Option<T> {
    let (teller, told) = mpsc::channel();
    let _entered = runtime.enter();
    Tasks::new().spawn(async move {
        // Who has gone on without it is not told.
        teller.send(work.await).ok();
    });
    told.recv_timeout(limit).ok()
}

/// Opens it on its data directory, or on a temporary one where another process has that: whoever waits for
/// a build does not wait for a lock.
async fn open(loaded: Loaded, temp_dir: &Path) -> Result<(App, String, Option<Scratch>), Refusal> {
    let Loaded {
        mut config, values, ..
    } = loaded;
    let in_effect = InEffect::new(values);
    let (app, scratch) = match start(config.clone(), &in_effect).await {
        Err(StartError::Tiers(taken @ OpenError::AlreadyOwned { .. })) => {
            let scratch = Scratch::make(temp_dir, "exec");
            let scratch = scratch.map_err(|error| Refusal::of_system(format!("{error:#}")))?;
            complain(&[format!(
                "larder: {taken}; this run has a temporary directory"
            )]);
            scratch.path().clone_into(&mut config.data_dir);
            let shown = format!("{:?}", scratch.path().display().to_string());
            in_effect.put("data_dir", shown, "larder exec");
            (start(config, &in_effect).await?, Some(scratch))
        }
        started => (started?, None),
    };
    let api = reachable(&app)?;
    Ok((app, api, scratch))
}

async fn start(config: Config, in_effect: &InEffect) -> Result<App, StartError> {
    App::start(config, in_effect.clone(), Passed::default()).await
}

/// Where the command finds it. Fails where that is also where it would find itself.
fn reachable(app: &App) -> Result<String, Refusal> {
    let mut addresses = app.addresses().into_iter();
    let tcp = addresses.find_map(|address| match address {
        Listen::Tcp { host, port } => Some((host, port)),
        Listen::Unix(_) | Listen::Passed(_) => None,
    });
    let (host, port) = tcp.ok_or_else(|| Refusal::of_usage("turbo cannot use a unix socket"))?;
    let host = if ANY.contains(&host.as_str()) {
        LOOPBACK.to_owned()
    } else {
        host
    };
    let is_itself = match &app.config().upstream.target {
        Target::Http(base) => {
            base.port_u16() == Some(port)
                && base.host().is_some_and(|it| it == host || is_local(it))
        }
        Target::None => false,
    };
    if is_itself {
        return Err(Refusal::of_usage("the upstream is this very Larder"));
    }
    Ok(format!("http://{}", Listen::Tcp { host, port }))
}

fn is_local(host: &str) -> bool {
    matches!(host, LOOPBACK | "localhost" | "[::1]")
}

// === impl Stage ===

impl Stage {
    /// Takes it down; drafts are still being removed, which takes no time unless the disk hangs.
    pub(super) fn strike(self) {
        self.runtime.shutdown_timeout(LAST_FILES);
        // Nothing writes into the folder any more when it is removed.
        drop(self.scratch);
    }
}

// === impl Refusal ===

impl Refusal {
    fn of_system(words: String) -> Self {
        Self { words, code: 1 }
    }

    fn of_time(data_dir: &Path) -> Self {
        let data_dir = data_dir.display();
        Self::of_system(format!(
            "no start within {LONGEST_START:?}; the disk of its data directory, {data_dir}, may hang"
        ))
    }

    fn of_usage(words: &str) -> Self {
        Self {
            words: words.to_owned(),
            code: USAGE,
        }
    }
}

impl From<StartError> for Refusal {
    fn from(error: StartError) -> Self {
        Self {
            words: error.to_string(),
            code: serve::code_of(&error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_waits_for_a_start_does_not_hang_with_it() {
        let runtime = runtime().unwrap();
        let (hand, gate) = mpsc::channel::<()>();
        let hung = within(Duration::from_millis(50), &runtime, async move {
            gate.recv().ok();
        });
        assert_eq!(hung, None);
        drop(hand);
        assert_eq!(within(LONGEST_START, &runtime, async { 7 }), Some(7));
    }
}
