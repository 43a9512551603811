//! One connection of the origin: reads requests, records them, plays the answers.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::io::{AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use super::greeting::welcome;
use super::link::Link;
use super::script::{Answer, Framing, Script, Step};
use super::speech::Speech;
use super::{Seen, Shared, http2};
use crate::support::wire::{Ended, Head, Incoming};

/// Whether the connection takes another request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Request,
    Close,
}

/// Counts the connection as open while it lives.
struct Open(Arc<Shared>);

/// Serves one connection to its end.
pub async fn serve(stream: TcpStream, speech: Speech, shared: Arc<Shared>) {
    let _open = Open::new(&shared);
    let connection = shared.accepted.fetch_add(1, Ordering::Relaxed);
    let Some(link) = welcome(stream, &shared, &speech).await else {
        return;
    };
    match speech {
        Speech::Http2Tls(_) => Box::pin(http2::serve(link, connection, &shared)).await,
        Speech::Http1 | Speech::Http1Tls(_) => serve_requests(link, connection, &shared).await,
    }
}

async fn serve_requests(link: Link, connection: usize, shared: &Shared) {
    let mut stream = BufReader::new(link);
    while let Some(head) = Head::read(&mut stream).await {
        let seen = Seen {
            connection,
            head,
            body: Vec::new(),
            ended: None,
        };
        let index = record(shared, seen.clone());
        let script = shared
            .script(&seen)
            .unwrap_or_else(|| Script::default().usual());
        let mut incoming = Incoming::of_request(&seen.head);
        let most = script.early.unwrap_or(usize::MAX);
        if receive(shared, index, &mut incoming, (&mut stream, most)).await == Some(Ended::Cut) {
            return;
        }
        let next = play(shared, index, script.steps, &mut stream).await;
        if next == Next::Close {
            return;
        }
        if script.early.is_some() {
            receive(shared, index, &mut incoming, (&mut stream, usize::MAX)).await;
            return;
        }
        if shared.closes.load(Ordering::Relaxed) {
            return stream.get_mut().close().await;
        }
    }
}

/// Takes note of a request; returns its place among all.
pub fn record(shared: &Shared, seen: Seen) -> usize {
    let mut index = 0;
    shared.seen.send_modify(|all| {
        index = all.len();
        all.push(seen);
    });
    index
}

/// Reads the request's body into its record, until that holds `most` bytes or the body has ended.
async fn receive(
    shared: &Shared,
    index: usize,
    incoming: &mut Incoming,
    (stream, most): (&mut BufReader<Link>, usize),
) -> Option<Ended> {
    while shared.seen.borrow()[index].body.len() < most {
        match incoming.piece(stream).await {
            Ok(piece) => shared
                .seen
                .send_modify(|all| all[index].body.extend_from_slice(&piece)),
            Err(ended) => {
                shared
                    .seen
                    .send_modify(|all| all[index].ended = Some(ended));
                return Some(ended);
            }
        }
    }
    None
}

async fn play(
    shared: &Shared,
    index: usize,
    steps: Vec<Step>,
    stream: &mut BufReader<Link>,
) -> Next {
    for step in steps {
        let next = match step {
            Step::Hold(gate) => {
                shared.gates.pass(&gate).await;
                Next::Request
            }
            Step::Answer(answer) => send(shared, index, answer, stream).await,
            Step::Raw(bytes) | Step::Loose(bytes) => {
                written(stream.write_all(&bytes).await.is_ok())
            }
            Step::AsUsual => {
                let seen = shared.seen.borrow()[index].clone();
                let answer = shared.store.lock().answer(&seen);
                send(shared, index, answer, stream).await
            }
            Step::Cut => close(stream).await,
            Step::Reset => reset(stream),
            Step::Refuse => panic!("what is refused is a stream of HTTP/2"),
            Step::Stall => std::future::pending().await,
        };
        if next == Next::Close {
            return Next::Close;
        }
    }
    Next::Request
}

/// Sends one answer, its body piece by piece.
async fn send(shared: &Shared, index: usize, answer: Answer, stream: &mut BufReader<Link>) -> Next {
    let is_head = shared.seen.borrow()[index].method() == "HEAD";
    let is_last = shared.closes.load(Ordering::Relaxed);
    let answer = if is_last { answer.closing() } else { answer };
    if stream.write_all(answer.head().as_bytes()).await.is_err() {
        return Next::Close;
    }
    let (framing, tells_the_truth) = (answer.framing, answer.tells_the_truth());
    for step in answer.body {
        let next = match step {
            Step::Raw(_) if is_head => Next::Request,
            Step::Raw(bytes) => written(stream.write_all(&framing.frame(&bytes)).await.is_ok()),
            Step::Loose(bytes) => written(stream.write_all(&bytes).await.is_ok()),
            Step::Hold(gate) => {
                shared.gates.pass(&gate).await;
                Next::Request
            }
            Step::Reset => reset(stream),
            Step::Stall => std::future::pending().await,
            Step::Cut => close(stream).await,
            Step::Refuse | Step::Answer(_) | Step::AsUsual => Next::Close,
        };
        if next == Next::Close {
            return Next::Close;
        }
    }
    match framing {
        Framing::Chunked | Framing::Length(_) if is_head => Next::Request,
        Framing::Chunked => written(stream.write_all(b"0\r\n\r\n").await.is_ok()),
        Framing::Length(_) => written(tells_the_truth),
        Framing::Unframed => Next::Close,
    }
}

fn written(well: bool) -> Next {
    if well { Next::Request } else { Next::Close }
}

async fn close(stream: &mut BufReader<Link>) -> Next {
    stream.get_mut().close().await;
    Next::Close
}

fn reset(stream: &BufReader<Link>) -> Next {
    stream.get_ref().reset();
    Next::Close
}

// === impl Open ===

impl Open {
    fn new(shared: &Arc<Shared>) -> Self {
        shared.open.send_modify(|open| *open += 1);
        Self(Arc::clone(shared))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.send_modify(|open| *open -= 1);
    }
}
