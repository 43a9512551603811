//! The way to the upstream step by step, for whoever wants to know how far it leads.
//!
//! Each step is the one that a request takes, by the same configuration. Nothing is tried again, and no breaker
//! spares anything.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};

use http::Uri;
use rustls::ProtocolVersion;
use rustls::pki_types::ServerName;

use super::UpstreamError;
use super::error::{NoConnection, in_full};
use super::http::Http;
use super::line::Io;
use super::target::Origin;
use super::tunnel::NoTunnel;
use super::witness::{Distrust, Shown};
use crate::config::Authorities;
use crate::config::{self, Target};
use crate::metrics::Gauge;
use crate::tasks::Tasks;

/// The way to one upstream.
pub struct Way {
    pub(super) http: Http,
    root: Uri,
    at: Origin,
    pinned: bool,
}

/// A connection on which nothing was said yet.
pub struct Opened(Io);

/// A step that leads nowhere, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{cause}")]
pub struct NoWay {
    /// For people.
    pub cause: String,
    /// A proxy wants a user and password, or others.
    pub is_barred: bool,
}

/// What was agreed on in a TLS handshake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Greeting {
    /// `TLSv1.3`, for example.
    pub version: String,
    /// What is spoken behind it, where that was said: `h2` or `http/1.1`.
    pub protocol: Option<String>,
    /// What the server showed.
    pub shown: Shown,
}

/// A TLS handshake that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoGreeting {
    /// What can be done about it.
    pub distrust: Distrust,
    /// The same for people.
    pub cause: String,
    /// What the server showed, where it came to that.
    pub shown: Shown,
}

// === impl Way ===

impl Way {
    /// Sets up what a request would need; connects to nothing. There is no way to no upstream.
    ///
    /// # Errors
    ///
    /// As for [`Upstream::new`](super::Upstream::new).
    pub fn new(ways: &config::Upstream) -> Result<Option<Self>, UpstreamError> {
        let Target::Http(url) = &ways.target else {
            return Ok(None);
        };
        let unusable = |_| UpstreamError::Url("not a host and port");
        let unseen = Gauge::new("unseen", "Of no breaker.");
        let unseen = unseen.map_err(|_| UpstreamError::Url("cannot be counted"))?;
        let http = Http::new(url, ways, unseen, Tasks::new(), None)?;
        http.complaints().mute();
        let root = http.base().root().map_err(unusable)?;
        let at = Origin::of(&root).ok_or(UpstreamError::Url("not an http:// or https:// URL"))?;
        let is_it = |pin: &config::Pinned| pin.host == at.bare_host() && pin.port == at.port();
        Ok(Some(Self {
            pinned: ways.resolve.iter().any(is_it),
            http,
            root,
            at,
        }))
    }

    /// Whether TLS is spoken with the upstream.
    pub fn is_secured(&self) -> bool {
        self.at.is_https()
    }

    /// Whether `upstream.resolve` says where the upstream is.
    pub fn is_pinned(&self) -> bool {
        self.pinned && self.proxy().is_none()
    }

    /// Whether the first host is called by its address, which nobody looks up.
    pub fn is_address(&self) -> bool {
        self.first().bare_host().parse::<IpAddr>().is_ok()
    }

    /// Whose word it is that the upstream's authorities are trusted.
    pub fn authorities(&self) -> Authorities {
        self.http.client.connector().tls().authorities
    }

    /// The upstream's host.
    pub fn host(&self) -> &str {
        self.at.bare_host()
    }

    /// Host and port of the proxy in between, if there is one.
    pub fn proxy(&self) -> Option<String> {
        Some(self.http.client.connector().proxy(&self.root)?.authority())
    }

    /// The host that is dialled: the proxy's, else the upstream's.
    pub fn first_host(&self) -> String {
        self.first().bare_host().to_owned()
    }

    fn first(&self) -> Origin {
        let proxy = self.http.client.connector().proxy(&self.root);
        proxy.unwrap_or_else(|| self.at.clone())
    }

    /// Finds the addresses that are dialled, within `upstream.connect_timeout` as every step here.
    pub async fn addresses(&self) -> Result<Vec<SocketAddr>, NoWay> {
        let connector = self.http.client.connector();
        Ok(connector.addresses(&self.first()).await?)
    }

    /// Connects to one of them, and hangs up.
    pub async fn reach(&self, address: SocketAddr) -> Result<(), NoWay> {
        Ok(self.http.client.connector().reach(address).await?)
    }

    /// Connects to where the upstream hears what is said, through the proxy where there is one.
    pub async fn open(&self) -> Result<Opened, NoWay> {
        Ok(Opened(self.http.client.connector().open(&self.root).await?))
    }

    /// Makes the TLS handshake with the upstream, and hangs up.
    pub async fn greet(&self, Opened(io): Opened) -> Result<Greeting, NoGreeting> {
        let connector = self.http.client.connector();
        let broken = |cause: String| NoGreeting {
            distrust: Distrust::Broken,
            cause,
            shown: Shown::default(),
        };
        let (tls, witness) = connector
            .tls()
            .witnessed()
            .map_err(|error| broken(error.to_string()))?;
        let name = ServerName::try_from(self.at.bare_host().to_owned());
        let name = name.map_err(|error| broken(error.to_string()))?;
        let shaking = async { Ok(tls.connect(name, io).await) };
        let shaken = connector.in_time(shaking).await;
        let shaken =
            shaken.map_err(|_| broken("no end of the TLS handshake in time".to_owned()))?;
        let stream = shaken.map_err(|error: io::Error| NoGreeting {
            distrust: Distrust::of(&error),
            cause: error.to_string(),
            shown: witness.shown(),
        })?;
        let session = stream.get_ref().1;
        let protocol = session.alpn_protocol().map(String::from_utf8_lossy);
        Ok(Greeting {
            version: session.protocol_version().map(version).unwrap_or_default(),
            protocol: protocol.map(std::borrow::Cow::into_owned),
            shown: witness.shown(),
        })
    }
}

impl fmt::Debug for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Way").field(&self.root).finish()
    }
}

fn version(version: ProtocolVersion) -> String {
    let name = version.as_str().unwrap_or("an unknown version of TLS");
    name.replace('_', ".")
}

// === impl NoWay ===

impl NoWay {
    /// In words that say which host or address it is about.
    pub fn about(&self, what: &str) -> String {
        if self.cause.contains(what) {
            self.cause.clone()
        } else {
            format!("{what}: {}", self.cause)
        }
    }
}

impl From<Box<dyn std::error::Error + Send + Sync>> for NoWay {
    fn from(error: Box<dyn std::error::Error + Send + Sync>) -> Self {
        let no_tunnel = error.downcast_ref().and_then(|error| match error {
            NoConnection::Tunnel(tunnel) => Some(tunnel),
            _ => None,
        });
        Self {
            is_barred: matches!(no_tunnel, Some(NoTunnel::Credential)),
            cause: in_full(&*error),
        }
    }
}

// === impl Opened ===

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opened").finish_non_exhaustive()
    }
}
