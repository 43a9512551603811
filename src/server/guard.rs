//! The connection's bytes, watched: what passes is noted, nothing is changed or judged here.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::phase::{Channel, State, Wait};

/// Bytes thrown away at a time after we hung up.
const SCRATCH: usize = 8 * 1024;

/// What is known of one connection, shared by its parts.
///
/// They all run in the connection's own task: the lock is never contended.
#[derive(Clone, Debug)]
pub(super) struct Watch(Arc<Mutex<State>>);

/// One request and its answer; dropped when the answer's body has ended.
#[derive(Debug)]
pub(super) struct Turn(Watch);

/// A byte stream that notes what passes.
#[derive(Debug)]
pub(super) struct Guarded<I> {
    io: I,
    watch: Watch,
}

// === impl Watch ===

impl Watch {
    /// Begins to watch a connection just accepted.
    pub(super) fn new(channel: Channel) -> Self {
        Self(Arc::new(Mutex::new(State::accepted(channel))))
    }

    /// A request's head is whole.
    pub(super) fn begin(&self, has_body: bool) -> Turn {
        self.0.lock().begin(has_body);
        Turn(self.clone())
    }

    /// What the client is waited for.
    pub(super) fn wait(&self) -> Option<Wait> {
        self.0.lock().wait()
    }

    /// Notes that the handshake is over, whatever became of it.
    pub(super) fn note_shaken(&self) {
        self.0.lock().shaken();
    }

    /// Notes what became of a write below TLS.
    pub(super) fn note_sent(&self, polled: &Poll<io::Result<usize>>) {
        if let Poll::Ready(Ok(_)) = polled {
            self.0.lock().sent();
        }
    }

    fn note_write(&self, polled: &Poll<io::Result<usize>>) {
        let mut state = self.0.lock();
        match polled {
            Poll::Pending => state.write_blocked(),
            Poll::Ready(Ok(_)) => state.wrote(),
            Poll::Ready(Err(_)) => {}
        }
    }
}

// === impl Turn ===

impl Turn {
    /// The answer's head is ready.
    pub(super) fn answer(&self) {
        self.0.0.lock().answer();
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.0.lock().finish();
    }
}

// === impl Guarded ===

impl<I> Guarded<I> {
    /// Watches `io`.
    pub(super) fn new(io: I, watch: Watch) -> Self {
        Self { io, watch }
    }

    /// Notes what became of a flush. Only a stream that holds bytes back waits there, as one in TLS does,
    /// until they are sent; any other is spared the lock.
    fn note_flush(&self, polled: &Poll<io::Result<()>>) {
        if polled.is_pending() {
            self.watch.0.lock().write_blocked();
        }
    }
}

impl<I: AsyncRead + Unpin> Guarded<I> {
    fn poll_client_end(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.watch.0.lock().hang_up() {
            let mut scratch = [0; SCRATCH];
            let mut buffer = ReadBuf::new(&mut scratch);
            ready!(Pin::new(&mut *self).poll_read(cx, &mut buffer))?;
        }
        Poll::Ready(Ok(()))
    }
}

impl<I: AsyncRead + Unpin> AsyncRead for Guarded<I> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.io).poll_read(cx, buffer);
        let mut state = self.watch.0.lock();
        match &polled {
            Poll::Pending => state.read_blocked(),
            Poll::Ready(Ok(())) => state.read(buffer.filled().len() - before),
            Poll::Ready(Err(_)) => {}
        }
        drop(state);
        polled
    }
}

impl<I: AsyncWrite + AsyncRead + Unpin> AsyncWrite for Guarded<I> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.io).poll_write(cx, bytes);
        self.watch.note_write(&polled);
        polled
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.io).poll_write_vectored(cx, pieces);
        self.watch.note_write(&polled);
        polled
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.io).poll_flush(cx);
        self.note_flush(&polled);
        polled
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.io).poll_shutdown(cx);
        self.note_flush(&polled);
        ready!(polled)?;
        self.poll_client_end(cx)
    }
}
