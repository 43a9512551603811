//! What the origin speaks, and the certificate by which it is known.

use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::PrivateKeyDer;
use tokio_rustls::TlsAcceptor;

/// A protocol, and the certificate where it is spoken over TLS.
#[derive(Clone, Debug)]
pub enum Speech {
    Http1,
    Http1Tls(Certificate),
    Http2Tls(Certificate),
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
        Self::Http1Tls(Certificate::new("http/1.1"))
    }

    /// HTTP/2 over TLS, with a certificate of its own.
    pub fn http2_tls() -> Self {
        Self::Http2Tls(Certificate::new("h2"))
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

// === impl Certificate ===

impl Certificate {
    /// For the address that origins have, and for this protocol behind the handshake.
    fn new(protocol: &str) -> Self {
        let own = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()])
            .expect("a certificate");
        let key = PrivateKeyDer::try_from(own.signing_key.serialize_der()).expect("a key");
        let mut server =
            ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
                .with_safe_default_protocol_versions()
                .expect("versions of TLS")
                .with_no_client_auth()
                .with_single_cert(vec![own.cert.der().clone()], key)
                .expect("a certificate and its key");
        server.alpn_protocols = vec![protocol.as_bytes().to_vec()];
        Self {
            pem: own.cert.pem(),
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
