//! What became of a request: counted and written down once, at the very end of its answer.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::SystemTime;

use bytes::Bytes;
use http::header::{CONNECTION, HeaderValue, USER_AGENT};
use http::request::Parts;
use http::{Method, Response};
use http_body::{Body, Frame, SizeHint};
use tokio::time::Instant;

use super::arriving::Watch;
use super::{Route, traced};
use crate::artifact::{ArtifactHash, Outcome, shown_team};
use crate::certificate::Certificate;
use crate::metrics::Metrics;
use crate::proxy::ServedBody;
use crate::recent::{Recent, Short, Subject};
use crate::server::Peer;
use crate::telemetry::{AccessLine, AccessLog, Answered, Asked, Ended};
use crate::traces::{Span, SpanContext, Tracer};

/// Who is told what became of requests.
#[derive(Debug)]
pub struct Observer {
    /// Counts them.
    pub metrics: Arc<Metrics>,
    /// Writes a line of each.
    pub log: Arc<AccessLog>,
    /// Keeps the last of them.
    pub recent: Arc<Recent>,
    /// Where the spans of requests begin; nowhere where nothing is traced.
    pub tracer: Option<Tracer>,
}

/// A request under observation; whatever becomes of it, dropping this writes it down.
///
/// It goes through a dozen hands with its answer, and is boxed for that.
#[derive(Debug)]
pub(super) struct Observation {
    observer: Arc<Observer>,
    /// What only its access line and its span tell, where there is one of them.
    told: Option<Box<Told>>,
    /// What is kept of it, where it is about an artifact.
    subject: Option<Subject>,
    answered: Answered,
    began: Instant,
    arriving: Watch,
    /// The client wants no body.
    is_head: bool,
}

/// What is told of a request beyond what is counted.
#[derive(Debug)]
struct Told {
    asked: Asked,
    is_logged: bool,
    span: Option<Span>,
}

/// An answer's body under observation.
#[derive(Debug)]
pub struct Observed {
    body: ServedBody,
    /// Why the body has broken off, until that is told.
    broken: Option<<ServedBody as Body>::Error>,
    observation: Option<Box<Observation>>,
}

// === impl Observation ===

impl Observation {
    pub(super) fn begin(
        observer: &Arc<Observer>,
        head: &mut Parts,
        route: &Route,
        peer: Peer,
        arriving: Watch,
    ) -> Box<Self> {
        let is_logged = observer.log.is_written();
        let span = observer.tracer.as_ref().and_then(|tracer| {
            let name = || traced::name(&head.method, route);
            tracer.enter(&mut head.headers, name)
        });
        let is_told = is_logged || span.is_some();
        Box::new(Self {
            subject: route.hash().map(|hash| subject(head, hash, peer)),
            told: is_told.then(|| {
                Box::new(Told {
                    asked: asked(head, route, peer),
                    is_logged,
                    span,
                })
            }),
            observer: Arc::clone(observer),
            answered: Answered::not_yet(route.name()),
            began: Instant::now(),
            arriving,
            is_head: head.method == Method::HEAD,
        })
    }

    /// The head is known; the body goes on under observation.
    pub(super) fn answered(
        mut self: Box<Self>,
        head: &Parts,
        outcome: Outcome,
        mut response: Response<ServedBody>,
    ) -> Response<Observed> {
        if !self.arriving.is_read() {
            // What is left of the body stands before the next request (RFC 9112 §9.3).
            response
                .headers_mut()
                .insert(CONNECTION, HeaderValue::from_static("close"));
        }
        if let Some(subject) = &mut self.subject
            && !outcome.is_hit()
        {
            // Of hits there are too many to look for it.
            subject.user_agent = user_agent(head);
        }
        self.answered.outcome = outcome;
        self.answered.status = response.status().as_u16();
        self.answered.first_byte = self.began.elapsed();
        if let Some(span) = self.span()
            && let Some(context) = response.extensions_mut().remove::<SpanContext>()
        {
            span.follows(context);
        }
        if self.is_head || response.body().is_end_stream() {
            self.answered.ended = Ended::Whole;
        }
        response.map(|body| Observed {
            body,
            broken: None,
            observation: Some(self),
        })
    }

