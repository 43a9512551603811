//! The way out of a connection: bytes that stand for a stretch of a file are sent from the file, all
//! others as they are. What stands for what, the outlet knows.
//!
//! Only on Linux. Elsewhere no outlet is handed out, and everything is sent as it is.

use std::io::{self, IoSlice};
use std::os::fd::BorrowedFd;
use std::pin::Pin;
use std::task::{Context, Poll};

use rustix::fs::sendfile;
use rustix::io::Errno;
use rustix::net::{SendAncillaryBuffer, SendFlags, sendmsg};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::chooser::Agreed;
use super::socket::Socket;
use crate::outlet::{Outlet, Stretch};

/// A socket that sends stretches of files uncopied.
#[derive(Debug)]
pub(super) struct ZeroCopy {
    socket: Socket,
    outlet: Outlet,
}

/// What comes first among the pieces that are to be sent.
enum Lead {
    /// A stretch of a file.
    File(Stretch),
    /// So many others, and then a stretch of a file.
    Before(usize),
    /// Nothing but others.
    Plain,
}

impl ZeroCopy {
    /// Sends by `socket` what is offered to `outlet`.
    pub(super) fn new(socket: Socket, outlet: Outlet) -> Self {
        Self { socket, outlet }
    }

    fn poll_send(
        &mut self,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.lead(pieces) {
            Lead::File(stretch) => self.poll_send_file(cx, &stretch, pieces),
            Lead::Before(number) => {
                let (now, _) = pieces.split_at(number);
                self.socket.poll_send(cx, |socket| send_more(socket, now))
            }
            Lead::Plain => Pin::new(&mut self.socket).poll_write_vectored(cx, pieces),
        }
    }

    fn lead(&self, pieces: &[IoSlice<'_>]) -> Lead {
        if self.outlet.is_empty() {
            return Lead::Plain;
        }
        let mut found = pieces.iter().map(|piece| self.outlet.find(piece));
        match found.next().flatten() {
            Some(stretch) => Lead::File(stretch),
            None => found
                .position(|stretch| stretch.is_some())
                .map_or(Lead::Plain, |between| Lead::Before(between + 1)),
        }
    }

    fn poll_send_file(
        &mut self,
        cx: &mut Context<'_>,
        stretch: &Stretch,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = self
            .socket
            .poll_send(cx, |socket| send_file(socket, stretch));
        let polled = match polled {
            // A file system that cannot: the bytes are the file's, whoever reads them.
            Poll::Ready(Err(error)) if is_unable(&error) => {
                let (now, _) = pieces.split_at(1);
                Pin::new(&mut self.socket).poll_write_vectored(cx, now)
            }
            polled => polled,
        };
        match &polled {
            Poll::Ready(Ok(sent)) => self.outlet.sent(stretch, *sent),
            Poll::Ready(Err(error)) if is_the_files(error) => stretch.give_up(),
            _ => {}
        }
        polled
    }
}

fn send_file(socket: BorrowedFd<'_>, stretch: &Stretch) -> io::Result<usize> {
    let mut offset = stretch.offset as u64;
    let length = stretch.length;
    match sendfile(socket, stretch.file()?, Some(&mut offset), length)? {
        // Told as nothing written it would be asked for again, for ever maybe.
        0 => Err(io::Error::new(
            io::ErrorKind::UnexpectedEof,
            "a file was cut while it was being sent",
        )),
        sent => Ok(sent),
    }
}

/// Sends what a stretch of a file follows at once: both may share a packet.
fn send_more(socket: BorrowedFd<'_>, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
    let flags = SendFlags::MORE | SendFlags::NOSIGNAL;
    let sent = sendmsg(socket, pieces, &mut SendAncillaryBuffer::default(), flags)?;
    Ok(sent)
}

/// Whether it is not this file or this connection that is the matter, but the call.
fn is_unable(error: &io::Error) -> bool {
    is_one_of(error, &[Errno::INVAL, Errno::NOSYS, Errno::OPNOTSUPP])
}

/// Whether it is the file that is the matter: it was cut, or its disk fails. A page of a mapping that cannot
/// be had is a bad address.
fn is_the_files(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::UnexpectedEof || is_one_of(error, &[Errno::IO, Errno::FAULT])
}

fn is_one_of(error: &io::Error, errnos: &[Errno]) -> bool {
    let code = error.raw_os_error();
    errnos
        .iter()
        .any(|errno| code == Some(errno.raw_os_error()))
}

impl Agreed for ZeroCopy {}

impl AsyncRead for ZeroCopy {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_read(cx, buffer)
    }
}

impl AsyncWrite for ZeroCopy {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_send(cx, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}
