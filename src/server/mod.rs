//! Sockets: who may connect, how long they may take, how their connections end.
//!
//! It is given a function from request to answer and never a meaning: artifacts, tokens and status
//! codes are somebody else's.

use std::error::Error;
use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;

use crate::config;
use crate::outlet::Outlet;

mod answer;
mod clock;
mod connection;
mod door;
mod guard;
mod host;
mod listener;
mod phase;
mod ration;
mod secured;
mod socket;
mod tls;
mod unix;
#[cfg(target_os = "linux")]
mod zero_copy;

pub use door::BindError;
pub use host::{Foreign, check_host};
pub use listener::Listeners;
pub use tls::{Tls, TlsError};

/// Longest silence of a client that still owes bytes of its request's body.
pub const BODY_IDLE: Duration = Duration::from_secs(30);

/// Longest time a client may take no byte of an answer: whoever reads slower than this pins files
/// and buffers that others need.
pub const WRITE_STALL: Duration = Duration::from_mins(1);

/// Answers requests.
pub trait Serve: Send + Sync + 'static {
    /// The body of its answers.
    type Body: Body<Data = Bytes, Error: Into<Box<dyn Error + Send + Sync>>> + Send + 'static;

    /// What is remembered of a client from one request of its connection to the next.
    type Acquaintance: Send + Sync + 'static;

    /// What there is to remember of `peer` before its first request.
    fn acquaint(&self, peer: &Peer) -> Self::Acquaintance;

    /// Answers one request of `peer`. Every request has an answer; a body that cannot be finished
    /// ends in an error. Where there is an `outlet`, stretches of files may leave by it.
    fn serve(
        &self,
        request: Request<Incoming>,
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
    /// From the first byte read after the last answer (on a new connection: from its start) to the
    /// head's end.
    pub header_timeout: Duration,
    /// Between an answer's end and the next request's first byte.
    pub idle_timeout: Duration,
    /// Between two pieces of a request's body that is waited for.
    pub body_idle: Duration,
    /// Between two pieces of an answer that the client takes.
    pub write_stall: Duration,
    /// Connections at once, over all listeners together.
    pub max_connections: usize,
    /// Time to finish what runs once the process stops.
    pub shutdown_grace: Duration,
}

impl From<&config::Server> for Limits {
    fn from(server: &config::Server) -> Self {
        Self {
            header_timeout: server.header_timeout,
            idle_timeout: server.idle_timeout,
            body_idle: BODY_IDLE,
            write_stall: WRITE_STALL,
            max_connections: server.max_connections,
            shutdown_grace: server.shutdown_grace,
        }
    }
}

#[cfg(test)]
mod tests;
