//! The connection's bytes, watched: what passes is noted, nothing is changed or judged here.

use std::io::{self, IoSlice};
use std::iter;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};

use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

use super::Limits;
use super::chooser::{Agreed, Version};
use super::clock::Cuts;
use super::form::Unfit;
use super::http2::Traffic;
use super::phase::{Channel, State, Wait};
use super::raw::RawHead;

/// Bytes thrown away at a time after we hung up.
const SCRATCH: usize = 8 * 1024;

/// Bytes of a write that belong to an answer where nothing is left to answer: in HTTP/2 its last pieces
/// wait for room, and what the protocol itself says is shorter.
const OF_AN_ANSWER: usize = 1024;

/// What is known of one connection, shared by its parts.
///
/// They all run in the connection's own task: the lock is hardly ever contended.
#[derive(Clone, Debug)]
pub(super) struct Watch(Arc<Mutex<Watched>>);

#[derive(Debug)]
struct Watched {
    state: State,
    /// The head that is due.
    head: RawHead,
    /// Since when the client has been waited for.
    since: Instant,
    /// Whoever keeps the time, in case somebody else has something to say.
    clock: Option<Waker>,
    /// More frames came than what they brought is worth.
    is_flooded: bool,
}

/// One request and its answer; dropped when the answer's body has ended.
#[derive(Debug)]
pub(super) struct Turn(Watch);

/// A byte stream that notes what passes.
#[derive(Debug)]
pub(super) struct Guarded<I> {
    io: I,
    watch: Watch,
    /// Its frames, where HTTP/2 is spoken.
    traffic: Option<Box<Traffic>>,
}

// === impl Watch ===

impl Watch {
    /// Begins to watch a connection just accepted.
    pub(super) fn new(channel: Channel, limits: &Limits) -> Self {
        Self(Arc::new(Mutex::new(Watched {
            state: State::accepted(channel, limits.in_a_minute()),
            head: RawHead::default(),
            since: Instant::now(),
            clock: None,
            is_flooded: false,
        })))
    }

    /// A request's head is whole; says too what the library has let pass in it.
    pub(super) fn begin(&self, has_body: bool) -> (Turn, Option<Unfit>) {
        let mut watched = self.0.lock();
        watched.state.begin(has_body);
        (Turn(self.clone()), watched.head.end(has_body))
    }

    /// HTTP/2 is spoken from now on.
    pub(super) fn share(&self) {
        let mut watched = self.0.lock();
        watched.state.share();
        // It was no head.
        watched.head = RawHead::default();
    }

    /// What the client is waited for.
    pub(super) fn wait(&self) -> Option<Wait> {
        self.0.lock().state.wait()
    }

    /// A wait begins, and `clock` is whom to wake.
    pub(super) fn waits(&self, since: Instant, clock: &Waker) {
        let mut watched = self.0.lock();
        watched.since = since;
        watched.kept_by(clock);
        // Asked to go before anybody could be woken.
        if watched.state.is_asked_to_go() {
            watched.wake();
        }
    }

    /// Since when the client has been waited for, if there is nothing to answer.
    pub(super) fn silent_since(&self) -> Option<Instant> {
        let watched = self.0.lock();
        watched.state.is_silent().then_some(watched.since)
    }

    /// Whether it was cut for the frames that came.
    pub(super) fn is_flooded(&self) -> bool {
        self.0.lock().is_flooded
    }

    /// The client has been told to go, and may take a moment to hear it.
    pub(super) fn part(&self) {
        self.0.lock().state.part();
    }

    /// Asks the client to go, unless there is something to answer by now; returns whether it was asked.
    pub(super) fn dismiss(&self) -> bool {
        let mut watched = self.0.lock();
        let is_asked = watched.state.dismiss();
        if is_asked {
            watched.wake();
        }
        is_asked
    }

    /// A request begins whose end is not waited for here.
    pub(super) fn admit(&self, has_body: bool) {
        self.0.lock().state.begin(has_body);
    }

    /// The answer's head is ready.
    pub(super) fn answer(&self) {
        self.0.lock().state.answer();
    }

    /// Whom to wake when more is awaited.
    pub(super) fn keep_time(&self, clock: &Waker) {
        self.0.lock().kept_by(clock);
    }

    /// More is wanted of the client, and has not come.
    pub(super) fn await_more(&self) {
        let mut watched = self.0.lock();
        if watched.state.read_blocked() {
            watched.wake();
        }
    }

