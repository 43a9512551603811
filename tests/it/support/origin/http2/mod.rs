//! A connection of the origin that speaks HTTP/2: scripts are played on its streams.
//!
//! What HTTP/2 gives nobody leave to do is done below it, on the connection itself.

mod stream;
mod tap;

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Poll;

use bytes::Bytes;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use h2::server::{Connection, handshake};
use tokio::sync::{mpsc, oneshot};

use super::Shared;
use super::link::Link;
use stream::Stream;
use tap::Tap;

/// What a stream wants done with the connection, behind all that has been sent so far.
#[derive(Debug)]
enum Wish {
    /// Says when that is on the line.
    Sent(oneshot::Sender<()>),
    /// Sends bytes that are no frame of HTTP/2's making.
    Loose(Vec<u8>),
    /// Closes in an orderly way.
    Close,
}

/// Serves one connection to its end.
pub async fn serve(link: Link, number: usize, shared: &Arc<Shared>) {
    let tap = Tap::new(link);
    let Ok(mut connection) = handshake(tap.clone()).await else {
        return;
    };
    let (wishes, mut pending) = mpsc::unbounded_channel();
    let mut playing = FuturesUnordered::new();
    loop {
        tokio::select! {
            Some(wish) = pending.recv() => match wish {
                Wish::Close => {
                    push(&mut connection).await;
                    return tap.close().await;
                }
                Wish::Loose(bytes) => {
                    push(&mut connection).await;
                    tap.write(&bytes).await;
                }
                Wish::Sent(told) => {
                    push(&mut connection).await;
                    // A stream that has ended meanwhile need not know.
                    told.send(()).ok();
                }
            },
            Some(()) = playing.next() => {
                if shared.closes.load(Ordering::Relaxed) {
                    connection.graceful_shutdown();
                }
            }
            accepted = connection.accept() => {
                let Some(Ok((request, respond))) = accepted else { return };
                let stream = Stream::new(Arc::clone(shared), number, wishes.clone());
                playing.push(stream.serve(request, respond).boxed());
            }
        }
    }
}

/// Puts on the line what streams have sent.
async fn push(connection: &mut Connection<Tap, Bytes>) {
    poll_fn(|cx| {
        // Whether it has ended shows where the next request is waited for.
        drop(connection.poll_closed(cx));
        Poll::Ready(())
    })
    .await;
}
