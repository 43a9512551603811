//! The origin: has every artifact that anybody asks for, takes every upload, keeps nothing. How long an
//! artifact is stands in its hash. A thread a connection; on the load's core.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use rustix::net::{RecvFlags, recv};

use crate::body::{self, PIECE};

/// As much of a body as one call sends where the line is slow, so that it is slow evenly.
const SLOW_PIECE: usize = 64 << 10;
/// As much of an upload as one call drops.
const GULP: usize = 4 << 20;
/// Longer heads than this are none of these proxies'.
const MOST: usize = 16 << 10;
/// A line that was idle for longer does not make up for it.
const IDLE: Duration = Duration::from_millis(20);

/// What all bodies share, so that a proxy that fetches twice gets each half as fast.
#[derive(Debug)]
struct Line {
    /// Bytes a second.
    pace: u64,
    /// When all that was promised is through.
    free: Mutex<Instant>,
}

impl Line {
    /// Waits until so many bytes more are through.
    fn pass(&self, bytes: usize) -> Result<()> {
        let moment = {
            let mut free = self.free.lock().map_err(|_| anyhow!("a thread failed"))?;
            let now = Instant::now();
            if *free + IDLE < now {
                *free = now;
            }
            *free += Duration::from_secs_f64(bytes as f64 / self.pace as f64);
            *free
        };
        wait_until(moment);
        Ok(())
    }
}

struct Asked {
    method: String,
    size: u64,
    upload: u64,
    /// Bytes of the upload that came with the head.
    early: u64,
}

/// Answers until it is killed.
pub(crate) fn serve(port: u16, pace: Option<u64>) -> Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
    let line = pace.map(|pace| {
        let free = Mutex::new(Instant::now());
        Arc::new(Line { pace, free })
    });
    for socket in listener.incoming() {
        let socket = socket?;
        // A proxy that leaves is no fault of the origin's.
        let line = line.clone();
        thread::spawn(move || answer_all(socket, line.as_deref()));
    }
    Ok(())
}

fn answer_all(mut socket: TcpStream, line: Option<&Line>) -> Result<()> {
    socket.set_nodelay(true)?;
    let body = body::piece();
    let mut sink = vec![0; GULP];
    while let Some(asked) = ask(&mut socket)? {
        let mut left = asked.upload - asked.early;
        while left > 0 {
            let most = GULP.min(left as usize);
            let (_, count) = recv(&socket, &mut sink[..most], RecvFlags::TRUNC)?;
            if count == 0 {
                bail!("an upload was cut");
            }
            left -= count as u64;
        }
        answer(&mut socket, &asked, &body, line)?;
    }
    Ok(())
}

/// The next request, or `None` once the proxy has closed.
fn ask(socket: &mut TcpStream) -> Result<Option<Asked>> {
    let mut bytes = [0; MOST];
    let mut come = 0;
    loop {
        let count = socket.read(&mut bytes[come..])?;
        if count == 0 {
            return Ok(None);
        }
        come += count;
        let end = bytes[..come]
            .windows(4)
            .position(|four| four == b"\r\n\r\n");
        if let Some(end) = end {
            let text = std::str::from_utf8(&bytes[..end])?;
            return parse(text, (come - end - 4) as u64).map(Some);
        }
    }
}

fn parse(head: &str, early: u64) -> Result<Asked> {
    let mut words = head.split(' ');
    let method = words.next().context("a method")?.to_owned();
    let path = words.next().context("a path")?;
    let digits = path
        .strip_prefix("/v8/artifacts/")
        .and_then(|rest| rest.get(..8));
    let size = digits.and_then(|digits| u64::from_str_radix(digits, 16).ok());
    let upload = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length")
            .then(|| value.trim().parse().ok())?
    });
    Ok(Asked {
        method,
        size: size.unwrap_or(0),
        upload: upload.unwrap_or(0),
        early,
    })
}

fn answer(socket: &mut TcpStream, asked: &Asked, body: &[u8], line: Option<&Line>) -> Result<()> {
    if asked.method != "GET" && asked.method != "HEAD" {
        socket.write_all(b"HTTP/1.1 202 Accepted\r\nContent-Length: 2\r\n\r\n{}")?;
        return Ok(());
    }
    let mut out = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: {}\r\n\
         x-artifact-tag: bm90IGEgc2lnbmF0dXJl\r\nx-artifact-duration: 1234\r\n\r\n",
        asked.size,
    )
    .into_bytes();
    let size = if asked.method == "GET" {
        asked.size as usize
    } else {
        0
    };
    let most = line.map_or(PIECE, |_| SLOW_PIECE);
    let mut sent = 0;
    // The first bytes go along with the head.
    while sent < size || !out.is_empty() {
        let from = sent % PIECE;
        let piece = &body[from..][..most.min(PIECE - from).min(size - sent)];
        if let Some(line) = line {
            line.pass(piece.len())?;
        }
        if out.is_empty() {
            socket.write_all(piece)?;
        } else {
            out.extend_from_slice(piece);
            socket.write_all(&out)?;
            out.clear();
        }
        sent += piece.len();
    }
    Ok(())
}

#[expect(
    clippy::disallowed_methods,
    reason = "there is no runtime here to block"
)]
fn wait_until(moment: Instant) {
    thread::sleep(moment.saturating_duration_since(Instant::now()));
}
