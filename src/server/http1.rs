//! A connection that speaks HTTP/1: how the library is set up for it, and how it ends.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;

use http::{Request, Response};
use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;
use tracing::debug;

use super::answer::Answer;
use super::connection::{Client, Session};
use super::guard::Watch;
use super::phase::Bound;
use super::request::RequestBody;
use super::{Limits, Serve, connection};

/// Bytes read ahead, and copied before a flush, for one connection. The library asks for so many once a
/// client has filled as many, and keeps them while the connection is idle: who only fetches never has
/// them. An upload in pieces of 64 KiB takes a sixth more of the processor; with 256 KiB twice as much
/// memory stays behind.
const MAX_BUFFER: usize = 128 * 1024;

/// Serves a connection to its end.
pub(super) async fn serve<S, I>(io: I, session: Session<S>)
where
    S: Serve,
    I: AsyncRead + AsyncWrite + Unpin,
{
    let Session {
        client,
        watch,
        ration,
        mut clock,
        limits,
        tasks,
    } = session;
    let is_secure = client.peer.is_secure;
    let service = service_fn(move |request| answer(Arc::clone(&client), request, watch.clone()));
    let mut connection = pin!(protocol(&limits).serve_connection(TokioIo::new(io), service));
    let served = async {
        let expired = connection::attend(connection.as_mut(), &ration, &mut clock).await;
        // Without a farewell a client of TLS cannot tell the end from a broken line.
        if is_secure && matches!(expired, Some(Bound::Idle | Bound::Crowd)) {
            connection.as_mut().graceful_shutdown();
            connection::attend(connection.as_mut(), &ration, &mut clock).await;
        }
    };
    tokio::select! {
        biased;
        () = served => return,
        () = tasks.stopping() => connection.as_mut().graceful_shutdown(),
    }
    clock.hurry();
    let rest = connection::attend(connection, &ration, &mut clock);
    if timeout(limits.shutdown_grace, rest).await.is_err() {
        debug!("a connection outlasted the shutdown grace");
    }
}

fn protocol(limits: &Limits) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        // A client that has shut down its sending side still gets its answer.
        .half_close(true)
        // The clock keeps both times: hyper's own would set a timer for every request, and mean
        // the silence between requests and the length of a head with one figure.
        .header_read_timeout(None)
        .max_headers(limits.max_fields)
        .max_header_size(limits.max_head)
        .max_buf_size(MAX_BUFFER);
    builder
}

async fn answer<S: Serve>(
    client: Arc<Client<S>>,
    mut request: Request<Incoming>,
    watch: Watch,
) -> Result<Response<Answer<S::Body>>, Infallible> {
    let (turn, unfit) = watch.begin(!request.body().is_end_stream());
    if let Some(unfit) = unfit {
        request.extensions_mut().insert(unfit);
    }
    let serving = pin!(client.serve(request.map(RequestBody::alone)));
    let response = client.answer(serving).await;
    Ok(response.map(|body| Answer::new(body, turn)))
}
