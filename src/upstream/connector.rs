//! From a URL to a connection: straight or through a proxy, all under one deadline.
//!
//! The upstream itself is connected to wherever its name leads. Any other target came from a
//! redirect, and is judged by its address first.

use std::error::Error;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use http::header::HeaderValue;
use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tower_service::Service;

use super::UpstreamError;
use super::dial::{Dialed, Dialer, connect, handshake};
use super::error::{NoConnection, Overdue};
use super::gates::Gates;
use super::line::{Io, Line};
use super::names::{Names, named_address};
use super::reach::{Reach, check};
use super::target::{Base, Origin};
use super::tls::Tls;
use super::tunnel::tunnel;
use super::wire::Protocol;
use crate::config::{self, Exceptions};

type BoxError = Box<dyn Error + Send + Sync>;
type Connecting<T> = Pin<Box<dyn Future<Output = Result<T, BoxError>> + Send>>;

/// Makes the connections of the HTTP client; clones share everything.
#[derive(Clone)]
pub(super) struct Connector(Arc<Routes>);

struct Routes {
    upstream: Option<Origin>,
    /// How private the upstream was found to be when it was last connected to.
    upstream_reach: Mutex<Reach>,
    proxies: Matcher,
    exceptions: Exceptions,
    names: Arc<Names>,
    tls: Tls,
    timeout: Duration,
    gates: Arc<Gates>,
}

/// How long connecting may take, and who is told when it is done.
pub(super) struct Watched {
    pub(super) timeout: Duration,
    pub(super) gates: Arc<Gates>,
}

// === impl Connector ===

impl Connector {
    pub(super) fn new(
        base: &Base,
        ways: &config::Upstream,
        tls: Tls,
        watched: Watched,
    ) -> Result<Self, UpstreamError> {
        let Watched { timeout, gates } = watched;
        let root = base
            .root()
            .map_err(|_| UpstreamError::Url("not a host and port"))?;
        let proxy = &ways.proxy;
        Ok(Self(Arc::new(Routes {
            upstream: Origin::of(&root),
            upstream_reach: Mutex::new(Reach::Public),
            proxies: Matcher::builder()
                .http(proxy.http.clone().unwrap_or_default())
                .https(proxy.https.clone().unwrap_or_default())
                .build(),
            exceptions: Exceptions::new(proxy.no.as_deref().unwrap_or_default()),
            names: Arc::new(Names::new(ways.resolve.clone())),
            tls,
            timeout,
            gates,
        })))
    }

    /// The credential a plain request to `target` needs for the proxy in between; a tunnel carries
    /// its own.
    pub(super) fn proxy_authorization(&self, target: &Uri) -> Option<HeaderValue> {
        self.answering_proxy(target)?.basic_auth().cloned()
    }

    /// Whether a plain request to `target` is answered by a proxy; in a tunnel the target answers.
    pub(super) fn is_answered_by_proxy(&self, target: &Uri) -> bool {
        self.answering_proxy(target).is_some()
    }

    fn answering_proxy(&self, target: &Uri) -> Option<Intercept> {
        let is_plain = target.scheme_str() == Some("http");
        is_plain.then(|| self.0.proxy(target))?
    }

    /// The proxy on the way to `target`, if there is one, by where it is.
    pub(super) fn proxy(&self, target: &Uri) -> Option<Origin> {
        Origin::of(self.0.proxy(target)?.uri())
    }

    /// The addresses that are dialled for `at`, in their order.
    pub(super) async fn addresses(&self, at: &Origin) -> Result<Vec<SocketAddr>, BoxError> {
        self.in_time(async { Ok(self.0.names.find(at, None).await?) })
            .await
    }

    /// Connects to one of them.
    pub(super) async fn reach(&self, address: SocketAddr) -> Result<(), BoxError> {
        self.in_time(async { Ok(connect(address).await.map(drop)?) })
            .await
    }

    /// Comes to where the upstream hears what is said, through the proxy too, and says nothing.
    pub(super) async fn open(&self, target: &Uri) -> Result<Io, BoxError> {
        self.in_time(self.0.open(target)).await
    }

    /// How TLS is spoken.
    pub(super) fn tls(&self) -> &Tls {
        &self.0.tls
    }

