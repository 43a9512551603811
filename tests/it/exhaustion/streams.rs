//! Requests that share a connection of HTTP/2, by a client that does not behave.

use std::future::poll_fn;
use std::time::Duration;

use bytes::Bytes;
use h2::client::{Builder, SendRequest};
use h2::{RecvStream, SendStream};
use http::Request;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::support::{Larder, Stream, Trust, artifact, within};

/// Without room for a byte for so long, there is none.
const NO_MORE: Duration = Duration::from_millis(500);

const PIECE: usize = 64 * 1024;

/// A client with one connection; gone when dropped.
pub struct Shared {
    requests: SendRequest<Bytes>,
    _connection: JoinSet<()>,
}

impl Shared {
    /// Connects in clear text, or in TLS where there is somebody to trust.
    pub async fn new(larder: &Larder, trust: Option<&Trust>) -> Self {
        let connected = TcpStream::connect(larder.address()).await;
        let stream = connected.expect("a place in the queue");
        let io: Box<dyn Stream> = match trust {
            None => Box::new(stream),
            Some(trust) => {
                let trust = trust.clone().offering(&[b"h2"]);
                let secured = within("a handshake", trust.secure(stream)).await;
                Box::new(secured.expect("a session"))
            }
        };
        let shaken = within("a handshake", Builder::new().handshake(io)).await;
        let (requests, connection) = shaken.expect("HTTP/2");
        let mut driving = JoinSet::new();
        driving.spawn(async move {
            connection.await.ok();
        });
        Self {
            requests,
            _connection: driving,
        }
    }

    /// Asks for an artifact and takes nothing of it but the head.
    pub async fn get(&self, hash: &str) -> RecvStream {
        let mut ready = self.ready().await;
        let (answer, _) = ready
            .send_request(request("GET", hash, "member", None), true)
            .expect("a stream");
        let answer = within("a head", answer).await.expect("an answer");
        assert_eq!(answer.status(), 200);
        answer.into_body()
    }

    /// Begins an upload and sends so much of it, or what is taken; returns how much that is.
    pub async fn stuff(
        &self,
        hash: &str,
        token: &str,
        (length, most): (usize, usize),
    ) -> (SendStream<Bytes>, usize) {
        let mut body = self.begin(hash, token, length).await;
        let mut sent = 0;
        while let Ok(Some(some)) = timeout(NO_MORE, send_some(&mut body, most - sent)).await {
            sent += some;
        }
        (body, sent)
    }

    async fn begin(&self, hash: &str, token: &str, length: usize) -> SendStream<Bytes> {
        let mut ready = self.ready().await;
        let request = request("PUT", hash, token, Some(length));
        let (_, body) = ready.send_request(request, false).expect("a stream");
        body
    }

    async fn ready(&self) -> SendRequest<Bytes> {
        let ready = within("a stream", self.requests.clone().ready()).await;
        ready.expect("a connection")
    }
}

/// Sends as many bytes as there is room for, a piece at most; none where the stream has ended, or all are sent.
async fn send_some(body: &mut SendStream<Bytes>, left: usize) -> Option<usize> {
    if left == 0 {
        return None;
    }
    body.reserve_capacity(PIECE.min(left));
    let room = poll_fn(|cx| body.poll_capacity(cx)).await?.ok()?.min(left);
    let piece = Bytes::from(vec![b'x'; room]);
    body.send_data(piece, false).ok()?;
    Some(room)
}

fn request(method: &str, hash: &str, token: &str, length: Option<usize>) -> Request<()> {
    let mut request = Request::builder()
        .method(method)
        .uri(format!("http://localhost{}", artifact(hash)))
        .header("authorization", format!("Bearer {token}"));
    if let Some(length) = length {
        request = request.header("content-length", length);
    }
    request.body(()).expect("a request")
}
