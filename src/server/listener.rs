//! The listeners: bound once, accepted from in one loop, closed before what runs is drained.

use std::future::poll_fn;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::sleep;
use tracing::warn;

use super::arrival::Arrival;
use super::crowd::Crowd;
use super::door::{BindError, Door};
use super::entrance::Entrance;
use super::opening::Opening;
use super::passed::Passed;
use super::socket::Socket;
use super::{ListenerId, LiveLimits, Peer, Serve, Tls};
use crate::config::{Listen, Secured};
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
    /// What those of them speak that are secured.
    tls: Option<Tls>,
    /// Where each listener speaks it.
    secured: Vec<Secured>,
    entrance: Entrance,
}

impl Listeners {
    /// Listens at every address of `listen`, or at none.
    ///
    /// A name is listened at under each of its addresses that this machine has. The file of a unix
    /// socket is private to this user; one left behind is replaced, one that answers is not.
    pub async fn bind<'a>(listen: impl IntoIterator<Item = &'a Listen>) -> Result<Self, BindError> {
        let listen: Vec<&Listen> = listen.into_iter().collect();
        let mut opening = Opening::new(listen.iter().copied(), Passed::default());
        Self::open(listen, &mut opening).await
    }

    /// Listens at every address of `listen` as `with` says, which knows of all there are.
    pub async fn open<'a>(
        listen: impl IntoIterator<Item = &'a Listen>,
        with: &mut Opening,
    ) -> Result<Self, BindError> {
        let mut doors = Vec::new();
        for (index, address) in listen.into_iter().enumerate() {
            let opened = Door::open(address, with).await?.into_iter();
            doors.extend(opened.map(|door| (ListenerId(index), door)));
        }
        Ok(Self {
            doors,
            next: 0,
            said: Seldom::default(),
            tls: None,
            secured: Vec::new(),
            entrance: Entrance::default(),
        })
    }

    /// Speaks `tls`, if given, where `each` listener does, in their order.
    #[must_use]
    pub fn secured(mut self, tls: Option<Tls>, each: impl IntoIterator<Item = Secured>) -> Self {
        self.tls = tls;
        self.secured = each.into_iter().collect();
        self
    }

    /// Lets in whom `entrance` does.
    #[must_use]
    pub fn behind(mut self, entrance: Entrance) -> Self {
        self.entrance = entrance;
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
    /// Open connections, and what bounds do to them, are counted in `metrics`, if given.
    pub async fn run<S: Serve>(
        mut self,
        service: Arc<S>,
        limits: LiveLimits,
        tasks: Tasks,
        metrics: Option<Arc<Metrics>>,
    ) {
        let crowd = Crowd::new(metrics.clone());
        while let Some((socket, peer)) = self.admit(&crowd, &limits, &tasks).await {
            let (tls, entrance) = (self.tls_for(&socket, peer.listener), &self.entrance);
            let arrival = Arrival::new(&crowd, tls, entrance, limits.get(), metrics.as_ref());
            let (service, connection_tasks) = (Arc::clone(&service), tasks.clone());
            tasks.spawn_punctual(async move {
                arrival
                    .serve(socket, peer, service, &connection_tasks)
                    .await;
            });
        }
        drop(self);
        crowd.empty().await;
    }

    fn tls_for(&self, socket: &Socket, listener: ListenerId) -> Option<&Tls> {
        let is_tcp = matches!(socket, Socket::Tcp(_));
        let is_secured = match self.secured.get(listener.0)? {
            Secured::Always => true,
            Secured::OverTcp => is_tcp,
            Secured::Never => false,
        };
        self.tls.as_ref().filter(|_| is_secured)
    }

    /// The next connection, once there is room for it; none once the process stops.
    async fn admit(
        &mut self,
        crowd: &Crowd,
        limits: &LiveLimits,
        tasks: &Tasks,
    ) -> Option<(Socket, Peer)> {
        let admitted = async {
            let accepted = self.accept(crowd).await;
            // The others wait in the system's queue meanwhile, at the system's cost.
            crowd.room(limits).await;
            accepted
        };
        tokio::select! {
            biased;
            () = tasks.stopping() => None,
            admitted = admitted => Some(admitted),
        }
    }

    /// Accepts from whichever listener has a connection, whatever it takes.
    async fn accept(&mut self, crowd: &Crowd) -> (Socket, Peer) {
        loop {
            match poll_fn(|cx| self.poll_accept(cx)).await {
                Ok(accepted) => return accepted,
                Err(error) if is_gone(&error) => {}
                Err(error) => {
                    if self.said.is_due(()) {
                        warn!(%error, "connections cannot be accepted (said once a minute)");
                    }
                    // What is missing may be what an idle connection has.
                    crowd.thin_out();
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
