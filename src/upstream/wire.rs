//! A handle to one connection to the upstream, to see it move and to cut it.
//!
//! The HTTP client owns its connections and says little about them; what an exchange must know, and
//! the power to end it, are added below it, in [`line`](super::line).

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::task::AtomicWaker;
use tokio::time::Instant;

/// What is spoken on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    Http1,
    /// An HTTP proxy listens, and wants absolute-form targets.
    Http1ToProxy,
    /// Exchanges share the connection.
    Http2,
}

/// A handle to a connection; clones share it.
#[derive(Clone, Debug)]
pub(super) struct Wire(Arc<State>);

#[derive(Debug)]
struct State {
    protocol: Protocol,
    is_severed: AtomicBool,
    is_used: AtomicBool,
    has_heard: AtomicBool,
    opened: Instant,
    last_write: AtomicU64,
    last_read: AtomicU64,
    lingering: AtomicUsize,
    /// How many of them have gone.
    gone: AtomicUsize,
    waker: AtomicWaker,
    /// Why the server does not speak with us, once it has said so.
    refusal: OnceLock<String>,
}

impl Wire {
    pub(super) fn new(protocol: Protocol) -> Self {
        Self(Arc::new(State {
            protocol,
            is_severed: AtomicBool::new(false),
            is_used: AtomicBool::new(false),
            has_heard: AtomicBool::new(false),
            opened: Instant::now(),
            last_write: AtomicU64::new(0),
            last_read: AtomicU64::new(0),
            lingering: AtomicUsize::new(0),
            gone: AtomicUsize::new(0),
            waker: AtomicWaker::new(),
            refusal: OnceLock::new(),
        }))
    }

    pub(super) fn protocol(&self) -> Protocol {
        self.0.protocol
    }

    /// How many such bodies it has let go of.
    pub(super) fn gone(&self) -> usize {
        self.0.gone.load(Ordering::Acquire)
    }

    /// Whether others' exchanges run on it too: what it does then says nothing of one of them.
    pub(super) fn is_shared(&self) -> bool {
        self.0.protocol == Protocol::Http2
    }

    /// Cuts the connection: whatever the client still wants of it fails, and it is closed.
    pub(super) fn sever(&self) {
        self.0.is_severed.store(true, Ordering::Release);
        self.0.waker.wake();
    }

    /// When bytes were last written.
    pub(super) fn last_write(&self) -> Instant {
        self.0.opened + Duration::from_nanos(self.0.last_write.load(Ordering::Relaxed))
    }

    /// Whether nothing at all has been heard since `then`.
    pub(super) fn is_silent_since(&self, then: Instant) -> bool {
        self.0.opened + Duration::from_nanos(self.0.last_read.load(Ordering::Relaxed)) < then
    }

    /// Takes note that a request body is not wanted any more which a shared connection still has,
    /// until it is [`settled`](Self::settled).
    pub(super) fn linger(&self) {
        self.0.lingering.fetch_add(1, Ordering::Release);
        self.0.waker.wake();
    }

    pub(super) fn lingering(&self) -> usize {
        self.0.lingering.load(Ordering::Acquire)
    }

    /// The connection has let go of such a body.
    pub(super) fn settled(&self) {
        self.0.gone.fetch_add(1, Ordering::Release);
        self.0.lingering.fetch_sub(1, Ordering::Release);
    }

    /// Takes note that the connection has carried an answer.
    pub(super) fn mark_used(&self) {
        self.0.is_used.store(true, Ordering::Relaxed);
    }

    /// Whether the connection had carried an answer before, and was silent since the last write, or
    /// where others write too, since the exchange had `begun`: the origin had closed it while it was
    /// idle.
    pub(super) fn is_stale(&self, begun: Instant) -> bool {
        let is_silent = if self.is_shared() {
            self.is_silent_since(begun)
        } else {
            !self.0.has_heard.load(Ordering::Relaxed)
        };
        self.0.is_used.load(Ordering::Relaxed) && is_silent
    }

    /// Fails where it was cut, and is told when it will be.
    pub(super) fn check(&self, cx: &Context<'_>) -> io::Result<()> {
        self.0.waker.register(cx.waker());
        if self.0.is_severed.load(Ordering::Acquire) {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        Ok(())
    }

    pub(super) fn note_write(&self, polled: &Poll<io::Result<usize>>) {
        let Poll::Ready(result) = polled else {
            return;
        };
        self.0.has_heard.store(false, Ordering::Relaxed);
        if matches!(result, Ok(1..)) {
            self.0.last_write.store(self.age(), Ordering::Relaxed);
        }
    }

    /// The server does not speak with us, for this reason. The HTTP client tells it to whoever is asking just
    /// then; to whoever asks next, it only tells that the connection is gone.
    pub(super) fn note_refusal(&self, why: &io::Error) {
        self.0.refusal.get_or_init(|| why.to_string());
    }

    /// Why the server does not speak with us, if it has said so.
    pub(super) fn refusal(&self) -> Option<&str> {
        self.0.refusal.get().map(String::as_str)
    }

    pub(super) fn note_read(&self) {
        self.0.has_heard.store(true, Ordering::Relaxed);
        self.0.last_read.store(self.age(), Ordering::Relaxed);
    }

    /// In nanoseconds.
    fn age(&self) -> u64 {
        let since = Instant::now().saturating_duration_since(self.0.opened);
        u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
    }
}
