//! An origin that speaks HTTP/2 frame by frame, and sends the frames that it is told.
//!
//! It answers settings and pings, and lets through whatever a body needs; the rest is the test's.

use std::net::SocketAddr;
use std::sync::Arc;

use rustls::ServerConfig;
use tempfile::NamedTempFile;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use super::frames::{
    ACK, Act, DATA, END_STREAM, Frame, HEADERS, PING, SETTINGS, WINDOW_UPDATE, frame, read_frame,
};
use super::routes::certificate;
use super::{LONG, config};
use crate::config::Upstream;
use crate::tasks::Tasks;

/// `PRI * HTTP/2.0` and so on.
const PREFACE: usize = 24;

/// A running origin.
pub(super) struct Origin {
    pub(super) address: SocketAddr,
    seen: watch::Receiver<Vec<Frame>>,
    file: NamedTempFile,
}

/// What an origin is to do.
pub(super) struct Script {
    settings: Vec<(u16, u32)>,
    lets_through: bool,
    answers_pings: bool,
}

type Play = Arc<dyn Fn(&Frame) -> Vec<Act> + Send + Sync>;

#[derive(Clone)]
struct Stage {
    play: Play,
    script: Arc<Script>,
    seen: watch::Sender<Vec<Frame>>,
}

// === impl Script ===

impl Script {
    pub(super) fn new() -> Self {
        Self {
            settings: Vec::new(),
            lets_through: true,
            answers_pings: true,
        }
    }

    pub(super) fn with(mut self, setting: u16, value: u32) -> Self {
        self.settings.push((setting, value));
        self
    }

    /// Lets no more of a body through than the first window.
    pub(super) fn stingy(mut self) -> Self {
        self.lets_through = false;
        self
    }

    /// Answers no ping.
    pub(super) fn dead(mut self) -> Self {
        self.answers_pings = false;
        self
    }

    pub(super) async fn start(
        self,
        play: impl Fn(&Frame) -> Vec<Act> + Send + Sync + 'static,
    ) -> Origin {
        let (tls, file) = speaking(&["h2"]);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, seen) = watch::channel(Vec::new());
        let stage = Stage {
            play: Arc::new(play),
            script: Arc::new(self),
            seen: sender,
        };
        let tasks = Tasks::new();
        tasks.clone().spawn(async move {
            for connection in 1.. {
                let (stream, _) = listener.accept().await.unwrap();
                let (stage, tls) = (stage.clone(), tls.clone());
                tasks.spawn(async move {
                    if let Ok(stream) = tls.accept(stream).await {
                        stage.serve(stream, connection).await;
                    }
                });
            }
        });
        Origin {
            address,
            seen,
            file,
        }
    }
}

// === impl Origin ===

impl Origin {
    pub(super) async fn start(play: impl Fn(&Frame) -> Vec<Act> + Send + Sync + 'static) -> Self {
        Script::new().start(play).await
    }

    /// The way there, with HTTP/2.
    pub(super) fn config(&self) -> Upstream {
        let mut config = config(&format!("https://localhost:{}", self.address.port()));
        config.ca_file = Some(self.file.path().to_owned());
        config.http2 = true;
        config
    }

    /// Connection and stream of each request.
    pub(super) fn requests(&self) -> Vec<(usize, u32)> {
        let seen = self.seen.borrow();
        let heads = seen.iter().filter(|frame| frame.kind == HEADERS);
        heads
            .map(|frame| (frame.connection, frame.stream))
            .collect()
    }

    /// How many bytes of a request's body have come.
    pub(super) fn taken(&self, stream: u32) -> usize {
        let seen = self.seen.borrow();
        let data = seen
            .iter()
            .filter(|frame| frame.kind == DATA && frame.stream == stream);
        data.map(|frame| frame.payload.len()).sum()
    }

    /// Waits until a frame has come that fits.
    pub(super) async fn has_seen(&self, fits: impl Fn(&Frame) -> bool) {
        let mut seen = self.seen.clone();
        let waited = timeout(LONG, seen.wait_for(|seen| seen.iter().any(&fits))).await;
        assert!(waited.is_ok(), "no such frame");
    }
}

// === impl Stage ===

impl Stage {
    /// Ends when the connection does.
    async fn serve(
        &self,
        stream: impl AsyncRead + AsyncWrite + Unpin,
        connection: usize,
    ) -> Option<()> {
        let mut stream = BufReader::new(stream);
        stream.read_exact(&mut [0; PREFACE]).await.ok()?;
        send(&mut stream, &settings(&self.script.settings)).await?;
        loop {
            let frame = read_frame(&mut stream, connection).await?;
            send(&mut stream, &self.duty(&frame)).await?;
            self.seen.send_modify(|seen| seen.push(frame.clone()));
            for act in (self.play)(&frame) {
                match act {
                    Act::Send(bytes) => send(&mut stream, &bytes).await?,
                    Act::Wait(mut gate) => gate.wait_for(|open| *open).await.ok().map(drop)?,
                    Act::Close => return None,
                }
            }
        }
    }

    /// What every peer says to a frame.
    fn duty(&self, seen: &Frame) -> Vec<u8> {
        let taken = u32::try_from(seen.payload.len()).unwrap();
        match seen.kind {
            SETTINGS if seen.flags & ACK == 0 => frame(SETTINGS, ACK, 0, &[]),
            PING if seen.flags & ACK == 0 && self.script.answers_pings => {
                frame(PING, ACK, 0, &seen.payload)
            }
            DATA if taken > 0 && self.script.lets_through => {
                let mut both = frame(WINDOW_UPDATE, 0, 0, &taken.to_be_bytes());
                if seen.flags & END_STREAM == 0 {
                    both.extend(frame(WINDOW_UPDATE, 0, seen.stream, &taken.to_be_bytes()));
                }
                both
            }
            _ => Vec::new(),
        }
    }
}

/// A server for `localhost` that knows these protocols, and the file that makes it trusted.
pub(super) fn speaking(protocols: &[&str]) -> (TlsAcceptor, NamedTempFile) {
    let (tls, file) = certificate();
    let mut server = ServerConfig::clone(tls.config());
    server.alpn_protocols = protocols
        .iter()
        .map(|name| name.as_bytes().to_vec())
        .collect();
    (TlsAcceptor::from(Arc::new(server)), file)
}

fn settings(values: &[(u16, u32)]) -> Vec<u8> {
    let mut payload = Vec::new();
    for (setting, value) in values {
        payload.extend(setting.to_be_bytes());
        payload.extend(value.to_be_bytes());
    }
    frame(SETTINGS, 0, 0, &payload)
}

async fn send(stream: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) -> Option<()> {
    stream.write_all(bytes).await.ok()?;
    stream.flush().await.ok()
}
