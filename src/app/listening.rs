//! Where it listens, what it shows there, and under which names: the sockets are opened, and not yet served.

use std::sync::Arc;

use super::certificates::Certificates;
use crate::config::{Config, Listen, Listener};
use crate::metrics::Metrics;
use crate::server::{BindError, Entrance, Listeners, Opening, Passed, TlsError};

/// What is shown in TLS, where that is spoken.
pub(super) fn certificates(
    config: &Config,
    metrics: &Arc<Metrics>,
) -> Result<Option<Arc<Certificates>>, TlsError> {
    let tls = config.server.tls.as_ref();
    tls.map(|tls| Certificates::new(tls, metrics)).transpose()
}

/// Opens the data listeners and the admin listener.
///
/// The mode of socket files is for the former: whoever reaches the other one is trusted.
pub(super) async fn open(
    config: &Config,
    passed: Passed,
) -> Result<(Listeners, Listeners), BindError> {
    let data: Vec<Listen> = config.listeners().map(|it| it.address).collect();
    let admin = [config.admin.listen.clone()];
    let mut opening = Opening::new(data.iter().chain(&admin), passed);
    let admin = Listeners::open(&admin, &mut opening).await?;
    let mut opening = opening.with_socket_mode(config.server.socket_mode);
    let data = Listeners::open(&data, &mut opening).await?;
    for name in opening.left() {
        tracing::warn!(
            name,
            "nobody listens at a socket that the service manager passed"
        );
    }
    Ok((data, admin))
}

/// The data listeners, speaking as each of them does, and letting in whom all of them do.
pub(super) fn behind(
    data: Listeners,
    certificates: Option<&Certificates>,
    config: &Config,
    metrics: &Arc<Metrics>,
) -> Listeners {
    let tls = certificates.map(|it| it.tls().clone());
    let secured = config.listeners().map(|listener| listener.secured);
    let entrance = Entrance::new(&config.server, Arc::clone(metrics));
    data.secured(tls, secured).behind(entrance)
}

/// The names this process answers to where it asks for no credential: those configured, and the
/// machine's own where it is reached under that.
pub(super) fn hosts(config: &Config) -> Vec<String> {
    let mut hosts = config.server.hosts.clone();
    let listen = config.listeners().map(|listener| listener.address);
    if listen
        .chain([config.admin.listen.clone()])
        .any(|listen| match listen {
            Listen::Tcp { host, .. } => is_any(&host),
            Listen::Unix(_) => false,
            // What it stands for is not known yet.
            Listen::Passed(_) => true,
        })
    {
        hosts.push(machine_name());
    }
    hosts
}

/// The data listeners as they really are, once for each address.
pub(super) fn placed(config: &Config, data: &Listeners) -> Vec<Listener> {
    let configured: Vec<Listener> = config.listeners().collect();
    let places = data.places().into_iter();
    places
        .filter_map(|(id, address)| {
            let listener = configured.get(id.0)?.clone();
            Some(Listener {
                address,
                ..listener
            })
        })
        .collect()
}

/// A listener's address as somebody else would write it; none for a unix socket.
pub(super) fn reachable(listener: &Listener) -> Option<String> {
    let Listen::Tcp { host, port } = &listener.address else {
        return None;
    };
    let host = if is_any(host) {
        machine_name()
    } else {
        host.clone()
    };
    let scheme = if listener.is_secured() {
        "https"
    } else {
        "http"
    };
    Some(format!("{scheme}://{}", Listen::Tcp { host, port: *port }))
}

fn is_any(host: &str) -> bool {
    host == "0.0.0.0" || host == "::"
}

fn machine_name() -> String {
    let system = rustix::system::uname();
    system.nodename().to_string_lossy().into_owned()
}
