//! One request among those that share a connection: watched, and given its time, as if it were alone.
//!
//! The connection's bytes do not tell whose they are. What tells is who is asked for more: the request's
//! body, while it is wanted and does not come, and the answer's, which is asked for its next piece when
//! the client has taken the last.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use hyper::rt::Executor;
use parking_lot::Mutex;
use pin_project_lite::pin_project;
use tracing::debug;

use super::{Shared, Windows};
use crate::server::Limits;
use crate::server::clock::{Clock, Cuts};
use crate::server::guard::Watch;
use crate::server::phase::Channel;
use crate::server::request::RequestBody;
use crate::tasks::Tasks;

/// One request and its answer; clones share it.
#[derive(Clone, Debug)]
pub(super) struct Stream {
    watch: Watch,
    /// Of its connection.
    windows: Arc<Windows>,
    /// The request's body, where there is any and somebody has it.
    body: Arc<OnceLock<Shared>>,
}

/// Runs the requests of one connection; clones share it.
#[derive(Clone, Debug)]
pub(super) struct Streams {
    limits: Arc<Limits>,
    tasks: Tasks,
    cuts: Cuts,
    windows: Arc<Windows>,
    /// The request that was begun and is not run yet. The library hands a request to its service and then
    /// at once what came of that to whoever runs it, and nothing else tells that they belong together.
    begun: Arc<Mutex<Option<Stream>>>,
}

/// Bytes of an answer given at a time. Whoever takes them at the least rate that is served does so in half
/// the time in which some must be taken.
const PIECE: usize = 32 * 1024;

pin_project! {
    /// An answer's body, piece by piece: being asked for more means that its client has taken the last.
    #[derive(Debug)]
    pub(super) struct Taken<B> {
        #[pin]
        body: B,
        // Of what the body has given, what is left.
        rest: Bytes,
        stream: Stream,
        // Bytes given last.
        given: usize,
        // The client wants to know of it only: the library would send it all the same.
        is_unsent: bool,
    }
}

// === impl Stream ===

impl Stream {
    fn begin(has_body: bool, limits: &Limits, windows: Arc<Windows>) -> Self {
        let watch = Watch::new(Channel::Clear, limits);
        watch.admit(has_body);
        Self {
            watch,
            windows,
            body: Arc::default(),
        }
    }

    /// The request's body, to be read by anybody.
    pub(super) fn receive(&self, body: Incoming) -> RequestBody {
        if body.is_end_stream() {
            return RequestBody::alone(body);
        }
        let body = self
            .body
            .get_or_init(|| Shared::new(body, self.watch.clone(), Arc::clone(&self.windows)));
        RequestBody::among(body.clone())
    }

    /// Completes with `work`, or when the client has taken too long; what is left of the work and of the
    /// request is dropped then, which resets the stream.
    async fn attend(self, work: impl Future<Output = ()>, mut clock: Clock) {
        let mut work = pin!(work);
        poll_fn(|cx| {
            // Whoever reads the request's body may do so elsewhere.
            self.watch.keep_time(cx.waker());
            if work.as_mut().poll(cx).is_ready() {
                return Poll::Ready(());
            }
            clock.poll_expired(cx).map(|bound| {
                if let Some(body) = self.body.get() {
                    body.cut();
                }
                debug!(
                    bound = bound.as_str(),
                    "a client took too long for a request"
                );
            })
        })
        .await;
    }
}

// === impl Streams ===

impl Streams {
    pub(super) fn new(
        limits: Arc<Limits>,
        tasks: Tasks,
        cuts: Cuts,
        windows: Arc<Windows>,
    ) -> Self {
        Self {
            limits,
            tasks,
            cuts,
            windows,
            begun: Arc::default(),
        }
    }

    /// A request whose head is whole.
    pub(super) fn begin(&self, has_body: bool) -> Stream {
        let stream = self.stream(has_body);
        *self.begun.lock() = Some(stream.clone());
        stream
    }

    fn stream(&self, has_body: bool) -> Stream {
        Stream::begin(has_body, &self.limits, Arc::clone(&self.windows))
    }
}

impl<F> Executor<F> for Streams
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, work: F) {
        let begun = self.begun.lock().take();
        let stream = begun.unwrap_or_else(|| self.stream(false));
        let clock = Clock::new(
            Arc::clone(&self.limits),
            stream.watch.clone(),
            self.cuts.clone(),
        );
        self.tasks.spawn_punctual(stream.attend(work, clock));
    }
}

// === impl Taken ===

impl<B> Taken<B> {
    /// The body of the answer to `stream`'s request; one that `is_unsent` ends at once.
    pub(super) fn new(body: B, stream: Stream, is_unsent: bool) -> Self {
        stream.watch.answer();
        Self {
            body,
            rest: Bytes::new(),
            stream,
            given: 0,
            is_unsent,
        }
    }
}

impl<B: Body<Data = Bytes>> Body for Taken<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let mut this = self.project();
        let watch = &this.stream.watch;
        watch.taken(std::mem::take(this.given));
        if this.rest.is_empty() {
            match ready!(this.body.as_mut().poll_frame(cx)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => *this.rest = data,
                    Err(other) => return Poll::Ready(Some(Ok(other))),
                },
                ended => return Poll::Ready(ended),
            }
        }
        watch.give();
        let mut piece = this.rest.split_to(this.rest.len().min(PIECE));
        if this.rest.is_empty() && this.body.is_end_stream() {
            // Nobody keeps the time of the last one: it must not keep all that it is a part of.
            piece = Bytes::copy_from_slice(&piece);
        }
        *this.given = piece.len();
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.is_unsent || self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let mut hint = self.body.size_hint();
        let rest = self.rest.len() as u64;
        if let Some(upper) = hint.upper() {
            hint.set_upper(upper + rest);
        }
        hint.set_lower(hint.lower() + rest);
        hint
    }
}
