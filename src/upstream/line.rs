//! One connection to the upstream, as the HTTP client sees it: bytes that are watched, and may be cut.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper_util::client::legacy::connect::{Connected, Connection};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

use super::error::is_refusal;
use super::gates::Gates;
use super::wire::{Protocol, Wire};

/// How long a request body that has had its answer may go on waiting for a shared connection to take a
/// piece, which is when it can be ended. An origin that neither lets anything through nor resets the
/// stream loses the connection.
const LINGER: Duration = Duration::from_secs(20);

/// What may have been written without anybody taking it: twice what the system keeps unsent, and the first
/// of what a line is trusted with.
const AHEAD: usize = 512 * 1024;

/// A byte stream: TCP, TLS, or TLS within a tunnel.
pub(super) type Io = Pin<Box<dyn Duplex>>;

/// What a byte stream can do.
pub(super) trait Duplex: AsyncRead + AsyncWrite + Send {}

impl<T: AsyncRead + AsyncWrite + Send> Duplex for T {}

/// A connection as the HTTP client sees it.
pub(super) struct Line {
    io: Io,
    wire: Wire,
    is_deaf: bool,
    linger: Option<Linger>,
    /// Bytes written since something was read.
    taken: usize,
    gates: Option<Arc<Gates>>,
}

/// How long request bodies that nobody wants to send have stayed, none of them having gone.
struct Linger {
    alarm: Pin<Box<Sleep>>,
    gone: usize,
}

impl Line {
    pub(super) fn new(io: Io, protocol: Protocol) -> Self {
        Self {
            io,
            wire: Wire::new(protocol),
            is_deaf: false,
            linger: None,
            taken: 0,
            gates: None,
        }
    }

    /// Tells `gates` when the other side takes what is sent, and so lives.
    pub(super) fn felt_by(self, gates: &Arc<Gates>) -> Self {
        Self {
            gates: Some(Arc::clone(gates)),
            ..self
        }
    }

    /// Takes note of what was written. The first of it lies in this machine, whoever lives.
    fn note_write(&mut self, polled: &Poll<io::Result<usize>>) {
        self.wire.note_write(polled);
        if let (Poll::Ready(Ok(bytes)), Some(gates)) = (polled, &self.gates) {
            self.taken = self.taken.saturating_add(*bytes);
            if self.taken > AHEAD {
                gates.delivered(Instant::now());
            }
        }
    }

    /// Fails when request bodies that nobody wants to send linger for too long.
    fn poll_lingering(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        if self.wire.lingering() == 0 {
            self.linger = None;
            return Ok(());
        }
        let gone = self.wire.gone();
        let linger = match self.linger.take() {
            Some(linger) if linger.gone == gone => linger,
            _ => Linger {
                alarm: Box::pin(sleep(LINGER)),
                gone,
            },
        };
        let linger = self.linger.insert(linger);
        match linger.alarm.as_mut().poll(cx) {
            Poll::Ready(()) => Err(io::ErrorKind::TimedOut.into()),
            Poll::Pending => Ok(()),
        }
    }

    #[cfg(test)]
    pub(super) fn wire(&self) -> Wire {
        self.wire.clone()
    }

    /// An origin that has answered early may close its reading side before it has sent the answer's
    /// last byte. A failed write is therefore not the end: what the origin said can still be read,
    /// and reading finds the end.
    fn wrote<T>(&mut self, cx: &Context<'_>, polled: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        match polled {
            Poll::Ready(Err(error)) if is_hang_up(&error) => {
                self.is_deaf = true;
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            other => other,
        }
    }
}

impl AsyncRead for Line {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.wire.check(cx)?;
        self.poll_lingering(cx)?;
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.io).poll_read(cx, buf);
        if buf.filled().len() > before {
            self.wire.note_read();
            self.taken = 0;
        }
        if let Poll::Ready(Err(error)) = &polled
            && is_refusal(error)
        {
            self.wire.note_refusal(error);
        }
        polled
    }
}

impl AsyncWrite for Line {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.wire.check(cx)?;
        if self.is_deaf {
            return Poll::Pending;
        }
        let polled = Pin::new(&mut self.io).poll_write(cx, buf);
        self.note_write(&polled);
        self.wrote(cx, polled)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.wire.check(cx)?;
        if self.is_deaf {
            return Poll::Pending;
        }
        let polled = Pin::new(&mut self.io).poll_write_vectored(cx, bufs);
        self.note_write(&polled);
        self.wrote(cx, polled)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.wire.check(cx)?;
        if self.is_deaf {
            return Poll::Pending;
        }
        let polled = Pin::new(&mut self.io).poll_flush(cx);
        self.wrote(cx, polled)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.is_deaf || self.wire.check(cx).is_err() {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

impl Connection for Line {
    fn connected(&self) -> Connected {
        let connected = match self.wire.protocol() {
            Protocol::Http1 => Connected::new(),
            Protocol::Http1ToProxy => Connected::new().proxy(true),
            Protocol::Http2 => Connected::new().negotiated_h2(),
        };
        connected.extra(self.wire.clone())
    }
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Line").finish_non_exhaustive()
    }
}

fn is_hang_up(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::BrokenPipe
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::NotConnected
    )
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
    use tokio::time::timeout;

