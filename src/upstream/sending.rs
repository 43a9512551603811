//! A request body on its way: how far it has come, and who it waits for.

use std::error::Error;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::Instant;

/// Progress of one request body; clones share it.
#[derive(Clone, Debug)]
pub(super) struct Sending(Arc<Shared>);

/// A request body that reports its progress. Trailers end here.
#[derive(Debug)]
pub(super) struct Outbound<B> {
    body: B,
    sending: Sending,
}

/// Where a request body is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Progress {
    /// The connection has taken all of it, or has given it up.
    pub(super) end: Option<End>,
    /// It is not the upstream that is waited for, but the body's own source.
    pub(super) is_starved: bool,
    /// When a piece was last asked for.
    pub(super) moved: Instant,
    sent: u64,
}

/// How a request body ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Whole,
    Broken,
}

#[derive(Debug)]
struct Shared {
    length: Option<u64>,
    progress: Mutex<Progress>,
    ended: Notify,
}

/// The body is not as long as was said.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the request body is not as long as was said")]
struct WrongLength;

// === impl Sending ===

impl Sending {
    /// `length`: what the request's head says; without one the body ends when it ends.
    pub(super) fn new(length: Option<u64>) -> Self {
        Self(Arc::new(Shared {
            length,
            progress: Mutex::new(Progress {
                end: (length == Some(0)).then_some(End::Whole),
                is_starved: false,
                moved: Instant::now(),
                sent: 0,
            }),
            ended: Notify::new(),
        }))
    }

    pub(super) fn progress(&self) -> Progress {
        *self.0.progress.lock()
    }

    pub(super) fn is_whole(&self) -> bool {
        self.progress().end == Some(End::Whole)
    }

    /// Completes when the connection has taken the whole body, or has given it up.
    pub(super) async fn ended(&self) -> End {
        loop {
            let ended = self.0.ended.notified();
            if let Some(end) = self.progress().end {
                return end;
            }
            ended.await;
        }
    }

    fn end(&self, end: End) {
        self.0.progress.lock().end.get_or_insert(end);
        self.0.ended.notify_waiters();
    }

    fn starve(&self) {
        self.0.progress.lock().is_starved = true;
    }

    /// Takes note of a piece; `is_last` where the source says so.
    fn took(&self, bytes: u64, is_last: bool) -> Result<(), WrongLength> {
        let is_whole = {
            let mut progress = self.0.progress.lock();
            progress.is_starved = false;
            progress.moved = Instant::now();
            progress.sent = progress.sent.saturating_add(bytes);
            match self.0.length {
                Some(length) if progress.sent > length => return Err(WrongLength),
                Some(length) if is_last && progress.sent < length => return Err(WrongLength),
                Some(length) => progress.sent == length,
                None => is_last,
            }
        };
        if is_whole {
            self.end(End::Whole);
        }
        Ok(())
    }
}

// === impl Outbound ===

impl<B> Outbound<B> {
    pub(super) fn new(body: B, sending: Sending) -> Self {
        Self { body, sending }
    }
}

impl<B> Body for Outbound<B>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    type Data = Bytes;
    type Error = Box<dyn Error + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        loop {
            let Poll::Ready(polled) = Pin::new(&mut self.body).poll_frame(cx) else {
                self.sending.starve();
                return Poll::Pending;
            };
            let Some(frame) = polled.transpose().map_err(Into::into)? else {
                self.sending.took(0, true)?;
                return Poll::Ready(None);
            };
            if let Ok(data) = frame.into_data() {
                let is_last = self.body.is_end_stream();
                self.sending.took(data.len() as u64, is_last)?;
                return Poll::Ready(Some(Ok(Frame::data(data))));
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.sending.is_whole()
    }

    fn size_hint(&self) -> SizeHint {
        match self.sending.0.length {
            Some(length) => {
                SizeHint::with_exact(length.saturating_sub(self.sending.progress().sent))
            }
            None => self.body.size_hint(),
        }
    }
}

impl<B> Drop for Outbound<B> {
    fn drop(&mut self) {
        self.sending.end(End::Broken);
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use futures_util::stream;
    use http_body_util::{BodyExt, StreamBody};

    use super::*;

    fn pieces(
        pieces: &[&'static str],
    ) -> impl Body<Data = Bytes, Error = Infallible> + Unpin + use<> {
        let frames: Vec<_> = pieces
            .iter()
            .map(|piece| Ok(Frame::data(Bytes::from_static(piece.as_bytes()))))
            .collect();
        StreamBody::new(stream::iter(frames))
    }

    #[tokio::test]
    async fn a_body_is_whole_with_its_last_byte() {
        let sending = Sending::new(Some(4));
        let mut body = Outbound::new(pieces(&["ab", "cd"]), sending.clone());
        body.frame().await.unwrap().unwrap();
        assert!(!sending.is_whole());
        assert_eq!(body.size_hint().exact(), Some(2));
        body.frame().await.unwrap().unwrap();
        assert!(sending.is_whole());
        assert!(body.is_end_stream());
        drop(body);
        assert_eq!(sending.ended().await, End::Whole);
    }

    #[tokio::test]
    async fn a_body_given_up_is_broken() {
        let sending = Sending::new(Some(4));
        drop(Outbound::new(pieces(&["ab"]), sending.clone()));
        assert_eq!(sending.ended().await, End::Broken);
    }

    #[tokio::test]
    async fn a_body_of_another_length_is_an_error() {
        for (length, body) in [(3, ["ab", "cd"]), (5, ["ab", "cd"])] {
            let sending = Sending::new(Some(length));
            let sent = Outbound::new(pieces(&body), sending.clone())
                .collect()
                .await;
            assert!(sent.is_err());
            assert!(!sending.is_whole());
        }
    }

    #[tokio::test]
    async fn a_body_without_a_length_is_whole_at_its_end() {
        let sending = Sending::new(None);
        let body = Outbound::new(pieces(&["ab"]), sending.clone());
        assert_eq!(body.collect().await.unwrap().to_bytes(), "ab");
        assert!(sending.is_whole());
    }
}
