//! How a connection opens: which version of HTTP is spoken on it.
//!
//! TLS agrees on one. In clear text the first bytes tell: HTTP/2 begins with a line that no request of
//! HTTP/1 can begin with. How long that may take is not known here.

use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What a client of HTTP/2 says first (RFC 9113 §3.4).
pub(super) const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A version of HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// HTTP/1.1, or 1.0.
    Http1,
    /// HTTP/2.
    Http2,
}

/// A stream that may know what is spoken on it before its first byte.
pub(super) trait Agreed {
    /// The version that was agreed on, once anything could be; none where the first bytes tell.
    fn poll_agreed(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Option<Version>>> {
        let _ = cx;
        Poll::Ready(Ok(None))
    }
}

/// A byte stream whose first bytes have been looked at, and are read all the same.
#[derive(Debug)]
pub(super) struct Chooser<I> {
    io: I,
    first: [u8; PREFACE.len()],
    /// Of the first bytes, those that came.
    came: usize,
    /// And those that were read again.
    given: usize,
}

/// Which version begins with these bytes; none where more of them must come.
pub fn version(first: &[u8]) -> Option<Version> {
    match first.get(..PREFACE.len()) {
        Some(whole) if whole == PREFACE => Some(Version::Http2),
        None if PREFACE.starts_with(first) => None,
        _ => Some(Version::Http1),
    }
}

impl<I> Chooser<I> {
    /// Of which nothing has been read.
    pub(super) fn new(io: I) -> Self {
        Self {
            io,
            first: [0; PREFACE.len()],
            came: 0,
            given: 0,
        }
    }

    /// The stream below.
    pub(super) fn below(&mut self) -> &mut I {
        &mut self.io
    }

    /// Whether the client has said nothing yet.
    pub(super) fn is_silent(&self) -> bool {
        self.came == 0
    }

    fn came(&self) -> &[u8] {
        self.first.get(..self.came).unwrap_or_default()
    }

    /// The first bytes that are still to be read.
    fn left(&self) -> &[u8] {
        self.came().get(self.given..).unwrap_or_default()
    }
}

impl<I: Agreed + AsyncRead + Unpin> Chooser<I> {
    /// Finds out what is spoken.
    pub(super) async fn version(&mut self) -> io::Result<Version> {
        match poll_fn(|cx| self.io.poll_agreed(cx)).await? {
            Some(agreed) => Ok(agreed),
            None => poll_fn(|cx| self.poll_first(cx)).await,
        }
    }

    fn poll_first(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Version>> {
        loop {
            if let Some(version) = version(self.came()) {
                return Poll::Ready(Ok(version));
            }
            let room = self.first.get_mut(self.came..).unwrap_or_default();
            let mut buffer = ReadBuf::new(room);
            ready!(Pin::new(&mut self.io).poll_read(cx, &mut buffer))?;
            match buffer.filled().len() {
                // It is over: what is to be said of that, HTTP/1 knows.
                0 => return Poll::Ready(Ok(Version::Http1)),
                came => self.came += came,
            }
        }
    }
}

impl<I: AsyncRead + Unpin> AsyncRead for Chooser<I> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.given == self.came {
            return Pin::new(&mut self.io).poll_read(cx, buffer);
        }
        let left = self.left();
        let now = left.len().min(buffer.remaining());
        buffer.put_slice(left.split_at(now).0);
        self.given += now;
        if buffer.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        // With what is there besides: to make room for a second read, HTTP/1 takes twice as much for good.
        match Pin::new(&mut self.io).poll_read(cx, buffer) {
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Ready(Ok(())) | Poll::Pending => Poll::Ready(Ok(())),
        }
    }
}

impl<I: AsyncWrite + Unpin> AsyncWrite for Chooser<I> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, pieces)
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
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

    use super::*;

    #[test]
    fn only_the_whole_preface_is_http_2_and_its_beginning_may_yet_be() {
        assert_eq!(version(b""), None);
        for length in 1..PREFACE.len() {
            assert_eq!(version(&PREFACE[..length]), None, "{length}");
        }
        assert_eq!(version(PREFACE), Some(Version::Http2));
        assert_eq!(
            version(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0"),
            Some(Version::Http2)
        );
        for other in [
            &b"G"[..],
            b"PUT",
            b"PROPFIND",
            b"PRI * HTTP/1.1",
            b"pri",
            b"\x16\x03\x01",
        ] {
            assert_eq!(version(other), Some(Version::Http1), "{other:?}");
        }
    }

    impl Agreed for DuplexStream {}

    #[tokio::test]
    async fn what_was_looked_at_is_read_all_the_same_however_it_came() {
        let request = b"PRINT / HTTP/1.1\r\nhost: x\r\n\r\n";
        for pieces in 1..=request.len() {
            let (mut near, far) = duplex(1024);
            let mut chooser = Chooser::new(far);
            let sending = async {
                for piece in request.chunks(pieces) {
                    near.write_all(piece).await.unwrap();
                    tokio::task::yield_now().await;
                }
                drop(near);
            };
            let reading = async {
                assert_eq!(chooser.version().await.unwrap(), Version::Http1);
                let mut read = Vec::new();
                chooser.read_to_end(&mut read).await.unwrap();
                assert_eq!(read, request);
            };
            tokio::join!(sending, reading);
        }
    }
}
