//! The parts of a process, each made once. In which order, and what becomes of them, is not its business.

use std::sync::Arc;

use super::listening::hosts;
use super::{StartError, secrets, verdicts};
use crate::access::Access;
use crate::admin::SetLevel;
use crate::caller::{Caller, Sealer};
use crate::config::{self, Config, LogLevel};
use crate::metrics::Metrics;
use crate::proxy::Proxy;
use crate::router::{Observer, Router};
use crate::tasks::Tasks;
use crate::telemetry::{self, AccessLog};
use crate::tiers::{OpenError, Tiers};
use crate::traces::Tracer;
use crate::upstream::{Upstream, UpstreamError};

/// What is counted.
pub(super) fn metrics() -> Result<Arc<Metrics>, StartError> {
    let metrics = Metrics::new().map_err(|error| StartError::Metrics(error.to_string()));
    metrics.map(Arc::new)
}

/// The origin.
pub(super) fn upstream(
    config: &Config,
    metrics: &Arc<Metrics>,
    tasks: &Tasks,
    tracer: Option<Tracer>,
) -> Result<Arc<Upstream>, UpstreamError> {
    let metrics = Arc::clone(metrics);
    Upstream::traced(&config.upstream, metrics, tasks.clone(), tracer).map(Arc::new)
}

/// Where artifacts rest.
pub(super) async fn tiers(
    config: &Config,
    metrics: &Arc<Metrics>,
    tasks: &Tasks,
) -> Result<Arc<Tiers>, OpenError> {
    let (metrics, tasks) = (Arc::clone(metrics), tasks.clone());
    Tiers::open(&config.tier, &config.data_dir, metrics, tasks).await
}

/// Where access lines go.
pub(super) fn access_log(
    config: &Config,
    metrics: &Arc<Metrics>,
) -> Result<Arc<AccessLog>, StartError> {
    let log = AccessLog::new(&config.log, Arc::clone(metrics));
    log.map(Arc::new).map_err(StartError::AccessLog)
}

/// What answers the data listeners.
pub(super) fn router(config: &Config, proxy: &Arc<Proxy>, observer: Observer) -> Arc<Router> {
    Arc::new(Router::new(Arc::clone(proxy), observer, hosts(config)))
}

/// What turns credentials into callers, under the data directory's key.
///
/// A header that is forwarded may decide what the upstream answers, and so tells callers apart too.
pub(super) fn sealer(config: &Config) -> Result<Sealer, secrets::SecretError> {
    let key = secrets::digest_key(&config.data_dir)?;
    let (credentials, forwarded) = (
        &config.access.credential_headers,
        &config.upstream.forward_headers,
    );
    let names = credentials.iter().chain(forwarded).cloned().collect();
    Ok(Sealer::new(&key, names))
}

/// Who judges, and remembers what it learned before.
pub(super) fn access(
    config: &mut Config,
    sealer: &Sealer,
    upstream: &Arc<Upstream>,
    metrics: &Arc<Metrics>,
    tasks: &Tasks,
) -> Arc<Access> {
    let own = own_credential(&mut config.upstream, sealer);
    let (upstream, metrics) = (Arc::clone(upstream), Arc::clone(metrics));
    let access = Access::new(config, own, upstream, metrics, tasks.clone());
    verdicts::recall(&access, &config.data_dir);
    access
}

/// Larder's own credential upstream, if it has one; from here on it is nowhere else.
pub(super) fn own_credential(upstream: &mut config::Upstream, sealer: &Sealer) -> Option<Caller> {
    let token = upstream.token.take()?;
    sealer.bearer(token.expose())
}

/// Lets the log and its access lines begin at another level.
pub(super) fn set_level(access_log: &Arc<AccessLog>) -> SetLevel {
    let access_log = Arc::clone(access_log);
    Box::new(move |level| begin_log_at(level, &access_log))
}

pub(super) fn begin_log_at(level: LogLevel, access_log: &AccessLog) {
    telemetry::set_level(level);
    access_log.follow(level);
}
