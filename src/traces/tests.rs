//! Spans as they are handed over, held against what the authors of OTLP read.

use std::borrow::Cow;
use std::sync::Arc;

use http::{HeaderMap, HeaderValue};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::trace::v1 as proto;
use prost::Message as _;
use tokio::sync::mpsc;

use super::ids::Ids;
use super::*;

const SAID: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0bc902b7-01";

/// A tracer, and its spans as they come.
fn tracer(sample: f64) -> (Tracer, mpsc::Receiver<Vec<u8>>) {
    let (queue, waiting) = mpsc::channel(QUEUE);
    let metrics = Arc::new(Metrics::new().unwrap());
    let shared = Shared {
        ids: Ids::new(),
        sample,
        queue,
        metrics,
    };
    (Tracer(Arc::new(shared)), waiting)
}

fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
    let pairs = pairs.iter();
    pairs
        .map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value)))
        .collect()
}

fn enter(tracer: &Tracer, headers: &mut HeaderMap) -> Option<Span> {
    tracer.enter(headers, || Cow::Borrowed("GET"))
}

fn read(waiting: &mut mpsc::Receiver<Vec<u8>>) -> proto::Span {
    proto::Span::decode(waiting.try_recv().unwrap().as_slice()).unwrap()
}

#[test]
fn a_span_reads_as_it_was_noted() {
    let (tracer, mut waiting) = tracer(1.0);
    let mut said = headers(&[("traceparent", SAID)]);
    let mut span = enter(&tracer, &mut said).unwrap();
    let (own, other) = (span.context(), tracer.0.ids.span());
    span.text("text", "é");
    span.count("number", u64::from(u32::MAX) + 7);
    span.follows(own.with_span(other));
    span.failed("timeout");
    drop(tracer.below(own, Kind::Client, Cow::Borrowed("below")));
    drop(span);

    let below = read(&mut waiting);
    assert_eq!(below.parent_span_id, own.span);
    assert_eq!(
        (below.kind(), below.flags),
        (proto::span::SpanKind::Client, 0x101)
    );
    let span = read(&mut waiting);
    assert_eq!(
        (span.trace_id, span.span_id),
        (own.trace.to_vec(), own.span.to_vec())
    );
    assert_eq!(
        span.parent_span_id,
        [0x00, 0xf0, 0x67, 0xaa, 0x0b, 0xc9, 0x02, 0xb7]
    );
    assert_eq!((span.flags, span.name.as_str()), (0x301, "GET"));
    assert!(
        span.start_time_unix_nano > 1 << 60 && span.end_time_unix_nano >= span.start_time_unix_nano
    );
    assert_eq!(
        span.status.unwrap().code(),
        proto::status::StatusCode::Error
    );
    assert_eq!(span.links[0].span_id, other);
    let said: Vec<_> = span
        .attributes
        .iter()
        .map(|pair| format!("{pair:?}"))
        .collect();
    assert_eq!(said.len(), 3);
    assert!(said[0].contains("StringValue(\"é\")"), "{said:?}");
    assert!(said[1].contains("IntValue(4294967302)"), "{said:?}");
    assert!(said[2].contains("timeout"), "{said:?}");
}

#[test]
fn what_failed_first_is_why_and_no_name_comes_twice() {
    let (tracer, mut waiting) = tracer(1.0);
    let mut span = enter(&tracer, &mut HeaderMap::new()).unwrap();
    span.failed("503");
    span.failed("cut");
    drop(span);
    let attributes = read(&mut waiting).attributes;
    assert_eq!(attributes.len(), 1, "{attributes:?}");
    assert!(format!("{attributes:?}").contains("503"), "{attributes:?}");
}

#[test]
fn a_request_is_what_collectors_read() {
    let (tracer, mut waiting) = tracer(1.0);
    drop(enter(&tracer, &mut HeaderMap::new()));
    let span = waiting.try_recv().unwrap();
    let resource = otlp::resource(&[("service.name", "larder")]);
    // Longer than a length of one byte tells.
    let many = vec![span; 300];
    let request = otlp::request(&resource, &many);
    let read = ExportTraceServiceRequest::decode(request.as_slice()).unwrap();
    let sent = &read.resource_spans[0];
    assert_eq!(
        sent.resource.as_ref().unwrap().attributes[0].key,
        "service.name"
    );
    assert_eq!(sent.scope_spans[0].spans.len(), 300);
}

#[test]
fn what_a_collector_did_not_take_is_read_from_its_answer_and_rubbish_says_nothing() {
    let partial = ExportTracePartialSuccess {
        rejected_spans: 300,
        error_message: "no".to_owned(),
    };
    let answer = ExportTraceServiceResponse {
        partial_success: Some(partial),
    };
    let bytes = answer.encode_to_vec();
    assert_eq!(otlp::rejected(&bytes), 300);
    for rubbish in [
        &b""[..],
        b"{}",
        b"<html>",
        &[0xff; 20],
        &[0x08, 1],
        &bytes[..3],
        &[0x0a, 0xff],
    ] {
        assert_eq!(otlp::rejected(rubbish), 0, "{rubbish:?}");
    }
}

#[test]
fn who_decided_is_followed_and_for_others_it_is_drawn() {
    for (sample, likely) in [(0.0, 0..=0), (0.5, 350..=650), (1.0, 1000..=1000)] {
        let (tracer, _waiting) = tracer(sample);
        let entered = (0..1000).filter(|_| enter(&tracer, &mut HeaderMap::new()).is_some());
        let drawn = entered.count();
        assert!(likely.contains(&drawn), "{sample}: {drawn}");
        assert!(enter(&tracer, &mut headers(&[("traceparent", SAID)])).is_some());
        let unwanted = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0bc902b7-00";
        let mut said = headers(&[("traceparent", unwanted), ("tracestate", "a=b")]);
        let before = said.clone();
        assert!(enter(&tracer, &mut said).is_none());
        assert_eq!(said, before);
    }
}

#[test]
fn a_parent_that_nobody_can_read_is_replaced_with_all_that_belongs_to_it() {
    let (tracer, _waiting) = tracer(1.0);
    let mut said = headers(&[("traceparent", "rubbish"), ("tracestate", "a=b")]);
    let span = enter(&tracer, &mut said).unwrap();
    assert_eq!(SpanContext::of(&said), Some(span.context()));
    assert_eq!(said.get("tracestate"), None);
    let mut twice = headers(&[("traceparent", SAID)]);
    twice.append("traceparent", HeaderValue::from_static(SAID));
    let span = enter(&tracer, &mut twice).unwrap();
    assert_eq!(SpanContext::of(&twice), Some(span.context()));
}

#[test]
fn a_queue_that_is_full_costs_spans_and_a_long_text_its_end() {
    let (tracer, mut waiting) = tracer(1.0);
    let mut long = enter(&tracer, &mut HeaderMap::new()).unwrap();
    long.text("agent", &"é".repeat(40_000));
    drop(long);
    for _ in 0..QUEUE {
        drop(enter(&tracer, &mut HeaderMap::new()));
    }
    assert_eq!(tracer.0.metrics.spans_lost.get(), 1);
    assert!(waiting.try_recv().unwrap().len() < 512);
}
