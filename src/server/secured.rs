//! The stream behind a TLS handshake, from before it is made.

use std::fmt;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::server::TlsStream;

use super::chooser::{Agreed, Version};
use super::guard::Watch;
use super::spoken;

/// The making of a stream.
type Shaking<I> = Pin<Box<dyn Future<Output = io::Result<Open<I>>> + Send>>;

type Open<I> = Box<TlsStream<Below<I>>>;

/// A byte stream in TLS; its first read makes the handshake.
pub(super) struct Secured<I>(State<I>);

enum State<I> {
    Shaking(Shaking<I>),
    Open(Open<I>),
    /// There will never be a stream.
    Broken,
}

/// The stream below TLS: its first byte tells whether TLS is spoken at all, and what leaves by it is
/// what the client takes.
#[derive(Debug)]
pub(super) struct Below<I> {
    io: I,
    watch: Watch,
    has_begun: bool,
}

/// What came is the beginning of an HTTP request.
#[derive(Debug, thiserror::Error)]
#[error("what came was not TLS but HTTP")]
pub(super) struct ClearText;

// === impl Secured ===

impl<I> Secured<I> {
    /// Of a handshake that has not begun.
    pub(super) fn new(shaking: Shaking<I>) -> Self {
        Self(State::Shaking(shaking))
    }

    /// What there is of the stream by now.
    fn open(&mut self) -> io::Result<&mut Open<I>> {
        match &mut self.0 {
            State::Open(stream) => Ok(stream),
            State::Shaking(_) | State::Broken => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    fn poll_open(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<&mut Open<I>>> {
        if let State::Shaking(shaking) = &mut self.0 {
            let shaken = ready!(shaking.as_mut().poll(cx));
            // Whatever became of it, it must not be polled again.
            self.0 = State::Broken;
            self.0 = State::Open(shaken?);
        }
        Poll::Ready(self.open())
    }
}

impl<I> Agreed for Secured<I> {
    /// Makes the handshake. Who names no version speaks HTTP/1.
    fn poll_agreed(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Option<Version>>> {
        let stream = ready!(self.poll_open(cx))?;
        let version = match stream.get_ref().1.alpn_protocol() {
            Some(spoken::HTTP_2) => Version::Http2,
            _ => Version::Http1,
        };
        Poll::Ready(Ok(Some(version)))
    }
}

impl<I: AsyncRead + AsyncWrite + Unpin> AsyncRead for Secured<I> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let stream = ready!(self.get_mut().poll_open(cx))?;
        match ready!(Pin::new(stream).poll_read(cx, buffer)) {
            // The client hung up without a farewell. Whether it had said everything is told by HTTP:
            // every request says where it ends.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Poll::Ready(Ok(())),
            read => Poll::Ready(read),
        }
    }
}

impl<I: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Secured<I> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(self.get_mut().open()?).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(self.get_mut().open()?).poll_write_vectored(cx, pieces)
    }

    /// A head and the beginning of its body share a record, and the body is not copied before it is
    /// encrypted.
    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut().open() {
            Ok(stream) => Pin::new(stream).poll_flush(cx),
            // Nothing was written yet.
            Err(_) => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut().open() {
            Ok(stream) => Pin::new(stream).poll_shutdown(cx),
            // Nobody is there to be told.
            Err(_) => Poll::Ready(Ok(())),
        }
    }
}

impl<I> fmt::Debug for Secured<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            State::Shaking(_) => "Secured(Shaking)",
            State::Open(_) => "Secured(Open)",
            State::Broken => "Secured(Broken)",
        })
    }
}

// === impl Below ===

impl<I> Below<I> {
    /// Of which nothing has been read.
    pub(super) fn new(io: I, watch: Watch) -> Self {
        Self {
            io,
            watch,
            has_begun: false,
        }
    }
}

impl<I: AsyncRead + Unpin> AsyncRead for Below<I> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.io).poll_read(cx, buffer))?;
        if !self.has_begun
            && let Some(first) = buffer.filled().get(before)
        {
            self.has_begun = true;
            // Methods are written in capitals; a handshake begins with 22.
            if first.is_ascii_uppercase() {
                return Poll::Ready(Err(io::Error::other(ClearText)));
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl<I: AsyncWrite + Unpin> AsyncWrite for Below<I> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.io).poll_write(cx, bytes);
        self.watch.note_sent(&polled);
        polled
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.io).poll_write_vectored(cx, pieces);
        self.watch.note_sent(&polled);
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

// === impl ClearText ===

impl ClearText {
    /// Whether that is what an error says.
    pub(super) fn is_why(error: &io::Error) -> bool {
        let inner = error.get_ref();
        inner
            .and_then(|inner| inner.downcast_ref::<Self>())
            .is_some()
    }
}
