//! From a host to a byte stream: addresses, one TCP connection to the first that answers, TLS.
//!
//! How long that may take is the affair of whoever dials.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use rustls::pki_types::ServerName;
use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;
use tokio::time::sleep;
use tokio_rustls::TlsConnector;

use super::error::NoConnection;
use super::line::Io;
use super::names::Names;
use super::reach::Reach;
use super::target::Origin;
use super::tls::is_http2;
use super::wire::Protocol;

/// RFC 8305 §5: how long one address is given before the next is tried beside it.
const HAPPY_EYEBALLS: Duration = Duration::from_millis(250);
/// Unsent bytes the system takes ahead of the line: with megabytes of them an upload would seem to have
/// gone out that has not begun to, and whatever is asked beside it would wait behind.
#[cfg(target_os = "linux")]
const UNSENT: u32 = 128 * 1024;
/// A peer that vanished without a word is noticed after this and three probes.
const KEEPALIVE: Duration = Duration::from_secs(30);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);
const KEEPALIVE_RETRIES: u32 = 3;

/// Dials a URL's own host, with TLS where the URL says so.
pub(super) struct Dialer {
    pub(super) names: Arc<Names>,
    pub(super) tls: TlsConnector,
    /// How private an address may be.
    pub(super) limit: Option<Reach>,
}

/// A connection to a URL's own host.
pub(super) struct Dialed {
    pub(super) io: Io,
    pub(super) protocol: Protocol,
    pub(super) peer: IpAddr,
}

// === impl Dialer ===

impl Dialer {
    pub(super) async fn dial(&self, origin: &Origin) -> Result<Dialed, NoConnection> {
        let (tcp, peer) = self.reach(origin).await?;
        let (io, protocol) = if origin.is_https() {
            handshake(&self.tls, origin, tcp).await?
        } else {
            (tcp, Protocol::Http1)
        };
        Ok(Dialed { io, protocol, peer })
    }

    /// Comes as far as to the host: no word has passed, of TLS neither.
    pub(super) async fn reach(&self, origin: &Origin) -> Result<(Io, IpAddr), NoConnection> {
        let addresses = self.names.find(origin, self.limit).await?;
        let (tcp, address) = first_to_answer(addresses).await?;
        tune(&tcp);
        Ok((Box::pin(tcp), address.ip()))
    }
}

/// Makes the TLS connection to `origin` over `io`.
pub(super) async fn handshake(
    tls: &TlsConnector,
    origin: &Origin,
    io: Io,
) -> Result<(Io, Protocol), NoConnection> {
    let name = ServerName::try_from(origin.bare_host().to_owned())
        .map_err(|error| NoConnection::Tls(io::Error::other(error)))?;
    let io = tls.connect(name, io).await.map_err(NoConnection::Tls)?;
    let protocol = if is_http2(io.get_ref().1) {
        Protocol::Http2
    } else {
        Protocol::Http1
    };
    Ok((Box::pin(io), protocol))
}

/// Tries one address after the other, the next as soon as one has failed or has been silent for a
/// while; those before it go on, and the first that answers is it.
async fn first_to_answer(
    addresses: Vec<SocketAddr>,
) -> Result<(TcpStream, SocketAddr), NoConnection> {
    let mut waiting = addresses.into_iter();
    let mut trying = FuturesUnordered::new();
    let mut failed = None;
    loop {
        trying.extend(waiting.next().map(connect));
        let has_more = waiting.len() > 0;
        tokio::select! {
            tried = trying.next() => match tried {
                Some(Ok(connected)) => return Ok(connected),
                Some(Err(error)) => failed = Some(error),
                None => return Err(failed.unwrap_or(NoConnection::NoAddress)),
            },
            () = sleep(HAPPY_EYEBALLS), if has_more => {}
        }
    }
}

/// Connects to one address.
pub(super) async fn connect(address: SocketAddr) -> Result<(TcpStream, SocketAddr), NoConnection> {
    match TcpStream::connect(address).await {
        Ok(tcp) => Ok((tcp, address)),
        Err(error) => Err(NoConnection::Address(address, error)),
    }
}

/// What is better with it, and works without.
fn tune(tcp: &TcpStream) {
    let keepalive = TcpKeepalive::new()
        .with_time(KEEPALIVE)
        .with_interval(KEEPALIVE_INTERVAL)
        .with_retries(KEEPALIVE_RETRIES);
    let socket = SockRef::from(tcp);
    let tuned = tcp
        .set_nodelay(true)
        .and_then(|()| socket.set_tcp_keepalive(&keepalive));
    #[cfg(target_os = "linux")]
    let tuned = tuned.and_then(|()| socket.set_tcp_notsent_lowat(UNSENT));
    if let Err(error) = tuned {
        tracing::debug!(%error, "a socket is not tuned");
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::{TcpListener, TcpSocket};

    use super::*;

    /// A port that answers, and one of another address that refuses.
    async fn living_and_refusing() -> (TcpListener, SocketAddr, TcpSocket, SocketAddr) {
        let living = TcpListener::bind("127.0.0.1:0").await.unwrap();
        // Bound and never listened to: nobody else can take it meanwhile.
        let refusing = TcpSocket::new_v4().unwrap();
        refusing.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let (at, away) = (living.local_addr().unwrap(), refusing.local_addr().unwrap());
        (living, at, refusing, away)
    }

    #[tokio::test]
    async fn an_address_that_refuses_costs_nothing_and_the_first_that_answers_is_taken() {
        let (_living, at, _refusing, away) = living_and_refusing().await;
        for order in [vec![away, at], vec![away, away, at], vec![at, away]] {
            let (_, reached) = first_to_answer(order).await.unwrap();
            assert_eq!(reached, at);
        }
    }

    #[tokio::test]
    async fn an_address_that_is_silent_does_not_keep_the_next_one_waiting() {
        let (_living, at, silent, away) = living_and_refusing().await;
        // A queue that is full: whoever comes then hears nothing.
        let _queue = silent.listen(1).unwrap();
        let _first = TcpStream::connect(away).await.unwrap();
        let _second = TcpStream::connect(away).await.unwrap();
        let (_, reached) = first_to_answer(vec![away, at]).await.unwrap();
        assert_eq!(reached, at);
    }

    #[tokio::test]
    async fn where_none_answers_the_last_failure_is_told() {
        let (_living, _, _refusing, away) = living_and_refusing().await;
        let error = first_to_answer(vec![away, away]).await.unwrap_err();
        let expected = format!("no connection to {away}");
        assert_eq!(error.to_string(), expected);
        let nowhere = first_to_answer(Vec::new()).await.unwrap_err();
        assert!(matches!(nowhere, NoConnection::NoAddress));
    }
}
