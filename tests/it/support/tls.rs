//! TLS between a client and Larder: a certificate for it, and clients that trust it.

use std::fs;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{
    ClientConfig, ClientConnection, ProtocolVersion, RootCertStore, SupportedProtocolVersion,
};
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::openssl::certify;

/// A connection, with TLS or without.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin + std::fmt::Debug {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin + std::fmt::Debug> Stream for S {}

/// A certificate that vouches for itself, and its key.
#[derive(Clone, Debug)]
pub struct Certificate {
    pub cert: String,
    pub key: String,
    trust: Trust,
}

/// Whom a client trusts, by which name, and what it speaks.
#[derive(Clone, Debug)]
pub struct Trust {
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
}

/// What was agreed on in a handshake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agreed {
    pub version: Option<ProtocolVersion>,
    pub protocol: Option<Vec<u8>>,
}

// === impl Certificate ===

impl Certificate {
    /// For the address that Larders have here.
    pub fn new() -> Self {
        let own = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()])
            .expect("a certificate");
        let mut roots = RootCertStore::empty();
        roots.add(own.cert.der().clone()).expect("an authority");
        Self {
            cert: own.cert.pem(),
            key: own.signing_key.serialize_pem(),
            trust: Trust::with(roots, rustls::ALL_VERSIONS),
        }
    }

    /// For this name, made as the documentation says; none where there is no openssl.
    pub fn documented(name: &'static str) -> Option<Self> {
        let folder = TempDir::new().expect("a folder");
        if !certify(folder.path(), name) {
            return None;
        }
        let read = |file: &str| fs::read_to_string(folder.path().join(file)).expect("a file");
        let mut made = Self {
            cert: read("tls.pem"),
            key: read("tls-key.pem"),
            trust: Trust::in_nobody(),
        };
        made.trust = Trust::with(made.roots(), rustls::ALL_VERSIONS);
        made.trust.name = ServerName::try_from(name).expect("a name");
        Some(made)
    }

    fn roots(&self) -> RootCertStore {
        let der = CertificateDer::from_pem_slice(self.cert.as_bytes()).expect("a certificate");
        let mut roots = RootCertStore::empty();
        roots.add(der).expect("an authority");
        roots
    }

    pub fn trust(&self) -> Trust {
        self.trust.clone()
    }
}

// === impl Trust ===

impl Trust {
    fn with(roots: RootCertStore, versions: &[&'static SupportedProtocolVersion]) -> Self {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .expect("versions of TLS")
            .with_root_certificates(roots)
            .with_no_client_auth();
        Self {
            config: Arc::new(config),
            name: ServerName::try_from("127.0.0.1").expect("an address"),
        }
    }

    /// In nobody.
    pub fn in_nobody() -> Self {
        Self::with(RootCertStore::empty(), rustls::ALL_VERSIONS)
    }

    /// Speaks this version of TLS alone; whom it trusts are those of `certificate`.
    pub fn only(certificate: &Certificate, version: &'static SupportedProtocolVersion) -> Self {
        Self::with(certificate.roots(), &[version])
    }

    /// Offers these protocols.
    pub fn offering(mut self, protocols: &[&[u8]]) -> Self {
        Arc::make_mut(&mut self.config).alpn_protocols =
            protocols.iter().map(|name| name.to_vec()).collect();
        self
    }

    /// The first message of a handshake, whole.
    pub fn hello(&self) -> Vec<u8> {
        let config = Arc::clone(&self.config);
        let mut session = ClientConnection::new(config, self.name.clone()).expect("a session");
        let mut hello = Vec::new();
        session.write_tls(&mut hello).expect("a message");
        hello
    }

    /// Makes a handshake.
    pub async fn secure(&self, stream: TcpStream) -> std::io::Result<TlsStream<TcpStream>> {
        let connector = TlsConnector::from(Arc::clone(&self.config));
        connector.connect(self.name.clone(), stream).await
    }
}

// === impl Agreed ===

impl Agreed {
    pub fn on(stream: &TlsStream<TcpStream>) -> Self {
        let session = stream.get_ref().1;
        Self {
            version: session.protocol_version(),
            protocol: session.alpn_protocol().map(<[u8]>::to_vec),
        }
    }
}
