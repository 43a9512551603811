//! A client that does not behave: it sends what it likes, and takes no more than it says.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::support::{Larder, Stream, Trust, artifact, within};

/// Without a byte taken for so long, nothing more is.
const NO_MORE: Duration = Duration::from_millis(500);

/// Bytes sent at a time.
const PIECE: usize = 64 * 1024;

/// A connection of one.
#[derive(Debug)]
pub struct Guest(Box<dyn Stream>);

// === impl Guest ===

impl Guest {
    /// Connects in clear text.
    pub async fn new(larder: &Larder) -> Self {
        let connected = TcpStream::connect(larder.address()).await;
        Self(Box::new(connected.expect("a place in the queue")))
    }

    /// Connects in TLS.
    pub async fn secured(larder: &Larder, trust: &Trust) -> Self {
        let connected = TcpStream::connect(larder.address()).await;
        let secured = trust.secure(connected.expect("a place in the queue"));
        let secured = within("a handshake", secured).await;
        Self(Box::new(secured.expect("a session")))
    }

    /// Says this much and no more.
    pub async fn say(&mut self, text: &str) {
        let said = within("a few bytes", self.0.write_all(text.as_bytes())).await;
        said.expect("a connection");
        self.0.flush().await.expect("a connection");
    }

    /// Says the head of such a request.
    pub async fn ask(&mut self, method: &str, hash: &str, token: &str, length: usize) {
        let target = artifact(hash);
        let who = format!("host: localhost\r\nauthorization: Bearer {token}");
        let how_long = format!("content-length: {length}\r\n");
        let how_long = if method == "PUT" { &how_long } else { "" };
        self.say(&format!(
            "{method} {target} HTTP/1.1\r\n{who}\r\n{how_long}\r\n"
        ))
        .await;
    }

    /// Sends so many bytes, or as many as are taken; returns how many.
    pub async fn stuff(&mut self, bytes: usize) -> usize {
        let piece = vec![b'x'; PIECE];
        let mut sent = 0;
        while sent < bytes {
            let next = &piece[..PIECE.min(bytes - sent)];
            match timeout(NO_MORE, self.0.write(next)).await {
                Ok(Ok(taken)) if taken > 0 => sent += taken,
                _ => break,
            }
        }
        sent
    }

    /// Takes so many bytes of an answer.
    pub async fn sip(&mut self, bytes: usize) {
        let mut sip = vec![0; bytes];
        let taken = within("a sip", self.0.read_exact(&mut sip)).await;
        taken.expect("an answer");
    }

    /// Whether the other side has closed the connection.
    pub async fn is_gone(&mut self) -> bool {
        let mut byte = [0];
        let read = timeout(Duration::from_millis(1), self.0.read(&mut byte)).await;
        matches!(read, Ok(Ok(0) | Err(_)))
    }
}
