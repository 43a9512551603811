//! One listening socket: how it is bound, and what comes through it.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::task::{Context, Poll};

use tokio::net::{TcpListener, TcpSocket, TcpStream, UnixListener, lookup_host};
use tracing::debug;

use super::opening::Opening;
use super::passed::NotPassed;
use super::socket::Socket;
use super::unix::{self, SocketFile};
use super::{ListenerId, Peer};
use crate::config::Listen;

/// Connections that wait to be accepted; the system may keep fewer.
const BACKLOG: u16 = 1024;

/// Unsent bytes the system takes ahead of the network. Beyond, a write waits, so that a client that
/// takes nothing is seen as one; with a send buffer of megabytes a slow one could not be told apart.
#[cfg(target_os = "linux")]
const UNSENT: u32 = 128 * 1024;

/// An address that cannot be listened at.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen at {address}: {}", reason(.source))]
pub struct BindError {
    /// The address as configured.
    pub address: Listen,
    source: io::Error,
}

/// A socket that listens.
#[derive(Debug)]
pub(super) enum Door {
    /// At this address.
    Tcp(TcpListener, SocketAddr),
    /// At this file.
    Unix(UnixListener, SocketFile),
}

// === impl BindError ===

impl BindError {
    /// Whether the mistake is in what was configured, not in the machine.
    pub fn is_configured(&self) -> bool {
        NotPassed::is_why(&self.source)
    }
}

// === impl Door ===

impl Door {
    /// Opens `listen`: a name has a door for each of its addresses that this machine has.
    pub(super) async fn open(listen: &Listen, with: &mut Opening) -> Result<Vec<Self>, BindError> {
        let opened = match listen {
            Listen::Tcp { host, port } => bind_tcp(host, *port, with).await,
            Listen::Unix(path) => bind_unix(path, with.socket_mode)
                .await
                .map(|door| vec![door]),
            Listen::Passed(name) => with.passed.claim(name.as_deref(), &with.named),
        };
        opened.map_err(|source| BindError {
            address: listen.clone(),
            source,
        })
    }

    /// Where it really listens.
    pub(super) fn address(&self) -> Listen {
        match self {
            Self::Tcp(_, address) => Listen::Tcp {
                host: address.ip().to_string(),
                port: address.port(),
            },
            Self::Unix(_, file) => Listen::Unix(file.path().to_owned()),
        }
    }

    fn is_at(&self, sought: SocketAddr) -> bool {
        matches!(self, Self::Tcp(_, address) if *address == sought)
    }

    /// The next connection, if one is there; the door is one of `listener`.
    pub(super) fn poll_accept(
        &self,
        cx: &mut Context<'_>,
        listener: ListenerId,
    ) -> Poll<io::Result<(Socket, Peer)>> {
        match self {
            Self::Tcp(socket, local) => socket.poll_accept(cx).map_ok(|(stream, peer)| {
                if let Err(error) = tune(&stream) {
                    debug!(%error, "a connection keeps the system's options");
                }
                let peer = Peer {
                    // A listener for both families shows IPv4 in the clothes of IPv6.
                    address: Some(SocketAddr::new(peer.ip().to_canonical(), peer.port())),
                    listener,
                    is_local: is_local(local),
                    is_secure: false,
                };
                (Socket::Tcp(stream), peer)
            }),
            Self::Unix(socket, _) => socket.poll_accept(cx).map_ok(|(stream, _)| {
                let peer = Peer {
                    address: None,
                    listener,
                    is_local: true,
                    is_secure: false,
                };
                (Socket::Unix(stream), peer)
            }),
        }
    }
}

/// Whether only this machine can reach an address that is listened at. Any other, and one that stands
/// for all of them, strangers can, whoever it is that comes.
fn is_local(address: &SocketAddr) -> bool {
    address.ip().is_loopback()
}

async fn bind_tcp(host: &str, port: u16, with: &Opening) -> io::Result<Vec<Door>> {
    let mut doors = Vec::new();
    let mut missing = io::Error::from(io::ErrorKind::NotFound);
    for address in lookup_host((host, port)).await? {
        match open_tcp(address, with) {
            Ok(door) => doors.push(door),
            // A hosts file may name an address twice.
            Err(_) if doors.iter().any(|door| door.is_at(address)) => {}
            // A hosts file may name `::1` on a machine without IPv6.
            Err(error) if is_absent(&error) => missing = error,
            Err(error) => return Err(error),
        }
        // The system's choice of a port holds for one address only.
        if port == 0 && !doors.is_empty() {
            break;
        }
    }
    if doors.is_empty() {
        Err(missing)
    } else {
        Ok(doors)
    }
}

fn open_tcp(address: SocketAddr, with: &Opening) -> io::Result<Door> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4(),
        SocketAddr::V6(_) => TcpSocket::new_v6(),
    }?;
    // A restart must not wait for the last process's connections to be forgotten.
    socket.set_reuseaddr(true)?;
    if address.is_ipv6() && address.ip().is_unspecified() {
        // Whatever the system's own choice is: every address is meant, unless IPv4 has a listener.
        socket2::SockRef::from(&socket).set_only_v6(with.has_ipv4_at(address.port()))?;
    }
    socket.bind(address)?;
    let listener = socket.listen(BACKLOG.into())?;
    let address = listener.local_addr()?;
    Ok(Door::Tcp(listener, address))
}

async fn bind_unix(path: &Path, mode: u32) -> io::Result<Door> {
    let path = path.to_owned();
    let opened =
        tokio::task::spawn_blocking(move || unix::listen(&path, mode, BACKLOG.into())).await;
    let (listener, file) = opened.map_err(io::Error::other)??;
    Ok(Door::Unix(UnixListener::from_std(listener)?, file))
}

fn tune(stream: &TcpStream) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    socket2::SockRef::from(stream).set_tcp_notsent_lowat(UNSENT)?;
    stream.set_nodelay(true)
}

/// Whether this machine has no such address or no such family.
fn is_absent(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::AddrNotAvailable | io::ErrorKind::Unsupported
    )
}

fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => "another process listens there".to_owned(),
        io::ErrorKind::AddrNotAvailable => "this machine has no such address".to_owned(),
        io::ErrorKind::AlreadyExists => "a file that is no socket is in the way".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        io::ErrorKind::NotFound => "no such name or folder".to_owned(),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_loopback_address_is_local() {
        let is_local = |text: &str| is_local(&text.parse().unwrap());
        for local in ["127.0.0.1:80", "127.1.2.3:80", "[::1]:80"] {
            assert!(is_local(local), "{local}");
        }
        for other in [
            "0.0.0.0:80",
            "[::]:80",
            "10.1.2.3:80",
            "169.254.0.1:80",
            "[fe80::1]:80",
            "[::ffff:127.0.0.1]:80",
        ] {
            assert!(!is_local(other), "{other}");
        }
    }
}
