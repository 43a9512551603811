//! The parts of a process, each made once. In which order, and what becomes of them, is not its business.

use std::sync::Arc;

use super::foundation::Foundation;
use super::listening::hosts;
use super::{secrets, verdicts};
use crate::access::Access;
use crate::caller::{Caller, Sealer};
use crate::config::{self, Config};
use crate::proxy::Proxy;
use crate::router::{Observer, Router};
use crate::upstream::{Upstream, UpstreamError};

/// The origin.
pub(super) fn upstream(
    config: &Config,
    foundation: &Foundation,
) -> Result<Arc<Upstream>, UpstreamError> {
    let (metrics, tasks) = (Arc::clone(&foundation.metrics), foundation.tasks.clone());
    let upstream = Upstream::traced(&config.upstream, metrics, tasks, foundation.tracer.clone());
    upstream.map(Arc::new)
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
    foundation: &Foundation,
) -> Arc<Access> {
    let own = own_credential(&mut config.upstream, sealer);
    let (upstream, metrics) = (Arc::clone(upstream), Arc::clone(&foundation.metrics));
    let access = Access::new(config, own, upstream, metrics, foundation.tasks.clone());
    verdicts::recall(&access, &config.data_dir);
    access
}

/// Larder's own credential upstream, if it has one; from here on it is nowhere else.
pub(super) fn own_credential(upstream: &mut config::Upstream, sealer: &Sealer) -> Option<Caller> {
    let token = upstream.token.take()?;
    sealer.bearer(token.expose())
}
