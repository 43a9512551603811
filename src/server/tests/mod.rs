//! The server, asked over real sockets and, where time matters, over paused ones.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use http::{Request, Response};
use http_body::Frame;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::Semaphore;

use super::clock::Cuts;
use super::connection::Accepted;
use super::guard::Watch;
use super::http2::Advances;
use super::phase::Channel;
use super::shown::Shown;
use super::{Broken, Limits, ListenerId, Peer, RequestBody, Serve};
use crate::outlet::Outlet;

mod crowd;
mod entrance;
mod farewell;
#[cfg(target_os = "linux")]
mod files;
mod floods;
mod http2;
mod sockets;
mod stuck;
mod time;
mod tls;

const HELLO: &[u8] = b"GET /hello HTTP/1.1\r\nhost: x\r\n\r\n";
const BIG: usize = 1024 * 1024;
/// Less than TLS holds for a client that takes nothing.
const SOME: usize = 40 * 1024;

type Body = UnsyncBoxBody<Bytes, Broken>;

/// A service whose answers the path decides.
#[derive(Debug)]
struct Scripted {
    served: AtomicUsize,
    /// A permit lets one waiting answer go on.
    gate: Arc<Semaphore>,
    /// A body that is to be read elsewhere.
    aside: Mutex<Option<RequestBody>>,
}

impl Scripted {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            served: AtomicUsize::new(0),
            gate: Arc::new(Semaphore::new(0)),
            aside: Mutex::default(),
        })
    }
}

impl Serve for Scripted {
    type Body = Body;
    /// Requests of the connection so far.
    type Acquaintance = AtomicUsize;

    fn acquaint(&self, _: &Peer) -> AtomicUsize {
        AtomicUsize::new(0)
    }

    async fn serve(
        &self,
        request: Request<RequestBody>,
        peer: Peer,
        before: &AtomicUsize,
        _: Option<&Outlet>,
    ) -> Response<Body> {
        let before = before.fetch_add(1, Ordering::Relaxed);
        self.served.fetch_add(1, Ordering::Relaxed);
        match request.uri().path() {
            "/big" => whole(vec![b'b'; BIG]),
            "/some" => whole(vec![b's'; SOME]),
            "/echo" => match request.into_body().collect().await {
                Ok(body) => whole(body.to_bytes()),
                Err(_) => whole("broken"),
            },
            "/gate" => {
                let body = request.into_body().collect().await;
                self.gate.acquire().await.unwrap().forget();
                whole(body.unwrap().to_bytes())
            }
            "/aside" => {
                *self.aside.lock() = Some(request.into_body());
                std::future::pending().await
            }
            "/stream" => gated(Arc::clone(&self.gate)),
            "/panic" => panic!("scripted"),
            "/peer" => whole(format!("{peer:?}")),
            "/before" => whole(before.to_string()),
            _ => whole("hello"),
        }
    }

    fn fault(&self) -> Response<Body> {
        let (_, body) = whole("fault").into_parts();
        Response::builder().status(500).body(body).unwrap()
    }
}

fn whole(body: impl Into<Bytes>) -> Response<Body> {
    let body = Full::new(body.into()).map_err(|never| match never {});
    Response::new(body.boxed_unsync())
}

/// Six bytes, of which the last three wait for the gate.
fn gated(gate: Arc<Semaphore>) -> Response<Body> {
    let pieces = stream::unfold(0, move |sent| {
        let gate = Arc::clone(&gate);
        async move {
            if sent == 1 {
                gate.acquire().await.unwrap().forget();
            }
            let piece = Frame::data(Bytes::from_static(b"abc"));
            (sent < 2).then_some((Ok(piece), sent + 1))
        }
    });
    let mut response = Response::new(StreamBody::new(pieces).boxed_unsync());
    response
        .headers_mut()
        .insert("content-length", http::HeaderValue::from_static("6"));
    response
}

fn limits() -> Limits {
    Limits {
        handshake_timeout: Duration::from_secs(7),
        header_timeout: Duration::from_secs(10),
        idle_timeout: Duration::from_secs(130),
        body_timeout: Duration::from_secs(30),
        stall_timeout: Duration::from_mins(1),
        min_rate: 0,
        max_head: 16 * 1024,
        max_fields: 64,
        max_streams: 128,
        ahead: 0,
        max_connections: 16,
        max_connections_per_address: 16,
        max_handshakes: 16,
        shutdown_grace: Duration::from_secs(30),
    }
}

/// A connection whose bytes are sent as they are.
fn in_clear_text<I>(io: I, outlet: Option<Outlet>, limits: &Limits) -> Accepted<I> {
    Accepted {
        io,
        peer: Peer {
            address: None,
            listener: ListenerId(0),
            is_local: true,
            is_secure: false,
        },
        shown: Shown::default(),
        outlet,
        watch: Watch::new(Channel::Clear, limits),
        guest: None,
        cuts: Cuts::default(),
        advances: Advances::default(),
    }
}

/// Sends `request` and reads one answer that has a length: its head and its body.
async fn exchange<I>(io: &mut I, request: &[u8]) -> (String, String)
where
    I: AsyncRead + AsyncWrite + Unpin,
{
    io.write_all(request).await.unwrap();
    let head = read_head(io).await;
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "))
        .map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    io.read_exact(&mut body).await.unwrap();
    (head, String::from_utf8(body).unwrap())
}

async fn read_head<I: AsyncRead + Unpin>(io: &mut I) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(io.read_u8().await.unwrap());
    }
    String::from_utf8(head).unwrap()
}

/// Reads what comes until the other side hangs up.
async fn read_rest<I: AsyncRead + Unpin>(io: &mut I) -> Vec<u8> {
    let mut rest = Vec::new();
    io.read_to_end(&mut rest).await.unwrap();
    rest
}
