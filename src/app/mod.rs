//! The composition root: builds each part once, runs them, and ends them in order.

mod secrets;
mod verdicts;

use std::path::PathBuf;
use std::sync::Arc;

use tokio::time::{Duration, Instant};

pub use secrets::SecretError;

use crate::access::Access;
use crate::admin::{Admin, Readiness, Refresh};
use crate::caller::Sealer;
use crate::config::{AccessMode, Config, Listen};
use crate::metrics::Metrics;
use crate::proxy::{Proxy, Stations};
use crate::router::Router;
use crate::server::{BindError, Limits, Listeners};
use crate::tasks::Tasks;
use crate::telemetry::AccessLog;
use crate::tiers::{OpenError, Tiers};
use crate::upstream::{Upstream, UpstreamError};

/// Everything built and bound, not yet serving.
#[derive(Debug)]
pub struct App {
    config: Config,
    data: Listeners,
    admin: Listeners,
    router: Arc<Router>,
    access: Arc<Access>,
    admin_service: Arc<Admin>,
    metrics: Arc<Metrics>,
    tasks: Tasks,
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
    /// The upstream's configuration names files that do not do.
    #[error(transparent)]
    Upstream(#[from] UpstreamError),
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
    /// Builds everything and binds the listeners.
    pub async fn start(mut config: Config) -> Result<Self, StartError> {
        let tasks = Tasks::new();
        let metrics =
            Arc::new(Metrics::new().map_err(|error| StartError::Metrics(error.to_string()))?);
        // The lock on the data directory comes first: nothing in it is touched without.
        let tiers = Tiers::open(
            &config.tier,
            &config.data_dir,
            Arc::clone(&metrics),
            tasks.clone(),
        )
        .await?;
        let made_token = make_first_token(&mut config)?;
        let admin_service = Arc::new(admin(&config, &metrics, &tiers));
        let upstream = Arc::new(Upstream::new(&config.upstream, Arc::clone(&metrics))?);
        let access = Access::new(
            &config.access,
            Arc::clone(&upstream),
            Arc::clone(&metrics),
            tasks.clone(),
        );
        verdicts::recall(&access, &config.data_dir);
        let stations = Stations {
            sealer: sealer(&config)?,
            tiers,
            upstream,
            access: Arc::clone(&access),
            metrics: Arc::clone(&metrics),
            tasks: tasks.clone(),
        };
        let router = Arc::new(router(&config, stations)?);
        let app = Self {
            data: Listeners::bind(&config.server.listen).await?,
            admin: Listeners::bind(std::slice::from_ref(&config.admin.listen)).await?,
            config,
            router,
            access,
            admin_service,
            metrics,
            tasks,
            made_token,
        };
        app.announce_admin()?;
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

    /// What everything was built from.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The file of the token that was made because none was configured.
    pub fn made_token(&self) -> Option<&PathBuf> {
        self.made_token.as_ref()
    }

    /// What tells everything to stop.
    pub fn tasks(&self) -> Tasks {
        self.tasks.clone()
    }

    /// Serves until told to stop, then finishes what runs, at most for the grace.
    pub async fn run(self) {
        let grace = self.config.server.shutdown_grace;
        let readiness = self.admin_service.readiness();
        let limits = Limits::from(&self.config.server);
        let data = self
            .data
            .run(self.router, limits, self.tasks.clone(), Some(self.metrics));
        let admin = self.admin.run(
            self.admin_service,
            Admin::limits(),
            self.tasks.clone(),
            None,
        );
        let data_dir = self.config.data_dir;
        self.tasks.spawn(verdicts::keep(
            Arc::clone(&self.access),
            data_dir.clone(),
            self.tasks.clone(),
        ));
        readiness.ready();
        let tasks = self.tasks.clone();
        let stopped = async move {
            tasks.stopping().await;
            readiness.stopping();
            Instant::now()
        };
        let ((), (), since) = tokio::join!(data, admin, stopped);
        let left = grace
            .saturating_sub(since.elapsed())
            .max(Duration::from_millis(100));
        let running = self.tasks.drain(left).await;
        verdicts::write(&self.access, &data_dir).await;
        match running {
            0 => tracing::info!("everything finished"),
            running => tracing::warn!(running, "the grace is over; what still ran was ended"),
        }
    }

    /// Tells the commands where the admin listener is and which token changes want.
    fn announce_admin(&self) -> Result<(), SecretError> {
        let Some(address) = self.admin_addresses().into_iter().next() else {
            return Ok(());
        };
        let token = self.config.admin.token.as_ref();
        secrets::announce_admin(&self.config.data_dir, &address, token)
    }
}

/// What answers the data listeners.
fn router(config: &Config, stations: Stations) -> Result<Router, StartError> {
    let metrics = Arc::clone(&stations.metrics);
    let log = AccessLog::new(&config.log, Arc::clone(&metrics)).map_err(StartError::AccessLog)?;
    let proxy = Proxy::new(config.clone(), stations);
    Ok(Router::new(
        proxy,
        metrics,
        Arc::new(log),
        config.server.hosts.clone(),
    ))
}

/// What turns credentials into callers, under the data directory's key.
///
/// A header that is forwarded may decide what the upstream answers, and so tells callers apart too.
fn sealer(config: &Config) -> Result<Sealer, SecretError> {
    let key = secrets::digest_key(&config.data_dir)?;
    let (credentials, forwarded) = (
        &config.access.credential_headers,
        &config.upstream.forward_headers,
    );
    let names = credentials.iter().chain(forwarded).cloned().collect();
    Ok(Sealer::new(&key, names))
}

/// What answers the admin listener.
fn admin(config: &Config, metrics: &Arc<Metrics>, tiers: &Arc<Tiers>) -> Admin {
    let tiers = Arc::clone(tiers);
    let refresh: Refresh = Box::new(move || tiers.report());
    let hosts = config.server.hosts.clone();
    Admin::new(Arc::clone(metrics), Readiness::new(), hosts, vec![refresh])
}

/// A listener that strangers reach asks for a token; where none is configured, one is made.
fn make_first_token(config: &mut Config) -> Result<Option<PathBuf>, SecretError> {
    let AccessMode::Tokens(list) = &mut config.access.mode else {
        return Ok(None);
    };
    if !list.is_empty() {
        return Ok(None);
    }
    let (token, path) = secrets::first_token(&config.data_dir)?;
    list.push(token);
    Ok(Some(path))
}
