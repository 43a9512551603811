//! One keep-alive connection: a request, its answer, the next request. Bodies are dropped in the
//! kernel, so that the client costs as little as a client can.

use std::net::{Ipv4Addr, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, recv, send};

use super::head::{self, Expect, Head};
use super::request::{Ask, Request};
use crate::body::{self, PIECE};

/// As much of a body as one call drops.
const GULP: usize = 4 << 20;

/// What all connections share.
#[derive(Debug)]
pub(super) struct Buffers {
    /// Where a head arrives.
    head: Vec<u8>,
    /// Never written: bodies are dropped before they come here.
    sink: Vec<u8>,
    /// What uploads are made of.
    upload: Vec<u8>,
}

impl Buffers {
    /// The buffers of a load.
    pub(super) fn new() -> Self {
        Self {
            head: vec![0; head::MOST],
            sink: vec![0; GULP],
            upload: body::piece(),
        }
    }
}

#[derive(Debug)]
enum Stage {
    Sending { sent: u64 },
    Head { come: Vec<u8> },
    Body { left: u64 },
    Rest,
}

/// What one turn of a connection came to.
#[derive(Debug, Default)]
pub(super) struct Turn {
    /// Bytes of bodies that went either way.
    pub(super) bytes: u64,
    /// How long the answer took that ended.
    pub(super) ended: Option<Duration>,
    /// The socket takes no more; wait until it does.
    pub(super) full: bool,
}

/// A connection in turn with its server.
#[derive(Debug)]
pub(super) struct Connection {
    socket: TcpStream,
    request: Request,
    upload: u64,
    stage: Stage,
    began: Instant,
    left: u64,
}

impl Connection {
    /// Connects; `requests` is how many it makes before it rests.
    pub(super) fn open(port: u16, ask: Ask, requests: u64) -> Result<Self> {
        let socket = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        socket.set_nodelay(true)?;
        socket.set_nonblocking(true)?;
        Ok(Self {
            socket,
            request: Request::new(ask),
            upload: ask.upload(),
            stage: Stage::Sending { sent: 0 },
            began: Instant::now(),
            left: requests,
        })
    }

    /// Whether it has made all its requests.
    pub(super) fn rests(&self) -> bool {
        matches!(self.stage, Stage::Rest)
    }

    /// Begins the first request.
    pub(super) fn start(&mut self, buffers: &Buffers) -> Result<Turn> {
        self.began = Instant::now();
        let mut turn = Turn::default();
        self.send(buffers, &mut turn)?;
        Ok(turn)
    }

    /// Goes on as far as the socket lets it; `most` bytes of a body at once.
    pub(super) fn go_on(
        &mut self,
        buffers: &mut Buffers,
        known: &mut Known,
        most: usize,
    ) -> Result<Turn> {
        let mut turn = Turn::default();
        match self.stage {
            Stage::Sending { .. } => self.send(buffers, &mut turn)?,
            Stage::Head { .. } => self.read_head(buffers, known, &mut turn)?,
            Stage::Body { .. } => self.drop_body(buffers, most, &mut turn)?,
            Stage::Rest => bail!("the server closed a connection that rests"),
        }
        Ok(turn)
    }

    fn send(&mut self, buffers: &Buffers, turn: &mut Turn) -> Result<()> {
        let Stage::Sending { sent } = &mut self.stage else {
            return Ok(());
        };
        let head = self.request.bytes();
        let all = head.len() as u64 + self.upload;
        while *sent < all {
            let piece = match head.get(*sent as usize..) {
                Some(rest) if !rest.is_empty() => rest,
                _ => &buffers.upload[..((all - *sent) as usize).min(PIECE)],
            };
            match send(&self.socket, piece, SendFlags::NOSIGNAL) {
                Ok(count) => {
                    let body = (*sent + count as u64).saturating_sub(head.len() as u64);
                    turn.bytes += body.min(count as u64);
                    *sent += count as u64;
                }
                Err(Errno::AGAIN) => {
                    turn.full = true;
                    return Ok(());
                }
                Err(error) => return Err(error.into()),
            }
        }
        self.stage = Stage::Head { come: Vec::new() };
        Ok(())
    }

    fn read_head(
        &mut self,
        buffers: &mut Buffers,
        known: &mut Known,
        turn: &mut Turn,
    ) -> Result<()> {
        let Stage::Head { come } = &mut self.stage else {
            return Ok(());
        };
        let count = match recv(&self.socket, &mut buffers.head[..], RecvFlags::empty()) {
            Ok((_, count)) => count,
            Err(Errno::AGAIN) => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        if count == 0 {
            bail!("the server closed a connection that waits");
        }
        let mut bytes = &buffers.head[..count];
        if !come.is_empty() {
            come.extend_from_slice(bytes);
            bytes = come;
        }
        let Some((length, body)) = known.read(bytes)? else {
            if come.is_empty() {
                *come = bytes.to_vec();
            }
            return Ok(());
        };
        let early = (bytes.len() - length) as u64;
        // What comes with an upload's answer is not the row's.
        if self.upload == 0 {
            turn.bytes += early;
        }
        self.stage = Stage::Body { left: body - early };
        self.end(buffers, turn)
    }

    fn drop_body(&mut self, buffers: &mut Buffers, most: usize, turn: &mut Turn) -> Result<()> {
        let Stage::Body { left } = &mut self.stage else {
            return Ok(());
        };
        let gulp = GULP.min(most).min(*left as usize);
        match recv(&self.socket, &mut buffers.sink[..gulp], RecvFlags::TRUNC) {
            Ok((_, 0)) => bail!("the server cut a body"),
            Ok((_, count)) => {
                *left -= count as u64;
                turn.bytes += count as u64;
            }
            Err(Errno::AGAIN) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
        self.end(buffers, turn)
    }

    /// Begins the next request if this answer is whole.
    fn end(&mut self, buffers: &Buffers, turn: &mut Turn) -> Result<()> {
        if !matches!(self.stage, Stage::Body { left: 0 }) {
            return Ok(());
        }
        let now = Instant::now();
        turn.ended = Some(now - self.began);
        self.left -= 1;
        if self.left == 0 {
            self.stage = Stage::Rest;
            return Ok(());
        }
        self.request.next();
        self.began = now;
        self.stage = Stage::Sending { sent: 0 };
        self.send(buffers, turn)
    }
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// The last head that was as it must be: the same bytes need no second look.
#[derive(Debug)]
pub(super) struct Known {
    expect: Expect,
    bytes: Vec<u8>,
    body: u64,
    /// What the cache said of itself in it.
    pub(super) cache: String,
}

impl Known {
    /// None yet.
    pub(super) fn new(expect: Expect) -> Self {
        Self {
            expect,
            bytes: Vec::new(),
            body: 0,
            cache: String::new(),
        }
    }

    /// The lengths of the head and of its body, once the head is whole.
    fn read(&mut self, bytes: &[u8]) -> Result<Option<(usize, u64)>> {
        if self.bytes.is_empty() || !bytes.starts_with(&self.bytes) {
            let Some(Head {
                bytes: length,
                body,
                cache,
            }) = head::read(bytes, self.expect)?
            else {
                return Ok(None);
            };
            self.bytes = bytes[..length].to_vec();
            self.body = body;
            self.cache = cache;
        }
        Ok(Some((self.bytes.len(), self.body)))
    }
}
