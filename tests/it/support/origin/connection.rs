//! One connection of the origin: reads requests, records them, plays the answers.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use socket2::SockRef;
use tokio::io::{AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use super::script::{Answer, Framing, Script, Step};
use super::{Seen, Shared};
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
pub async fn serve(stream: TcpStream, shared: Arc<Shared>) {
    let _open = Open::new(&shared);
    let connection = shared.accepted.fetch_add(1, Ordering::Relaxed);
    let mut stream = BufReader::new(stream);
    while let Some(head) = Head::read(&mut stream).await {
        let seen = Seen {
            connection,
            head,
            body: Vec::new(),
            ended: None,
        };
        let index = record(&shared, seen.clone());
        let script = shared
            .script(&seen)
            .unwrap_or_else(|| Script::default().usual());
        let received = if script.early {
            Ended::Whole
        } else {
            receive(&shared, index, &mut stream).await
        };
        if received == Ended::Cut {
            return;
        }
        let next = play(&shared, index, script.steps, &mut stream).await;
        if script.early {
            receive(&shared, index, &mut stream).await;
            return;
        }
        if next == Next::Close {
            return;
        }
    }
}

fn record(shared: &Shared, seen: Seen) -> usize {
    let mut index = 0;
    shared.seen.send_modify(|all| {
        index = all.len();
        all.push(seen);
    });
    index
}

/// Reads the request's body into its record.
async fn receive(shared: &Shared, index: usize, stream: &mut BufReader<TcpStream>) -> Ended {
    let mut incoming = Incoming::of_request(&shared.seen.borrow()[index].head);
    loop {
        match incoming.piece(stream).await {
            Ok(piece) => shared
                .seen
                .send_modify(|all| all[index].body.extend_from_slice(&piece)),
            Err(ended) => {
                shared
                    .seen
                    .send_modify(|all| all[index].ended = Some(ended));
                return ended;
            }
        }
    }
}

async fn play(
    shared: &Shared,
    index: usize,
    steps: Vec<Step>,
    stream: &mut BufReader<TcpStream>,
) -> Next {
    for step in steps {
        let next = match step {
            Step::Hold(gate) => {
                shared.gates.pass(&gate).await;
                Next::Request
            }
            Step::Answer(answer) => send(shared, index, answer, stream).await,
            Step::Raw(bytes) => written(stream.write_all(&bytes).await.is_ok()),
            Step::AsUsual => {
                let seen = shared.seen.borrow()[index].clone();
                let answer = shared.store.lock().answer(&seen);
                send(shared, index, answer, stream).await
            }
            Step::Cut => Next::Close,
            Step::Reset => reset(stream),
            Step::Stall => std::future::pending().await,
        };
        if next == Next::Close {
            return Next::Close;
        }
    }
    Next::Request
}

/// Sends one answer, its body piece by piece.
async fn send(
    shared: &Shared,
    index: usize,
    answer: Answer,
    stream: &mut BufReader<TcpStream>,
) -> Next {
    let is_head = shared.seen.borrow()[index].method() == "HEAD";
    if stream.write_all(answer.head().as_bytes()).await.is_err() {
        return Next::Close;
    }
    let (framing, tells_the_truth) = (answer.framing, answer.tells_the_truth());
    for step in answer.body {
        let next = match step {
            Step::Raw(_) if is_head => Next::Request,
            Step::Raw(bytes) => written(stream.write_all(&framing.frame(&bytes)).await.is_ok()),
            Step::Hold(gate) => {
                shared.gates.pass(&gate).await;
                Next::Request
            }
            Step::Reset => reset(stream),
            Step::Stall => std::future::pending().await,
            Step::Cut | Step::Answer(_) | Step::AsUsual => Next::Close,
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

/// Makes the close that follows a reset instead of an orderly end.
fn reset(stream: &BufReader<TcpStream>) -> Next {
    SockRef::from(stream.get_ref())
        .set_linger(Some(Duration::ZERO))
        .expect("an option");
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
