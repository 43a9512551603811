//! From a URL to a connection: name, address, proxy, tunnel, TLS, all under one deadline.
//!
//! The upstream itself is connected to wherever its name leads. Any other target came from a
//! redirect, and is judged by its address first.

use std::error::Error;
use std::future::Future;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use http::header::HeaderValue;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::{GaiResolver, Name};
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tower_service::Service;

use super::UpstreamError;
use super::error::Overdue;
use super::gates::Gates;
use super::line::{Io, Line};
use super::reach::{ForbiddenAddress, Reach, check};
use super::target::{Base, Origin};
use super::tls::{Tls, is_http2};
use super::wire::Protocol;
use crate::config::Proxy;

type BoxError = Box<dyn Error + Send + Sync>;
type Connecting<T> = Pin<Box<dyn Future<Output = Result<T, BoxError>> + Send>>;

/// RFC 8305 §5: how long one address family is given before the other is tried beside it.
const HAPPY_EYEBALLS: Duration = Duration::from_millis(250);
/// Unsent bytes the system takes ahead of the line: with megabytes of them an upload would seem to have
/// gone out that has not begun to, and whatever is asked beside it would wait behind.
#[cfg(target_os = "linux")]
const UNSENT: u32 = 128 * 1024;
/// A peer that vanished without a word is noticed after this and three probes.
const KEEPALIVE: Duration = Duration::from_secs(30);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);
const KEEPALIVE_RETRIES: u32 = 3;

/// Makes the connections of the HTTP client; clones share everything.
#[derive(Clone)]
pub(super) struct Connector(Arc<Routes>);

struct Routes {
    upstream: Option<Origin>,
    /// How private the upstream was found to be when it was last connected to.
    upstream_reach: Mutex<Reach>,
    proxies: Matcher,
    tls: Tls,
    timeout: Duration,
    gates: Arc<Gates>,
}

/// How long connecting may take, and who is told when it is done.
pub(super) struct Watched {
    pub(super) timeout: Duration,
    pub(super) gates: Arc<Gates>,
}

/// Dials a URL's own host, with TLS where the URL says so.
#[derive(Clone)]
struct Dialer {
    tls: TlsConnector,
    limit: Option<Reach>,
}

/// A connection to a URL's own host.
struct Dialed {
    io: Io,
    protocol: Protocol,
    peer: IpAddr,
}

/// Names looked up, less the addresses a redirect may not lead to.
#[derive(Clone)]
struct Screened {
    names: GaiResolver,
    limit: Option<Reach>,
}

// === impl Connector ===

impl Connector {
    pub(super) fn new(
        base: &Base,
        proxy: &Proxy,
        tls: Tls,
        watched: Watched,
    ) -> Result<Self, UpstreamError> {
        let Watched { timeout, gates } = watched;
        let root = base
            .root()
            .map_err(|_| UpstreamError::Url("not a host and port"))?;
        Ok(Self(Arc::new(Routes {
            upstream: Origin::of(&root),
            upstream_reach: Mutex::new(Reach::Public),
            proxies: Matcher::builder()
                .http(proxy.http.clone().unwrap_or_default())
                .https(proxy.https.clone().unwrap_or_default())
                .no(proxy.no.clone().unwrap_or_default())
                .build(),
            tls,
            timeout,
            gates,
        })))
    }

    /// The credential a plain request to `target` needs for the proxy in between; a tunnel carries
    /// its own.
    pub(super) fn proxy_authorization(&self, target: &Uri) -> Option<HeaderValue> {
        let is_plain = target.scheme_str() == Some("http");
        let proxy = is_plain.then(|| self.0.proxies.intercept(target))??;
        proxy.basic_auth().cloned()
    }
}

impl Service<Uri> for Connector {
    type Response = TokioIo<Line>;
    type Error = BoxError;
    type Future = Connecting<Self::Response>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, target: Uri) -> Self::Future {
        let routes = Arc::clone(&self.0);
        Box::pin(async move {
            let connecting = timeout(routes.timeout, routes.connect(target));
            connecting.await.map_err(|_| Overdue)?
        })
    }
}

