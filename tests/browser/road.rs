//! A road to an origin that is far: what goes along it arrives later, either way.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

/// One way.
const DELAY: Duration = Duration::from_millis(40);

/// Bytes that travel together.
const CHUNK: usize = 64 * 1024;

/// Builds a road to an address; returns where it begins. It stays as long as the process.
pub(crate) fn to(far: SocketAddr) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port for the road");
    let near = listener.local_addr().expect("its address");
    thread::spawn(move || {
        for here in listener.incoming().map_while(Result::ok) {
            // Where nobody is at its end, whoever came is sent away.
            if let Ok(there) = TcpStream::connect(far) {
                let ends = [(&here, &there), (&there, &here)];
                for (from, into) in ends {
                    let from = from.try_clone().expect("a socket's other half");
                    let into = into.try_clone().expect("a socket's other half");
                    thread::spawn(move || carry(from, into));
                }
            }
        }
    });
    near
}

fn carry(mut from: TcpStream, mut into: TcpStream) {
    let mut chunk = vec![0; CHUNK];
    loop {
        let read = from.read(&mut chunk).unwrap_or(0);
        rest(DELAY);
        let Some(arrived) = chunk.get(..read).filter(|arrived| !arrived.is_empty()) else {
            break;
        };
        if into.write_all(arrived).is_err() {
            break;
        }
    }
    // Either end may be gone before the other.
    drop(into.shutdown(std::net::Shutdown::Both));
}

/// Lets time pass.
#[expect(
    clippy::disallowed_methods,
    reason = "pictures want traffic over time, and a thread that has nothing else to do"
)]
pub(crate) fn rest(time: Duration) {
    thread::sleep(time);
}
