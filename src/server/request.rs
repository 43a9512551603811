//! A request's body on its way in, whichever version of HTTP it comes by.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

use super::http2::Stream;

/// The body of a request.
#[derive(Debug)]
pub struct RequestBody {
    body: Incoming,
    /// Who is told what comes, where the connection's bytes do not tell whose they are.
    stream: Option<Stream>,
}

impl RequestBody {
    /// The only one on its connection at a time.
    pub(super) fn alone(body: Incoming) -> Self {
        Self { body, stream: None }
    }

    /// One of those that share a connection.
    pub(super) fn among(body: Incoming, stream: Stream) -> Self {
        Self {
            body,
            stream: Some(stream),
        }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        if let Some(stream) = &self.stream {
            match &polled {
                Poll::Pending => stream.await_more(),
                Poll::Ready(Some(Ok(frame))) => {
                    stream.received(frame.data_ref().map_or(0, Bytes::len));
                }
                Poll::Ready(_) => stream.received(0),
            }
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
