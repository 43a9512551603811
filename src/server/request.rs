//! A request's body on its way in, whichever version of HTTP it comes by.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

use super::http2::Shared;

/// The body of a request.
#[derive(Debug)]
pub struct RequestBody(Source);

/// Where it comes from.
#[derive(Debug)]
enum Source {
    /// A connection of its own for the time being.
    Alone(Incoming),
    /// One that others share: its bytes do not tell whose they are, and it outlives the request.
    Among(Shared),
}

/// A request's body has not come whole.
///
/// What the library says of it is for logs. It names no cause: to whoever passes the body on, that could
/// be taken for one of the other side.
#[derive(Debug, thiserror::Error)]
pub enum Broken {
    /// It broke off.
    #[error("a request's body broke off: {0}")]
    Off(String),
    /// Its client took too long.
    #[error("a request's body did not come in time")]
    Late,
}

// === impl RequestBody ===

impl RequestBody {
    /// The only one on its connection at a time.
    pub(super) fn alone(body: Incoming) -> Self {
        Self(Source::Alone(body))
    }

    /// One of those that share a connection.
    pub(super) fn among(body: Shared) -> Self {
        Self(Source::Among(body))
    }
}

impl Drop for RequestBody {
    /// Nobody wants what is left of it: others on the connection have its room.
    fn drop(&mut self) {
        if let Source::Among(body) = &self.0 {
            body.cut();
        }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        match &mut self.0 {
            Source::Alone(body) => Pin::new(body).poll_frame(cx).map_err(Broken::from),
            Source::Among(body) => body.poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Source::Alone(body) => body.is_end_stream(),
            Source::Among(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Source::Alone(body) => body.size_hint(),
            Source::Among(body) => body.size_hint(),
        }
    }
}

// === impl Broken ===

impl From<hyper::Error> for Broken {
    fn from(error: hyper::Error) -> Self {
        Self::Off(error.to_string())
    }
}
