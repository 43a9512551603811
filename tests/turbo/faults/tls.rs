//! TLS with a certificate of its own before another port.

use std::net::SocketAddr;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

/// A certificate that signs itself, and whoever answers with it.
pub(super) struct Certified {
    pub(super) pem: String,
    acceptor: TlsAcceptor,
}

// === impl Certified ===

impl Certified {
    pub(super) fn new() -> Self {
        let own = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()])
            .expect("a certificate");
        let key = PrivateKeyDer::try_from(own.signing_key.serialize_der()).expect("a key");
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions of TLS")
            .with_no_client_auth()
            .with_single_cert(vec![own.cert.der().clone()], key)
            .expect("a certificate and its key");
        Self {
            pem: own.cert.pem(),
            acceptor: TlsAcceptor::from(Arc::new(config)),
        }
    }

    /// Takes TLS off whatever connects, and passes it on.
    pub(super) async fn serve(self, listener: TcpListener, plain: SocketAddr) {
        let mut connections = JoinSet::new();
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = self.acceptor.clone();
            connections.spawn(async move {
                // Clients that trust nobody break off here: that is the fault.
                let mut stream = acceptor.accept(stream).await?;
                let mut plain = TcpStream::connect(plain).await?;
                copy_bidirectional(&mut stream, &mut plain).await
            });
        }
    }
}
