//! The composition root: builds each part once, runs them, and ends them in order.

mod certificates;
mod delivery;
mod ending;
mod foundation;
mod holds;
mod listening;
mod live;
mod log;
mod notices;
mod operators;
mod parts;
mod secrets;
mod verdicts;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::time::{Duration, Instant, timeout};

use certificates::Certificates;
use delivery::Delivery;
pub use ending::Ending;
use foundation::Foundation;
use holds::{HeldNotes, HoldsError};
use listening::{behind, certificates, hosts, open, placed, reachable};
pub use live::Live;
use log::set_level;
pub use notices::Notices;
use operators::Operated;
use parts::{access, router, sealer, upstream};
pub use secrets::{SecretError, announced};
use verdicts::Notes;

use crate::access::Access;
use crate::admin::{Admin, Door};
use crate::caller::Sealer;
use crate::config::{AccessMode, Config, InEffect, Listen, Listener, Secret};
use crate::metrics::Metrics;
use crate::proxy::Proxy;
use crate::router::Router;
use crate::server::{BindError, Limits, Listeners, LiveLimits, Passed, TlsError};
use crate::tasks::Tasks;
use crate::telemetry::AccessLog;
use crate::tiers::{OpenError, Tiers};
use crate::upstream::UpstreamError;

/// What tasks get to end in once connections have used up the grace, and once more to be dropped in.
const LAST_MOMENT: Duration = Duration::from_millis(100);

/// Everything built and bound, not yet serving.
#[derive(Debug)]
pub struct App {
    config: Config,
    data: Listeners,
    admin: Listeners,
    router: Arc<Router>,
    proxy: Arc<Proxy>,
    access: Arc<Access>,
    sealer: Arc<Sealer>,
    certificates: Option<Arc<Certificates>>,
    tiers: Arc<Tiers>,
    held: Arc<HeldNotes>,
    admin_service: Arc<Admin>,
    metrics: Arc<Metrics>,
    tasks: Tasks,
    limits: LiveLimits,
    access_log: Arc<AccessLog>,
    delivery: Delivery,
    made_token: Option<PathBuf>,
}