// === impl Routes ===

impl Routes {
    async fn connect(&self, target: Uri) -> Result<TokioIo<Line>, BoxError> {
        let origin = Origin::of(&target).ok_or("not an http:// or https:// URL")?;
        let is_upstream = self.upstream.as_ref() == Some(&origin);
        let limit = (!is_upstream).then(|| *self.upstream_reach.lock());
        if let (Some(limit), Some(address)) = (limit, named_address(&origin)) {
            check(address, limit)?;
        }
        let line = match self.proxies.intercept(&target) {
            // Behind a proxy only the proxy knows the address; its own rules hold there.
            Some(proxy) if origin.is_https() => {
                let io = self.tunnel(&proxy, target).await?;
                let (io, protocol) = handshake(&self.tls.origin, &origin, io).await?;
                Line::new(io, protocol)
            }
            Some(proxy) => {
                let dialer = Dialer::new(&self.tls.proxy, None);
                let Dialed { io, .. } = dialer.dial(proxy.uri().clone()).await?;
                Line::new(io, Protocol::Http1ToProxy)
            }
            None => {
                let dialed = Dialer::new(&self.tls.origin, limit).dial(target).await?;
                if is_upstream {
                    let reach = Reach::of(dialed.peer).unwrap_or(Reach::Private);
                    *self.upstream_reach.lock() = reach;
                }
                Line::new(dialed.io, dialed.protocol)
            }
        };
        if !is_upstream {
            return Ok(TokioIo::new(line));
        }
        self.gates.connected();
        Ok(TokioIo::new(line.felt_by(&self.gates)))
    }

    async fn tunnel(&self, proxy: &Intercept, target: Uri) -> Result<Io, BoxError> {
        let mut tunnel = Tunnel::new(proxy.uri().clone(), Dialer::new(&self.tls.proxy, None));
        if let Some(credential) = proxy.basic_auth() {
            tunnel = tunnel.with_auth(credential.clone());
        }
        Ok(tunnel.call(target).await?.into_inner())
    }
}

// === impl Dialer ===

impl Dialer {
    fn new(tls: &TlsConnector, limit: Option<Reach>) -> Self {
        Self {
            tls: tls.clone(),
            limit,
        }
    }

    async fn dial(self, target: Uri) -> Result<Dialed, BoxError> {
        let origin = Origin::of(&target).ok_or("not an http:// or https:// URL")?;
        let tcp = tcp(self.limit).call(target).await?.into_inner();
        tune(&tcp);
        let peer = tcp.peer_addr()?.ip();
        let tcp: Io = Box::pin(tcp);
        let (io, protocol) = if origin.is_https() {
            handshake(&self.tls, &origin, tcp).await?
        } else {
            (tcp, Protocol::Http1)
        };
        Ok(Dialed { io, protocol, peer })
    }
}

impl Service<Uri> for Dialer {
    type Response = TokioIo<Io>;
    type Error = BoxError;
    type Future = Connecting<Self::Response>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, target: Uri) -> Self::Future {
        let dialer = self.clone();
        Box::pin(async move { Ok(TokioIo::new(dialer.dial(target).await?.io)) })
    }
}

// === impl Screened ===

impl Service<Name> for Screened {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = BoxError;
    type Future = Connecting<Self::Response>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.names.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let found = self.names.call(name);
        let limit = self.limit;
        Box::pin(async move { Ok(screen(found.await?, limit)?.into_iter()) })
    }
}

/// Keeps the addresses within `limit`; an error where there were only others.
fn screen(
    found: impl Iterator<Item = SocketAddr>,
    limit: Option<Reach>,
) -> Result<Vec<SocketAddr>, ForbiddenAddress> {
    let mut kept = Vec::new();
    let mut refused = None;
    for address in found {
        match limit.map_or(Ok(()), |limit| check(address.ip(), limit)) {
            Ok(()) => kept.push(address),
            Err(error) => refused = Some(error),
        }
    }
    match refused {
        Some(error) if kept.is_empty() => Err(error),
        _ => Ok(kept),
    }
}

