//! A response body from the upstream, guarded: it moves, or it ends visibly.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep, sleep_until};

use super::attempt::Attempt;
use super::lanes::Permit;
use super::pace::{Late, Pace};
use super::passage::Passage;
use super::sending::Sending;
use super::setback::Setback;
use super::wire::Wire;
use crate::artifact::Failure;

/// What the upstream sends after its head, without trailers.
///
/// It ends cleanly only where the upstream ended it cleanly; silence and dripping are
/// [`Failure::Timeout`], a break is [`Failure::Cut`].
pub struct UpstreamBody {
    state: State,
}

/// The other half of an exchange: what must be put back or cut when its answer has been read.
pub(super) struct Flight {
    sending: Sending,
    wire: Option<Wire>,
    permit: Option<Permit>,
    passage: Option<Passage>,
    attempt: Attempt,
}

enum State {
    Live(Box<Live>),
    Ended,
    Failed(Failure),
}

struct Live {
    incoming: Incoming,
    pace: Pace,
    alarm: Pin<Box<Sleep>>,
    /// When it ends, whatever its pace.
    deadline: Instant,
    flight: Flight,
}

// === impl UpstreamBody ===

impl UpstreamBody {
    /// `limit`: the longest it may take, whatever its pace.
    pub(super) fn new(incoming: Incoming, pace: Pace, limit: Duration, flight: Flight) -> Self {
        Self {
            state: State::Live(Box::new(Live {
                incoming,
                pace,
                alarm: Box::pin(sleep_until(Instant::now())),
                deadline: Instant::now() + limit,
                flight,
            })),
        }
    }

    /// Keeps a place among the requests upstream until the body has ended.
    pub(super) fn keep(&mut self, permit: Permit) {
        if let State::Live(live) = &mut self.state {
            live.flight.permit = Some(permit);
        }
    }

    /// Reads until it is known whether the upstream delivers, and no further.
    pub(super) async fn prove(mut self) {
        while let State::Live(live) = &self.state
            && live.flight.is_watched()
            && let Some(Ok(_)) = self.frame().await
        {}
    }

    /// Says what becomes of the body where it is to be known.
    pub(super) fn watch(&mut self, passage: Passage) {
        if let State::Live(live) = &mut self.state {
            live.flight.passage = Some(passage);
        }
    }
}

impl Body for UpstreamBody {
    type Data = Bytes;
    type Error = Failure;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Failure>>> {
        let live = match &mut self.state {
            State::Live(live) => live,
            State::Ended => return Poll::Ready(None),
            State::Failed(failure) => return Poll::Ready(Some(Err(*failure))),
        };
        let polled = std::task::ready!(live.poll_data(cx));
        match &polled {
            Some(Ok(_)) => {}
            Some(Err(failure)) => {
                live.flight.failed(*failure);
                self.state = State::Failed(*failure);
            }
            None => {
                live.flight.succeeded();
                self.state = State::Ended;
            }
        }
        Poll::Ready(polled.map(|result| result.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        match &self.state {
            State::Live(live) => live.incoming.is_end_stream(),
            State::Ended => true,
            State::Failed(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.state {
            State::Live(live) => live.incoming.size_hint(),
            State::Ended => SizeHint::with_exact(0),
            State::Failed(_) => SizeHint::default(),
        }
    }
}

impl fmt::Debug for UpstreamBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.state {
            State::Live(_) => "UpstreamBody(live)",
            State::Ended => "UpstreamBody(ended)",
            State::Failed(_) => "UpstreamBody(failed)",
        })
    }
}

// === impl Live ===

impl Live {
    fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Failure>>> {
        loop {
            match Pin::new(&mut self.incoming).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => {
                    let Ok(data) = frame.into_data() else {
                        continue;
                    };
                    let now = Instant::now();
                    if now >= self.deadline {
                        return Poll::Ready(Some(Err(Failure::Timeout)));
                    }
                    self.flight.delivered(data.len(), now);
                    let arrived = self.pace.arrived(data.len(), || now);
                    return Poll::Ready(Some(arrived.map(|()| data).map_err(too_late)));
                }
                Poll::Ready(Some(Err(_))) => return Poll::Ready(Some(Err(Failure::Cut))),
                // The client lets a reset without an error pass for the end.
                Poll::Ready(None) if self.flight.is_shared() && !self.incoming.is_end_stream() => {
                    return Poll::Ready(Some(Err(Failure::Cut)));
                }
                Poll::Ready(None) => return Poll::Ready(None),
                Poll::Pending => {
                    let late = std::task::ready!(self.poll_late(cx));
                    return Poll::Ready(Some(Err(too_late(late))));
                }
            }
        }
    }

    /// One alarm for the whole body, set anew only when it rings: not once for every piece.
    fn poll_late(&mut self, cx: &mut Context<'_>) -> Poll<Late> {
        loop {
            let due = match self.pace.wait(Instant::now()) {
                Ok(due) => due,
                Err(late) => return Poll::Ready(late),
            };
            if Instant::now() >= self.deadline {
                return Poll::Ready(Late);
            }
            let due = due.min(self.deadline);
            if self.alarm.is_elapsed() || self.alarm.deadline() > due {
                self.alarm.as_mut().reset(due);
            }
            std::task::ready!(self.alarm.as_mut().poll(cx));
        }
    }
}

fn too_late(_: Late) -> Failure {
    Failure::Timeout
}

// === impl Flight ===

impl Flight {
    pub(super) fn new(sending: Sending, wire: Option<Wire>, attempt: Attempt) -> Self {
        Self {
            sending,
            wire,
            permit: None,
            passage: None,
            attempt,
        }
    }

    /// The request's body, and the connection.
    pub(super) fn exchange(&self) -> (Sending, Option<Wire>) {
        (self.sending.clone(), self.wire.clone())
    }

    fn is_watched(&self) -> bool {
        self.passage.as_ref().is_some_and(Passage::is_unproven)
    }

    fn delivered(&mut self, bytes: usize, now: Instant) {
        self.attempt.delivered(bytes);
        if let Some(passage) = &mut self.passage {
            passage.delivered(bytes, now);
        }
    }

    fn succeeded(&mut self) {
        if let Some(mut passage) = self.passage.take() {
            passage.completed();
        }
    }

    fn failed(&mut self, failure: Failure) {
        self.attempt.failed(failure);
        if let Some(mut passage) = self.passage.take() {
            passage.failed(Setback::halfway(failure));
        }
    }

    fn is_shared(&self) -> bool {
        self.wire.as_ref().is_some_and(Wire::is_shared)
    }
}

impl Drop for Flight {
    /// An answer that came before the request's end leaves the client with a connection that it can
    /// neither use nor close (hyper#4176); or with a stream on which it goes on sending.
    fn drop(&mut self) {
        let Some(wire) = &self.wire else {
            return;
        };
        if wire.is_shared() {
            self.sending.abandon(wire);
        } else if !self.sending.is_whole() {
            wire.sever();
        }
    }
}
