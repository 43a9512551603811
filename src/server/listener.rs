//! The listeners: bound once, accepted from in one loop, closed before what runs is drained.

use std::future::poll_fn;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::sleep;
use tracing::{debug, warn};

use super::connection::{self, Accepted};
use super::door::{BindError, Door};
use super::socket::Socket;
use super::{Limits, ListenerId, Peer, Serve, Tls};
use crate::config::Listen;
use crate::metrics::Metrics;
use crate::seldom::Seldom;
use crate::tasks::Tasks;

/// Pause after the system could not give us a connection: descriptors and memory come back only
/// when others give them up.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Sockets that listen.
#[derive(Debug)]
pub struct Listeners {
    doors: Vec<(ListenerId, Door)>,
    /// Where the next round of asking begins, so that a busy listener cannot starve another.
    next: usize,
    /// That none can be accepted: connections that end let others in, now and then.
    said: Seldom<()>,
    /// What each listener speaks; none for clear text.
    tls: Vec<Option<Tls>>,
}

/// A connection in the gauge of open ones.
struct Counted(Option<Arc<Metrics>>);

// === impl Listeners ===

impl Listeners {
    /// Listens at every address of `listen`, or at none.
    ///
    /// A name is listened at under each of its addresses that this machine has. The file of a unix
    /// socket is private to this user; one left behind is replaced, one that answers is not.
    pub async fn bind<'a>(listen: impl IntoIterator<Item = &'a Listen>) -> Result<Self, BindError> {
        let mut doors = Vec::new();
        for (index, address) in listen.into_iter().enumerate() {
            let opened = Door::open(address).await?.into_iter();
            doors.extend(opened.map(|door| (ListenerId(index), door)));
        }
        Ok(Self {
            doors,
            next: 0,
            said: Seldom::default(),
            tls: Vec::new(),
        })
    }

    /// Speaks TLS at each listener for which there is one in `tls`, in their order.
    #[must_use]
    pub fn secured(mut self, tls: impl IntoIterator<Item = Option<Tls>>) -> Self {
        self.tls = tls.into_iter().collect();
        self
    }

    /// Where it really listens: names resolved, port 0 replaced.
    pub fn addresses(&self) -> Vec<Listen> {
        self.doors.iter().map(|(_, door)| door.address()).collect()
    }

    /// The same, each address with the listener it belongs to.
    pub fn places(&self) -> Vec<(ListenerId, Listen)> {
        let doors = self.doors.iter();
        doors.map(|(id, door)| (*id, door.address())).collect()
    }

    /// Serves until `tasks` stop; returns when every connection has ended, at most the grace later.
    ///
    /// Open connections are counted in `metrics`, if given.
    pub async fn run<S: Serve>(
        mut self,
        service: Arc<S>,
        limits: Limits,
        tasks: Tasks,
        metrics: Option<Arc<Metrics>>,
    ) {
        let most =
            u32::try_from(limits.max_connections.min(Semaphore::MAX_PERMITS)).unwrap_or(u32::MAX);
        let room = Arc::new(Semaphore::new(most as usize));
        while let Some((socket, peer, permit)) = self.admit(&room, &tasks).await {
            let service = Arc::clone(&service);
            let counted = Counted::new(metrics.clone());
            let tls = self.tls_for(peer.listener).cloned();
            let connection_tasks = tasks.clone();
            tasks.spawn_punctual(async move {
                if let Some(tls) = tls {
                    let accepted = tls.secure(socket, peer, counted.0.clone());
                    connection::run(accepted, service, limits, &connection_tasks).await;
                } else {
                    let accepted = with_outlet(socket, peer);
                    connection::run(accepted, service, limits, &connection_tasks).await;
                }
                drop((counted, permit));
            });
        }
        drop(self);
        // Every connection holds one: all of them together mean that none is left.
        if room.acquire_many(most).await.is_err() {
            debug!("the semaphore was closed");
        }
    }

    fn tls_for(&self, listener: ListenerId) -> Option<&Tls> {
        self.tls.get(listener.0)?.as_ref()
    }

    /// The next connection; none once the process stops.
    async fn admit(
        &mut self,
        room: &Arc<Semaphore>,
        tasks: &Tasks,
    ) -> Option<(Socket, Peer, OwnedSemaphorePermit)> {
        let admitted = async {
            // Room first: a connection that is not accepted waits in the system's queue, at the
            // system's cost.
            let permit = Arc::clone(room).acquire_owned().await.ok()?;
            let (socket, peer) = self.accept().await;
            Some((socket, peer, permit))
        };
        tokio::select! {
            biased;
            () = tasks.stopping() => None,
            admitted = admitted => admitted,
        }
    }

    /// Accepts from whichever listener has a connection, whatever it takes.
    async fn accept(&mut self) -> (Socket, Peer) {
        loop {
            match poll_fn(|cx| self.poll_accept(cx)).await {
                Ok(accepted) => return accepted,
                Err(error) if is_gone(&error) => {}
                Err(error) => {
                    if self.said.is_due(()) {
                        warn!(%error, "connections cannot be accepted (said once a minute)");
                    }
                    sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<(Socket, Peer)>> {
        let start = self.next;
        self.next = (start + 1) % self.doors.len().max(1);
        let (before, after) = self.doors.split_at(start.min(self.doors.len()));
        after
            .iter()
            .chain(before)
            .map(|(id, door)| door.poll_accept(cx, *id))
            .find(Poll::is_ready)
            .unwrap_or(Poll::Pending)
    }
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

/// A connection in clear text: what is sent from a file need not pass through here.
#[cfg(target_os = "linux")]
fn with_outlet(socket: Socket, peer: Peer) -> Accepted<super::zero_copy::ZeroCopy> {
    let outlet = crate::outlet::Outlet::default();
    let io = super::zero_copy::ZeroCopy::new(socket, outlet.clone());
    Accepted::in_clear_text(io, peer, Some(outlet))
}

#[cfg(not(target_os = "linux"))]
fn with_outlet(socket: Socket, peer: Peer) -> Accepted<Socket> {
    Accepted::in_clear_text(socket, peer, None)
}

/// Whether a connection was lost while it waited: nothing is wrong with the listener.
fn is_gone(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::Interrupted
    )
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_shortage_is_said_once_a_minute_however_often_it_comes_and_goes() {
        let listeners = Listeners::bind(&[]).await.unwrap();
        assert!(listeners.said.is_due(()));
        assert!(!listeners.said.is_due(()));
        advance(Duration::from_mins(1)).await;
        assert!(listeners.said.is_due(()));
    }
}
