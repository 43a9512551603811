//! Ports of loopback: one that listens, one that refuses and is kept, one that never answers.

use std::io::ErrorKind;
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use socket2::{Domain, Socket, Type};
use tokio::net::TcpListener;

/// A connection over loopback that takes longer than this is not being answered.
const UNANSWERED: Duration = Duration::from_millis(500);
/// More than the queue of a listener that wants none holds.
const ENOUGH: usize = 16;

/// A bound socket that does not listen: the port refuses, and nobody else is given it.
pub(super) struct Place {
    pub(super) address: SocketAddr,
    _socket: Socket,
}

/// A listener that takes nobody and whose queue is full: it neither accepts nor refuses.
pub(crate) struct BlackHole {
    pub(crate) address: SocketAddr,
    _listener: Socket,
    _queue: Vec<TcpStream>,
}

// === impl Place ===

impl Place {
    pub(super) fn new() -> Self {
        let (socket, address) = bind(SocketAddr::from(([127, 0, 0, 1], 0)));
        Self {
            address,
            _socket: socket,
        }
    }

    /// Listens there, within a runtime.
    pub(super) fn listen(&self) -> TcpListener {
        let (socket, _) = bind(self.address);
        socket.set_nonblocking(true).expect("an option");
        socket.listen(1024).expect("a listener");
        TcpListener::from_std(socket.into()).expect("a listener")
    }
}

// === impl BlackHole ===

impl BlackHole {
    pub(crate) fn new() -> Self {
        Self::at(&Place::new())
    }

    /// Where nobody may listen any more.
    pub(super) fn at(place: &Place) -> Self {
        let (listener, address) = bind(place.address);
        listener.listen(0).expect("a listener");
        let mut queue = Vec::new();
        let end = loop {
            assert!(queue.len() < ENOUGH, "the queue has no end");
            match TcpStream::connect_timeout(&address, UNANSWERED) {
                Ok(stream) => queue.push(stream),
                Err(error) => break error.kind(),
            }
        };
        assert_eq!(end, ErrorKind::TimedOut, "a full queue hangs");
        Self {
            address,
            _listener: listener,
            _queue: queue,
        }
    }
}

/// A bound socket that shares its port with others of ours.
fn bind(address: SocketAddr) -> (Socket, SocketAddr) {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    socket.set_reuse_address(true).expect("an option");
    socket.set_reuse_port(true).expect("an option");
    socket.bind(&address.into()).expect("a free port");
    let bound = socket.local_addr().expect("a bound socket");
    (socket, bound.as_socket().expect("an address"))
}
