//! A client with a connection of HTTP/2, and as many requests on it as it likes.

use std::future::poll_fn;
use std::net::SocketAddr;

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use h2::client::{ResponseFuture, SendRequest, handshake};
use h2::{RecvStream, SendStream};
use http::Request;
use tokio::task::JoinSet;

use crate::clients::{Trust, UPLOAD, connect};
use crate::{Deed, LARGE};

const PIECE: usize = 64 * 1024;

/// A connection; gone when dropped.
pub(crate) struct Shared {
    requests: SendRequest<Bytes>,
    answers: Vec<RecvStream>,
    uploads: Vec<(SendStream<Bytes>, ResponseFuture)>,
    _connection: JoinSet<()>,
}

// === impl Shared ===

impl Shared {
    pub(crate) async fn connect(address: SocketAddr, trust: Option<&Trust>) -> Result<Self> {
        let io = connect(address, trust, b"h2").await?;
        let (requests, connection) = handshake(io).await?;
        let mut driving = JoinSet::new();
        driving.spawn(async move {
            connection.await.ok();
        });
        Ok(Self {
            requests,
            answers: Vec::new(),
            uploads: Vec::new(),
            _connection: driving,
        })
    }

    /// Does what it came for.
    pub(crate) async fn act(&mut self, deed: Deed, place: usize) -> Result<()> {
        match deed {
            Deed::Nothing => Ok(()),
            Deed::Fetched => {
                let mut body = self.get("small").await?;
                while let Some(piece) = body.data().await {
                    body.flow_control().release_capacity(piece?.len())?;
                }
                Ok(())
            }
            Deed::Uploaded => {
                let (_, answer) = self.put(&format!("up{place}"), UPLOAD).await?;
                ensure!(answer.await?.status() == 202, "an upload is not taken");
                Ok(())
            }
            Deed::Reads => {
                let body = self.get("large").await?;
                self.answers.push(body);
                Ok(())
            }
            Deed::Uploads => {
                let upload = self.put(&format!("half{place}"), LARGE).await?;
                self.uploads.push(upload);
                Ok(())
            }
        }
    }

    async fn get(&mut self, name: &str) -> Result<RecvStream> {
        let mut ready = self.requests.clone().ready().await?;
        let (answer, _) = ready.send_request(request("GET", name, 0)?, true)?;
        let answer = answer.await?;
        ensure!(answer.status() == 200, "{name} is not here");
        Ok(answer.into_body())
    }

    /// Sends the first bytes of an upload of that length, or all.
    async fn put(
        &mut self,
        name: &str,
        length: usize,
    ) -> Result<(SendStream<Bytes>, ResponseFuture)> {
        let mut ready = self.requests.clone().ready().await?;
        let (answer, mut body) = ready.send_request(request("PUT", name, length)?, false)?;
        let mut left = UPLOAD;
        while left > 0 {
            body.reserve_capacity(PIECE.min(left));
            let room = poll_fn(|cx| body.poll_capacity(cx)).await;
            let room = room.context("a stream")??.min(left);
            left -= room;
            body.send_data(Bytes::from(vec![b'x'; room]), left == 0 && length == UPLOAD)?;
        }
        Ok((body, answer))
    }
}

fn request(method: &str, name: &str, length: usize) -> Result<Request<()>> {
    let mut request = Request::builder()
        .method(method)
        .uri(format!("http://localhost/v8/artifacts/{name}?slug=acme"))
        .header("authorization", "Bearer member");
    if method == "PUT" {
        request = request.header("content-length", length);
    }
    Ok(request.body(())?)
}
