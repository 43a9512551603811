//! An origin that does what it is told, over real sockets.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::io::{
    AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader, copy_bidirectional,
};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;

use super::LONG;
use crate::tasks::Tasks;

/// One thing an origin does after it has read a request's head.
#[derive(Clone, Debug)]
pub(super) enum Step {
    /// Sends this.
    Send(Vec<u8>),
    /// Sends one byte at a time, for ever.
    Drip(Duration),
    /// Reads the request's body, as long as its head says.
    ReadBody,
    /// Reads this many bytes.
    Read(u64),
    /// Reads whatever comes until the other side closes.
    ReadToEnd,
    /// Reads nothing until the gate opens.
    Wait(watch::Receiver<bool>),
    /// Becomes a tunnel to this address.
    Tunnel(SocketAddr),
    /// Says that nothing more will come.
    Finish,
    /// Closes the connection.
    Close,
}

/// What the origin saw of a request: its head as it was sent, and the number of its connection.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) head: String,
    pub(super) connection: usize,
}

/// A running origin.
pub(super) struct Origin {
    pub(super) address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    open: watch::Receiver<usize>,
}

type Play = Arc<dyn Fn(&Seen) -> Vec<Step> + Send + Sync>;

#[derive(Clone)]
struct Stage {
    play: Play,
    seen: Arc<Mutex<Vec<Seen>>>,
    open: watch::Sender<usize>,
}

impl Origin {
    pub(super) async fn start(play: impl Fn(&Seen) -> Vec<Step> + Send + Sync + 'static) -> Self {
        Self::listen(None, Arc::new(play)).await
    }

    /// Always answers with these bytes, and keeps the connection.
    pub(super) async fn saying(answer: &'static str) -> Self {
        Self::start(move |_| vec![say(answer)]).await
    }

    pub(super) async fn with_tls(
        tls: TlsAcceptor,
        play: impl Fn(&Seen) -> Vec<Step> + Send + Sync + 'static,
    ) -> Self {
        Self::listen(Some(tls), Arc::new(play)).await
    }

    async fn listen(tls: Option<TlsAcceptor>, play: Play) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (open, opened) = watch::channel(0);
        let seen = Arc::new(Mutex::new(Vec::new()));
        let stage = Stage {
            play,
            seen: Arc::clone(&seen),
            open,
        };
        let tasks = Tasks::new();
        tasks.clone().spawn(async move {
            for connection in 1.. {
                let (stream, _) = listener.accept().await.unwrap();
                stage.open.send_modify(|open| *open += 1);
                let (stage, tls) = (stage.clone(), tls.clone());
                tasks.spawn(async move {
                    match tls {
                        None => stage.serve(stream, connection).await,
                        Some(tls) => match tls.accept(stream).await {
                            Ok(stream) => stage.serve(stream, connection).await,
                            Err(_) => None,
                        },
                    };
                    stage.open.send_modify(|open| *open -= 1);
                });
            }
        });
        Self {
            address,
            seen,
            open: opened,
        }
    }

    pub(super) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().clone()
    }

    /// Waits until no connection is open.
    pub(super) async fn deserted(&self) {
        let mut open = self.open.clone();
        let deserted = timeout(LONG, open.wait_for(|open| *open == 0)).await;
        assert!(deserted.is_ok(), "a connection stays open");
    }
}

impl Stage {
    /// Ends when the connection does.
    async fn serve(
        &self,
        stream: impl AsyncRead + AsyncWrite + Unpin,
        connection: usize,
    ) -> Option<()> {
        let mut stream = BufReader::new(stream);
        loop {
            let head = read_head(&mut stream).await?;
            let seen = Seen { head, connection };
            self.seen.lock().push(seen.clone());
            for step in (self.play)(&seen) {
                act(step, &mut stream, &seen).await?;
            }
        }
    }
}

impl Seen {
    pub(super) fn line(&self) -> &str {
        self.head.lines().next().unwrap_or_default()
    }

    /// A header's value, by its name in lower case.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.head
            .lines()
            .filter_map(|line| line.split_once(": "))
            .find(|(found, _)| found.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }
}

pub(super) fn say(bytes: &str) -> Step {
    Step::Send(bytes.as_bytes().to_vec())
}

/// A complete answer with this status and body.
pub(super) fn answer(status: &str, body: &str) -> Step {
    let length = body.len();
    say(&format!(
        "HTTP/1.1 {status}\r\ncontent-length: {length}\r\n\r\n{body}"
    ))
}

async fn read_head(stream: &mut (impl AsyncRead + Unpin)) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    String::from_utf8(head).ok()
}

/// `None` ends the connection.
async fn act(
    step: Step,
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    seen: &Seen,
) -> Option<()> {
    match step {
        Step::Send(bytes) => send(stream, &bytes).await,
        Step::Drip(pause) => {
            while send(stream, b"x").await.is_some() {
                sleep(pause).await;
            }
            None
        }
        Step::ReadBody => {
            let length = seen.header("content-length")?.parse().ok()?;
            (read(stream, length).await == Some(length)).then_some(())
        }
        Step::Read(length) => (read(stream, length).await == Some(length)).then_some(()),
        Step::ReadToEnd => {
            read(stream, u64::MAX).await;
            None
        }
        Step::Wait(mut gate) => gate.wait_for(|open| *open).await.ok().map(drop),
        Step::Tunnel(target) => {
            let mut target = TcpStream::connect(target).await.ok()?;
            let ended = copy_bidirectional(stream, &mut target).await;
            ended.ok().and(None)
        }
        Step::Finish => stream.shutdown().await.ok(),
        Step::Close => None,
    }
}

async fn send(stream: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) -> Option<()> {
    stream.write_all(bytes).await.ok()?;
    stream.flush().await.ok()
}

/// Reads at most `length` bytes; how many came before the end.
async fn read(stream: &mut (impl AsyncRead + Unpin), length: u64) -> Option<u64> {
    let mut bytes = stream.take(length);
    tokio::io::copy(&mut bytes, &mut tokio::io::sink())
        .await
        .ok()
}
