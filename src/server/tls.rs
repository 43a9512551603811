//! TLS in front of a connection: what is shown and spoken, and the handshake.
//!
//! A handshake runs in its connection's own task. What is spoken may be replaced: handshakes that begin from
//! then on are made by the new, connections that are open go on.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::SystemTime;

use parking_lot::RwLock;
use rustls::HandshakeKind;
use rustls::pki_types::CertificateDer;
use rustls::server::Acceptor;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::server::TlsStream;
use tracing::debug;

use super::Peer;
use super::clock::LINGER;
use super::connection::Accepted;
use super::guard::Watch;
use super::secured::{Below, ClearText, Secured};
use super::shown::Shown;
use super::spoken::{Spoken, TlsError};
use crate::certificate::{Certificate, Validity};
use crate::config::ServerTls;
use crate::metrics::{Handshake, Metrics};

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
pub struct Tls(Arc<RwLock<Spoken>>);

/// A handshake under observation; dropped before its end is known, it was left.
struct Observed {
    metrics: Option<Arc<Metrics>>,
    end: Handshake,
}

/// A connection whose handshake is to be made, as far as it is known.
struct Unshaken<I> {
    io: Below<I>,
    peer: Peer,
    metrics: Option<Arc<Metrics>>,
    watch: Watch,
    shown: Shown,
}

/// A certificate that was good when its session began, or was taken although it cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("the client's certificate is no longer good, or cannot be read")]
struct NoLongerGood;

// === impl Tls ===

impl Tls {
    /// Shows the certificates in `tls`, and asks for those of clients where it says so.
    ///
    /// # Errors
    ///
    /// Where the system gives no randomness.
    pub fn new(tls: &ServerTls) -> Result<Self, TlsError> {
        Ok(Self(Arc::new(RwLock::new(Spoken::new(tls)?))))
    }

    /// Speaks so from the next handshake on. Of two at once either may be the last.
    ///
    /// # Errors
    ///
    /// As for a new one; then all stays as it was.
    pub fn replace(&self, tls: &ServerTls) -> Result<(), TlsError> {
        // Made beforehand: handshakes that begin meanwhile do not wait for it.
        let next = self.0.read().followed_by(tls)?;
        *self.0.write() = next;
        Ok(())
    }

    /// A connection over `io` that makes its handshake before it gives a byte. All of its bytes are
    /// encrypted here: none can go by another way.
    pub(super) fn secure<I>(
        &self,
        io: I,
        accepted: Accepted<()>,
        metrics: Option<Arc<Metrics>>,
    ) -> Accepted<Secured<I>>
    where
        I: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let (watch, shown) = (accepted.watch.clone(), Shown::awaited());
        let unshaken = Unshaken {
            io: Below::new(io, watch.clone()),
            peer: accepted.peer,
            metrics,
            watch,
            shown: shown.clone(),
        };
        let peer = Peer {
            is_secure: true,
            ..accepted.peer
        };
        let secured = Accepted {
            peer,
            shown,
            ..accepted
        };
        secured.over(self.shaking(unshaken))
    }

    fn shaking<I>(&self, unshaken: Unshaken<I>) -> Secured<I>
    where
        I: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let tls = self.clone();
        Secured::new(Box::pin(async move {
            let mut observed = Observed {
                metrics: unshaken.metrics,
                end: Handshake::Left,
            };
            let shaken = tls.shake_hands(unshaken.io).await.and_then(|stream| {
                let shown = stream.get_ref().1.peer_certificates();
                if let Some(certificate) = certificate_in(shown, SystemTime::now())? {
                    unshaken.shown.put(certificate);
                }
                Ok(stream)
            });
            observed.end = end_of(&shaken);
            unshaken.watch.note_shaken();
            if let Err(error) = &shaken {
                let peer = unshaken.peer.address.map(tracing::field::display);
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
        let config = Arc::clone(self.0.read().config());
        let accepted = hello.into_stream_with(config, |session| {
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

/// What a client has shown. Who resumes a session shows nothing anew: what it showed then must still be good.
fn certificate_in(
    shown: Option<&[CertificateDer<'_>]>,
    now: SystemTime,
) -> io::Result<Option<Certificate>> {
    let Some(shown) = shown.and_then(<[_]>::first) else {
        return Ok(None);
    };
    let certificate = Certificate::read(shown).ok();
    let good = certificate.filter(|certificate| certificate.at(now) == Validity::Valid);
    good.map(Some)
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, NoLongerGood))
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
    use std::time::{Duration, UNIX_EPOCH};

    use rcgen::{CertificateParams, KeyPair, date_time_ymd};

    use super::*;

    fn at(seconds: u64, shown: Option<&[CertificateDer<'_>]>) -> io::Result<Option<Certificate>> {
        certificate_in(shown, UNIX_EPOCH + Duration::from_secs(seconds))
    }

    #[test]
    fn a_certificate_that_has_ended_since_its_session_began_is_good_no_longer() {
        let mut params = CertificateParams::new(vec!["ci.example".to_owned()]).unwrap();
        params.not_after = date_time_ymd(2021, 1, 1);
        let key = KeyPair::generate().unwrap();
        let own = params.self_signed(&key).unwrap();
        let (own, torn) = (own.der().clone(), CertificateDer::from_slice(b"\x30\x00"));
        let end = 1_609_459_200;
        let shown = at(end, Some(std::slice::from_ref(&own))).unwrap().unwrap();
        assert_eq!(&**shown.client(), "ci.example");
        for (seconds, shown) in [(end + 1, own), (end, torn)] {
            let error = at(seconds, Some(&[shown])).unwrap_err();
            assert_eq!(
                error.kind(),
                io::ErrorKind::InvalidData,
                "counted as failed"
            );
        }
        for nothing in [None, Some(&[][..])] {
            assert_eq!(at(end, nothing).unwrap(), None, "{nothing:?}");
        }
    }

    #[test]
    fn handshakes_do_not_wait_while_what_is_spoken_next_is_made() {
        use std::sync::mpsc::channel;

        use rustls::pki_types::PrivateKeyDer;

        use crate::config::Identity;

        let own = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let key = PrivateKeyDer::try_from(own.signing_key.serialize_der()).unwrap();
        let identity = Identity::of(vec![own.cert.der().clone()], &key);
        let shown = ServerTls::showing(identity);
        let tls = Tls::new(&shown).unwrap();
        let useless = ServerTls {
            identities: Vec::new(),
            ..shown
        };
        let (told, made) = channel();
        let handshake = tls.0.read();
        let replaced = tls.clone();
        std::thread::spawn(move || told.send(replaced.replace(&useless).is_err()));
        assert_eq!(made.recv_timeout(Duration::from_secs(10)), Ok(true));
        drop(handshake);
    }

    #[test]
    fn what_is_said_in_clear_text_is_as_long_as_it_says() {
        let text = std::str::from_utf8(CLEAR).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("content-length: {}\r\n", body.len())));
    }
}
