//! An origin that fails at random, in every way it can, until it is told to be well.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use socket2::SockRef;
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::faults::{End, Fault};
use super::ledger::{Ledger, key_of};
use crate::support::{Dice, Ended, Head, Incoming};

/// How long a silence lasts: longer than Larder waits, short enough to be over soon.
const SILENCE: Duration = Duration::from_millis(800);

/// A running origin; gone when dropped.
#[derive(Debug)]
pub struct Origin {
    address: SocketAddr,
    shared: Arc<Shared>,
    _serving: JoinSet<()>,
    /// Never listens: it keeps others from the port while the door is shut.
    _place: TcpSocket,
}

#[derive(Debug)]
struct Shared {
    ledger: Arc<Ledger>,
    dice: Mutex<Dice>,
    is_well: AtomicBool,
    open: AtomicUsize,
}

/// A connection while it lives.
struct Open(Arc<Shared>);

// === impl Origin ===

impl Origin {
    pub fn start(ledger: Arc<Ledger>, seed: u64) -> Self {
        let place = bind("127.0.0.1:0".parse().expect("an address"));
        let address = place.local_addr().expect("a bound socket");
        let shared = Arc::new(Shared {
            ledger,
            dice: Mutex::new(Dice::new(seed)),
            is_well: AtomicBool::new(true),
            open: AtomicUsize::new(0),
        });
        let mut serving = JoinSet::new();
        serving.spawn(open_and_shut(address, Arc::clone(&shared)));
        Self {
            address,
            shared,
            _serving: serving,
            _place: place,
        }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Whether it does what it is asked, from now on.
    pub fn be_well(&self, well: bool) {
        self.shared.is_well.store(well, Ordering::Relaxed);
    }

    /// How many connections it has.
    pub fn connections(&self) -> usize {
        self.shared.open.load(Ordering::Relaxed)
    }
}

// === impl Shared ===

impl Shared {
    fn is_well(&self) -> bool {
        self.is_well.load(Ordering::Relaxed)
    }

    fn fault(&self, method: &str) -> Fault {
        if self.is_well() {
            return Fault::None;
        }
        Fault::any(&mut self.dice.lock(), method)
    }

    fn up_to(&self, most: usize) -> usize {
        self.dice.lock().up_to(most)
    }