    /// No step takes longer than all of them may.
    pub(super) async fn in_time<T>(
        &self,
        step: impl Future<Output = Result<T, BoxError>>,
    ) -> Result<T, BoxError> {
        timeout(self.0.timeout, step).await.map_err(|_| Overdue)?
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
    /// The proxy on the way to `target`, if there is one.
    fn proxy(&self, target: &Uri) -> Option<Intercept> {
        let proxy = self.proxies.intercept(target)?;
        (!self.exceptions.spare(target)).then_some(proxy)
    }

    async fn connect(&self, target: Uri) -> Result<TokioIo<Line>, BoxError> {
        let origin = Origin::of(&target).ok_or("not an http:// or https:// URL")?;
        let is_upstream = self.upstream.as_ref() == Some(&origin);
        let limit = (!is_upstream).then(|| *self.upstream_reach.lock());
        if let (Some(limit), Some(address)) = (limit, named_address(&origin)) {
            check(address, limit).map_err(NoConnection::from)?;
        }
        let tls = if is_upstream {
            &self.tls.upstream
        } else {
            &self.tls.origin
        };
        let line = if let Some(proxy) = self.proxy(&target) {
            // Behind a proxy only the proxy knows the address; its own rules hold there.
            self.by_proxy(&proxy, &origin, tls).await?
        } else {
            let dialed = self.dialer(tls, limit).dial(&origin).await?;
            if is_upstream {
                let reach = Reach::of(dialed.peer).unwrap_or(Reach::Private);
                *self.upstream_reach.lock() = reach;
            }
            Line::new(dialed.io, dialed.protocol)
        };
        if !is_upstream {
            return Ok(TokioIo::new(line));
        }
        self.gates.connected();
        Ok(TokioIo::new(line.felt_by(&self.gates)))
    }

    async fn by_proxy(
        &self,
        proxy: &Intercept,
        origin: &Origin,
        tls: &TlsConnector,
    ) -> Result<Line, BoxError> {
        let io = self.through(proxy, origin).await?;
        if !origin.is_https() {
            return Ok(Line::new(io, Protocol::Http1ToProxy));
        }
        let (io, protocol) = handshake(tls, origin, io).await?;
        Ok(Line::new(io, protocol))
    }

    async fn open(&self, target: &Uri) -> Result<Io, BoxError> {
        let origin = Origin::of(target).ok_or("not an http:// or https:// URL")?;
        match self.proxy(target) {
            Some(proxy) => self.through(&proxy, &origin).await,
            None => Ok(self
                .dialer(&self.tls.upstream, None)
                .reach(&origin)
                .await?
                .0),
        }
    }

    /// To the proxy, which in clear text is where requests go, or else through it.
    async fn through(&self, proxy: &Intercept, origin: &Origin) -> Result<Io, BoxError> {
        let io = self.to_proxy(proxy).await?;
        if !origin.is_https() {
            return Ok(io);
        }
        let led = tunnel(io, origin, proxy.basic_auth()).await;
        Ok(led.map_err(NoConnection::from)?)
    }

    async fn to_proxy(&self, proxy: &Intercept) -> Result<Io, BoxError> {
        let at = Origin::of(proxy.uri()).ok_or("not an http:// or https:// proxy")?;
        let dialed = self.dialer(&self.tls.proxy, None).dial(&at).await;
        let Dialed { io, .. } = dialed.map_err(|error| NoConnection::Proxy(Box::new(error)))?;
        Ok(io)
    }

    fn dialer(&self, tls: &TlsConnector, limit: Option<Reach>) -> Dialer {
        Dialer {
            names: Arc::clone(&self.names),
            tls: tls.clone(),
            limit,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Proxy;

    /// Never over while a test runs.
    const LONG: Duration = Duration::from_secs(30);

    #[test]
    fn the_credential_of_a_proxy_goes_with_plain_requests_only() {
        let mut ways = crate::upstream::tests::config("https://o.example");
        ways.proxy = Proxy {
            http: Some("http://u:p@proxy".to_owned()),
            https: Some("http://u:p@proxy".to_owned()),
            no: Some(".direct.example".to_owned()),
        };
        let tls = super::super::tls::connector(None, None, false).unwrap();
        let rule = config::Breaker {
            failures: 0,
            cooldown: LONG,
        };
        let open = crate::metrics::Gauge::new("open", "open").unwrap();
        let watched = Watched {
            timeout: LONG,
            gates: Arc::new(Gates::new(rule, open)),
        };
        let base = Base::new(&Uri::from_static("https://o.example")).unwrap();
        let connector = Connector::new(&base, &ways, tls, watched).unwrap();
        let credential =
            |target: &'static str| connector.proxy_authorization(&Uri::from_static(target));
        assert_eq!(credential("http://o.example/").unwrap(), "Basic dTpw");
        assert_eq!(credential("https://o.example/"), None);
        assert_eq!(credential("http://a.direct.example/"), None);
        for (target, is_answered) in [
            ("http://o.example/", true),
            ("https://o.example/", false),
            ("http://a.direct.example/", false),
        ] {
            let target = Uri::from_static(target);
            assert_eq!(
                connector.is_answered_by_proxy(&target),
                is_answered,
                "{target}"
            );
        }
    }
}
