//! One question over a connection of its own. Who is asked, and what, is its caller's business.

use std::error::Error;

use http::header::CONNECTION;
use http::{HeaderValue, Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

/// A connection, whatever it is made of.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// Asks over `stream`, and returns what `read` makes of the answer.
pub(super) async fn ask<B, T>(
    stream: Box<dyn Stream>,
    mut request: Request<B>,
    read: impl AsyncFnOnce(Response<Incoming>) -> anyhow::Result<T>,
) -> anyhow::Result<T>
where
    B: Body + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    // Whoever asks once is the last to know when the connection ends.
    let close = HeaderValue::from_static("close");
    request.headers_mut().insert(CONNECTION, close);
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let asking = async move { read(sender.send_request(request).await?).await };
    // The connection ends with the answer; what it has to say of an end without one, the request hears.
    let (told, _ended) = tokio::join!(asking, connection);
    told
}
