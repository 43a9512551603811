//! An HTTP proxy that leads every host to one address, or misbehaves as it is told.
//!
//! It knows `CONNECT`, and requests whose target is a whole URL.

use std::net::SocketAddr;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::io::{AsyncWriteExt, BufReader, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::origin::Speech;
use super::tls::Stream;
use super::wire::{Head, Incoming};

/// What it makes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manners {
    /// It leads on.
    Leads,
    /// It answers with this status, and says which credential it would like if it is 407.
    Refuses(u16),
    /// It answers in another protocol.
    Garbles,
    /// It hangs up.
    Leaves,
    /// It answers nothing.
    Hangs,
}

/// A running proxy; gone when dropped.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    speech: Speech,
    shared: Arc<Shared>,
    _serving: JoinSet<()>,
}

#[derive(Debug)]
struct Shared {
    to: SocketAddr,
    manners: Manners,
    noted: Mutex<Noted>,
}

#[derive(Debug, Default)]
struct Noted {
    heads: Vec<Head>,
    /// Handshakes in which a client showed a certificate.
    shown: usize,
}

type Wire = BufReader<Box<dyn Stream>>;

// === impl Proxy ===

impl Proxy {
    /// Leads to this address.
    pub async fn to(address: SocketAddr) -> Self {
        Self::start(address, Manners::Leads, Speech::Http1).await
    }

    /// Leads nowhere.
    pub async fn misbehaving(manners: Manners) -> Self {
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 9));
        Self::start(nowhere, manners, Speech::Http1).await
    }

    /// Spoken to in this way.
    pub async fn start(to: SocketAddr, manners: Manners, speech: Speech) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let shared = Arc::new(Shared {
            to,
            manners,
            noted: Mutex::default(),
        });
        let mut serving = JoinSet::new();
        serving.spawn(accept(listener, speech.clone(), Arc::clone(&shared)));
        Self {
            address,
            speech,
            shared,
            _serving: serving,
        }
    }

    /// Its URL, with this user and password, if any.
    pub fn url(&self, user: &str) -> String {
        let at = if user.is_empty() { "" } else { "@" };
        format!("{}://{user}{at}{}", self.speech.scheme(), self.address)
    }

    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// What makes it trusted, where it speaks TLS.
    pub fn authority(&self) -> &str {
        self.speech.certificate().map_or("", |own| own.pem())
    }

    /// The heads of every request so far.
    pub fn seen(&self) -> Vec<Head> {
        self.shared.noted.lock().heads.clone()
    }

    /// In how many handshakes a client's certificate was shown.
    pub fn shown(&self) -> usize {
        self.shared.noted.lock().shown
    }
}

async fn accept(listener: TcpListener, speech: Speech, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let (speech, shared) = (speech.clone(), Arc::clone(&shared));
        connections.spawn(async move {
            let stream: Box<dyn Stream> = match speech.certificate() {
                None => Box::new(stream),
                Some(own) => match own.acceptor().accept(stream).await {
                    Ok(stream) => {
                        let is_shown = stream.get_ref().1.peer_certificates().is_some();
                        shared.noted.lock().shown += usize::from(is_shown);
                        Box::new(stream)
                    }
                    Err(_) => return,
                },
            };
            shared.serve(BufReader::new(stream)).await;
        });
    }
}

// === impl Shared ===

impl Shared {
    /// Ends when the connection does.
    async fn serve(&self, mut client: Wire) -> Option<()> {
        loop {
            let head = Head::read(&mut client).await?;
            self.noted.lock().heads.push(head.clone());
            let refusal = match self.manners {
                Manners::Leads if head.word(0) == "CONNECT" => return self.lead(client).await,
                Manners::Leads => {
                    self.pass_on(&head, &mut client).await?;
                    continue;
                }
                Manners::Refuses(status) => format!(
                    "HTTP/1.1 {status} No\r\nproxy-authenticate: Basic realm=\"x\"\r\ncontent-length: 2\r\n\r\nno"
                ),
                Manners::Garbles => "SSH-2.0-proxy\r\n".to_owned(),
                Manners::Leaves => return None,
                Manners::Hangs => std::future::pending().await,
            };
            Incoming::of_request(&head).rest(&mut client).await;
            send(&mut client, refusal.as_bytes()).await?;
        }
    }

    async fn lead(&self, mut client: Wire) -> Option<()> {
        let mut target = TcpStream::connect(self.to).await.ok()?;
        send(&mut client, b"HTTP/1.1 200 Go on\r\n\r\n").await?;
        copy_bidirectional(&mut client, &mut target).await.ok()?;
        None
    }

    /// Passes one request on without what was for the proxy alone, and its answer back.
    async fn pass_on(&self, head: &Head, client: &mut Wire) -> Option<()> {
        let url = head.word(1).strip_prefix("http://")?;
        let path = &url[url.find('/')?..];
        let (body, _) = Incoming::of_request(head).rest(client).await;
        let mut request = format!("{} {path} HTTP/1.1\r\n", head.word(0));
        request += &fields(head);
        let mut target = BufReader::new(TcpStream::connect(self.to).await.ok()?);
        let whole = [request.as_bytes(), b"\r\n", &body].concat();
        target.write_all(&whole).await.ok()?;
        let answer = Head::read(&mut target).await?;
        let (body, _) = Incoming::of_answer(&answer, head.word(0))
            .rest(&mut target)
            .await;
        let said = format!("{}\r\n{}\r\n", answer.start, fields(&answer));
        send(client, &[said.as_bytes(), &body].concat()).await
    }
}

fn fields(head: &Head) -> String {
    let kept = head
        .headers
        .iter()
        .filter(|(name, _)| !name.starts_with("proxy-"));
    let lines: Vec<_> = kept
        .map(|(name, value)| format!("{name}: {value}\r\n"))
        .collect();
    lines.concat()
}

async fn send(to: &mut Wire, bytes: &[u8]) -> Option<()> {
    to.write_all(bytes).await.ok()?;
    to.flush().await.ok()
}
