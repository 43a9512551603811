//! How TLS is spoken at one time: what is shown, who is asked for a certificate, what a session is resumed by.

use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::server::{NoServerSessionStorage, ProducesTickets};

use super::names::Names;
use crate::config::{Clients, ContentDigest, ServerTls};

/// The name of HTTP/2 in a handshake (RFC 9113 §3.2).
pub(super) const HTTP_2: &[u8] = b"h2";

/// What is spoken behind the handshake, the best first.
const PROTOCOLS: [&[u8]; 3] = [HTTP_2, b"http/1.1", b"http/1.0"];

/// How TLS is spoken now.
pub(super) struct Spoken {
    config: Arc<ServerConfig>,
    /// By what clients are judged, where they are.
    clients: Option<ContentDigest>,
}

/// What TLS takes is not there.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The crypto library does not give it.
    #[error("cannot set up TLS: {0}")]
    Library(#[from] rustls::Error),
    /// There is nothing to show.
    #[error("cannot set up TLS: there is no certificate")]
    NoCertificate,
}

// === impl Spoken ===

impl Spoken {
    /// With sessions of its own.
    pub(super) fn new(tls: &ServerTls) -> Result<Self, TlsError> {
        Self::with(tls, tickets()?)
    }

    /// What is spoken next.
    ///
    /// A session outlives another certificate of the server's. It does not outlive what clients are judged
    /// by: their certificates are not judged again where one is resumed.
    pub(super) fn followed_by(&self, tls: &ServerTls) -> Result<Self, TlsError> {
        if self.clients == judged_by(tls) {
            Self::with(tls, Arc::clone(&self.config.ticketer))
        } else {
            Self::new(tls)
        }
    }

    fn with(tls: &ServerTls, tickets: Arc<dyn ProducesTickets>) -> Result<Self, TlsError> {
        let names = Names::of(&tls.identities).ok_or(TlsError::NoCertificate)?;
        // The provider is named, not looked up: a second one in the process could not confuse us.
        let provider = Arc::new(aws_lc_rs::default_provider());
        let builder =
            ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
        let builder = match &tls.clients {
            Some(clients) => builder.with_client_cert_verifier(Arc::clone(clients.verifier())),
            None => builder.with_no_client_auth(),
        };
        let mut config = builder.with_cert_resolver(Arc::new(names));
        config.alpn_protocols = PROTOCOLS.map(<[u8]>::to_vec).to_vec();
        config.ticketer = tickets;
        config.session_storage = Arc::new(NoServerSessionStorage {});
        Ok(Self {
            config: Arc::new(config),
            clients: judged_by(tls),
        })
    }

    /// As the library wants to have it.
    pub(super) fn config(&self) -> &Arc<ServerConfig> {
        &self.config
    }
}

fn judged_by(tls: &ServerTls) -> Option<ContentDigest> {
    tls.clients.as_ref().map(Clients::contents)
}

/// What is needed to resume a session is with the client, sealed: nothing to hold. Handshakes share a lock
/// that one of them has to itself every six hours, when there are new keys to seal with.
fn tickets() -> Result<Arc<dyn ProducesTickets>, TlsError> {
    Ok(aws_lc_rs::Ticketer::new()?)
}
