//! A request's body, watched: how much came, and whether all of it was read.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use crate::server::{Broken, RequestBody};

/// What is known of a request's body, whoever reads it; nothing is kept of one that has no bytes.
#[derive(Clone, Debug)]
pub(super) struct Watch(Option<Arc<State>>);

#[derive(Debug, Default)]
struct State {
    bytes: AtomicU64,
    is_read: AtomicBool,
}

/// A request's body under watch.
#[derive(Debug)]
pub(super) struct Arriving {
    body: RequestBody,
    watch: Watch,
}

impl Watch {
    /// A watch over `body`.
    pub(super) fn over(body: &RequestBody) -> Self {
        Self((!body.is_end_stream()).then(Arc::default))
    }

    /// The body under this watch.
    pub(super) fn watched(&self, body: RequestBody) -> Arriving {
        Arriving {
            body,
            watch: self.clone(),
        }
    }

    /// Bytes that came so far.
    pub(super) fn bytes(&self) -> u64 {
        let state = self.0.as_ref();
        state.map_or(0, |state| state.bytes.load(Ordering::Relaxed))
    }

    /// Whether the body was read to its end: if not, what is left of it stands before the next
    /// request on the same connection.
    pub(super) fn is_read(&self) -> bool {
        let state = self.0.as_ref();
        state.is_none_or(|state| state.is_read.load(Ordering::Relaxed))
    }
}

impl Body for Arriving {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        let Some(state) = &self.watch.0 else {
            return polled;
        };
        match &polled {
            Poll::Ready(Some(Ok(frame))) => {
                let length = frame.data_ref().map_or(0, Bytes::len);
                state.bytes.fetch_add(length as u64, Ordering::Relaxed);
                state
                    .is_read
                    .store(self.body.is_end_stream(), Ordering::Relaxed);
            }
            Poll::Ready(None) => state.is_read.store(true, Ordering::Relaxed),
            Poll::Ready(Some(Err(_))) | Poll::Pending => {}
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
