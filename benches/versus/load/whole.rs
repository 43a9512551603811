//! One body, read and compared with what the origin sends: the load itself drops bodies unread.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::head::{self, Expect};
use super::request::{Ask, Request};
use crate::body::{self, PIECE};

/// No server is silent for as long.
const PATIENCE: Duration = Duration::from_secs(20);

/// Asks once, and fails where the answer is another or its body has other bytes.
pub(crate) fn compare(port: u16, ask: Ask, expect: Expect) -> Result<()> {
    let mut socket = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.write_all(Request::new(ask).bytes())?;
    let (piece, mut bytes) = (body::piece(), vec![0; PIECE]);
    let mut come = 0;
    let head = loop {
        let count = socket.read(&mut bytes[come..])?;
        ensure!(count > 0, "the server closed a connection that waits");
        come += count;
        if let Some(head) = head::read(&bytes[..come], expect)? {
            break head;
        }
    };
    let mut right = body::has(&piece, 0, &bytes[head.bytes..come]);
    let mut read = come - head.bytes;
    while right && (read as u64) < head.body {
        let count = socket.read(&mut bytes).context("a body")?;
        ensure!(count > 0, "the server cut a body");
        right = body::has(&piece, read, &bytes[..count]);
        read += count;
    }
    ensure!(right, "a body has other bytes than the origin's");
    Ok(())
}
