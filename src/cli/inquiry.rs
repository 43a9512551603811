//! Asks the admin listener of a Larder that runs.

use std::io;
use std::time::Duration;

use anyhow::{Context, bail};
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONNECTION, HOST};
use http::{HeaderValue, Request};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;

use crate::app::{SecretError, announced};
use crate::config::{Config, Listen};
use crate::tiers::is_owned;

/// Longest time for one question: who asks sits on the same machine, or near it.
const PATIENCE: Duration = Duration::from_secs(3);

/// Bytes of an answer; lists come in pages.
const MAX_ANSWER: usize = 16 << 20;

/// Where an admin listener is, and the token that opens it.
pub(super) struct Inquiry {
    address: Listen,
    token: Option<HeaderValue>,
}

/// What came back.
pub(super) struct Told {
    pub(super) status: u16,
    pub(super) text: String,
}

pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

// === impl Inquiry ===

impl Inquiry {
    /// Of the process that uses this configuration's data directory, as it has written down; else of one that
    /// listens where the configuration says.
    pub(super) fn of(config: &Config) -> anyhow::Result<Self> {
        // What a process has written down that is dead, leads to whoever has its port now.
        if is_owned(&config.data_dir).is_ok_and(|is_owned| !is_owned) {
            return Self::configured(config);
        }
        let announced = match announced(&config.data_dir) {
            // Of another user, whose token is not for us: what needs none may still be asked.
            Err(SecretError::File { source, .. }) if is_not_ours(&source) => {
                return Self::configured(config);
            }
            told => told?,
        };
        let address = announced.address.parse().map_err(anyhow::Error::msg)?;
        Ok(Self {
            address,
            token: Some(bearer(&announced.token)?),
        })
    }

    fn configured(config: &Config) -> anyhow::Result<Self> {
        let token = config.admin.token.as_ref();
        Ok(Self {
            address: config.admin.listen.clone(),
            token: token.map(|token| bearer(token.expose())).transpose()?,
        })
    }

    /// Asks for what is at `path`.
    pub(super) async fn get(&self, path: &str) -> anyhow::Result<Told> {
        let asked = timeout(PATIENCE, self.ask(path)).await;
        let asked = asked.unwrap_or_else(|_| bail!("no answer within {PATIENCE:?}"));
        asked.with_context(|| format!("asking {}", self.address))
    }

    async fn ask(&self, path: &str) -> anyhow::Result<Told> {
        let mut request = Request::get(path)
            .header(HOST, "localhost")
            // Whoever asks once is the last to know when the connection ends.
            .header(CONNECTION, "close")
            .body(Empty::<Bytes>::new())?;
        if let Some(token) = &self.token {
            request.headers_mut().insert(AUTHORIZATION, token.clone());
        }
        let stream = TokioIo::new(self.connect().await?);
        let (mut sender, connection) = http1::handshake(stream).await?;
        let asking = async {
            let response = sender.send_request(request).await?;
            let status = response.status().as_u16();
            let body = Limited::new(response.into_body(), MAX_ANSWER)
                .collect()
                .await;
            let body = body.map_err(anyhow::Error::from_boxed)?.to_bytes();
            let text = String::from_utf8_lossy(&body).into_owned();
            Ok(Told { status, text })
        };
        // The connection ends with the answer; what it has to say of an end without one, the request hears.
        let (told, _ended) = tokio::join!(asking, connection);
        told
    }

    async fn connect(&self) -> anyhow::Result<Box<dyn Stream>> {
        Ok(match &self.address {
            Listen::Tcp { host, port } => {
                Box::new(TcpStream::connect((host.as_str(), *port)).await?)
            }
            Listen::Unix(path) => Box::new(UnixStream::connect(path).await?),
            Listen::Passed(_) => {
                bail!("the admin listener is a passed socket, and its process has not said where")
            }
        })
    }
}

fn bearer(token: &str) -> anyhow::Result<HeaderValue> {
    let mut value = HeaderValue::from_str(&format!("Bearer {token}"))
        .context("the admin token has characters that no header may have")?;
    value.set_sensitive(true);
    Ok(value)
}

fn is_not_ours(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied
    )
}