    /// The right answer as bytes; an upload is stored by the time there is one.
    fn answer(&self, head: &Head, body: &[u8]) -> Vec<u8> {
        let is_artifact = key_of(head.word(1)).is_some();
        match head.word(0) {
            "PUT" => {
                self.ledger.store(head, body);
                framed(202, &[], br#"{"urls":[]}"#)
            }
            "GET" | "HEAD" if is_artifact => self.artifact(head),
            "GET" => framed(200, &[], br#"{"status":"enabled"}"#),
            _ => framed(200, &[], b"{}"),
        }
    }

    fn artifact(&self, head: &Head) -> Vec<u8> {
        let current = key_of(head.word(1)).and_then(|key| self.ledger.current(key));
        let is_head = head.word(0) == "HEAD";
        let Some(version) = current else {
            let words = br#"{"error":{"code":"not_found","message":"Says the origin."}}"#;
            return framed(404, &[], if is_head { b"" } else { words });
        };
        let body = version.body();
        let fields = [
            format!("x-artifact-tag: {}", version.tag()),
            format!("x-artifact-duration: {}", version.duration()),
        ];
        if is_head {
            let length = format!("content-length: {}", body.len());
            return headed(200, &[fields.join("\r\n"), length]);
        }
        if self.up_to(3) == 0 {
            return chunked(&fields, &body);
        }
        framed(200, &fields, &body)
    }
}

/// Listens; while unwell it refuses everybody now and then.
async fn open_and_shut(address: SocketAddr, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        let listener = bind(address).listen(1024).expect("a listening socket");
        let open = Duration::from_millis(1000 + shared.up_to(4000) as u64);
        while timeout(open, accept(&listener, &mut connections, &shared))
            .await
            .is_err()
            && shared.is_well()
        {}
        drop(listener);
        sleep(Duration::from_millis(shared.up_to(300) as u64)).await;
    }
}

async fn accept(listener: &TcpListener, connections: &mut JoinSet<()>, shared: &Arc<Shared>) {
    while let Ok((stream, _)) = listener.accept().await {
        stream.set_nodelay(true).expect("an option");
        connections.spawn(serve(stream, Open::new(shared)));
        // Those that ended are not kept for the end.
        while connections.try_join_next().is_some() {}
    }
}

async fn serve(stream: TcpStream, open: Open) {
    let shared = &open.0;
    let mut stream = BufReader::new(stream);
    while let Some(head) = Head::read(&mut stream).await {
        let fault = shared.fault(head.word(0));
        if let Fault::Early(status) = fault {
            stream.write_all(&framed(status, &[], b"{}")).await.ok();
            return linger(&mut stream).await;
        }
        let (body, ended) = Incoming::of_request(&head).rest(&mut stream).await;
        if ended == Ended::Cut {
            return;
        }
        let (answer, end) = match fault {
            Fault::None => (shared.answer(&head, &body), None),
            Fault::Broken(end) => {
                let mut answer = shared.answer(&head, &body);
                answer.truncate(shared.up_to(answer.len().saturating_sub(1)));
                (answer, Some(end))
            }
            Fault::Nothing(end) => (Vec::new(), Some(end)),
            Fault::Garbage => (b"220 mail.example ESMTP\r\n\r\n".to_vec(), Some(End::Close)),
            Fault::Status(status) | Fault::Early(status) => (framed(status, &[], b"{}"), None),
        };
        if stream.write_all(&answer).await.is_err() {
            return;
        }
        if let Some(end) = end {
            return finish(&mut stream, end).await;
        }
    }
}

async fn finish(stream: &mut BufReader<TcpStream>, end: End) {
    match end {
        End::Close => {}
        End::Reset => SockRef::from(stream.get_ref())
            .set_linger(Some(Duration::ZERO))
            .expect("an option"),
        End::Silence => linger(stream).await,
    }
}

/// Listens on for a while, or until the other side has had enough.
async fn linger(stream: &mut BufReader<TcpStream>) {
    let mut ignored = vec![0; 16 << 10];
    let reading = async { while stream.read(&mut ignored).await.is_ok_and(|read| read > 0) {} };
    timeout(SILENCE, reading).await.ok();
}

fn headed(status: u16, fields: &[String]) -> Vec<u8> {
    let lines = [&[format!("HTTP/1.1 {status} Scripted")], fields].concat();
    (lines.join("\r\n") + "\r\n\r\n").into_bytes()
}

fn framed(status: u16, fields: &[String], body: &[u8]) -> Vec<u8> {
    let length = [format!("content-length: {}", body.len())];
    [headed(status, &[&length, fields].concat()), body.to_vec()].concat()
}

fn chunked(fields: &[String], body: &[u8]) -> Vec<u8> {
    let chunked = ["transfer-encoding: chunked".to_owned()];
    let mut answer = headed(200, &[&chunked, fields].concat());
    for piece in body.chunks(10_000) {
        answer.extend_from_slice(format!("{:x}\r\n", piece.len()).as_bytes());
        answer.extend_from_slice(piece);
        answer.extend_from_slice(b"\r\n");
    }
    answer.extend_from_slice(b"0\r\n\r\n");
    answer
}

fn bind(address: SocketAddr) -> TcpSocket {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_reuseaddr(true).expect("an option");
    socket.set_reuseport(true).expect("an option");
    socket.bind(address).expect("a free port");
    socket
}

// === impl Open ===

impl Open {
    fn new(shared: &Arc<Shared>) -> Self {
        shared.open.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(shared))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}
