//! TLS in front of a connection: what is shown and spoken, and the handshake.
//!
//! A handshake runs in its connection's own task and in the time of its first head.

use std::fmt;
use std::io;
use std::sync::Arc;

use rustls::crypto::aws_lc_rs;
use rustls::server::{Acceptor, NoServerSessionStorage};
use rustls::sign::SingleCertAndKey;
use rustls::{HandshakeKind, ServerConfig};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::server::TlsStream;
use tracing::debug;

use super::Peer;
use super::clock::LINGER;
use super::guard::Watch;
use super::secured::{Below, ClearText, Secured};
use crate::config::Identity;
use crate::metrics::{Handshake, Metrics};

/// The name of HTTP/2 in a handshake (RFC 9113 §3.2).
pub(super) const HTTP_2: &[u8] = b"h2";

/// What is spoken behind the handshake, the best first.
const PROTOCOLS: [&[u8]; 3] = [HTTP_2, b"http/1.1", b"http/1.0"];

/// Encrypted bytes held for one client that does not take them yet: as many as the system holds
/// unsent. With half as much, which is the library's own measure, a body of 64 KiB and its head would not
/// leave in one call.
const BUFFER: usize = 128 * 1024;

/// What a client that speaks HTTP here is told.
const CLEAR: &[u8] = b"HTTP/1.1 400 Bad Request\r\n\
    content-type: application/json\r\n\
    content-length: 87\r\n\
    connection: close\r\n\r\n\
    {\"error\":{\"code\":\"tls_required\",\"message\":\"this port speaks TLS: begin with https://\"}}";

/// Bytes of such a client's request that are read, so that closing does not overtake the answer.
const UNREAD: u64 = 64 * 1024;

/// How TLS is spoken with clients; clones share it.
#[derive(Clone)]
pub struct Tls(Arc<ServerConfig>);

/// The crypto library does not give what it takes.
#[derive(Debug, thiserror::Error)]
#[error("cannot set up TLS: {0}")]
pub struct TlsError(#[from] rustls::Error);

/// A handshake under observation; dropped before its end is known, it was left.
struct Observed {
    metrics: Option<Arc<Metrics>>,
    end: Handshake,
}

// === impl Tls ===

impl Tls {
    /// Shows `identity`, to whoever asks for whatever name.
    ///
    /// # Errors
    ///
    /// Where the system gives no randomness.
    pub fn new(identity: &Identity) -> Result<Self, TlsError> {
        // The provider is named, not looked up: a second one in the process could not confuse us.
        let provider = Arc::new(aws_lc_rs::default_provider());
        let own = SingleCertAndKey::from(Arc::clone(identity.certified_key()));
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(own));
        config.alpn_protocols = PROTOCOLS.map(<[u8]>::to_vec).to_vec();
        // What is needed to resume a session is with the client, sealed: nothing to hold. Handshakes share
        // a lock that one of them has to itself every six hours, when there are new keys to seal with.
        config.ticketer = aws_lc_rs::Ticketer::new()?;
        config.session_storage = Arc::new(NoServerSessionStorage {});
        Ok(Self(Arc::new(config)))
    }

    /// A connection over `io` that makes its handshake before it gives a byte. All of its bytes are
    /// encrypted here: none can go by another way.
    pub(super) fn secure<I>(
        &self,
        io: I,
        peer: Peer,
        watch: &Watch,
        metrics: Option<Arc<Metrics>>,
    ) -> (Secured<I>, Peer)
    where
        I: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let below = Below::new(io, watch.clone());
        let peer = Peer {
            is_secure: true,
            ..peer
        };
        (self.shaking(below, peer, metrics), peer)
    }

    fn shaking<I>(&self, io: Below<I>, peer: Peer, metrics: Option<Arc<Metrics>>) -> Secured<I>
    where
        I: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let tls = self.clone();
        Secured::new(Box::pin(async move {
            let mut observed = Observed {
                metrics,
                end: Handshake::Left,
            };
            let shaken = tls.shake_hands(io).await;
            observed.end = end_of(&shaken);
            if let Err(error) = &shaken {
                let peer = peer.address.map(tracing::field::display);
                debug!(peer, %error, "a TLS handshake came to nothing");
            }
            shaken.map(Box::new)
        }))
    }

    async fn shake_hands<I>(&self, io: Below<I>) -> io::Result<TlsStream<Below<I>>>
    where
        I: AsyncRead + AsyncWrite + Unpin,
    {
        let mut acceptor = LazyConfigAcceptor::new(Acceptor::default(), io);
        let hello = match (&mut acceptor).await {
            Ok(hello) => hello,
            Err(error) => {
                if ClearText::is_why(&error)
                    && let Some(io) = acceptor.take_io()
                {
                    tell_clear_text(io).await;
                }
                return Err(error);
            }
        };
        let accepted = hello.into_stream_with(Arc::clone(&self.0), |session| {
            session.set_buffer_limit(Some(BUFFER));
        });
        accepted.await
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tls")
    }
}

// === impl Observed ===

impl Drop for Observed {
    fn drop(&mut self) {
        if let Some(metrics) = &self.metrics {
            metrics.tls.count(self.end);
        }
    }
}

fn end_of<I>(shaken: &io::Result<TlsStream<I>>) -> Handshake {
    match shaken {
        Ok(stream) => match stream.get_ref().1.handshake_kind() {
            Some(HandshakeKind::Resumed) => Handshake::Resumed,
            _ => Handshake::Full,
        },
        Err(error) if ClearText::is_why(error) => Handshake::Clear,
        // What the other side said was understood, or not: it did say something.
        Err(error) if error.kind() == io::ErrorKind::InvalidData => Handshake::Failed,
        Err(_) => Handshake::Left,
    }
}

/// Tells a client that speaks HTTP in clear text what it has come to, as far as it listens.
async fn tell_clear_text<I: AsyncRead + AsyncWrite + Unpin>(mut io: I) {
    let telling = async {
        io.write_all(CLEAR).await?;
        io.shutdown().await?;
        let mut rest = io.take(UNREAD);
        tokio::io::copy(&mut rest, &mut tokio::io::sink()).await
    };
    // Whoever has left, or says on and on, has been told.
    drop(timeout(LINGER, telling).await);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_in_clear_text_is_as_long_as_it_says() {
        let text = std::str::from_utf8(CLEAR).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("content-length: {}\r\n", body.len())));
    }
}
