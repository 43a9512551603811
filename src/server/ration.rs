//! How much one connection may send before it is others' turn: a large body must not keep small
//! answers waiting that are due on the same thread.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Bytes sent in one go. Sending so much takes some fifty microseconds; a larger ration does not make
/// large bodies faster by as much as it makes small ones wait.
pub(super) const RATION: usize = 256 * 1024;

/// A byte stream whose writes are rationed.
#[derive(Debug)]
pub(super) struct Rationed<I> {
    io: I,
    used: usize,
}

impl<I> Rationed<I> {
    /// Rations what goes out by `io`.
    pub(super) fn new(io: I) -> Self {
        Self { io, used: 0 }
    }

    /// Whether the ration is used up; if so the task comes back behind the others.
    fn is_used_up(&mut self, cx: &mut Context<'_>) -> bool {
        if self.used < RATION {
            return false;
        }
        self.used = 0;
        cx.waker().wake_by_ref();
        true
    }

    fn note(&mut self, polled: &Poll<io::Result<usize>>) {
        match polled {
            Poll::Ready(Ok(sent)) => self.used += sent,
            // It waits for the client, which gives others their turn as well.
            Poll::Pending => self.used = 0,
            Poll::Ready(Err(_)) => {}
        }
    }
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
        if self.is_used_up(cx) {
            return Poll::Pending;
        }
        let polled = Pin::new(&mut self.io).poll_write(cx, bytes);
        self.note(&polled);
        polled
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.is_used_up(cx) {
            return Poll::Pending;
        }
        let polled = Pin::new(&mut self.io).poll_write_vectored(cx, pieces);
        self.note(&polled);
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
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::{Wake, Waker};

    use super::*;

    struct Woken(AtomicUsize);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn whoever_has_sent_its_ration_comes_back_behind_the_others() {
        let woken = Arc::new(Woken(AtomicUsize::new(0)));
        let waker = Waker::from(Arc::clone(&woken));
        let mut cx = Context::from_waker(&waker);
        let mut io = Rationed::new(tokio::io::sink());
        let half = vec![0; RATION / 2];
        let mut write = || Pin::new(&mut io).poll_write(&mut cx, &half);
        for turn in 1..=3 {
            assert!(write().is_ready());
            assert!(write().is_ready());
            assert!(write().is_pending());
            assert_eq!(woken.0.load(Ordering::Relaxed), turn);
        }
    }
}
