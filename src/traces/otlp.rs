//! The messages of OTLP as Protocol Buffers have them on the wire. Values only.
//!
//! Just what is sent, and of the answer what was not taken; the numbers are those of `opentelemetry-proto`,
//! which promises to keep them.

use super::context::{SpanContext, SpanId};

/// How a field's value is written.
#[derive(Clone, Copy)]
enum Wire {
    Varint = 0,
    Fixed64 = 1,
    Length = 2,
    Fixed32 = 5,
}

/// The parent's number is known to come from elsewhere, or to be one of ours.
const ORIGIN_KNOWN: u32 = 0x100;
/// It comes from elsewhere.
const FROM_ELSEWHERE: u32 = 0x200;
/// The status of a span that failed.
const ERROR: u64 = 2;

/// Whose work a span is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// This process's own.
    Internal = 1,
    /// An answer to somebody's request.
    Server = 2,
    /// A request to somebody.
    Client = 3,
}

/// Where a span's parent is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Parent {
    /// It is the first of its trace.
    None,
    /// In this process.
    Here(SpanId),
    /// In the one that asks.
    Elsewhere(SpanId),
}

/// A message while it is written, field by field, in any order.
#[derive(Clone, Debug, Default)]
pub(super) struct Message(Vec<u8>);

/// A span's frame: all that it has one of.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame<'a> {
    pub(super) context: SpanContext,
    pub(super) parent: Parent,
    pub(super) name: &'a str,
    pub(super) kind: Kind,
    /// In nanoseconds since 1970, both.
    pub(super) began: u64,
    pub(super) ended: u64,
    pub(super) has_failed: bool,
}

// === impl Message ===

impl Message {
    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    /// `KeyValue`, in the field for attributes of a span.
    pub(super) fn attribute(&mut self, key: &str, value: &str) {
        self.message(9, &key_value(key, value));
    }

    /// The same with a number.
    pub(super) fn count(&mut self, key: &str, value: u64) {
        let mut any = Self::default();
        any.number(3, value);
        let mut pair = Self::default();
        pair.text(1, key);
        pair.message(2, &any);
        self.message(9, &pair);
    }

    /// `Span.Link`.
    pub(super) fn link(&mut self, to: SpanContext) {
        let mut link = Self::default();
        link.bytes(1, &to.trace);
        link.bytes(2, &to.span);
        link.fixed32(6, u32::from(to.flags) | ORIGIN_KNOWN);
        self.message(13, &link);
    }

    /// The rest of a `Span`.
    pub(super) fn frame(&mut self, frame: &Frame<'_>) {
        let Frame { context, kind, .. } = frame;
        self.bytes(1, &context.trace);
        self.bytes(2, &context.span);
        let mut flags = u32::from(context.flags) | ORIGIN_KNOWN;
        match frame.parent {
            Parent::None => {}
            Parent::Here(parent) => self.bytes(4, &parent),
            Parent::Elsewhere(parent) => {
                self.bytes(4, &parent);
                flags |= FROM_ELSEWHERE;
            }
        }
        self.text(5, frame.name);
        self.number(6, *kind as u64);
        self.fixed64(7, frame.began);
        self.fixed64(8, frame.ended);
        if frame.has_failed {
            let mut status = Self::default();
            status.number(3, ERROR);
            self.message(15, &status);
        }
        self.fixed32(16, flags);
    }

    fn text(&mut self, field: u32, text: &str) {
        self.bytes(field, text.as_bytes());
    }

    fn message(&mut self, field: u32, message: &Self) {
        self.bytes(field, &message.0);
    }

    fn bytes(&mut self, field: u32, bytes: &[u8]) {
        self.tag(field, Wire::Length);
        self.varint(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
    }

    fn number(&mut self, field: u32, number: u64) {
        self.tag(field, Wire::Varint);
        self.varint(number);
    }

    fn fixed64(&mut self, field: u32, number: u64) {
        self.tag(field, Wire::Fixed64);
        self.0.extend_from_slice(&number.to_le_bytes());
    }

    fn fixed32(&mut self, field: u32, number: u32) {
        self.tag(field, Wire::Fixed32);
        self.0.extend_from_slice(&number.to_le_bytes());
    }

    fn tag(&mut self, field: u32, wire: Wire) {
        self.varint(u64::from(field << 3 | wire as u32));
    }

    fn varint(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.0.push(number.to_le_bytes()[0] | 0x80);
            number >>= 7;
        }
        self.0.push(number.to_le_bytes()[0]);
    }
}

/// `Resource`: who sends, in texts.
pub(super) fn resource(attributes: &[(&str, &str)]) -> Message {
    let mut resource = Message::default();
    for (key, value) in attributes {
        resource.message(1, &key_value(key, value));
    }
    resource
}

/// `ExportTraceServiceRequest`: all these spans, from one sender.
pub(super) fn request(resource: &Message, spans: &[Vec<u8>]) -> Vec<u8> {
    let mut scope = Message::default();
    scope.text(1, env!("CARGO_PKG_NAME"));
    scope.text(2, env!("CARGO_PKG_VERSION"));
    let mut scope_spans = Message::default();
    scope_spans.message(1, &scope);
    for span in spans {
        scope_spans.bytes(2, span);
    }
    let mut resource_spans = Message::default();
    resource_spans.message(1, resource);
    resource_spans.message(2, &scope_spans);
    let mut request = Message::default();
    request.message(1, &resource_spans);
    request.into_bytes()
}

/// How many spans an `ExportTraceServiceResponse` says were not taken: none where it cannot be read.
pub(super) fn rejected(response: &[u8]) -> u64 {
    let partial = field(response, 1).and_then(|value| match value {
        Value::Bytes(bytes) => field(bytes, 1),
        Value::Number(_) => None,
    });
    match partial {
        Some(Value::Number(count)) => count,
        _ => 0,
    }
}

fn key_value(key: &str, value: &str) -> Message {
    let mut any = Message::default();
    any.text(1, value);
    let mut pair = Message::default();
    pair.text(1, key);
    pair.message(2, &any);
    pair
}

/// A field's value, as far as it is of use here.
#[derive(Clone, Copy)]
enum Value<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

/// The first field of that number.
fn field(mut message: &[u8], wanted: u64) -> Option<Value<'_>> {
    loop {
        let tag = take_varint(&mut message)?;
        let value = match tag & 7 {
            0 => Value::Number(take_varint(&mut message)?),
            1 => Value::Bytes(take(&mut message, 8)?),
            2 => {
                let length = take_varint(&mut message)?;
                Value::Bytes(take(&mut message, usize::try_from(length).ok()?)?)
            }
            5 => Value::Bytes(take(&mut message, 4)?),
            _ => return None,
        };
        if tag >> 3 == wanted {
            return Some(value);
        }
    }
}

fn take<'a>(message: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (taken, rest) = message.split_at_checked(length)?;
    *message = rest;
    Some(taken)
}

fn take_varint(message: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..u64::BITS).step_by(7) {
        let byte = *take(message, 1)?.first()?;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}
