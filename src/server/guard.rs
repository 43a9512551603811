//! The connection's bytes, watched: what passes is noted, nothing is changed or judged here.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::http2::Meter;
use super::opening::{Agreed, Version};
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
    /// Counts the frames that come, where HTTP/2 is spoken.
    meter: Option<Box<Meter>>,
}

// === impl Watch ===

impl Watch {
    /// Begins to watch a connection just accepted.
    pub(super) fn new(channel: Channel) -> Self {
        Self(Arc::new(Mutex::new(State::accepted(channel))))
    }

    /// A request's head is whole.
    pub(super) fn begin(&self, has_body: bool) -> Turn {
        self.admit(has_body);
        Turn(self.clone())
    }

    /// HTTP/2 is spoken from now on.
    pub(super) fn share(&self) {
        self.0.lock().share();
    }

    /// What the client is waited for.
    pub(super) fn wait(&self) -> Option<Wait> {
        self.0.lock().wait()
    }

    /// A request begins whose end is not waited for here.
    pub(super) fn admit(&self, has_body: bool) {
        self.0.lock().begin(has_body);
    }

    /// The answer's head is ready.
    pub(super) fn answer(&self) {
        self.0.lock().answer();
    }

    /// More is wanted of the client, and has not come; returns whether that is new.
    pub(super) fn await_more(&self) -> bool {
        self.0.lock().read_blocked()
    }

    /// So many bytes came.
    pub(super) fn received(&self, bytes: usize) {
        self.0.lock().read(bytes);
    }

    /// The client is given more than it may have taken.
    pub(super) fn give(&self) {
        self.0.lock().write_blocked();
    }

    /// It has taken all that it was given.
    pub(super) fn taken(&self) {
        self.0.lock().sent();
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
        self.0.answer();
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
        Self {
            io,
            watch,
            meter: None,
        }
    }

    /// From now on what comes is frames of HTTP/2, behind the preface if that is still to come.
    pub(super) fn count_frames(&mut self, with_preface: bool) {
        self.watch.share();
        self.meter = Some(Box::new(Meter::new(with_preface)));
    }

    fn note_sent(&mut self, polled: &Poll<io::Result<usize>>) {
        if let (Some(meter), Poll::Ready(Ok(sent))) = (&mut self.meter, polled) {
            meter.sent(*sent);
        }
        self.watch.note_write(polled);
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

impl<I: Agreed> Agreed for Guarded<I> {
    fn poll_agreed(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Option<Version>>> {
        self.io.poll_agreed(cx)
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
        let this = &mut *self;
        let mut state = this.watch.0.lock();
        match &polled {
            Poll::Pending => {
                state.read_blocked();
            }
            Poll::Ready(Ok(())) => state.read(buffer.filled().len() - before),
            Poll::Ready(Err(_)) => {}
        }
        if let (Some(meter), Some(read)) = (&mut this.meter, buffer.filled().get(before..)) {
            meter.answered(state.answered());
            meter.read(read).map_err(io::Error::other)?;
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
        self.note_sent(&polled);
        polled
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.io).poll_write_vectored(cx, pieces);
        self.note_sent(&polled);
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