/// The address a host says by itself, which no resolver is asked for.
fn named_address(origin: &Origin) -> Option<IpAddr> {
    let host = origin.bare_host().trim_end_matches('.');
    if host == "localhost" || host.ends_with(".localhost") {
        return Some(Ipv4Addr::LOCALHOST.into());
    }
    host.parse().ok()
}

fn tcp(limit: Option<Reach>) -> HttpConnector<Screened> {
    let mut connector = HttpConnector::new_with_resolver(Screened {
        names: GaiResolver::new(),
        limit,
    });
    connector.enforce_http(false);
    connector.set_nodelay(true);
    connector.set_happy_eyeballs_timeout(Some(HAPPY_EYEBALLS));
    connector.set_keepalive(Some(KEEPALIVE));
    connector.set_keepalive_interval(Some(KEEPALIVE_INTERVAL));
    connector.set_keepalive_retries(Some(KEEPALIVE_RETRIES));
    connector
}

/// What is better with it, and works without.
fn tune(tcp: &TcpStream) {
    #[cfg(target_os = "linux")]
    if let Err(error) = socket2::SockRef::from(tcp).set_tcp_notsent_lowat(UNSENT) {
        tracing::debug!(%error, "unsent bytes are not bounded");
    }
    #[cfg(not(target_os = "linux"))]
    let _ = tcp;
}

async fn handshake(
    tls: &TlsConnector,
    origin: &Origin,
    io: Io,
) -> Result<(Io, Protocol), BoxError> {
    let name = ServerName::try_from(origin.bare_host().to_owned())?;
    let io = tls.connect(name, io).await?;
    let protocol = if is_http2(io.get_ref().1) {
        Protocol::Http2
    } else {
        Protocol::Http1
    };
    Ok((Box::pin(io), protocol))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base() -> Base {
        Base::new(&Uri::from_static("https://o.example")).unwrap()
    }

    #[test]
    fn the_credential_of_a_proxy_goes_with_plain_requests_only() {
        let both = Proxy {
            http: Some("http://u:p@proxy".to_owned()),
            https: Some("http://u:p@proxy".to_owned()),
            no: Some(".direct.example".to_owned()),
        };
        let tls = super::super::tls::connector(None, false).unwrap();
        let rule = crate::config::Breaker {
            failures: 0,
            cooldown: KEEPALIVE,
        };
        let open = crate::metrics::Gauge::new("open", "open").unwrap();
        let watched = Watched {
            timeout: KEEPALIVE,
            gates: Arc::new(Gates::new(rule, open)),
        };
        let connector = Connector::new(&base(), &both, tls, watched).unwrap();
        let credential =
            |target: &'static str| connector.proxy_authorization(&Uri::from_static(target));
        assert_eq!(credential("http://o.example/").unwrap(), "Basic dTpw");
        assert_eq!(credential("https://o.example/"), None);
        assert_eq!(credential("http://a.direct.example/"), None);
    }

    #[test]
    fn a_name_is_screened_by_all_its_addresses() {
        let found = ["10.0.0.1:0", "93.184.216.34:0", "169.254.169.254:0"]
            .map(|address| address.parse::<SocketAddr>().unwrap());
        let screened = |limit| screen(found.into_iter(), limit).unwrap().len();
        assert_eq!(screened(None), 3);
        assert_eq!(screened(Some(Reach::Public)), 1);
        assert_eq!(screened(Some(Reach::Loopback)), 2);
        let rebound = [found[0]].into_iter();
        assert!(screen(rebound, Some(Reach::Public)).is_err());
    }

    #[test]
    fn hosts_that_are_addresses_are_known_without_a_resolver() {
        let named = |url: &str| named_address(&Origin::of(&url.parse().unwrap()).unwrap());
        assert_eq!(named("http://[::1]:80/"), "::1".parse().ok());
        assert_eq!(named("http://10.0.0.1/"), "10.0.0.1".parse().ok());
        assert_eq!(named("http://LOCALHOST./"), "127.0.0.1".parse().ok());
        assert_eq!(named("http://o.example/"), None);
    }
}
