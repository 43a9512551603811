//! One connection: HTTP/1.1 until the client leaves, takes too long, or the process stops.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::panic::AssertUnwindSafe;
use std::pin::{Pin, pin};
use std::sync::Arc;

use futures_util::FutureExt;
use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;
use tracing::{debug, error};

use super::answer::Answer;
use super::clock::Clock;
use super::guard::{Guarded, Watch};
use super::phase::{Bound, Channel};
use super::ration::{Ration, Rationed};
use super::{Limits, Peer, Serve};
use crate::outlet::Outlet;
use crate::tasks::Tasks;

/// Header fields of a request: four times what the clients in the field send.
const MAX_HEADERS: usize = 64;

/// Bytes of a request's head, its first line included; above, the answer is a 431.
const MAX_HEAD: usize = 16 * 1024;

/// Bytes read ahead, and copied before a flush, for one connection. The library asks for so many once a
/// client has filled as many, and keeps them while the connection is idle: who only fetches never has
/// them. An upload in pieces of 64 KiB takes a sixth more of the processor; with 256 KiB twice as much
/// memory stays behind.
const MAX_BUFFER: usize = 128 * 1024;

/// A connection just accepted.
#[derive(Debug)]
pub(super) struct Accepted<I> {
    /// Its bytes.
    pub(super) io: I,
    /// Its other end.
    pub(super) peer: Peer,
    /// The way for stretches of files, if `io` knows one.
    pub(super) outlet: Option<Outlet>,
    /// What is known of it.
    pub(super) watch: Watch,
}

/// The client of one connection, and who answers it.
struct Client<S: Serve> {
    service: Arc<S>,
    peer: Peer,
    outlet: Option<Outlet>,
    acquaintance: S::Acquaintance,
}

impl<I> Accepted<I> {
    /// A connection whose bytes are sent as they are.
    pub(super) fn in_clear_text(io: I, peer: Peer, outlet: Option<Outlet>) -> Self {
        Self {
            io,
            peer,
            outlet,
            watch: Watch::new(Channel::Clear),
        }
    }
}

/// Serves a connection to its end.
pub(super) async fn run<S, I>(accepted: Accepted<I>, service: Arc<S>, limits: Limits, tasks: &Tasks)
where
    S: Serve,
    I: AsyncRead + AsyncWrite + Unpin,
{
    let Accepted {
        io,
        peer,
        outlet,
        watch,
    } = accepted;
    let mut clock = Clock::new(limits, watch.clone());
    let ration = Ration::new();
    // Whoever has used up its ration is not stalled: the guard does not hear of it.
    let io = Rationed::new(Guarded::new(io, watch.clone()), ration.clone());
    let io = TokioIo::new(io);
    let client = Arc::new(Client {
        acquaintance: service.acquaint(&peer),
        service,
        peer,
        outlet,
    });
    let service = service_fn(move |request| answer(Arc::clone(&client), request, watch.clone()));
    let mut connection = pin!(protocol().serve_connection(io, service));
    let served = async {
        let expired = attend(connection.as_mut(), &ration, &mut clock).await;
        // Without a farewell a client of TLS cannot tell the end from a broken line.
        if peer.is_secure && expired == Some(Bound::Idle) {
            connection.as_mut().graceful_shutdown();
            attend(connection.as_mut(), &ration, &mut clock).await;
        }
    };
    tokio::select! {
        biased;
        () = served => return,
        () = tasks.stopping() => connection.as_mut().graceful_shutdown(),
    }
    clock.hurry();
    let rest = attend(connection, &ration, &mut clock);
    if timeout(limits.shutdown_grace, rest).await.is_err() {
        debug!("a connection outlasted the shutdown grace");
    }
}

fn protocol() -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        // A client that has shut down its sending side still gets its answer.
        .half_close(true)
        // The clock keeps both times: hyper's own would set a timer for every request, and mean
        // the silence between requests and the length of a head with one figure.
        .header_read_timeout(None)
        .max_headers(MAX_HEADERS)
        .max_header_size(MAX_HEAD)
        .max_buf_size(MAX_BUFFER);
    builder
}

/// Drives a connection to its end, or to what its client took too long for.
async fn attend<C>(mut connection: Pin<&mut C>, ration: &Ration, clock: &mut Clock) -> Option<Bound>
where
    C: Future<Output = Result<(), hyper::Error>>,
{
    let turns = poll_fn(|cx| {
        ration.renew();
        connection.as_mut().poll(cx)
    });
    tokio::select! {
        biased;
        ended = turns => {
            if let Err(error) = ended {
                debug!(%error, "a connection broke");
            }
            None
        }
        bound = clock.expired() => {
            debug!(bound = bound.as_str(), "a client took too long");
            Some(bound)
        }
    }
}

async fn answer<S: Serve>(
    client: Arc<Client<S>>,
    request: Request<Incoming>,
    watch: Watch,
) -> Result<Response<Answer<S::Body>>, Infallible> {
    let turn = watch.begin(!request.body().is_end_stream());
    let (acquaintance, outlet) = (&client.acquaintance, client.outlet.as_ref());
    let serving = client
        .service
        .serve(request, client.peer, acquaintance, outlet);
    let served = AssertUnwindSafe(serving).catch_unwind().await;
    let response = served.unwrap_or_else(|_| {
        error!("answering a request panicked");
        client.service.fault()
    });
    Ok(response.map(|body| Answer::new(body, turn)))
}
