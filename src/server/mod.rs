//! Sockets: who may connect, how long they may take, how their connections end.
//!
//! It is given a function from request to answer and never a meaning: artifacts, tokens and status
//! codes are somebody else's.

use std::error::Error;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use parking_lot::Mutex;

use self::crowd::Most;

#[cfg(doc)]
use crate::certificate::Certificate;
use crate::config;
use crate::outlet::Outlet;

mod answer;
mod arrival;
mod chooser;
mod clock;
mod connection;
mod crowd;
mod door;
mod entrance;
mod form;
mod guard;
mod host;
mod http1;
mod http2;
mod listener;
mod names;
mod opening;
mod passed;
mod phase;
mod proxy_protocol;
mod ration;
mod raw;
mod request;
mod secured;
mod shown;
mod socket;
mod spoken;
mod tls;
mod unix;
#[cfg(target_os = "linux")]
mod zero_copy;

pub use chooser::{Version, version};
pub use door::BindError;
pub use entrance::Entrance;
pub use form::{Unfit, check_form};
pub use host::{Foreign, check_host};
pub use http2::{Flood, Meter};
pub use listener::Listeners;
pub use opening::Opening;
pub use passed::Passed;
pub use proxy_protocol::{MAX_HEADER, NoHeader, ProxyHeader};
pub use request::{Broken, RequestBody};
pub use spoken::TlsError;
pub use tls::Tls;

/// Answers requests.
pub trait Serve: Send + Sync + 'static {
    /// The body of its answers.
    type Body: Body<Data = Bytes, Error: Into<Box<dyn Error + Send + Sync>>> + Send + 'static;

    /// What is remembered of a client from one request of its connection to the next.
    type Acquaintance: Send + Sync + 'static;

    /// What there is to remember of `peer` before its first request.
    fn acquaint(&self, peer: &Peer) -> Self::Acquaintance;

    /// Answers one request of `peer`. Every request has an answer; a body that cannot be finished
    /// ends in an error. Where there is an `outlet`, stretches of files may leave by it. What the client has
    /// shown of itself in TLS goes with the request: [`Certificate::of`].
    fn serve(
        &self,
        request: Request<RequestBody>,
        peer: Peer,
        acquaintance: &Self::Acquaintance,
        outlet: Option<&Outlet>,
    ) -> impl Future<Output = Response<Self::Body>> + Send;

    /// The answer to a request on which [`Serve::serve`] panicked.
    fn fault(&self) -> Response<Self::Body>;
}

/// The other end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its address; a unix socket's client has none.
    pub address: Option<SocketAddr>,
    /// The listener it came by.
    pub listener: ListenerId,
    /// Whether it came by a listener that only this machine can reach.
    pub is_local: bool,
    /// Whether what it says is encrypted on its way.
    pub is_secure: bool,
}

/// A listener among those that were bound together: its place in their order, and no meaning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ListenerId(pub usize);

/// How many connections there may be, and how long each may take.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// From a connection's start to the end of its TLS handshake.
    pub handshake_timeout: Duration,
    /// From the first byte read after the last answer (on a new connection: from its start, or its
    /// handshake's end) to the head's end.
    pub header_timeout: Duration,
    /// Between an answer's end and the next request's first byte.
    pub idle_timeout: Duration,
    /// Between two pieces of a request's body that is waited for.
    pub body_timeout: Duration,
    /// Between two pieces of an answer that the client takes.
    pub stall_timeout: Duration,
    /// Bytes a second that a client is to send or take in each minute in which it is waited for; 0 for
    /// any number.
    pub min_rate: u64,
    /// Bytes of a request's head.
    pub max_head: usize,
    /// Header fields of a request.
    pub max_fields: usize,
    /// Requests at once on one connection.
    pub max_streams: u32,
    /// Bytes by which bodies of HTTP/2 may come ahead of their readers, all together, besides what each
    /// connection may have.
    pub ahead: u64,
    /// Connections at once, over all listeners together.
    pub max_connections: usize,
    /// And of one address among them.
    pub max_connections_per_address: usize,
    /// And in a handshake.
    pub max_handshakes: usize,
    /// Time to finish what runs once the process stops.
    pub shutdown_grace: Duration,
}

/// Limits that may become others while connections are served: each has those of its beginning. Clones share
/// them.
#[derive(Clone, Debug)]
pub struct LiveLimits(Arc<Mutex<Arc<Limits>>>);

// === impl Limits ===

impl Limits {
    /// What `server` says, where bodies of HTTP/2 may come so many bytes `ahead`.
    pub fn new(server: &config::Server, ahead: u64) -> Self {
        Self {
            handshake_timeout: server.handshake_timeout,
            header_timeout: server.header_timeout,
            idle_timeout: server.idle_timeout,
            body_timeout: server.body_timeout,
            stall_timeout: server.stall_timeout,
            min_rate: server.min_rate,
            max_head: server.max_head,
            max_fields: server.max_fields,
            max_streams: server.max_streams,
            ahead,
            max_connections: server.max_connections,
            max_connections_per_address: server.max_connections_per_address,
            max_handshakes: server.max_handshakes,
            shutdown_grace: server.shutdown_grace,
        }
    }

    /// Bytes that a client is to send or take in a minute.
    fn in_a_minute(&self) -> u64 {
        self.min_rate.saturating_mul(clock::LAP.as_secs())
    }

    fn most(&self) -> Most {
        Most {
            of_one: self.max_connections_per_address,
            shaking: self.max_handshakes,
        }
    }
}

// === impl LiveLimits ===

impl LiveLimits {
    /// Those in effect.
    pub fn get(&self) -> Arc<Limits> {
        Arc::clone(&self.0.lock())
    }

    /// Puts others into effect.
    pub fn set(&self, limits: Limits) {
        *self.0.lock() = Arc::new(limits);
    }
}

impl From<Limits> for LiveLimits {
    fn from(limits: Limits) -> Self {
        Self(Arc::new(Mutex::new(Arc::new(limits))))
    }
}

#[cfg(test)]
mod tests;