    use super::*;

    /// Takes everything, and fails the first read so.
    struct Refusing(Option<io::Error>);

    impl AsyncRead for Refusing {
        fn poll_read(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            _: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            Poll::Ready(self.0.take().map_or(Ok(()), Err))
        }
    }

    impl AsyncWrite for Refusing {
        fn poll_write(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
            bytes: &[u8],
        ) -> Poll<io::Result<usize>> {
            Poll::Ready(Ok(bytes.len()))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    fn line() -> (Line, DuplexStream) {
        let (near, far) = duplex(64);
        (Line::new(Box::pin(near), Protocol::Http1), far)
    }

    #[tokio::test]
    async fn what_the_origin_said_before_it_hung_up_is_read() {
        let (mut line, mut far) = line();
        far.write_all(b"refused").await.unwrap();
        drop(far);
        let written = poll_fn(|cx| Poll::Ready(Pin::new(&mut line).poll_write(cx, b"more"))).await;
        assert!(written.is_pending(), "{written:?}");
        let mut said = String::new();
        line.read_to_string(&mut said).await.unwrap();
        assert_eq!(said, "refused");
    }

    #[tokio::test]
    async fn severing_ends_both_directions_at_once() {
        let (line, _far) = line();
        let wire = line.wire.clone();
        let (mut reader, mut writer) = tokio::io::split(line);
        let (read, written) = tokio::join!(reader.read_u8(), async {
            wire.sever();
            writer.write_all(b"more").await
        });
        assert_eq!(read.unwrap_err().kind(), io::ErrorKind::ConnectionAborted);
        assert_eq!(
            written.unwrap_err().kind(),
            io::ErrorKind::ConnectionAborted
        );
    }

    #[tokio::test]
    async fn why_a_server_does_not_speak_with_us_is_kept_for_whoever_asks_next() {
        use rustls::AlertDescription::{CertificateRequired, InternalError};

        for (said, is_kept) in [(CertificateRequired, true), (InternalError, false)] {
            let said = rustls::Error::AlertReceived(said);
            let error = io::Error::new(io::ErrorKind::InvalidData, said);
            let mut line = Line::new(Box::pin(Refusing(Some(error))), Protocol::Http1);
            let wire = line.wire.clone();
            assert_eq!(wire.refusal(), None);
            line.read_u8().await.unwrap_err();
            let why = "received fatal alert: ";
            let kept = wire.refusal().is_some_and(|kept| kept.starts_with(why));
            assert_eq!(kept, is_kept, "{:?}", wire.refusal());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_nobody_wants_ends_the_connection_if_it_is_not_let_go() {
        for is_let_go in [true, false] {
            let (mut line, far) = line();
            let wire = line.wire.clone();
            wire.linger();
            let read = async { timeout(2 * LINGER, line.read_u8()).await };
            let settle = async {
                if is_let_go {
                    sleep(LINGER / 2).await;
                    wire.settled();
                }
            };
            let (read, ()) = tokio::join!(read, settle);
            assert_eq!(read.is_err(), is_let_go, "{read:?}");
            drop(far);
        }
    }

    #[tokio::test]
    async fn a_line_that_takes_an_upload_lives() {
        let rule = crate::config::Breaker {
            failures: 3,
            cooldown: LINGER,
        };
        let open = crate::metrics::Gauge::new("open", "open").unwrap();
        let gates = Arc::new(Gates::new(rule, open));
        let (line, mut far) = line();
        let mut line = line.felt_by(&gates);
        let taken = async {
            let mut bytes = vec![0; AHEAD + 1];
            far.read_exact(&mut bytes[..AHEAD]).await.unwrap();
            let before = gates.is_felt();
            far.read_exact(&mut bytes[AHEAD..]).await.unwrap();
            before
        };
        let bytes = vec![0; AHEAD];
        let sent = async {
            line.write_all(&bytes).await.unwrap();
            tokio::task::yield_now().await;
            line.write_all(b"x").await.unwrap();
        };
        let (before, ()) = tokio::join!(taken, sent);
        assert!(!before, "it may all lie in this machine");
        assert!(gates.is_felt());
    }

    #[tokio::test]
    async fn only_a_used_and_silent_connection_is_stale() {
        let (mut line, mut far) = line();
        let wire = line.wire.clone();
        line.write_all(b"request").await.unwrap();
        let begun = Instant::now();
        assert!(!wire.is_stale(begun), "never used");
        far.write_all(b"a").await.unwrap();
        line.read_u8().await.unwrap();
        wire.mark_used();
        assert!(!wire.is_stale(begun), "it has just answered");
        line.write_all(b"request").await.unwrap();
        assert!(wire.is_stale(begun));
    }
}
