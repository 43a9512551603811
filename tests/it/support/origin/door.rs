//! The origin's port: open, shut, or with a queue that takes nobody any more.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinSet;

use super::speech::Speech;
use super::{Shared, connection};

/// Too small to count against megabytes that are sent to an origin which does not read them.
const NARROW: u32 = 128 * 1024;

/// How a port is listened to.
#[derive(Clone, Debug)]
pub struct Manner {
    pub speech: Speech,
    /// The system keeps little of what is sent here and not read.
    pub is_narrow: bool,
}

/// A port that is listened to, or one that refuses.
#[derive(Debug)]
pub enum Door {
    Open(JoinSet<()>),
    Shut,
    /// Who connects is kept waiting, for those that came before are never accepted.
    Jammed {
        _queue: TcpListener,
        _waiting: [TcpStream; 2],
    },
}

// === impl Door ===

impl Door {
    pub fn listen(address: SocketAddr, manner: &Manner, shared: &Arc<Shared>) -> Self {
        let socket = bind(address);
        if manner.is_narrow {
            socket.set_recv_buffer_size(NARROW).expect("an option");
        }
        let listener = socket.listen(1024).expect("a listening socket");
        let mut serving = JoinSet::new();
        serving.spawn(accept(listener, manner.speech.clone(), Arc::clone(shared)));
        Self::Open(serving)
    }

    /// Listens, and has the queue full: it takes one more than is asked for, and at none the system
    /// would have cookies in its place.
    pub async fn jam(address: SocketAddr) -> Self {
        let queue = bind(address).listen(1).expect("a listening socket");
        let wait = async || TcpStream::connect(address).await.expect("a place");
        Self::Jammed {
            _queue: queue,
            _waiting: [wait().await, wait().await],
        }
    }
}

pub fn bind(address: SocketAddr) -> TcpSocket {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_reuseaddr(true).expect("an option");
    socket.set_reuseport(true).expect("an option");
    socket.bind(address).expect("a free port");
    socket
}

/// Accepts until dropped; the connections end with it.
async fn accept(listener: TcpListener, speech: Speech, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        // Answers go out in pieces, and none is to wait until the one before has been acknowledged.
        stream.set_nodelay(true).expect("an option");
        connections.spawn(connection::serve(
            stream,
            speech.clone(),
            Arc::clone(&shared),
        ));
    }
}
