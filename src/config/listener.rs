//! Where Larder listens: addresses, and what holds at each of them.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;

use super::{AccessMode, Config};

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
}

/// One data listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    /// Its address.
    pub address: Listen,
    /// Whether it speaks TLS.
    pub is_secured: bool,
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
            is_secured: server.tls.is_some() && address.is_tcp(),
            access: self.access.mode,
        });
        plain.chain(server.named.values().cloned())
    }

    /// Whether some listener leaves it to `mode` who may read.
    pub fn has(&self, mode: AccessMode) -> bool {
        self.listeners().any(|listener| listener.access == mode)
    }
}

// === impl Listen ===

impl Listen {
    /// Whether it is on a network, even one within this machine.
    pub fn is_tcp(&self) -> bool {
        matches!(self, Self::Tcp { .. })
    }

    /// Whether only this machine can reach the address: a unix socket, `localhost`, a loopback address.
    pub fn is_local(&self) -> bool {
        match self {
            Self::Unix(_) => true,
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
        }
    }
}
