//! Sockets that a service manager opened and passed to this process (systemd's socket activation).
//!
//! Which of them are ours to take, and what they are called, the configuration knows.

use std::io;
use std::net;
use std::os::fd::AsFd;
#[cfg(target_os = "linux")]
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net as unix;
use std::path::PathBuf;

use listenfd::ListenFd;
use tokio::net::{TcpListener, UnixListener};

use super::door::Door;
use super::unix::SocketFile;

/// Sockets passed, and not yet listened at.
#[derive(Debug, Default)]
pub struct Passed {
    left: Vec<Named>,
    /// How all of them are called.
    names: Vec<String>,
}

/// The configuration names sockets, and there is none.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotPassed {
    #[error("the service manager passed no socket")]
    Nothing,
    #[error("the service manager passed no socket of that name, but {0}")]
    Named(String),
    #[error("every socket that the service manager passed is listened at under its name")]
    Others,
}

#[derive(Debug)]
struct Named {
    name: String,
    socket: io::Result<Socket>,
}

#[derive(Debug)]
enum Socket {
    Tcp(net::TcpListener),
    Unix(unix::UnixListener),
}

// === impl Passed ===

impl Passed {
    /// Takes the sockets of these names, one after the other from the third descriptor on.
    ///
    /// Once in a process's life and before all else: the variables that announce them go, which no other
    /// thread may see, and no file of ours may have one of their numbers.
    #[must_use]
    pub fn take(names: &[String]) -> Self {
        // Those of other processes are not looked at.
        if names.is_empty() {
            return Self::default();
        }
        let mut passed = ListenFd::from_env();
        let sockets = names.iter().enumerate().map(|(index, name)| Named {
            name: name.clone(),
            socket: Socket::take(&mut passed, index),
        });
        Self {
            left: sockets.collect(),
            names: names.to_vec(),
        }
    }

    /// The names of those that are left.
    pub fn left(&self) -> impl Iterator<Item = &str> {
        self.left.iter().map(|it| it.name.as_str())
    }

    /// Listens at those of one name, or at all but `others`.
    pub(super) fn claim(&mut self, name: Option<&str>, others: &[String]) -> io::Result<Vec<Door>> {
        let is_meant = |it: &mut Named| match name {
            Some(name) => it.name == name,
            None => !others.contains(&it.name),
        };
        let meant: Vec<Named> = self.left.extract_if(.., is_meant).collect();
        if meant.is_empty() {
            return Err(io::Error::other(self.lacks(name)));
        }
        meant.into_iter().map(|it| it.socket?.door()).collect()
    }

    fn lacks(&self, name: Option<&str>) -> NotPassed {
        match name {
            _ if self.names.is_empty() => NotPassed::Nothing,
            Some(_) => NotPassed::Named(self.names.join(", ")),
            None => NotPassed::Others,
        }
    }
}

// === impl NotPassed ===

impl NotPassed {
    /// Whether that is what an error says.
    pub(super) fn is_why(error: &io::Error) -> bool {
        error
            .get_ref()
            .and_then(|inner| inner.downcast_ref::<Self>())
            .is_some()
    }
}

// === impl Socket ===

impl Socket {
    fn take(passed: &mut ListenFd, index: usize) -> io::Result<Self> {
        // What is no socket of one kind may be one of the other.
        if let Ok(Some(listener)) = passed.take_tcp_listener(index) {
            return Ok(Self::Tcp(listener));
        }
        match passed.take_unix_listener(index)? {
            Some(listener) => Ok(Self::Unix(listener)),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn door(self) -> io::Result<Door> {
        match self {
            Self::Tcp(listener) => {
                assure_listening(&listener)?;
                listener.set_nonblocking(true)?;
                let address = listener.local_addr()?;
                Ok(Door::Tcp(TcpListener::from_std(listener)?, address))
            }
            Self::Unix(listener) => {
                assure_listening(&listener)?;
                listener.set_nonblocking(true)?;
                let file = SocketFile::of_another(path(&listener.local_addr()?));
                Ok(Door::Unix(UnixListener::from_std(listener)?, file))
            }
        }
    }
}

/// With `Accept=yes` a connection is passed, from which none can be accepted.
#[cfg(target_os = "linux")]
fn assure_listening(socket: impl AsFd) -> io::Result<()> {
    if rustix::net::sockopt::socket_acceptconn(socket)? {
        Ok(())
    } else {
        Err(io::Error::other("what was passed does not listen"))
    }
}

#[cfg(not(target_os = "linux"))]
fn assure_listening(_: impl AsFd) -> io::Result<()> {
    Ok(())
}

/// Where a socket is, or what it is called that is in no folder.
fn path(address: &unix::SocketAddr) -> PathBuf {
    if let Some(path) = address.as_pathname() {
        return path.to_owned();
    }
    #[cfg(target_os = "linux")]
    if let Some(name) = address.as_abstract_name() {
        return PathBuf::from(format!("@{}", String::from_utf8_lossy(name)));
    }
    PathBuf::from("@")
}
