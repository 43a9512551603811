//! What a new connection meets: the origin as it is, or what a script does in its place.

use std::sync::atomic::Ordering;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::Shared;
use super::link::Link;
use super::script::{Script, Step};
use super::speech::Speech;

/// A TLS handshake's first message is smaller than this.
const HELLO: usize = 16 * 1024;

/// When a script takes the origin's place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// As soon as the connection is there.
    Accepted,
    /// Once the client has begun the TLS handshake.
    Hello,
}

/// Brings a connection to where requests come; none where it met a script.
pub async fn welcome(mut stream: TcpStream, shared: &Shared, speech: &Speech) -> Option<Link> {
    if let Some(script) = shared.greeting(Moment::Accepted) {
        meet(script, shared, Link::Plain(stream)).await;
        return None;
    }
    let Some(certificate) = speech.certificate() else {
        return Some(Link::Plain(stream));
    };
    if let Some(script) = shared.greeting(Moment::Hello) {
        let mut hello = vec![0; HELLO];
        if stream.read(&mut hello).await.ok()? == 0 {
            return None;
        }
        meet(script, shared, Link::Plain(stream)).await;
        return None;
    }
    match certificate.acceptor().accept(stream).into_fallible().await {
        Ok(secured) => {
            let is_shown = secured.get_ref().1.peer_certificates().is_some();
            shared
                .shown
                .fetch_add(usize::from(is_shown), Ordering::Relaxed);
            Some(Link::Secure(Box::new(secured)))
        }
        Err((_, mut stream)) => {
            // Closed at once, with a request unread, it could break before the reason is heard.
            tokio::io::copy(&mut stream, &mut tokio::io::sink())
                .await
                .ok();
            None
        }
    }
}

/// Plays a script that answers no request; the connection ends with it.
async fn meet(script: Script, shared: &Shared, mut link: Link) {
    for step in script.steps {
        match step {
            Step::Hold(gate) => shared.gates.pass(&gate).await,
            Step::Raw(bytes) | Step::Loose(bytes) => {
                link.write_all(&bytes).await.ok();
            }
            Step::Reset => return link.reset(),
            Step::Stall => std::future::pending().await,
            Step::Cut => return,
            Step::Refuse | Step::Answer(_) | Step::AsUsual => panic!("nobody has asked yet"),
        }
    }
}
