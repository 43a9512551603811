//! What it takes to open addresses besides themselves.

use std::net::Ipv4Addr;

use super::passed::Passed;
use super::unix;
use crate::config::Listen;

/// What is known of all listeners together before one of them is opened.
#[derive(Debug)]
pub struct Opening {
    pub(super) passed: Passed,
    pub(super) socket_mode: u32,
    /// Passed sockets that somebody names.
    pub(super) named: Vec<String>,
    ipv4_ports: Vec<u16>,
}

impl Opening {
    /// For `listen`, all there is. Files of unix sockets are private to this user.
    pub fn new<'a>(listen: impl IntoIterator<Item = &'a Listen>, passed: Passed) -> Self {
        let (mut named, mut ipv4_ports) = (Vec::new(), Vec::new());
        for one in listen {
            match one {
                Listen::Passed(name) => named.extend(name.clone()),
                Listen::Tcp { host, port } if host.parse::<Ipv4Addr>().is_ok() => {
                    ipv4_ports.push(*port);
                }
                Listen::Tcp { .. } | Listen::Unix(_) => {}
            }
        }
        Self {
            passed,
            socket_mode: unix::PRIVATE,
            named,
            ipv4_ports,
        }
    }

    /// Gives the files of unix sockets this mode from now on.
    #[must_use]
    pub fn with_socket_mode(mut self, mode: u32) -> Self {
        self.socket_mode = mode;
        self
    }

    /// The names of passed sockets at which nobody listens so far.
    pub fn left(&self) -> impl Iterator<Item = &str> {
        self.passed.left()
    }

    /// Whether `[::]` at this port leaves IPv4 to another listener.
    pub(super) fn has_ipv4_at(&self, port: u16) -> bool {
        self.ipv4_ports.contains(&port)
    }
}