    fn span(&mut self) -> Option<&mut Span> {
        self.told.as_mut()?.span.as_mut()
    }
}

impl Drop for Observation {
    fn drop(&mut self) {
        let Observer {
            metrics,
            log,
            recent,
            ..
        } = &*self.observer;
        let answered = &mut self.answered;
        answered.total = self.began.elapsed();
        answered.bytes_in = self.arriving.bytes();
        if let Some(metrics) = metrics.request(answered.route, answered.outcome) {
            metrics.total.inc();
            metrics.seconds.observe(answered.total.as_secs_f64());
            metrics
                .first_byte
                .observe(answered.first_byte.as_secs_f64());
        }
        if let Some(bytes) = metrics.response_bytes(answered.outcome) {
            bytes.inc_by(answered.bytes_out);
        }
        if let Some(subject) = self.subject.take() {
            recent.note(subject, answered);
        }
        let Some(told) = &mut self.told else { return };
        let asked = &told.asked;
        if told.is_logged {
            log.write(&AccessLine { asked, answered });
        }
        if let Some(span) = &mut told.span {
            traced::note(span, asked, answered);
        }
    }
}

fn asked(head: &Parts, route: &Route, peer: Peer) -> Asked {
    Asked {
        time: SystemTime::now(),
        peer: peer.address,
        version: head.version,
        is_secure: peer.is_secure,
        certificate: Certificate::of(&head.extensions).map(|shown| Arc::clone(shown.client())),
        method: head.method.clone(),
        hash: route.hash().cloned(),
        team: team(head).map(str::to_owned),
        user_agent: head.headers.get(USER_AGENT).cloned(),
    }
}

/// Copied into what is set aside for it: it takes no memory of its own, nor keeps the buffer that the head
/// was read with.
fn subject(head: &Parts, hash: &ArtifactHash, peer: Peer) -> Subject {
    Subject {
        hash: hash.clone(),
        team: Short::of(team(head).unwrap_or_default().as_bytes()),
        user_agent: Short::default(),
        peer: peer.address.map(|address| address.ip()),
    }
}

fn user_agent<const N: usize>(head: &Parts) -> Short<N> {
    let agent = head.headers.get(USER_AGENT).map(HeaderValue::as_bytes);
    Short::of(agent.unwrap_or_default())
}

fn team(head: &Parts) -> Option<&str> {
    shown_team(head.uri.query()?)
}

// === impl Observed ===

impl Observed {
    pub(super) fn unobserved(body: ServedBody) -> Self {
        Self {
            body,
            broken: None,
            observation: None,
        }
    }

    fn note(&mut self, frame: Option<&Result<Frame<Bytes>, <ServedBody as Body>::Error>>) {
        // Behind the last byte of a known length nobody asks again.
        let is_end = self.body.is_end_stream() || self.body.size_hint().exact() == Some(0);
        let Some(observation) = &mut self.observation else {
            return;
        };
        let answered = &mut observation.answered;
        match frame {
            Some(Ok(frame)) => {
                answered.bytes_out += frame.data_ref().map_or(0, Bytes::len) as u64;
                if is_end {
                    answered.ended = Ended::Whole;
                }
            }
            Some(Err(_)) => answered.ended = Ended::Broken,
            None => answered.ended = Ended::Whole,
        }
    }
}

impl Body for Observed {
    type Data = Bytes;
    type Error = <ServedBody as Body>::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let frame = match self.broken.take() {
            Some(error) => Some(Err(error)),
            None => match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
                // Told at once, it would take the head and the bytes along that are still to be
                // flushed: the client would hear nothing, and take us for gone.
                Some(Err(error)) => {
                    self.broken = Some(error);
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                frame => frame,
            },
        };
        self.note(frame.as_ref());
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