    /// So many bytes came.
    pub(super) fn received(&self, bytes: usize) {
        self.0.lock().state.read(bytes);
    }

    /// The client is given more than it may have taken.
    pub(super) fn give(&self) {
        self.0.lock().state.write_blocked();
    }

    /// It has taken so many bytes, all that it was given.
    pub(super) fn taken(&self, bytes: usize) {
        self.0.lock().state.sent(bytes);
    }

    /// Notes that the handshake is over, whatever became of it.
    pub(super) fn note_shaken(&self) {
        self.0.lock().state.shaken();
    }

    /// Notes what became of a write below TLS.
    pub(super) fn note_sent(&self, polled: &Poll<io::Result<usize>>) {
        if let Poll::Ready(Ok(bytes)) = polled {
            self.taken(*bytes);
        }
    }

    fn note_write(&self, polled: &Poll<io::Result<usize>>) {
        let mut watched = self.0.lock();
        match polled {
            Poll::Pending => watched.state.write_blocked(),
            Poll::Ready(Ok(bytes)) => {
                let was_emptied = watched.state.is_being_emptied();
                watched.state.wrote(*bytes);
                let is_of_an_answer = *bytes >= OF_AN_ANSWER && watched.state.is_sharing_silently();
                if was_emptied || is_of_an_answer {
                    watched.since = Instant::now();
                }
            }
            Poll::Ready(Err(_)) => {}
        }
    }
}

// === impl Watched ===

impl Watched {
    fn read(&mut self, bytes: &[u8]) {
        self.state.read(bytes.len());
        if self.state.is_reading_a_head() {
            self.head.note(bytes);
        }
    }

    fn kept_by(&mut self, clock: &Waker) {
        match &mut self.clock {
            Some(kept) => kept.clone_from(clock),
            None => self.clock = Some(clock.clone()),
        }
    }

    fn wake(&self) {
        if let Some(clock) = &self.clock {
            clock.wake_by_ref();
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
        let mut watched = self.0.0.lock();
        if watched.state.finish() {
            // Whoever keeps the connection's time may not look at it for a while: this is another task.
            watched.since = Instant::now();
            watched.wake();
        }
    }
}

// === impl Guarded ===

impl<I> Guarded<I> {
    /// Watches `io`.
    pub(super) fn new(io: I, watch: Watch) -> Self {
        Self {
            io,
            watch,
            traffic: None,
        }
    }

    /// From now on what comes is frames of HTTP/2, behind the preface if that is still to come.
    pub(super) fn count_frames(&mut self, with_preface: bool, cuts: Cuts) {
        self.watch.share();
        self.traffic = Some(Box::new(Traffic::new(with_preface, cuts)));
    }

    /// Notes what became of a write of `pieces`.
    fn note_sent<'a>(
        &mut self,
        polled: &Poll<io::Result<usize>>,
        pieces: impl Iterator<Item = &'a [u8]>,
    ) {
        if let (Some(traffic), Poll::Ready(Ok(sent))) = (&mut self.traffic, polled) {
            traffic.went(*sent, pieces);
        }
        self.watch.note_write(polled);
    }

    /// Notes what became of a flush. Only a stream that holds bytes back waits there, as one in TLS does,
    /// until they are sent; any other is spared the lock.
    fn note_flush(&self, polled: &Poll<io::Result<()>>) {
        if polled.is_pending() {
            self.watch.0.lock().state.write_blocked();
        }
    }
}

impl<I: AsyncRead + Unpin> Guarded<I> {
    fn poll_client_end(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.watch.0.lock().state.hang_up() {
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
        let read = buffer.filled().get(before..).unwrap_or_default();
        let mut watched = this.watch.0.lock();
        match &polled {
            Poll::Pending => {
                watched.state.read_blocked();
            }
            Poll::Ready(Ok(())) => watched.read(read),
            Poll::Ready(Err(_)) => {}
        }
        if let Some(traffic) = &mut this.traffic
            && let Err(flood) = traffic.came(read, watched.state.answered())
        {
            // The library hands on what an error says, not what it is.
            watched.is_flooded = true;
            return Poll::Ready(Err(io::Error::other(flood)));
        }
        drop(watched);
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
        self.note_sent(&polled, iter::once(bytes));
        polled
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.io).poll_write_vectored(cx, pieces);
        self.note_sent(&polled, pieces.iter().map(|piece| &**piece));
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
