//! A request as bytes: enough of HTTP/1.1 to tell its kind and its end, and to pass it on.

use std::io;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Longer than any head of a client's or of Larder's.
const LONGEST_HEAD: usize = 64 << 10;

/// A head that has arrived, and what came of the body with it.
pub(super) struct Request {
    head: String,
    begun: Vec<u8>,
}

/// What is asked for, as far as faults tell requests apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Read,
    Upload,
    Other,
}

// === impl Request ===

impl Request {
    /// The next request of a connection, if there is one. A proxy's tunnel is granted and looked into.
    pub(super) async fn read(stream: &mut TcpStream) -> io::Result<Option<Self>> {
        loop {
            let Some(request) = Self::read_one(stream).await? else {
                return Ok(None);
            };
            if request.method() != "CONNECT" {
                return Ok(Some(request));
            }
            stream.write_all(b"HTTP/1.1 200 Connected\r\n\r\n").await?;
        }
    }

    async fn read_one(stream: &mut TcpStream) -> io::Result<Option<Self>> {
        let mut bytes = Vec::new();
        loop {
            if let Some((head, begun)) = split(&bytes) {
                let head = String::from_utf8_lossy(head).into_owned();
                let begun = begun.to_vec();
                return Ok(Some(Self { head, begun }));
            }
            if bytes.len() > LONGEST_HEAD || stream.read_buf(&mut bytes).await? == 0 {
                return Ok(None);
            }
        }
    }

    pub(super) fn kind(&self) -> Kind {
        let is_artifact = !self.path().ends_with("/status");
        match self.method() {
            "GET" | "HEAD" if is_artifact => Kind::Read,
            "PUT" => Kind::Upload,
            _ => Kind::Other,
        }
    }

    pub(super) fn method(&self) -> &str {
        self.head.split(' ').next().unwrap_or_default()
    }

    /// Without the query.
    pub(super) fn path(&self) -> &str {
        let target = self.head.split(' ').nth(1).unwrap_or_default();
        target.split('?').next().unwrap_or_default()
    }

    /// Reads the body to its end, or until so much of it is here.
    pub(super) async fn read_body(
        &mut self,
        stream: &mut TcpStream,
        at_most: usize,
    ) -> io::Result<()> {
        while self.begun.len() < at_most && !self.is_whole() {
            if stream.read_buf(&mut self.begun).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(())
    }

    fn is_whole(&self) -> bool {
        match self.header("content-length") {
            Some(length) => length.parse() == Ok(self.begun.len()),
            None if self.header("transfer-encoding").is_some() => {
                self.begun.ends_with(b"0\r\n\r\n")
            }
            None => true,
        }
    }

    fn header(&self, name: &str) -> Option<&str> {
        let fields = self.head.lines().filter_map(|line| line.split_once(':'));
        fields
            .filter(|(found, _)| found.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim())
            .next()
    }

    /// Passes on what has arrived; the origin closes after its answer.
    pub(super) async fn forward(&self, origin: &mut TcpStream) -> io::Result<()> {
        let (line, fields) = self.head.split_once("\r\n").unwrap_or_default();
        let head = format!("{line}\r\nconnection: close\r\n{fields}\r\n\r\n");
        origin.write_all(head.as_bytes()).await?;
        origin.write_all(&self.begun).await
    }
}

/// A head without its empty line, and what follows.
pub(super) fn split(message: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = message.windows(4).position(|four| four == b"\r\n\r\n")?;
    Some((&message[..end], &message[end + 4..]))
}
