//! A request's body that can be taken from whoever reads it.
//!
//! Who reads it may be a task that outlives the request. As long as that waits, the library does not
//! reset the stream, and neither side learns that it is over.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use parking_lot::Mutex;

use super::Windows;
use crate::server::guard::Watch;
use crate::server::request::Broken;

/// A body under watch; clones share it.
#[derive(Clone, Debug)]
pub(in crate::server) struct Shared {
    held: Arc<Mutex<Held>>,
    /// Who is told what comes.
    watch: Watch,
    /// What came ahead of whoever reads it lies here also when the connection is gone.
    _windows: Arc<Windows>,
}

#[derive(Debug)]
struct Held {
    /// None once it was taken away.
    body: Option<Incoming>,
    /// Who waits for more of it.
    reader: Option<Waker>,
}

// === impl Shared ===

impl Shared {
    /// A `body`, of whose pieces `watch` is told, of a connection with these `windows`.
    pub(super) fn new(body: Incoming, watch: Watch, windows: Arc<Windows>) -> Self {
        let held = Held {
            body: Some(body),
            reader: None,
        };
        Self {
            held: Arc::new(Mutex::new(held)),
            watch,
            _windows: windows,
        }
    }

    /// Takes it from whoever reads it.
    pub(in crate::server) fn cut(&self) {
        let mut held = self.held.lock();
        held.body = None;
        if let Some(reader) = held.reader.take() {
            reader.wake();
        }
    }

    /// The next piece.
    pub(in crate::server) fn poll_frame(
        &self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let mut held = self.held.lock();
        let Some(body) = &mut held.body else {
            return Poll::Ready(Some(Err(Broken::Late)));
        };
        let polled = Pin::new(body).poll_frame(cx);
        match &polled {
            Poll::Pending => {
                self.watch.await_more();
                held.waited_for_by(cx.waker());
            }
            Poll::Ready(Some(Ok(frame))) => {
                self.watch.received(frame.data_ref().map_or(0, Bytes::len));
            }
            Poll::Ready(_) => self.watch.received(0),
        }
        polled.map_err(Broken::from)
    }

    /// Whether it is known to be over.
    pub(in crate::server) fn is_end_stream(&self) -> bool {
        let held = self.held.lock();
        held.body.as_ref().is_some_and(Incoming::is_end_stream)
    }

    /// What is known of its length.
    pub(in crate::server) fn size_hint(&self) -> SizeHint {
        let held = self.held.lock();
        held.body
            .as_ref()
            .map(Incoming::size_hint)
            .unwrap_or_default()
    }
}

// === impl Held ===

impl Held {
    fn waited_for_by(&mut self, reader: &Waker) {
        match &mut self.reader {
            Some(known) => known.clone_from(reader),
            None => self.reader = Some(reader.clone()),
        }
    }
}
