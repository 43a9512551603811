//! A connection that HTTP/2 reads and writes, and that can be written to behind its back.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::super::link::Link;

/// A connection; clones share it.
#[derive(Clone, Debug)]
pub struct Tap(Arc<Mutex<Link>>);

// === impl Tap ===

impl Tap {
    pub fn new(link: Link) -> Self {
        Self(Arc::new(Mutex::new(link)))
    }

    /// Sends bytes as they are; that the other side has left is not our affair.
    pub async fn write(&self, bytes: &[u8]) {
        let mut left = bytes;
        while !left.is_empty() {
            let written = poll_fn(|cx| Pin::new(&mut *self.0.lock()).poll_write(cx, left)).await;
            let Ok(written) = written else { return };
            left = &left[written..];
        }
        poll_fn(|cx| Pin::new(&mut *self.0.lock()).poll_flush(cx))
            .await
            .ok();
    }

    /// Closes in an orderly way.
    pub async fn close(&self) {
        poll_fn(|cx| Pin::new(&mut *self.0.lock()).poll_shutdown(cx))
            .await
            .ok();
    }
}

impl AsyncRead for Tap {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0.lock()).poll_read(cx, buf)
    }
}

impl AsyncWrite for Tap {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.0.lock()).poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0.lock()).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0.lock()).poll_shutdown(cx)
    }
}
