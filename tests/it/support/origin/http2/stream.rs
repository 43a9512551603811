//! One request of HTTP/2: recorded as any other, and its script played on the stream.

use std::sync::Arc;

use bytes::Bytes;
use h2::server::SendResponse;
use h2::{Reason, RecvStream, SendStream};
use http::{Request, Response};
use tokio::sync::{mpsc, oneshot};

use super::super::connection::record;
use super::super::script::{Answer, Script, Step};
use super::super::{Seen, Shared};
use super::Wish;
use crate::support::wire::{Ended, Head};

/// A stream, and what it needs of the others.
pub struct Stream {
    shared: Arc<Shared>,
    connection: usize,
    wishes: mpsc::UnboundedSender<Wish>,
}

/// Whether the script goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Step,
    Nothing,
}

// === impl Stream ===

impl Stream {
    pub fn new(
        shared: Arc<Shared>,
        connection: usize,
        wishes: mpsc::UnboundedSender<Wish>,
    ) -> Self {
        Self {
            shared,
            connection,
            wishes,
        }
    }

    /// Reads the request and plays its script.
    pub async fn serve(self, request: Request<RecvStream>, mut respond: SendResponse<Bytes>) {
        let seen = Seen {
            connection: self.connection,
            head: head_of(&request),
            body: Vec::new(),
            ended: None,
        };
        let index = record(&self.shared, seen.clone());
        let script = self
            .shared
            .script(&seen)
            .unwrap_or_else(|| Script::default().usual());
        let mut body = request.into_body();
        self.receive(index, &mut body, script.early).await;
        for step in script.steps {
            if self.play(index, step, &mut respond).await == Next::Nothing {
                return;
            }
        }
        self.receive(index, &mut body, None).await;
    }

    /// Reads the request's body into its record, all of it or at least so much.
    async fn receive(&self, index: usize, body: &mut RecvStream, most: Option<usize>) {
        let seen = &self.shared.seen;
        while most.is_none_or(|most| seen.borrow()[index].body.len() < most) {
            let Some(Ok(piece)) = body.data().await else {
                let is_whole = body.is_end_stream();
                let ended = if is_whole { Ended::Whole } else { Ended::Cut };
                return seen.send_modify(|all| all[index].ended = Some(ended));
            };
            // More may come; a stream that is over needs no window.
            body.flow_control().release_capacity(piece.len()).ok();
            seen.send_modify(|all| all[index].body.extend_from_slice(&piece));
        }
    }

    async fn play(&self, index: usize, step: Step, respond: &mut SendResponse<Bytes>) -> Next {
        match step {
            Step::Answer(answer) => return self.send(index, answer, respond).await,
            Step::AsUsual => {
                let seen = self.shared.seen.borrow()[index].clone();
                let answer = self.shared.store.lock().answer(&seen);
                return self.send(index, answer, respond).await;
            }
            Step::Hold(gate) => self.shared.gates.pass(&gate).await,
            Step::Raw(bytes) | Step::Loose(bytes) => self.wish(Wish::Loose(bytes)),
            Step::Cut => {
                self.wish(Wish::Close);
                // Leaving would reset the stream before.
                std::future::pending::<()>().await;
            }
            Step::Reset => respond.send_reset(Reason::INTERNAL_ERROR),
            Step::Refuse => respond.send_reset(Reason::REFUSED_STREAM),
            Step::Stall => std::future::pending().await,
        }
        Next::Step
    }

    /// Sends one answer, its body piece by piece.
    async fn send(&self, index: usize, answer: Answer, respond: &mut SendResponse<Bytes>) -> Next {
        let is_head = self.shared.seen.borrow()[index].method() == "HEAD";
        let Ok(mut body) = respond.send_response(response(&answer), is_head) else {
            return Next::Nothing;
        };
        if is_head {
            return Next::Step;
        }
        for step in answer.body {
            match step {
                Step::Raw(bytes) => {
                    if body.send_data(bytes.into(), false).is_err() {
                        return Next::Nothing;
                    }
                }
                step => self.interrupt(step, &mut body).await,
            }
        }
        // Whoever has reset the stream is told nothing more.
        body.send_data(Bytes::new(), true).ok();
        Next::Step
    }

    /// What comes between the pieces of a body.
    async fn interrupt(&self, step: Step, body: &mut SendStream<Bytes>) {
        match step {
            Step::Hold(gate) => self.shared.gates.pass(&gate).await,
            Step::Loose(bytes) => self.wish(Wish::Loose(bytes)),
            Step::Stall => std::future::pending().await,
            Step::Reset => {
                self.sent().await;
                body.send_reset(Reason::INTERNAL_ERROR);
            }
            Step::Cut => {
                self.wish(Wish::Close);
                std::future::pending::<()>().await;
            }
            Step::Raw(_) | Step::Refuse | Step::Answer(_) | Step::AsUsual => {
                panic!("not within a body")
            }
        }
    }

    /// Waits until what was sent is on the line; a reset would take it back.
    async fn sent(&self) {
        let (told, sent) = oneshot::channel();
        self.wish(Wish::Sent(told));
        // No word means that the connection is gone.
        sent.await.ok();
    }

    fn wish(&self, wish: Wish) {
        self.wishes
            .send(wish)
            .expect("the connection outlives its streams");
    }
}

fn response(answer: &Answer) -> Response<()> {
    let mut response = Response::builder().status(answer.status());
    for (name, value) in answer.fields() {
        response = response.header(name, value);
    }
    response.body(()).expect("a head")
}

/// The request's head as HTTP/1.1 would have it.
fn head_of(request: &Request<RecvStream>) -> Head {
    let target = request
        .uri()
        .path_and_query()
        .map_or("/", |path| path.as_str());
    let headers = request.headers().iter().map(|(name, value)| {
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        (name.as_str().to_owned(), value)
    });
    Head {
        start: format!("{} {target} HTTP/2", request.method()),
        headers: headers.collect(),
    }
}
