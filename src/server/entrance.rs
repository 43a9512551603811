//! The door behind an accepted connection: for whom it is, and whether they may come in.
//!
//! Runs in the connection's own task, before TLS: whoever is slow here keeps nobody else waiting.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::time::Duration;

use rustix::net::{RecvFlags, recv};
use tokio::io::Interest;
use tokio::time::timeout;
use tracing::debug;

use super::Peer;
use super::proxy_protocol::{MAX_HEADER, NoHeader, ProxyHeader};
use super::socket::Socket;
use crate::config::{self, Forwarders, Networks};
use crate::metrics::{Metrics, Refusal};
use crate::tasks::Tasks;

/// Unread bytes of a refused connection that are thrown away, so that its end is no reset. Who has sent more
/// by then is not waited for.
const UNREAD: usize = 64 * 1024;

/// Bytes thrown away at a time.
const SCRATCH: usize = 8 * 1024;

/// Who may come in; clones share it. By default everybody may, in their own name.
#[derive(Clone, Debug, Default)]
pub struct Entrance(Option<Arc<Rules>>);

#[derive(Debug)]
struct Rules {
    allowed: Networks,
    forwarders: Forwarders,
    metrics: Arc<Metrics>,
}

/// Why no header was read.
#[derive(Debug, thiserror::Error)]
enum Untold {
    /// Somebody only looked whether anybody is here.
    #[error("nothing was said")]
    Nothing,
    #[error(transparent)]
    NoHeader(#[from] NoHeader),
    #[error("no whole PROXY header came in time")]
    Late,
    #[error("the connection broke: {0}")]
    Broken(#[from] io::Error),
}

// === impl Entrance ===

impl Entrance {
    /// Keeps to what `server` says, and counts in `metrics` whom it refuses.
    pub fn new(server: &config::Server, metrics: Arc<Metrics>) -> Self {
        if server.allow.is_empty() && server.proxy_protocol.is_empty() {
            return Self::default();
        }
        Self(Some(Arc::new(Rules {
            allowed: server.allow.clone(),
            forwarders: server.proxy_protocol.clone(),
            metrics,
        })))
    }

    /// Whom the connection of `peer` is for; nobody where it is to be closed, or the process stops.
    ///
    /// Of its bytes exactly the header is read, where one is due.
    pub(super) async fn admit(
        &self,
        socket: &Socket,
        peer: Peer,
        patience: Duration,
        tasks: &Tasks,
    ) -> Option<Peer> {
        let Some(rules) = &self.0 else {
            return Some(peer);
        };
        let told = if rules.is_forwarder(&peer) {
            // Its buffer is with no other connection.
            Box::pin(rules.listen_to(socket, peer, patience, tasks)).await?
        } else {
            peer
        };
        if rules.allows(&told) {
            return Some(told);
        }
        let address = told.address.map(tracing::field::display);
        debug!(address, "a connection is refused: see server.allow");
        rules.refuse(socket, Refusal::Address);
        None
    }
}

// === impl Rules ===

impl Rules {
    fn is_forwarder(&self, peer: &Peer) -> bool {
        match peer.address {
            Some(address) => self.forwarders.networks.contain(address.ip()),
            None => self.forwarders.unix,
        }
    }

    /// Whoever has no address is on this machine, and the file's mode has judged.
    fn allows(&self, peer: &Peer) -> bool {
        let is_listed = |address: SocketAddr| self.allowed.contain(address.ip());
        self.allowed.is_empty() || peer.address.is_none_or(is_listed)
    }

    /// Reads what a forwarder says of `peer`.
    async fn listen_to(
        &self,
        socket: &Socket,
        peer: Peer,
        patience: Duration,
        tasks: &Tasks,
    ) -> Option<Peer> {
        let heard = tokio::select! {
            biased;
            heard = timeout(patience, hear(socket)) => heard.unwrap_or(Err(Untold::Late)),
            () = tasks.stopping() => return None,
        };
        match heard {
            Ok(None) => Some(peer),
            Ok(Some(address)) => Some(Peer {
                address: Some(address),
                // Who is elsewhere gains nothing by a balancer that is here.
                is_local: peer.is_local && address.ip().is_loopback(),
                ..peer
            }),
            Err(why) => {
                let forwarder = peer.address.map(tracing::field::display);
                debug!(forwarder, %why, "a connection is refused: see server.proxy_protocol");
                if !matches!(why, Untold::Nothing) {
                    self.refuse(socket, Refusal::ProxyProtocol);
                }
                None
            }
        }
    }

    fn refuse(&self, socket: &Socket, why: Refusal) {
        self.metrics.refusals.count(why);
        empty(socket);
    }
}

/// Reads a header and nothing behind it.
async fn hear(socket: &Socket) -> Result<Option<SocketAddr>, Untold> {
    let mut bytes = vec![0; MAX_HEADER];
    let mut held = 0;
    loop {
        let seen = receive(socket, bytes.get_mut(held..), RecvFlags::PEEK).await?;
        if seen == 0 {
            return Err(match held {
                0 => Untold::Nothing,
                _ => Untold::NoHeader(NoHeader),
            });
        }
        let there = held + seen;
        let header = ProxyHeader::parse(bytes.get(..there).unwrap_or_default())?;
        // As long as there is more to come, all that is there is the header's.
        let end = header.map_or(there, |header| header.length);
        while held < end {
            let taken = receive(socket, bytes.get_mut(held..end), RecvFlags::empty()).await?;
            held += taken;
        }
        if let Some(header) = header {
            return Ok(header.source);
        }
    }
}

/// Waits for bytes and receives them; none is the end of what is sent.
async fn receive(
    socket: &Socket,
    buffer: Option<&mut [u8]>,
    flags: RecvFlags,
) -> Result<usize, Untold> {
    // Whoever filled the buffer without an end was refused before.
    let buffer = buffer.filter(|it| !it.is_empty()).ok_or(NoHeader)?;
    let receive = || Ok(recv(descriptor(socket), &mut *buffer, flags)?.1);
    let received = match socket {
        Socket::Tcp(stream) => stream.async_io(Interest::READABLE, receive).await,
        Socket::Unix(stream) => stream.async_io(Interest::READABLE, receive).await,
    };
    Ok(received?)
}

/// Throws away what has come by now.
fn empty(socket: &Socket) {
    let mut scratch = [0; SCRATCH];
    for _ in 0..UNREAD / SCRATCH {
        match recv(descriptor(socket), &mut scratch[..], RecvFlags::DONTWAIT) {
            Ok((_, received)) if received > 0 => {}
            // Nothing, the end, or a connection that is broken anyway.
            Ok(_) | Err(_) => break,
        }
    }
}

fn descriptor(socket: &Socket) -> BorrowedFd<'_> {
    match socket {
        Socket::Tcp(stream) => stream.as_fd(),
        Socket::Unix(stream) => stream.as_fd(),
    }
}
