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
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::time::Instant;

use super::Route;
use super::arriving::Watch;
use crate::artifact::{Outcome, RouteName, named_teams};
use crate::metrics::Metrics;
use crate::proxy::{ServedBody, UploadBody};
use crate::server::Peer;
use crate::telemetry::{AccessLine, AccessLog, Ended};

/// A request under observation; whatever becomes of it, dropping this writes it down.
#[derive(Debug)]
pub(super) struct Observation {
    metrics: Arc<Metrics>,
    log: Arc<AccessLog>,
    line: Option<AccessLine>,
    began: Instant,
    arriving: Watch,
    route: RouteName,
}

/// An answer's body under observation.
#[derive(Debug)]
pub struct Observed {
    body: ServedBody,
    /// Why the body has broken off, until that is told.
    broken: Option<<ServedBody as Body>::Error>,
    observation: Option<Observation>,
}

// === impl Observation ===

impl Observation {
    pub(super) fn begin(
        metrics: &Arc<Metrics>,
        log: &Arc<AccessLog>,
        head: &Parts,
        route: &Route,
        peer: Peer,
    ) -> Self {
        let line = AccessLine {
            time: SystemTime::now(),
            peer: peer.address,
            method: head.method.clone(),
            route: route.name(),
            hash: route.hash().cloned(),
            team: head
                .uri
                .query()
                .and_then(|query| named_teams(query).next())
                .map(str::to_owned),
            status: 0,
            outcome: Outcome::Error("client_left"),
            bytes_in: 0,
            bytes_out: 0,
            first_byte: std::time::Duration::ZERO,
            total: std::time::Duration::ZERO,
            user_agent: head.headers.get(USER_AGENT).cloned(),
            ended: Ended::Left,
        };
        Self {
            metrics: Arc::clone(metrics),
            log: Arc::clone(log),
            line: Some(line),
            began: Instant::now(),
            arriving: Watch::default(),
            route: route.name(),
        }
    }

    /// Watches what comes in.
    pub(super) fn watch(&self, body: Incoming) -> UploadBody {
        self.arriving.over(body).boxed_unsync()
    }

    /// The head is known; the body goes on under observation.
    pub(super) fn answered(
        mut self,
        outcome: Outcome,
        mut response: Response<ServedBody>,
    ) -> Response<Observed> {
        if !self.arriving.is_read() {
            // What is left of the body stands before the next request (RFC 9112 §9.3).
            response
                .headers_mut()
                .insert(CONNECTION, HeaderValue::from_static("close"));
        }
        if let Some(line) = &mut self.line {
            line.outcome = outcome;
            line.status = response.status().as_u16();
            line.first_byte = self.began.elapsed();
            if line.method == Method::HEAD || response.body().is_end_stream() {
                line.ended = Ended::Whole;
            }
        }
        response.map(|body| Observed {
            body,
            broken: None,
            observation: Some(self),
        })
    }
}

impl Drop for Observation {
    fn drop(&mut self) {
        let Some(mut line) = self.line.take() else {
            return;
        };
        line.total = self.began.elapsed();
        line.bytes_in = self.arriving.bytes();
        if let Some(metrics) = self.metrics.request(self.route, line.outcome) {
            metrics.total.inc();
            metrics.seconds.observe(line.total.as_secs_f64());
            metrics.first_byte.observe(line.first_byte.as_secs_f64());
        }
        if let Some(bytes) = self.metrics.response_bytes(line.outcome) {
            bytes.inc_by(line.bytes_out);
        }
        self.log.write(line);
    }
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
        let Some(line) = self
            .observation
            .as_mut()
            .and_then(|watch| watch.line.as_mut())
        else {
            return;
        };
        match frame {
            Some(Ok(frame)) => {
                line.bytes_out += frame.data_ref().map_or(0, Bytes::len) as u64;
                if is_end {
                    line.ended = Ended::Whole;
                }
            }
            Some(Err(_)) => line.ended = Ended::Broken,
            None => line.ended = Ended::Whole,
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
