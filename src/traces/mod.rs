//! Traces: what was done for a request, told to a collector of OpenTelemetry in spans.
//!
//! A span is told when it is over, and whoever ends it never waits: it goes into a queue, or is lost and
//! counted. What a span is about is known where it begins.

mod collector;
mod context;
mod export;
mod ids;
mod otlp;
mod span;

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use http::{HeaderMap, Method};
use tokio::sync::mpsc;

pub use context::SpanContext;
pub use export::Exporter;
pub use otlp::Kind;
pub use span::Span;

use crate::config;
use crate::metrics::Metrics;
use collector::Collector;
use context::TRACESTATE;
use ids::Ids;
use otlp::Parent;
use span::Begun;

/// Spans that may wait for the exporter: as many hits as a core answers in a good part of a second. Each has a
/// few hundred bytes, a thousand and a half where its texts are long: ten megabytes at most. Further ones are lost
/// and counted: a collector that cannot keep up must not slow down answers.
const QUEUE: usize = 8192;

/// Where spans begin; clones share it.
#[derive(Clone)]
pub struct Tracer(Arc<Shared>);

struct Shared {
    ids: Ids,
    sample: f64,
    queue: mpsc::Sender<Vec<u8>>,
    metrics: Arc<Metrics>,
}

// === impl Tracer ===

impl Tracer {
    /// What begins spans, and what delivers them as long as somebody runs it; none where no collector is
    /// configured.
    ///
    /// # Errors
    ///
    /// Where there is no TLS to be had.
    pub fn new(
        config: &config::Traces,
        metrics: &Arc<Metrics>,
    ) -> Result<Option<(Self, Exporter)>, rustls::Error> {
        let Some(endpoint) = &config.endpoint else {
            return Ok(None);
        };
        let collector = Collector::new(endpoint, &config.headers)?;
        let (queue, waiting) = mpsc::channel(QUEUE);
        let exporter = Exporter::new(
            collector,
            &config.service_name,
            waiting,
            Arc::clone(metrics),
        );
        let shared = Shared {
            ids: Ids::new(),
            sample: config.sample,
            queue,
            metrics: Arc::clone(metrics),
        };
        Ok(Some((Self(Arc::new(shared)), exporter)))
    }

    /// Begins the span of a request that came with these headers, and puts it where the client's was: who is asked
    /// on account of it is told to go on from there.
    ///
    /// None where the request is none of those that are traced: as it says itself, or by lot where it says
    /// nothing. Its headers go on as they came then.
    pub fn enter(
        &self,
        headers: &mut HeaderMap,
        name: impl FnOnce() -> Cow<'static, str>,
    ) -> Option<Span> {
        let (context, parent) = match SpanContext::of(headers) {
            Some(context) if !context.is_sampled() => return None,
            Some(context) => {
                let own = context.with_span(self.0.ids.span());
                (own, Parent::Elsewhere(context.span))
            }
            None if !self.is_drawn() => return None,
            None => {
                // It belongs to a parent that nobody could read.
                headers.remove(TRACESTATE);
                let ids = &self.0.ids;
                (SpanContext::first(ids.trace(), ids.span()), Parent::None)
            }
        };
        let begun = Begun {
            context,
            parent,
            kind: Kind::Server,
            name: name(),
        };
        let span = Span::begin(self.clone(), begun);
        span.announce(headers);
        Some(span)
    }

    /// Begins a span below the one that the headers name, and takes its place there; none where that is not traced.
    pub fn detour(&self, headers: &mut HeaderMap, kind: Kind, name: &'static str) -> Option<Span> {
        let parent = SpanContext::of(headers).filter(|context| context.is_sampled())?;
        let span = self.below(parent, kind, Cow::Borrowed(name));
        span.announce(headers);
        Some(span)
    }

    /// Begins a span below another of this process.
    pub fn below(&self, parent: SpanContext, kind: Kind, name: Cow<'static, str>) -> Span {
        let begun = Begun {
            context: parent.with_span(self.0.ids.span()),
            parent: Parent::Here(parent.span),
            kind,
            name,
        };
        Span::begin(self.clone(), begun)
    }

    /// Whether the lot falls on a request that says nothing of it.
    #[expect(
        clippy::cast_precision_loss,
        reason = "a part in 2^53 more or less is none"
    )]
    fn is_drawn(&self) -> bool {
        let drawn = (self.0.ids.draw() >> 11) as f64 / (1_u64 << 53) as f64;
        drawn < self.0.sample
    }

    /// Hands a span over, if there is room.
    fn tell(&self, span: Vec<u8>) {
        if self.0.queue.try_send(span).is_err() {
            self.0.metrics.spans_lost.inc();
        }
    }
}

impl fmt::Debug for Tracer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tracer").finish_non_exhaustive()
    }
}

/// A method's name, where it is one of those that the conventions know: clients can invent any number of others.
pub fn known_method(method: &Method) -> Option<&'static str> {
    Some(match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::PUT => "PUT",
        Method::POST => "POST",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        Method::PATCH => "PATCH",
        Method::TRACE => "TRACE",
        Method::CONNECT => "CONNECT",
        _ => return None,
    })
}

#[cfg(test)]
mod tests;
