//! How much one connection may send before it is others' turn: a large body must not keep small
//! answers waiting that are due on the same thread.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Bytes sent in one turn. Sending so much takes some fifty microseconds; a larger ration does not make
/// large bodies faster by as much as it makes small ones wait.
pub(super) const RATION: usize = 256 * 1024;

/// Pieces of what is more than a ration that are sent by one call.
const MOST_PIECES: usize = 16;

/// What a connection may still send in its turn; clones share it.
#[derive(Clone, Debug)]
pub(super) struct Ration(Arc<AtomicUsize>);

/// A byte stream whose writes are rationed.
#[derive(Debug)]
pub(super) struct Rationed<I> {
    io: I,
    ration: Ration,
}

// === impl Ration ===

impl Ration {
    /// A whole one.
    pub(super) fn new() -> Self {
        Self(Arc::new(AtomicUsize::new(RATION)))
    }

    /// Another turn begins. Only whoever polls the connection knows when: within one turn it may try to
    /// send again although it was told to wait.
    pub(super) fn renew(&self) {
        self.0.store(RATION, Ordering::Relaxed);
    }

    /// What is left; if nothing is, the task comes back behind the others.
    fn left(&self, cx: &Context<'_>) -> Poll<usize> {
        match self.0.load(Ordering::Relaxed) {
            0 => {
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            left => Poll::Ready(left),
        }
    }

    fn note(&self, left: usize, polled: &Poll<io::Result<usize>>) {
        if let Poll::Ready(Ok(sent)) = polled {
            self.0.store(left.saturating_sub(*sent), Ordering::Relaxed);
        }
    }
}

// === impl Rationed ===

impl<I> Rationed<I> {
    /// Rations what goes out by `io`.
    pub(super) fn new(io: I, ration: Ration) -> Self {
        Self { io, ration }
    }
}

/// The first of the pieces, as long as `left` bytes together: the last of them may be cut.
fn first<'a>(pieces: &'a [IoSlice<'_>], mut left: usize) -> ([IoSlice<'a>; MOST_PIECES], usize) {
    let mut first = [IoSlice::new(&[]); MOST_PIECES];
    let mut number = 0;
    for (place, piece) in first.iter_mut().zip(pieces) {
        if left == 0 {
            break;
        }
        let (now, _) = piece.split_at(left.min(piece.len()));
        *place = IoSlice::new(now);
        left -= now.len();
        number += 1;
    }
    (first, number)
}

impl<I: AsyncRead + Unpin> AsyncRead for Rationed<I> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buffer)
    }
}

impl<I: AsyncWrite + Unpin> AsyncWrite for Rationed<I> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let left = ready!(self.ration.left(cx));
        let (now, _) = bytes.split_at(left.min(bytes.len()));
        let polled = Pin::new(&mut self.io).poll_write(cx, now);
        self.ration.note(left, &polled);
        polled
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let left = ready!(self.ration.left(cx));
        let io = Pin::new(&mut self.io);
        let polled = if pieces.iter().map(|piece| piece.len()).sum::<usize>() <= left {
            io.poll_write_vectored(cx, pieces)
        } else {
            let (first, number) = first(pieces, left);
            io.poll_write_vectored(cx, first.split_at(number).0)
        };
        self.ration.note(left, &polled);
        polled
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::task::{Wake, Waker};

    use super::*;

    struct Woken(AtomicUsize);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn whoever_has_sent_its_ration_comes_back_behind_the_others_and_sends_nothing_before() {
        let woken = Arc::new(Woken(AtomicUsize::new(0)));
        let waker = Waker::from(Arc::clone(&woken));
        let mut cx = Context::from_waker(&waker);
        let ration = Ration::new();
        let mut io = Rationed::new(tokio::io::sink(), ration.clone());
        let half = vec![0; RATION / 2];
        let mut write = || Pin::new(&mut io).poll_write(&mut cx, &half);
        for turn in 1..=3 {
            assert!(write().is_ready());
            assert!(write().is_ready());
            assert!(write().is_pending());
            assert!(write().is_pending());
            assert_eq!(woken.0.load(Ordering::Relaxed), 2 * turn);
            ration.renew();
        }
    }

    #[test]
    fn what_is_more_than_a_ration_is_cut() {
        let mut cx = Context::from_waker(Waker::noop());
        let mut io = Rationed::new(Vec::new(), Ration::new());
        let (head, body) = (vec![1; 100], vec![2; RATION]);
        let pieces = [&head, &body, &head].map(|bytes| IoSlice::new(bytes));
        let polled = Pin::new(&mut io).poll_write_vectored(&mut cx, &pieces);
        assert!(matches!(polled, Poll::Ready(Ok(RATION))));
        assert_eq!(io.io, [&head[..], &body[100..]].concat());
        let polled = Pin::new(&mut io).poll_write(&mut cx, &body);
        assert!(polled.is_pending());
    }
}
