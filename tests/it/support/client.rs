//! A client that sees every byte: whole answers with `get`, `put`, …; or step by step.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use tokio::io::{AsyncWriteExt, BufReader};
use tokio::net::{TcpStream, UnixStream};

use super::tls::{Stream, Trust};
use super::wire::{Ended, Head, Incoming};
use super::{assert_bytes, within};

/// One keep-alive connection to an address, opened when first needed.
#[derive(Debug)]
pub struct Client {
    address: SocketAddr,
    /// A unix socket to be reached at instead.
    socket: Option<PathBuf>,
    token: Option<String>,
    trust: Option<Trust>,
    connection: Option<BufReader<Box<dyn Stream>>>,
    incoming: Incoming,
    method: String,
}

/// A request to be sent.
#[derive(Clone, Debug)]
pub struct Request {
    method: String,
    target: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    chunked: bool,
}

/// An answer; status 0 where the connection ended before a head, or was never made.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub head: Head,
    pub body: Vec<u8>,
    pub ended: Ended,
}

// === impl Client ===

impl Client {
    /// A client without credential.
    pub fn new(address: SocketAddr) -> Self {
        let (connection, incoming) = (None, Incoming::nothing(Ended::Whole));
        Self {
            address,
            socket: None,
            token: None,
            trust: None,
            connection,
            incoming,
            method: String::new(),
        }
    }

    /// A client of the unix socket at `path`.
    pub fn of_socket(path: &Path) -> Self {
        Self {
            socket: Some(path.to_owned()),
            ..Self::new(SocketAddr::from(([127, 0, 0, 1], 0)))
        }
    }

    /// Sends this bearer token with every request that names no other.
    pub fn token(mut self, token: &str) -> Self {
        self.token = Some(token.to_owned());
        self
    }

    /// Speaks TLS, where there is somebody to trust.
    pub fn trusting(mut self, trust: Option<Trust>) -> Self {
        self.trust = trust;
        self
    }

    pub async fn get(&mut self, target: &str) -> Reply {
        self.ask(&Request::new("GET", target)).await
    }

    pub async fn head(&mut self, target: &str) -> Reply {
        self.ask(&Request::new("HEAD", target)).await
    }

    pub async fn put(&mut self, target: &str, body: &[u8]) -> Reply {
        self.ask(&Request::new("PUT", target).body(body)).await
    }

    pub async fn post(&mut self, target: &str, body: &[u8]) -> Reply {
        self.ask(
            &Request::new("POST", target)
                .header("content-type", "application/json")
                .body(body),
        )
        .await
    }

    /// Sends a request and reads its answer to the end.
    pub async fn ask(&mut self, request: &Request) -> Reply {
        self.send_whole(request).await;
        self.reply().await
    }

    /// Sends a request and waits for nothing.
    pub async fn send_whole(&mut self, request: &Request) {
        self.send_head(request).await;
        self.send(&request.framed_body()).await;
    }

    /// Sends a request's head and nothing of its body.
    pub async fn send_head(&mut self, request: &Request) {
        if self.connection.is_none() {
            self.connection = self.connect().await.map(BufReader::new);
        }
        request.method.clone_into(&mut self.method);
        let head = request.head(self.address, self.token.as_deref());
        self.send(head.as_bytes()).await;
    }

    async fn connect(&self) -> Option<Box<dyn Stream>> {
        if let Some(path) = &self.socket {
            return Some(Box::new(UnixStream::connect(path).await.ok()?));
        }
        let stream = TcpStream::connect(self.address).await.ok()?;
        // What is sent step by step must not wait for the answer to the step before.
        stream.set_nodelay(true).expect("an option");
        match &self.trust {
            None => Some(Box::new(stream)),
            Some(trust) => {
                let secured = within("a handshake", trust.secure(stream)).await.ok()?;
                Some(Box::new(secured))
            }
        }
    }

    /// Sends bytes as they are. That the other side no longer listens shows in its answer.
    pub async fn send(&mut self, bytes: &[u8]) {
        if let Some(connection) = &mut self.connection {
            within("sending", connection.write_all(bytes)).await.ok();
            // TLS may hold back what a socket takes at once.
            within("sending", connection.flush()).await.ok();
        }
    }

    /// Reads the next head, interim ones (1xx) too.
    pub async fn read_head(&mut self) -> Option<Head> {
        let connection = self.connection.as_mut()?;
        let head = within("an answer's head", Head::read(connection)).await?;
        self.incoming = Incoming::of_answer(&head, &self.method);
        Some(head)
    }

    /// Reads at least `least` bytes of the body, fewer where it ends.
    pub async fn read_some(&mut self, least: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        let Some(connection) = self.connection.as_mut() else {
            return bytes;
        };
        while bytes.len() < least {
            match within("a piece of a body", self.incoming.piece(connection)).await {
                Ok(piece) => bytes.extend_from_slice(&piece),
                Err(_) => break,
            }
        }
        bytes
    }

