//! A client with a connection of HTTP/1.1.

use std::fmt::Debug;
use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Result, ensure};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::{Deed, LARGE};

/// Bytes of an upload that is whole.
pub(crate) const UPLOAD: usize = 4 << 20;
const PIECE: usize = 64 * 1024;

/// A connection, with TLS or without.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin + Debug {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin + Debug> Stream for S {}

/// Whom a client trusts.
#[derive(Clone, Debug)]
pub(crate) struct Trust(ClientConfig);

/// A connection of one.
#[derive(Debug)]
pub(crate) struct Client(Box<dyn Stream>);

// === impl Trust ===

impl Trust {
    /// In whoever shows this.
    pub(crate) fn new(certificate: CertificateDer<'static>) -> Result<Self> {
        let mut roots = RootCertStore::empty();
        roots.add(certificate)?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self(config))
    }
}

/// Connects, in TLS where there is somebody to trust, to speak this.
pub(crate) async fn connect(
    address: SocketAddr,
    trust: Option<&Trust>,
    protocol: &[u8],
) -> Result<Box<dyn Stream>> {
    let stream = TcpStream::connect(address).await?;
    let Some(Trust(config)) = trust else {
        return Ok(Box::new(stream));
    };
    let mut config = config.clone();
    config.alpn_protocols = vec![protocol.to_vec()];
    let name = ServerName::try_from("127.0.0.1")?;
    let connector = TlsConnector::from(Arc::new(config));
    Ok(Box::new(connector.connect(name, stream).await?))
}

// === impl Client ===

impl Client {
    pub(crate) async fn connect(address: SocketAddr, trust: Option<&Trust>) -> Result<Self> {
        Ok(Self(connect(address, trust, b"http/1.1").await?))
    }

    /// Does what it came for.
    pub(crate) async fn act(&mut self, deed: Deed, place: usize) -> Result<()> {
        match deed {
            Deed::Nothing => Ok(()),
            Deed::Fetched => {
                self.ask("GET", "small", 0).await?;
                let length = self.answered().await?;
                self.take(length).await
            }
            Deed::Uploaded => self.put(&format!("up{place}"), UPLOAD).await,
            Deed::Reads => {
                self.ask("GET", "large", 0).await?;
                self.answered().await.map(drop)
            }
            Deed::Uploads => {
                self.ask("PUT", &format!("half{place}"), LARGE).await?;
                self.send(UPLOAD).await
            }
        }
    }

    /// Uploads something of that length.
    pub(crate) async fn put(&mut self, name: &str, length: usize) -> Result<()> {
        self.ask("PUT", name, length).await?;
        self.send(length).await?;
        let length = self.answered().await?;
        self.take(length).await
    }

    async fn ask(&mut self, method: &str, name: &str, length: usize) -> Result<()> {
        let target = format!("/v8/artifacts/{name}?slug=acme");
        let head = format!("{method} {target} HTTP/1.1\r\nhost: localhost\r\n");
        let length = format!("content-length: {length}\r\n");
        let length = if method == "PUT" { &length } else { "" };
        let head = format!("{head}{length}authorization: Bearer member\r\n\r\n");
        self.0.write_all(head.as_bytes()).await?;
        Ok(self.0.flush().await?)
    }

    async fn send(&mut self, length: usize) -> Result<()> {
        let piece = vec![b'x'; PIECE];
        let mut left = length;
        while left > 0 {
            let now = left.min(PIECE);
            self.0.write_all(piece.split_at(now).0).await?;
            left -= now;
        }
        Ok(self.0.flush().await?)
    }

    /// Reads an answer's head; returns its body's length.
    async fn answered(&mut self) -> Result<usize> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(self.0.read_u8().await?);
        }
        let head = String::from_utf8(head)?.to_ascii_lowercase();
        ensure!(head.starts_with("http/1.1 20"), "{head}");
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "));
        Ok(length.unwrap_or("0").parse()?)
    }

    async fn take(&mut self, length: usize) -> Result<()> {
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).await?;
        Ok(())
    }
}
