//! Where Larder listens: addresses, and what holds at each of them.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;

use super::{AccessMode, Config, address};

/// An address to listen at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listen {
    /// A host name or address, and a port; 0 lets the system choose.
    Tcp {
        /// Name or address, without brackets.
        host: String,
        /// Port.
        port: u16,
    },
    /// A unix socket's path.
    Unix(PathBuf),
    /// The sockets of this name that the service manager passed; without one, all that no key names.
    Passed(Option<String>),
}

/// Where a listener speaks TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Secured {
    /// Nowhere: in clear text.
    Never,
    /// With whoever comes by TCP. What sockets are that will be passed, nobody knows before.
    OverTcp,
    /// With everybody.
    Always,
}

/// One data listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    /// Its address.
    pub address: Listen,
    /// Where it speaks TLS.
    pub secured: Secured,
    /// Who judges those who come by it.
    pub access: AccessMode,
}

// === impl Config ===

impl Config {
    /// Every data listener: those of `server.listen`, then the named ones.
    pub fn listeners(&self) -> impl Iterator<Item = Listener> {
        let server = &self.server;
        let plain = server.listen.iter().map(|address| Listener {
            address: address.clone(),
            secured: Secured::unsaid(address, server.tls.is_some()),
            access: self.access.mode,
        });
        plain.chain(server.named.values().cloned())
    }

    /// Whether some listener leaves it to `mode` who may read.
    pub fn has(&self, mode: AccessMode) -> bool {
        self.listeners().any(|listener| listener.access == mode)
    }
}

// === impl Listener ===

impl Listener {
    /// Whether it speaks TLS at its address.
    pub fn is_secured(&self) -> bool {
        match self.secured {
            Secured::Never => false,
            Secured::OverTcp => !matches!(self.address, Listen::Unix(_)),
            Secured::Always => true,
        }
    }
}

// === impl Secured ===

impl Secured {
    /// Where a listener speaks TLS that says nothing of it.
    pub(super) fn unsaid(address: &Listen, has_certificate: bool) -> Self {
        match address {
            Listen::Tcp { .. } if has_certificate => Self::Always,
            Listen::Passed(_) if has_certificate => Self::OverTcp,
            _ => Self::Never,
        }
    }
}

// === impl Listen ===

impl Listen {
    /// Whether only this machine can reach the address: a unix socket, `localhost`, a loopback address.
    pub fn is_local(&self) -> bool {
        match self {
            Self::Unix(_) => true,
            // Whoever passes them knows.
            Self::Passed(_) => false,
            Self::Tcp { host, .. } => {
                host == "localhost"
                    || host
                        .parse::<IpAddr>()
                        .is_ok_and(|address| address.is_loopback())
            }
        }
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Tcp { host, port } => write!(f, "{host}:{port}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Passed(None) => f.write_str("systemd"),
            Self::Passed(Some(name)) => write!(f, "systemd:{name}"),
        }
    }
}

impl FromStr for Listen {
    type Err = String;

    /// What people write, and what [`Listen`] is shown as.
    fn from_str(text: &str) -> Result<Self, String> {
        address::listen(text)
    }
}
