//! A connection on its way from the listener to being served: counted, given its place among the others,
//! and secured where TLS is spoken.

use std::sync::Arc;

use super::clock::Cuts;
use super::connection::{self, Accepted};
use super::crowd::{Crowd, Guest};
use super::entrance::Entrance;
use super::guard::Watch;
use super::http2::Advances;
use super::phase::Channel;
use super::shown::Shown;
use super::socket::Socket;
use super::{Limits, Peer, Serve, Tls};
use crate::metrics::Metrics;
use crate::outlet::Outlet;
use crate::tasks::Tasks;

/// What a connection is accepted with.
pub(super) struct Arrival {
    watch: Watch,
    guest: Guest,
    advances: Advances,
    tls: Option<Tls>,
    entrance: Entrance,
    limits: Arc<Limits>,
    counted: Counted,
}

/// A connection in the gauge of open ones.
struct Counted(Option<Arc<Metrics>>);

// === impl Arrival ===

impl Arrival {
    /// Takes a place in the `crowd`.
    pub(super) fn new(
        crowd: &Crowd,
        tls: Option<&Tls>,
        entrance: &Entrance,
        limits: Arc<Limits>,
        metrics: Option<&Arc<Metrics>>,
    ) -> Self {
        let channel = match tls {
            Some(_) => Channel::Tls,
            None => Channel::Clear,
        };
        let watch = Watch::new(channel, &limits);
        Self {
            guest: crowd.enter(watch.clone()),
            advances: crowd.advances().clone(),
            watch,
            tls: tls.cloned(),
            entrance: entrance.clone(),
            limits,
            counted: Counted::new(metrics.cloned()),
        }
    }

    /// Serves the connection to its end.
    pub(super) async fn serve<S: Serve>(
        self,
        socket: Socket,
        peer: Peer,
        service: Arc<S>,
        tasks: &Tasks,
    ) {
        let Self {
            watch,
            guest,
            advances,
            tls,
            entrance,
            limits,
            counted,
        } = self;
        let admitted = entrance.admit(&socket, peer, limits.header_timeout, tasks);
        let Some(peer) = admitted.await else { return };
        if let Some(address) = peer.address
            && guest.is_from(address.ip(), limits.most()).is_err()
        {
            return;
        }
        let metrics = counted.0.clone();
        let accepted = Accepted {
            io: (),
            peer,
            shown: Shown::default(),
            outlet: None,
            watch,
            guest: Some(guest),
            cuts: Cuts::new(metrics.clone()),
            advances,
        };
        if let Some(tls) = tls {
            let accepted = tls.secure(socket, accepted, metrics);
            connection::run(accepted, service, limits, tasks).await;
        } else {
            let (io, outlet) = with_outlet(socket);
            let accepted = Accepted { outlet, ..accepted };
            connection::run(accepted.over(io), service, limits, tasks).await;
        }
        drop(counted);
    }
}

/// A connection in clear text: what is sent from a file need not pass through here.
#[cfg(target_os = "linux")]
fn with_outlet(socket: Socket) -> (super::zero_copy::ZeroCopy, Option<Outlet>) {
    let outlet = Outlet::default();
    let io = super::zero_copy::ZeroCopy::new(socket, outlet.clone());
    (io, Some(outlet))
}

#[cfg(not(target_os = "linux"))]
fn with_outlet(socket: Socket) -> (Socket, Option<Outlet>) {
    (socket, None)
}

// === impl Counted ===

impl Counted {
    fn new(metrics: Option<Arc<Metrics>>) -> Self {
        if let Some(metrics) = &metrics {
            metrics.connections.inc();
        }
        Self(metrics)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        if let Some(metrics) = &self.0 {
            metrics.connections.dec();
        }
    }
}
