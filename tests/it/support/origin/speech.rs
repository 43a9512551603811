//! What the origin speaks, and the certificate by which it is known.

use std::sync::Arc;

use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio_rustls::TlsAcceptor;

/// A name that leads to an origin only for whoever is told so.
pub const NAME: &str = "cache.corp.invalid";

/// A protocol, and the certificate where it is spoken over TLS.
#[derive(Clone, Debug)]
pub enum Speech {
    Http1,
    Http1Tls(Certificate),
    Http2Tls(Certificate),
}

/// What a server wants of its clients in the handshake: a certificate of this authority, as PEM.
#[derive(Clone, Copy, Debug)]
pub enum Demand<'a> {
    /// It asks, and does without.
    Asks(&'a str),
    /// Whoever has none is turned away.
    Wants(&'a str),
}

/// A certificate that vouches for itself, made for one origin.
#[derive(Clone, Debug)]
pub struct Certificate {
    pem: String,
    server: Arc<ServerConfig>,
}

// === impl Speech ===

impl Speech {
    /// HTTP/1.1 over TLS, with a certificate of its own.
    pub fn http1_tls() -> Self {
        Self::Http1Tls(Certificate::new("http/1.1", None))
    }

    /// The same, with one that has ended long ago.
    pub fn http1_tls_ended() -> Self {
        let params = |mut params: CertificateParams| {
            params.not_after = date_time_ymd(2021, 1, 1);
            params
        };
        Self::Http1Tls(Certificate::made("http/1.1", None, params))
    }

    /// HTTP/2 over TLS, with a certificate of its own.
    pub fn http2_tls() -> Self {
        Self::Http2Tls(Certificate::new("h2", None))
    }

    /// HTTP/1.1 over TLS with clients that have a certificate of their own.
    pub fn http1_tls_with(demand: Demand<'_>) -> Self {
        Self::Http1Tls(Certificate::new("http/1.1", Some(demand)))
    }

    pub fn scheme(&self) -> &'static str {
        match self {
            Self::Http1 => "http",
            Self::Http1Tls(_) | Self::Http2Tls(_) => "https",
        }
    }

    pub fn certificate(&self) -> Option<&Certificate> {
        match self {
            Self::Http1 => None,
            Self::Http1Tls(certificate) | Self::Http2Tls(certificate) => Some(certificate),
        }
    }
}

// === impl Demand ===

impl Demand<'_> {
    fn verifier(self) -> Arc<dyn ClientCertVerifier> {
        let (Self::Asks(pem) | Self::Wants(pem)) = self;
        let der = CertificateDer::from_pem_slice(pem.as_bytes()).expect("a certificate");
        let mut roots = RootCertStore::empty();
        roots.add(der).expect("an authority");
        let provider = Arc::new(aws_lc_rs::default_provider());
        let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider);
        let verifier = match self {
            Self::Asks(_) => verifier.allow_unauthenticated(),
            Self::Wants(_) => verifier,
        };
        verifier.build().expect("an authority")
    }
}

// === impl Certificate ===

impl Certificate {
    /// For the address that origins have and the name that some are given, and for this protocol
    /// behind the handshake.
    fn new(protocol: &str, demand: Option<Demand<'_>>) -> Self {
        Self::made(protocol, demand, |params| params)
    }

    /// The same, with what `change` makes of it.
    fn made(
        protocol: &str,
        demand: Option<Demand<'_>>,
        change: impl FnOnce(CertificateParams) -> CertificateParams,
    ) -> Self {
        let names = ["127.0.0.1", NAME].map(str::to_owned);
        let params = change(CertificateParams::new(names).expect("names"));
        let signing_key = KeyPair::generate().expect("a key");
        let own = params.self_signed(&signing_key).expect("a certificate");
        let key = PrivateKeyDer::try_from(signing_key.serialize_der()).expect("a key");
        let mut server =
            ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
                .with_safe_default_protocol_versions()
                .expect("versions of TLS")
                .with_client_cert_verifier(
                    demand.map_or_else(WebPkiClientVerifier::no_client_auth, Demand::verifier),
                )
                .with_single_cert(vec![own.der().clone()], key)
                .expect("a certificate and its key");
        server.alpn_protocols = vec![protocol.as_bytes().to_vec()];
        Self {
            pem: own.pem(),
            server: Arc::new(server),
        }
    }

    /// What makes it trusted.
    pub fn pem(&self) -> &str {
        &self.pem
    }

    pub fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.server))
    }
}
