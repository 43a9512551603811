//! The stage: an embedded origin, the line to it, and Larder before that line, all on loopback.

use std::net::SocketAddr;
use std::path::Path;

use anyhow::Context;
use tokio::time::{Duration, Instant};

use super::build::Artifact;
use super::machine::Machine;
use super::origin::Origin;
use super::report::Run;
use super::wan::{Line, Wan};
use crate::app::App;
use crate::config::{AccessMode, Config, InEffect, Listen, LogLevel, Target};
use crate::server::Passed;
use crate::tasks::Tasks;

/// Time for what still runs when the demo is over.
pub(super) const GRACE: Duration = Duration::from_secs(2);

/// Everything between the machines and the origin, running.
#[derive(Debug)]
pub(super) struct Stage {
    wan: Wan,
    larder: SocketAddr,
    /// Larder's own tasks.
    larder_tasks: Tasks,
    /// The origin's, and the one that runs Larder.
    tasks: Tasks,
}

/// The built-in configuration, on ports of the system's choice.
pub(super) fn config(data_dir: &Path) -> Config {
    let any_port = Listen::Tcp {
        host: "127.0.0.1".to_owned(),
        port: 0,
    };
    let mut config = Config::built_in(data_dir);
    config.server.listen = vec![any_port.clone()];
    config.server.shutdown_grace = GRACE;
    config.admin.listen = any_port;
    config.access.mode = AccessMode::Upstream;
    // A temporary folder is often small, and these few megabytes will be gone in seconds.
    config.tier.disk.min_free = 0;
    config.log.level = LogLevel::Error;
    config
}

impl Stage {
    /// Starts the origin, lays the line to it, and starts Larder before that line.
    pub(super) async fn set(line: Line, mut config: Config) -> anyhow::Result<Self> {
        let tasks = Tasks::new();
        let origin = Origin::open(&tasks).await?;
        let wan = Wan::lay(origin, line).await?;
        config.upstream.target = Target::Http(format!("http://{}", wan.address()).parse()?);
        let app = App::start(config, InEffect::default(), Passed::default()).await?;
        let addresses = app.addresses();
        let address = addresses.first().context("Larder listens nowhere")?;
        let larder = address.to_string().parse()?;
        let larder_tasks = app.tasks();
        tasks.spawn(app.run());
        Ok(Self {
            wan,
            larder,
            larder_tasks,
            tasks,
        })
    }

    /// Has a new machine build through Larder.
    pub(super) async fn through_larder(&self, artifacts: &[Artifact]) -> anyhow::Result<Run> {
        self.build(self.larder, artifacts).await
    }

    /// Has a new machine build without Larder.
    pub(super) async fn without_larder(&self, artifacts: &[Artifact]) -> anyhow::Result<Run> {
        self.build(self.wan.address(), artifacts).await
    }

    /// Takes the origin out of reach.
    pub(super) async fn cut(&self) {
        self.wan.cut().await;
    }

    /// Ends everything.
    pub(super) async fn strike(self) {
        self.larder_tasks.stop();
        self.tasks.stop();
        let running = self.tasks.drain(GRACE).await;
        tracing::debug!(running, "the demo is over");
    }

    async fn build(&self, server: SocketAddr, artifacts: &[Artifact]) -> anyhow::Result<Run> {
        let (machine, carried) = (Machine::new(server), self.wan.carried());
        let start = Instant::now();
        let tally = machine.build(artifacts).await?;
        Ok(Run {
            took: start.elapsed(),
            tally,
            carried: self.wan.carried() - carried,
        })
    }
}
