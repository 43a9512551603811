//! TLS between a client and Larder: a certificate for it, and clients that trust it.

use std::fs;
use std::sync::Arc;

use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use rustls::client::Resumption;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::sign::SingleCertAndKey;
use rustls::{
    ClientConfig, ClientConnection, ProtocolVersion, RootCertStore, SupportedProtocolVersion,
};
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::authority::Badge;
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
        Self::of(&["127.0.0.1"])
    }

    /// For these names.
    pub fn of(names: &[&str]) -> Self {
        Self::until(2100, names)
    }

    /// For these names, until the first day of a year.
    pub fn until(year: i32, names: &[&str]) -> Self {
        let names: Vec<_> = names.iter().map(|&name| name.to_owned()).collect();
        let mut params = CertificateParams::new(names).expect("names");
        params.not_after = date_time_ymd(year, 1, 1);
        let key = KeyPair::generate().expect("a key");
        let own = params.self_signed(&key).expect("a certificate");
        let mut roots = RootCertStore::empty();
        roots.add(own.der().clone()).expect("an authority");
        Self {
            cert: own.pem(),
            key: key.serialize_pem(),
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

    /// Asks for the server by this name.
    pub fn named(mut self, name: &'static str) -> Self {
        self.name = ServerName::try_from(name).expect("a name");
        self
    }

    /// Shows this certificate to whoever asks for one. Sessions before are forgotten.
    pub fn showing(mut self, badge: &Badge) -> Self {
        let config = Arc::make_mut(&mut self.config);
        config.client_auth_cert_resolver =
            Arc::new(SingleCertAndKey::from(Arc::clone(&badge.shown)));
        self.afresh()
    }

    /// Remembers no session from before.
    pub fn afresh(mut self) -> Self {
        Arc::make_mut(&mut self.config).resumption = Resumption::default();
        self
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
