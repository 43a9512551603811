//! What a decision gives: an outcome and what to send, without a status code.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, Version};
use http_body::{Body, Frame, SizeHint};

use crate::artifact::{Answer, Fields, Outcome};
use crate::outlet::Outlet;
use crate::tiers::{ArtifactBody, FileBody};
use crate::traces::SpanContext;
use crate::transfer::Reader;
use crate::upstream::UpstreamBody;

/// A request answered.
#[derive(Debug)]
pub struct Served {
    /// How.
    pub outcome: Outcome,
    /// With what.
    pub reply: Reply,
}

/// What to send.
#[derive(Debug)]
pub enum Reply {
    /// An artifact, or its head alone.
    Artifact {
        /// What is replayed with the body.
        fields: Fields,
        /// The body's length, where it is known.
        length: Option<u64>,
        /// What caches on the way here said of it.
        cache_status: Vec<HeaderValue>,
        /// The bytes; empty for a head.
        body: ServedBody,
        /// The fill that they come from, of another request's trace.
        follows: Option<SpanContext>,
    },
    /// A head the upstream described, in which version, and nobody stored.
    Stated(HeaderMap, Option<u64>, Version),
    /// The upstream's own words.
    Relayed(Answer),
    /// The upstream's own words, on their way.
    Passed(Response<UpstreamBody>),
    /// An answer that is made here.
    Here(Here),
}

/// The answers that are made here.
#[derive(Debug)]
pub enum Here {
    /// An upload was kept, under this path.
    Uploaded(String),
    /// Caching is enabled.
    Enabled,
    /// Which artifacts exist, as JSON.
    Exist(Bytes),
    /// Events were taken.
    EventsTaken,
    /// What a preflight may send.
    Preflight,
}

/// The bytes of an answer, wherever they come from.
#[derive(Debug)]
pub enum ServedBody {
    /// None.
    Empty,
    /// In memory.
    Whole(Bytes),
    /// In a file of the disk tier.
    File(FileBody),
    /// On their way.
    Spool(Reader),
    /// Straight from the upstream.
    Upstream(UpstreamBody),
}

/// Why a body ends in an error.
type BodyError = Box<dyn std::error::Error + Send + Sync>;

impl From<ArtifactBody> for ServedBody {
    fn from(body: ArtifactBody) -> Self {
        match body {
            ArtifactBody::Whole(bytes) => Self::Whole(bytes),
            ArtifactBody::File(file) => Self::File(file),
        }
    }
}

impl ServedBody {
    /// Lets stretches of a file leave uncopied.
    pub fn leave_by(&mut self, outlet: &Outlet) {
        if let Self::File(body) = self {
            body.leave_by(outlet);
        }
    }
}

impl Body for ServedBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match &mut *self {
            Self::Empty => Poll::Ready(None),
            Self::Whole(_) => match std::mem::replace(&mut *self, Self::Empty) {
                Self::Whole(bytes) if !bytes.is_empty() => {
                    Poll::Ready(Some(Ok(Frame::data(bytes))))
                }
                _ => Poll::Ready(None),
            },
            Self::File(body) => Pin::new(body).poll_frame(cx).map_err(BodyError::from),
            Self::Spool(body) => Pin::new(body).poll_frame(cx).map_err(BodyError::from),
            Self::Upstream(body) => Pin::new(body).poll_frame(cx).map_err(BodyError::from),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Whole(bytes) => bytes.is_empty(),
            Self::File(body) => body.is_end_stream(),
            Self::Spool(body) => body.is_end_stream(),
            Self::Upstream(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Empty => SizeHint::with_exact(0),
            Self::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Self::File(body) => body.size_hint(),
            Self::Spool(body) => body.size_hint(),
            Self::Upstream(body) => body.size_hint(),
        }
    }
}
