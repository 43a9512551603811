//! Asks the admin listener of a Larder that runs.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, bail};
use bytes::Bytes;
use clap::Args;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use http::{HeaderValue, Method, Request};
use http_body_util::{BodyExt, Full, Limited};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;

use super::once::{self, Stream};
use crate::app::{SecretError, announced};
use crate::config::{Config, Flags, Listen};
use crate::tiers::used_by;

/// Longest time for one question: who asks sits on the same machine, or near it.
const PATIENCE: Duration = Duration::from_secs(3);

/// Bytes of an answer; lists come in pages.
const MAX_ANSWER: usize = 16 << 20;

/// Where the running process is.
#[derive(Args, Debug, Default)]
pub(super) struct ProcessFlags {
    /// Reads this file, as `serve` would, to know where the process is
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Its data is here
    #[arg(long, value_name = "DIR")]
    data_dir: Option<String>,
    /// It listens here for administration, where its data directory does not say so
    #[arg(long, value_name = "ADDR")]
    admin_listen: Option<String>,
}

/// Where an admin listener is, and the token that opens it.
#[derive(Debug)]
pub(super) struct Inquiry {
    address: Listen,
    token: Option<HeaderValue>,
    patience: Duration,
    /// The data directory that should have said where to ask, and that no process uses.
    unused: Option<PathBuf>,
}

/// What came back.
pub(super) struct Told {
    pub(super) status: u16,
    pub(super) text: String,
}

// === impl Inquiry ===

impl Inquiry {
    /// Of the process that uses this configuration's data directory, as it has written down; else of one that
    /// listens where the configuration says.
    pub(super) fn of(config: &Config) -> anyhow::Result<Self> {
        // What a process has written down that is dead, leads to whoever has its port now.
        if used_by(&config.data_dir).is_none() {
            return Ok(Self {
                unused: Some(config.data_dir.clone()),
                ..Self::configured(config)?
            });
        }
        let announced = match announced(&config.data_dir) {
            // Of another user, whose token is not for us: what needs none may still be asked.
            Err(SecretError::File { source, .. }) if is_not_ours(&source) => {
                return Self::configured(config);
            }
            told => told?,
        };
        Self::at(&announced.address, &announced.token)
    }

    /// Of whoever listens there, and opens to this token.
    pub(super) fn at(address: &str, token: &str) -> anyhow::Result<Self> {
        Ok(Self {
            address: address.parse().map_err(anyhow::Error::msg)?,
            token: Some(bearer(token)?),
            patience: PATIENCE,
            unused: None,
        })
    }

    /// With more patience, or less.
    pub(super) fn with_patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    fn configured(config: &Config) -> anyhow::Result<Self> {
        let token = config.admin.token.as_ref();
        Ok(Self {
            address: config.admin.listen.clone(),
            token: token.map(|token| bearer(token.expose())).transpose()?,
            patience: PATIENCE,
            unused: None,
        })
    }

    /// Asks for what is at `path`.
    pub(super) async fn get(&self, path: &str) -> anyhow::Result<Told> {
        self.ask(Request::get(path).body(Full::default())?).await
    }

    /// Wants what is at `path` gone.
    pub(super) async fn delete(&self, path: &str) -> anyhow::Result<Told> {
        self.ask(Request::delete(path).body(Full::default())?).await
    }

    /// Puts something to `path`, as JSON.
    pub(super) async fn put(&self, path: &str, what: &impl Serialize) -> anyhow::Result<Told> {
        let request = Request::builder().method(Method::PUT).uri(path);
        let request = request.header(CONTENT_TYPE, "application/json");
        let body = serde_json::to_vec(what)?;
        self.ask(request.body(Full::from(body))?).await
    }

    async fn ask(&self, request: Request<Full<Bytes>>) -> anyhow::Result<Told> {
        let patience = self.patience;
        let asked = timeout(patience, self.exchange(request)).await;
        let asked = asked.unwrap_or_else(|_| bail!("no answer within {patience:?}"));
        asked.with_context(|| match &self.unused {
            Some(data_dir) => format!(
                "asking {}, since no Larder uses {}",
                self.address,
                data_dir.display()
            ),
            None => format!("asking {}", self.address),
        })
    }

    async fn exchange(&self, mut request: Request<Full<Bytes>>) -> anyhow::Result<Told> {
        let headers = request.headers_mut();
        headers.insert(HOST, HeaderValue::from_static("localhost"));
        if let Some(token) = &self.token {
            request.headers_mut().insert(AUTHORIZATION, token.clone());
        }
        once::ask(self.connect().await?, request, async |response| {
            let status = response.status().as_u16();
            let body = Limited::new(response.into_body(), MAX_ANSWER)
                .collect()
                .await;
            let body = body.map_err(anyhow::Error::from_boxed)?.to_bytes();
            let text = String::from_utf8_lossy(&body).into_owned();
            Ok(Told { status, text })
        })
        .await
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

// === impl Told ===

impl Told {
    /// The answer, unless it is a refusal.
    pub(super) fn successful(self) -> anyhow::Result<Self> {
        if (200..300).contains(&self.status) {
            return Ok(self);
        }
        let refusal: Option<serde_json::Value> = serde_json::from_str(&self.text).ok();
        let message = refusal
            .as_ref()
            .and_then(|it| it.pointer("/error/message")?.as_str());
        bail!("{}: {}", self.status, message.unwrap_or(self.text.trim()))
    }

    /// What it says, unless it is a refusal.
    pub(super) fn json<T: DeserializeOwned>(self) -> anyhow::Result<T> {
        let told = self.successful()?;
        serde_json::from_str(&told.text).context("the answer is not what was expected")
    }
}

// === impl ProcessFlags ===

impl From<&ProcessFlags> for Flags {
    fn from(flags: &ProcessFlags) -> Self {
        Self {
            config: flags.config.clone(),
            data_dir: flags.data_dir.clone(),
            admin_listen: flags.admin_listen.clone(),
            ..Self::default()
        }
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