    /// Reads what is left of the body.
    pub async fn read_rest(&mut self) -> (Vec<u8>, Ended) {
        match self.connection.as_mut() {
            Some(connection) => within("a body", self.incoming.rest(connection)).await,
            None => (Vec::new(), Ended::Cut),
        }
    }

    /// Reads an answer to its end.
    pub async fn reply(&mut self) -> Reply {
        let mut head = self.read_head().await;
        while head
            .as_ref()
            .is_some_and(|head| head.word(1).starts_with('1'))
        {
            head = self.read_head().await;
        }
        let Some(head) = head else {
            self.leave();
            return Reply::none();
        };
        self.rest_of(head, Vec::new()).await
    }

    /// Reads an answer to its end of which the head and the body's beginning have been read.
    pub async fn rest_of(&mut self, head: Head, mut body: Vec<u8>) -> Reply {
        let unframed = self.incoming.is_unframed();
        let (rest, ended) = self.read_rest().await;
        body.extend_from_slice(&rest);
        let closes = head
            .get("connection")
            .is_some_and(|value| value.eq_ignore_ascii_case("close"));
        if unframed || closes || ended == Ended::Cut {
            self.leave();
        }
        Reply {
            status: head.word(1).parse().expect("a status"),
            head,
            body,
            ended,
        }
    }

    /// Closes the connection, whatever is under way.
    pub fn leave(&mut self) {
        self.connection = None;
    }
}

// === impl Request ===

impl Request {
    pub fn new(method: &str, target: &str) -> Self {
        Self {
            method: method.to_owned(),
            target: target.to_owned(),
            headers: Vec::new(),
            body: Vec::new(),
            chunked: false,
        }
    }

    /// Adds a field; one named `host`, `authorization` or `content-length` replaces the usual one.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn body(mut self, body: &[u8]) -> Self {
        body.clone_into(&mut self.body);
        self
    }

    /// Sends the body in chunks, without saying how long it is.
    pub fn chunked(mut self) -> Self {
        self.chunked = true;
        self
    }

    /// Its method, its target and its own fields.
    pub fn said(&self) -> (&str, &str, &[(String, String)]) {
        (&self.method, &self.target, &self.headers)
    }

    /// Its body, unframed.
    pub fn whole_body(&self) -> &[u8] {
        &self.body
    }

    fn has(&self, name: &str) -> bool {
        self.headers.iter().any(|(known, _)| known == name)
    }

    fn head(&self, address: SocketAddr, token: Option<&str>) -> String {
        let mut lines = vec![format!("{} {} HTTP/1.1", self.method, self.target)];
        lines.extend(
            self.headers
                .iter()
                .map(|(name, value)| format!("{name}: {value}")),
        );
        if !self.has("host") {
            lines.push(format!("host: {address}"));
        }
        if let Some(token) = token.filter(|_| !self.has("authorization")) {
            lines.push(format!("authorization: Bearer {token}"));
        }
        if self.chunked {
            lines.push("transfer-encoding: chunked".to_owned());
        } else if !self.has("content-length") && matches!(self.method.as_str(), "PUT" | "POST") {
            lines.push(format!("content-length: {}", self.body.len()));
        }
        lines.join("\r\n") + "\r\n\r\n"
    }

    fn framed_body(&self) -> Vec<u8> {
        if !self.chunked {
            return self.body.clone();
        }
        let mut framed = Vec::new();
        for piece in self.body.chunks(1000.max(self.body.len() / 100)) {
            framed.extend_from_slice(format!("{:x}\r\n", piece.len()).as_bytes());
            framed.extend_from_slice(piece);
            framed.extend_from_slice(b"\r\n");
        }
        framed.extend_from_slice(b"0\r\n\r\n");
        framed
    }
}

// === impl Reply ===

impl Reply {
    /// None at all.
    pub fn none() -> Self {
        Self {
            status: 0,
            head: Head::default(),
            body: Vec::new(),
            ended: Ended::Cut,
        }
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.get(name)
    }

    /// Our member of `Cache-Status`: the last.
    pub fn cache_status(&self) -> &str {
        let last = self
            .head
            .all("cache-status")
            .last()
            .copied()
            .unwrap_or_default();
        last.rsplit(',').next().unwrap_or_default().trim()
    }

    pub fn is_hit(&self) -> bool {
        self.cache_status().starts_with("larder; hit")
    }

    /// Whether a client would take this for a whole artifact.
    pub fn is_clean(&self) -> bool {
        self.status == 200 && self.ended == Ended::Whole
    }

    /// Asserts a whole artifact with exactly these bytes.
    #[track_caller]
    pub fn assert_body(&self, body: &[u8]) {
        assert_eq!(
            (self.status, self.ended),
            (200, Ended::Whole),
            "{:?}",
            self.head
        );
        assert_bytes(&self.body, body);
        assert_eq!(
            self.header("content-length"),
            Some(body.len().to_string().as_str())
        );
    }
}
