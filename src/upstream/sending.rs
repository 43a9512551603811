//! A request body on its way: how far it has come, and who it waits for.

use std::error::Error;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use futures_util::task::AtomicWaker;
use http_body::{Body, Frame, SizeHint};
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::wire::Wire;

/// Progress of one request body; clones share it.
#[derive(Clone, Debug)]
pub(super) struct Sending(Arc<Shared>);

/// A request body that reports its progress. Trailers end here.
#[derive(Debug)]
pub(super) struct Outbound<B> {
    body: B,
    sending: Sending,
}

/// A piece of a request body, which reports when the connection takes its bytes.
#[derive(Debug)]
pub(super) struct Piece {
    bytes: Bytes,
    sending: Sending,
}

/// Where a request body is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Progress {
    /// The connection has taken all of it, or has given it up.
    pub(super) end: Option<End>,
    /// It is not the upstream that is waited for, but the body's own source.
    pub(super) is_starved: bool,
    /// When a piece was last asked for, or bytes of one were taken.
    pub(super) moved: Instant,
    /// Bytes that the connection has asked for and got.
    pub(super) sent: u64,
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
    abandoned: Mutex<Option<Wire>>,
    source: AtomicWaker,
}

/// Why a piece of a body does not go out.
#[derive(Clone, Copy, Debug, thiserror::Error)]
enum Untaken {
    #[error("the request body is not as long as was said")]
    WrongLength,
    #[error("nobody needs the request body any more")]
    Abandoned,
}

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
            abandoned: Mutex::new(None),
            source: AtomicWaker::new(),
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

    /// Ends a body of which `wire`, shared by others, has not taken all, and that nobody needs there
    /// any more: its stream is reset when the connection next asks for a piece.
    pub(super) fn abandon(&self, wire: &Wire) {
        let mut abandoned = self.0.abandoned.lock();
        if self.progress().end.is_some() || abandoned.is_some() {
            return;
        }
        wire.linger();
        *abandoned = Some(wire.clone());
        drop(abandoned);
        self.0.source.wake();
    }

    fn is_abandoned(&self) -> bool {
        self.0.abandoned.lock().is_some()
    }

    fn end(&self, end: End) {
        let abandoned = {
            let mut abandoned = self.0.abandoned.lock();
            self.0.progress.lock().end.get_or_insert(end);
            abandoned.take()
        };
        if let Some(wire) = abandoned {
            wire.settled();
        }
        self.0.ended.notify_waiters();
    }

    fn moved(&self) {
        self.0.progress.lock().moved = Instant::now();
    }

    fn starve(&self) {
        self.0.progress.lock().is_starved = true;
    }

    /// Takes note of a piece; `is_last` where the source says so.
    fn took(&self, bytes: u64, is_last: bool) -> Result<(), Untaken> {
        let is_whole = {
            let abandoned = self.0.abandoned.lock();
            if abandoned.is_some() {
                return Err(Untaken::Abandoned);
            }
            let mut progress = self.0.progress.lock();
            progress.is_starved = false;
            progress.moved = Instant::now();
            progress.sent = progress.sent.saturating_add(bytes);
            match self.0.length {
                Some(length) if progress.sent > length => return Err(Untaken::WrongLength),
                Some(length) if is_last && progress.sent < length => {
                    return Err(Untaken::WrongLength);
                }
                Some(length) if progress.sent < length => false,
                None if !is_last => false,
                // Under both locks: whoever abandons it afterwards finds it whole.
                Some(_) | None => {
                    progress.end.get_or_insert(End::Whole);
                    true
                }
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
    type Data = Piece;
    type Error = Box<dyn Error + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Piece>, Self::Error>>> {
        self.sending.0.source.register(cx.waker());
        if self.sending.is_abandoned() {
            return Poll::Ready(Some(Err(broken_off(Untaken::Abandoned))));
        }
        loop {
            let Poll::Ready(polled) = Pin::new(&mut self.body).poll_frame(cx) else {
                self.sending.starve();
                return Poll::Pending;
            };
            let Some(frame) = polled.transpose().map_err(Into::into)? else {
                self.sending.took(0, true).map_err(broken_off)?;
                return Poll::Ready(None);
            };
            if let Ok(data) = frame.into_data() {
                let is_last = self.body.is_end_stream();
                let taken = self.sending.took(data.len() as u64, is_last);
                taken.map_err(broken_off)?;
                let piece = Piece {
                    bytes: data,
                    sending: self.sending.clone(),
                };
                return Poll::Ready(Some(Ok(Frame::data(piece))));
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

fn broken_off(why: Untaken) -> Box<dyn Error + Send + Sync> {
    match why {
        Untaken::WrongLength => why.into(),
        Untaken::Abandoned => h2::Error::from(h2::Reason::CANCEL).into(),
    }
}

// === impl Piece ===

impl Buf for Piece {
    fn remaining(&self) -> usize {
        self.bytes.remaining()
    }

    fn chunk(&self) -> &[u8] {
        self.bytes.chunk()
    }

    fn advance(&mut self, count: usize) {
        self.bytes.advance(count);
        self.sending.moved();
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use futures_util::stream;
    use http_body_util::{BodyExt, StreamBody};
    use tokio::io::duplex;
    use tokio::time::{Duration, advance};

    use super::super::line::Line;
    use super::super::wire::Protocol;
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

    #[tokio::test(start_paused = true)]
    async fn a_body_moves_as_its_bytes_are_taken() {
        let sending = Sending::new(Some(4));
        let mut body = Outbound::new(pieces(&["abcd"]), sending.clone());
        let mut piece = body.frame().await.unwrap().unwrap().into_data().unwrap();
        assert!(sending.is_whole());
        advance(Duration::from_secs(5)).await;
        let before = sending.progress().moved;
        piece.advance(2);
        assert_eq!(piece.chunk(), b"cd");
        assert_eq!(sending.progress().moved, before + Duration::from_secs(5));
    }

    #[tokio::test]
    async fn an_abandoned_body_fails_and_lingers_until_it_is_let_go() {
        let (near, _far) = duplex(64);
        let wire = Line::new(Box::pin(near), Protocol::Http2).wire();
        let sending = Sending::new(Some(4));
        let mut body = Outbound::new(pieces(&["ab", "cd"]), sending.clone());
        body.frame().await.unwrap().unwrap();
        sending.abandon(&wire);
        assert_eq!(wire.lingering(), 1);
        assert!(body.frame().await.unwrap().is_err());
        drop(body);
        assert_eq!(wire.lingering(), 0);
        sending.abandon(&wire);
        assert_eq!(wire.lingering(), 0, "it has ended");
    }

    #[tokio::test]
    async fn a_body_without_a_length_is_whole_at_its_end() {
        let sending = Sending::new(None);
        let body = Outbound::new(pieces(&["ab"]), sending.clone());
        assert_eq!(body.collect().await.unwrap().to_bytes(), "ab");
        assert!(sending.is_whole());
    }
}
