//! A collector of traces: a scripted origin, and what it was sent as the authors of OTLP read it.

use std::collections::BTreeMap;

use data_encoding::HEXLOWER;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value::Value};
use opentelemetry_proto::tonic::trace::v1::{self as otlp, span::SpanKind, status::StatusCode};
use prost::Message;

use super::{Origin, Seen, Speech, eventually, script};

/// Where spans are sent.
const PATH: &str = "/v1/traces";

/// A running collector, which takes everything; gone when dropped.
#[derive(Debug)]
pub struct Collector(Origin);

/// A span as it arrived, numbers in hexadecimal digits.
#[derive(Clone, Debug)]
pub struct Span {
    pub service: String,
    pub name: String,
    pub kind: SpanKind,
    pub trace: String,
    pub id: String,
    /// Empty where it is the first of its trace.
    pub parent: String,
    /// In nanoseconds since 1970.
    pub time: std::ops::Range<u64>,
    pub links: Vec<String>,
    pub has_failed: bool,
    attributes: BTreeMap<String, String>,
}

// === impl Collector ===

impl Collector {
    /// Listens on a port of its own.
    pub fn start() -> Self {
        Self::speaking(Speech::Http1)
    }

    /// The same, speaking this.
    pub fn speaking(speech: Speech) -> Self {
        let origin = Origin::speaking(speech);
        let taken = script().head(200).length(0);
        origin.always("POST", PATH, taken);
        Self(origin)
    }

    /// What it is made of, to be told what else to do.
    pub fn origin(&mut self) -> &mut Origin {
        &mut self.0
    }

    pub fn url(&self) -> String {
        self.0.url()
    }

    /// Every delivery so far.
    pub fn deliveries(&self) -> Vec<Seen> {
        self.0.seen("POST", PATH)
    }

    /// How often somebody connected.
    pub fn accepted(&self) -> usize {
        self.0.accepted()
    }

    /// Every span so far.
    pub fn spans(&self) -> Vec<Span> {
        let whole = self
            .deliveries()
            .into_iter()
            .filter(|seen| seen.ended.is_some());
        whole.flat_map(|seen| spans_of(&seen)).collect()
    }

    /// Waits for as many spans, and returns all there are.
    pub async fn until(&self, spans: usize) -> Vec<Span> {
        eventually("spans", async || self.spans().len() >= spans).await;
        self.spans()
    }
}

// === impl Span ===

impl Span {
    /// What is said of it under this name; empty where nothing is.
    pub fn says(&self, key: &str) -> &str {
        self.attributes.get(key).map_or("", String::as_str)
    }

    /// The `traceparent` of whoever is asked by it.
    pub fn traceparent(&self) -> String {
        format!("00-{}-{}-01", self.trace, self.id)
    }
}

fn spans_of(delivery: &Seen) -> Vec<Span> {
    assert_eq!(
        delivery.header("content-type"),
        Some("application/x-protobuf")
    );
    let request = ExportTraceServiceRequest::decode(delivery.body.as_slice());
    let resources = request.expect("what OTLP knows").resource_spans;
    let mut spans = Vec::new();
    for resource in resources {
        let named = attributes(&resource.resource.expect("a sender").attributes);
        let service = &named["service.name"];
        for scope in resource.scope_spans {
            assert_eq!(scope.scope.expect("a scope").name, "larder");
            spans.extend(scope.spans.into_iter().map(|span| read(service, span)));
        }
    }
    spans
}

fn read(service: &str, span: otlp::Span) -> Span {
    let links = span.links.iter().map(|link| HEXLOWER.encode(&link.span_id));
    Span {
        service: service.to_owned(),
        kind: span.kind(),
        name: span.name,
        trace: HEXLOWER.encode(&span.trace_id),
        id: HEXLOWER.encode(&span.span_id),
        parent: HEXLOWER.encode(&span.parent_span_id),
        time: span.start_time_unix_nano..span.end_time_unix_nano,
        links: links.collect(),
        has_failed: span
            .status
            .is_some_and(|status| status.code() == StatusCode::Error),
        attributes: attributes(&span.attributes),
    }
}

fn attributes(pairs: &[KeyValue]) -> BTreeMap<String, String> {
    let shown = |pair: &KeyValue| match pair.value.as_ref().and_then(|any| any.value.as_ref()) {
        Some(Value::StringValue(text)) => text.clone(),
        Some(Value::IntValue(number)) => number.to_string(),
        other => panic!("{}: {other:?}", pair.key),
    };
    let read: BTreeMap<_, _> = pairs
        .iter()
        .map(|pair| (pair.key.clone(), shown(pair)))
        .collect();
    assert_eq!(read.len(), pairs.len(), "a name comes twice: {pairs:#?}");
    read
}