/// Why Larder does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The data directory cannot be used.
    #[error(transparent)]
    Tiers(#[from] OpenError),
    /// A secret in the data directory cannot be read or made.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// What is held back cannot be read, and might be served.
    #[error(transparent)]
    Holds(#[from] HoldsError),
    /// The upstream's configuration names files that do not do.
    #[error(transparent)]
    Upstream(#[from] UpstreamError),
    /// There is no TLS to be had.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// Nor to the collector of traces.
    #[error("traces.endpoint: TLS: {0}")]
    Traces(#[from] rustls::Error),
    /// An address cannot be listened at.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The system gives no thread for the access log.
    #[error("cannot start the access log: {0}")]
    AccessLog(std::io::Error),
    /// Two metrics share a name.
    #[error("cannot register the metrics: {0}")]
    Metrics(String),
}

impl App {
    /// Builds everything and binds the listeners, or takes them from what was `passed`; `shown` is the
    /// configuration as people may see it.
    pub async fn start(
        mut config: Config,
        shown: InEffect,
        passed: Passed,
    ) -> Result<Self, StartError> {
        // It is printed for shells that stand elsewhere. Without a working directory it stays.
        if let Ok(absolute) = std::path::absolute(&config.data_dir) {
            config.data_dir = absolute;
        }
        // The lock on the data directory comes first: nothing in it is touched without.
        let foundation = Foundation::open(&config).await?;
        let data_dir = config.data_dir.clone();
        let made_token = make_first_token(&mut config, &data_dir)?;
        let admin_token = secrets::admin_token(config.admin.token.as_ref())?;
        let door = Door::new(hosts(&config), &admin_token);
        let upstream = upstream(&config, &foundation)?;
        let sealer = Arc::new(sealer(&config)?);
        let access = access(&mut config, &sealer, &upstream, &foundation);
        let stations = foundation.stations(&sealer, &upstream, &access);
        let proxy = Proxy::new(config.clone(), stations);
        let router = router(&config, &proxy, foundation.observer());
        let certificates = certificates(&config, &foundation.metrics)?;
        let (data, admin) = open(&config, passed).await?;
        let data = behind(data, certificates.as_deref(), &config, &foundation.metrics);
        let operated = Operated {
            config: &config,
            data: &data,
            foundation: &foundation,
            upstream: &upstream,
            proxy: &proxy,
        };
        let set_level = set_level(&foundation.access_log);
        let admin_service = Arc::new(operated.admin(door, (shown, set_level)));
        let app = Self {
            data,
            admin,
            limits: Limits::new(&config.server, config.tier.in_flight).into(),
            access_log: foundation.access_log,
            delivery: foundation.delivery,
            config,
            router,
            proxy,
            access,
            sealer,
            certificates,
            tiers: foundation.tiers,
            held: foundation.held,
            admin_service,
            metrics: foundation.metrics,
            tasks: foundation.tasks,
            made_token,
        };
        app.announce_admin(&admin_token)?;
        Ok(app)
    }

    /// Where the data listeners really are.
    pub fn addresses(&self) -> Vec<Listen> {
        self.data.addresses()
    }

    /// Where the admin listener really is.
    pub fn admin_addresses(&self) -> Vec<Listen> {
        self.admin.addresses()
    }

    /// The data listeners as they really are, once for each address.
    pub fn listeners(&self) -> Vec<Listener> {
        placed(&self.config, &self.data)
    }

    /// A listener's address as somebody else would write it; none for a unix socket.
    ///
    /// Where any address of this machine will do, it is called by its name.
    pub fn reachable(listener: &Listener) -> Option<String> {
        reachable(listener)
    }

    /// What everything was built from.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// What it counts.
    pub fn metrics(&self) -> Arc<Metrics> {
        Arc::clone(&self.metrics)
    }

    /// The file of the token that was made because none was configured.
    pub fn made_token(&self) -> Option<&PathBuf> {
        self.made_token.as_ref()
    }

    /// What can be told anew while it runs.
    pub fn live(&self) -> Live {
        Live {
            access: Arc::clone(&self.access),
            sealer: Arc::clone(&self.sealer),
            limits: self.limits.clone(),
            access_log: Arc::clone(&self.access_log),
            certificates: self.certificates.clone(),
            upstream: self.config.upstream.target.clone(),
            data_dir: self.config.data_dir.clone(),
        }
    }

    /// How it is told to stop.
    pub fn ending(&self) -> Ending {
        Ending {
            readiness: self.admin_service.readiness(),
            tasks: self.tasks.clone(),
            delay: self.config.server.drain_delay,
        }
    }

    /// Its tasks, and what tells all of them to stop.
    pub fn tasks(&self) -> Tasks {
        self.tasks.clone()
    }

    /// Serves until told to stop, then finishes what runs, at most for the grace.
    pub async fn run(self) {
        let grace = self.config.server.shutdown_grace;
        let readiness = self.admin_service.readiness();
        let data = self.data.run(
            self.router,
            self.limits,
            self.tasks.clone(),
            Some(self.metrics),
        );
        // It answers to the end: who watches the drain asks there.
        let watched = Tasks::new();
        let limits = Admin::limits().into();
        let admin = self
            .admin
            .run(self.admin_service, limits, watched.clone(), None);
        let notes = Arc::new(Notes::new(self.access, &self.config.data_dir));
        self.tasks
            .spawn(Arc::clone(&notes).keep(self.tasks.clone()));
        let held = self.held;
        self.tasks.spawn(Arc::clone(&held).keep(self.tasks.clone()));
        if let Some(certificates) = self.certificates {
            self.tasks.spawn(certificates.keep_up(self.tasks.clone()));
        }
        let delivering = self.delivery.begin();
        readiness.ready();
        let serving = async {
            let tasks = self.tasks.clone();
            let stopped = async move {
                tasks.stopping().await;
                readiness.stopping();
                Instant::now()
            };
            let ((), since) = tokio::join!(data, stopped);
            let left = grace.saturating_sub(since.elapsed()).max(LAST_MOMENT);
            let running = self.tasks.drain(left).await;
            // While there is still somebody to remove the drafts that it holds. Where the disk hangs the
            // next start finds what it found before, as after a kill.
            drop(timeout(LAST_MOMENT, self.proxy.forget_uploads_in_doubt()).await);
            self.tasks.give_up();
            self.tasks.drain(LAST_MOMENT).await;
            tokio::join!(notes.close(), held.close(), self.tiers.close());
            let left = grace.saturating_sub(since.elapsed()).max(LAST_MOMENT);
            delivering.end(left).await;
            watched.stop();
            running
        };
        match tokio::join!(serving, admin).0 {
            0 => tracing::info!("everything finished"),
            running => tracing::warn!(running, "the grace is over; what still ran was ended"),
        }
    }

    /// Tells the commands where the admin listener is and which token it wants.
    fn announce_admin(&self, token: &Secret) -> Result<(), SecretError> {
        let Some(address) = self.admin_addresses().into_iter().next() else {
            return Ok(());
        };
        secrets::announce_admin(&self.config.data_dir, &address, token)
    }
}

/// Where a list judges and nobody is on it, puts a token there that is made once; returns its file.
fn make_first_token(config: &mut Config, data_dir: &Path) -> Result<Option<PathBuf>, SecretError> {
    if !config.has(AccessMode::Tokens) || !config.access.roster.is_empty() {
        return Ok(None);
    }
    let (token, path) = secrets::first_token(data_dir)?;
    config.access.roster.tokens.push(token);
    Ok(Some(path))
}
