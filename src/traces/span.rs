//! A span that goes on: what is told of it is noted as it becomes known, and handed over when it ends.

use std::borrow::Cow;
use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use http::HeaderMap;
use tokio::time::Instant;

use super::Tracer;
use super::context::{SpanContext, TRACEPARENT};
use super::otlp::{Frame, Kind, Message, Parent};

/// Bytes of a text that are told: a client's name for itself may be as long as a head.
const MAX_TEXT: usize = 256;

/// A span that goes on; dropping it ends it.
pub struct Span {
    tracer: Tracer,
    begun: Begun,
    /// By the clock on the wall, and by the one that does not jump.
    began: (SystemTime, Instant),
    told: Message,
    has_failed: bool,
}

/// What is known of a span from its beginning.
pub(super) struct Begun {
    pub(super) context: SpanContext,
    pub(super) parent: Parent,
    pub(super) kind: Kind,
    pub(super) name: Cow<'static, str>,
}

impl Span {
    pub(super) fn begin(tracer: Tracer, begun: Begun) -> Self {
        Self {
            tracer,
            begun,
            began: (SystemTime::now(), Instant::now()),
            told: Message::default(),
            has_failed: false,
        }
    }

    /// Its place among others.
    pub fn context(&self) -> SpanContext {
        self.begun.context
    }

    /// Names it as who asks, in headers that go to whoever is asked.
    pub fn announce(&self, headers: &mut HeaderMap) {
        if let Some(value) = self.begun.context.header() {
            headers.insert(TRACEPARENT, value);
        }
    }

    /// Notes a text; of a long one its beginning.
    pub fn text(&mut self, key: &'static str, value: &str) {
        let end = value.floor_char_boundary(MAX_TEXT);
        self.told
            .attribute(key, value.get(..end).unwrap_or_default());
    }

    /// Notes a number.
    pub fn count(&mut self, key: &'static str, value: u64) {
        self.told.count(key, value);
    }

    /// Notes that it lives on what another span brings.
    pub fn follows(&mut self, other: SpanContext) {
        self.told.link(other);
    }

    /// Notes that it led to nothing, and why: a word of a closed set. What is said first counts, since a name stands
    /// in a span once.
    pub fn failed(&mut self, why: &str) {
        if !self.has_failed {
            self.has_failed = true;
            self.text("error.type", why);
        }
    }
}

impl Drop for Span {
    fn drop(&mut self) {
        let (wall, clock) = self.began;
        let since = wall.duration_since(UNIX_EPOCH).unwrap_or_default();
        let nanos =
            |duration: std::time::Duration| u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        let mut message = std::mem::take(&mut self.told);
        message.frame(&Frame {
            context: self.begun.context,
            parent: self.begun.parent,
            name: &self.begun.name,
            kind: self.begun.kind,
            began: nanos(since),
            ended: nanos(since + clock.elapsed()),
            has_failed: self.has_failed,
        });
        self.tracer.tell(message.into_bytes());
    }
}

impl fmt::Debug for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Span")
            .field("context", &self.begun.context)
            .field("name", &self.begun.name)
            .finish_non_exhaustive()
    }
}
