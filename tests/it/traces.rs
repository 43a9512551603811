//! Traces: what a collector of OpenTelemetry hears of requests, and what they cost where it hears nothing.

use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use tokio::time::{Duration, Instant};

use crate::support::{
    Collector, Larder, Origin, Request, Setup, Span, Speech, artifact, bytes, eventually, script,
};

/// A trace that a client has begun.
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00f067aa0bc902b7";
const TOKEN: &str = "canary-token";

fn traced(origin: &Origin, collector: &Collector) -> Setup {
    Setup::before(origin).set("traces.endpoint", &collector.url())
}

fn traceparent(flags: &str) -> String {
    format!("00-{TRACE}-{PARENT}-{flags}")
}

fn in_trace(request: Request, flags: &str) -> Request {
    request
        .header("traceparent", &traceparent(flags))
        .header("tracestate", "vendor=1,other=2")
}

#[track_caller]
fn one<'a>(spans: &'a [Span], kind: SpanKind, name: &str) -> &'a Span {
    let found: Vec<_> = spans
        .iter()
        .filter(|span| span.kind == kind && span.name == name)
        .collect();
    assert_eq!(found.len(), 1, "{kind:?} {name}: {spans:#?}");
    found[0]
}

#[track_caller]
fn assert_said(span: &Span, said: &[(&str, &str)]) {
    for (key, value) in said {
        assert_eq!(span.says(key), *value, "{key}: {span:#?}");
    }
}

async fn lost(larder: &Larder) -> f64 {
    larder.metrics().await.sum("larder_spans_lost_total", &[])
}

#[tokio::test]
async fn a_miss_is_a_request_a_fill_and_a_try_each_below_the_other() {
    let (origin, collector) = (Origin::start(), Collector::start());
    let larder = traced(&origin, &collector).start().await;
    origin.hold("aa", &bytes(1, 5000));
    let request = Request::new("GET", &artifact("aa")).header("user-agent", "turbo 2");
    larder
        .client()
        .ask(&request)
        .await
        .assert_body(&bytes(1, 5000));

    let spans = collector.until(3).await;
    let server = one(&spans, SpanKind::Server, "GET /v8/artifacts/{hash}");
    let fill = one(&spans, SpanKind::Internal, "fill");
    let tried = one(&spans, SpanKind::Client, "GET");
    assert_eq!(
        (server.parent.as_str(), server.service.as_str()),
        ("", "larder")
    );
    assert_eq!(fill.parent, server.id);
    assert_eq!(tried.parent, fill.id);
    assert!(
        spans
            .iter()
            .all(|span| span.trace == server.trace && !span.has_failed)
    );
    assert!(server.time.start <= fill.time.start && fill.time.start <= tried.time.start);
    let seen = origin.seen("GET", "aa");
    assert_eq!(
        seen[0].header("traceparent"),
        Some(tried.traceparent().as_str())
    );
    assert_said(
        server,
        &[
            ("http.request.method", "GET"),
            ("http.route", "/v8/artifacts/{hash}"),
            ("url.path", "/v8/artifacts/aa"),
            ("url.scheme", "http"),
            ("http.response.status_code", "200"),
            ("http.response.body.size", "5000"),
            ("network.protocol.version", "1.1"),
            ("client.address", "127.0.0.1"),
            ("user_agent.original", "turbo 2"),
            ("larder.outcome", "filled"),
            ("larder.ended", "whole"),
            ("larder.hash", "aa"),
        ],
    );
    assert_said(fill, &[("larder.hash", "aa"), ("larder.fill", "stored")]);
    let port = origin.address().port().to_string();
    assert_said(
        tried,
        &[
            ("http.request.method", "GET"),
            ("server.address", "127.0.0.1"),
            ("server.port", &port),
            ("http.response.status_code", "200"),
            ("http.response.body.size", "5000"),
            ("error.type", ""),
        ],
    );
}

#[tokio::test]
async fn a_hit_is_a_span_and_nothing_upstream() {
    let (origin, collector) = (Origin::start(), Collector::start());
    let larder = traced(&origin, &collector).start().await;
    let mut client = larder.client();
    client.put(&artifact("aa"), &bytes(1, 100)).await;
    client
        .get(&artifact("aa"))
        .await
        .assert_body(&bytes(1, 100));
    // The upload proves a right to write, and the first hit asks for the one to read.
    let before = collector.until(4).await;
    assert!(client.get(&artifact("aa")).await.is_hit());
    let spans = collector.until(before.len() + 1).await;
    let hit = &spans[before.len()..];
    assert_eq!(hit.len(), 1, "{hit:#?}");
    assert_eq!(hit[0].kind, SpanKind::Server);
    assert_said(&hit[0], &[("larder.outcome", "hit-memory")]);
    let put = one(&spans, SpanKind::Server, "PUT /v8/artifacts/{hash}");
    assert_said(
        put,
        &[
            ("larder.outcome", "stored"),
            ("http.request.body.size", "100"),
        ],
    );
    assert_eq!(one(&spans, SpanKind::Client, "PUT").parent, put.id);
}

#[tokio::test]
async fn a_trace_that_a_client_began_goes_on_here_and_upstream() {
    let (origin, collector) = (Origin::start(), Collector::start());
    // Who has decided is not drawn for.
    let setup = traced(&origin, &collector).toml("traces.sample", "0");
    // Nor is an access line needed for a span.
    let setup = setup.set("log.level", "warn");
    let larder = setup.set("traces.service_name", "cache").start().await;
    let mut client = larder.client();
    client.get(&artifact("unheard")).await;
    client
        .ask(&in_trace(Request::new("GET", "/v2/user"), "01"))
        .await;

    let spans = collector.until(2).await;
    let server = one(&spans, SpanKind::Server, "GET");
    let tried = one(&spans, SpanKind::Client, "GET");
    assert_eq!(
        (server.trace.as_str(), server.parent.as_str()),
        (TRACE, PARENT)
    );
    assert_eq!((&tried.trace, &tried.parent), (&server.trace, &server.id));
    assert_eq!(server.service, "cache");
    assert_said(
        server,
        &[
            ("larder.outcome", "passed"),
            ("http.route", ""),
            ("url.path", ""),
        ],
    );
    let seen = origin.seen("GET", "/v2/user");
    assert_eq!(
        seen[0].header("traceparent"),
        Some(tried.traceparent().as_str())
    );
    assert_eq!(seen[0].header("tracestate"), Some("vendor=1,other=2"));
    assert_eq!(origin.seen("GET", "unheard")[0].header("traceparent"), None);
    assert_eq!(collector.spans().len(), 2);
}

#[tokio::test]
async fn a_trace_that_is_not_wanted_is_passed_on_as_it_came() {
    let (origin, collector) = (Origin::start(), Collector::start());
    let larder = traced(&origin, &collector).start().await;
    let mut client = larder.client();
    client
        .ask(&in_trace(Request::new("GET", &artifact("aa")), "00"))
        .await;
    client.get(&artifact("bb")).await;
    let exit = larder.stop().await;
    assert_eq!(exit.code, Some(0), "{}", exit.stderr);
    let seen = origin.seen("GET", "aa");
    assert_eq!(
        seen[0].header("traceparent"),
        Some(traceparent("00").as_str())
    );
    assert_eq!(seen[0].header("tracestate"), Some("vendor=1,other=2"));
    let spans = collector.spans();
    assert!(
        spans.len() >= 3 && spans.iter().all(|span| span.trace != TRACE),
        "{spans:#?}"
    );
}

#[tokio::test]
async fn whoever_follows_a_fill_is_linked_to_it() {
    let (origin, collector) = (Origin::start(), Collector::start());
    let larder = traced(&origin, &collector).start().await;
    let body = bytes(1, 100_000);
    let (begun, rest) = body.split_at(50_000);
    let (more, rest) = rest.split_at(10_000);
    let halting = script().head(200).length(body.len());
    let halting = halting.chunk(begun).hold("more").chunk(more);
    origin.once("GET", "aa", halting.hold("rest").chunk(rest));
    let (mut first, mut second) = (larder.client(), larder.client());
    for client in [&mut first, &mut second] {
        client
            .send_head(&Request::new("GET", &artifact("aa")))
            .await;
        client.read_head().await.expect("a head");
    }
    first.leave();
    // That it has left shows when something is written to it, and until then it would get the rest too.
    origin.release("more");
    collector.until(1).await;
    origin.release("rest");
    second.read_rest().await;
    let spans = collector.until(4).await;
    let fill = one(&spans, SpanKind::Internal, "fill");
    let by = |outcome: &str| {
        let found = spans
            .iter()
            .find(|span| span.says("larder.outcome") == outcome);
        found.unwrap_or_else(|| panic!("{outcome}: {spans:#?}"))
    };
    assert_eq!(fill.parent, by("filled").id);
    assert_said(fill, &[("larder.fill", "stored")]);
    assert_said(by("filled"), &[("larder.ended", "left")]);
    assert!(
        fill.time.end > by("filled").time.end,
        "it belongs to nobody"
    );
    assert_eq!(by("collapsed").links, std::slice::from_ref(&fill.id));
    assert_ne!(by("collapsed").trace, fill.trace);
}

#[tokio::test]
async fn each_try_upstream_is_told_and_a_stranger_hears_of_no_trace() {
    let (origin, storage, collector) = (Origin::start(), Origin::start(), Collector::start());
    let larder = traced(&origin, &collector).start().await;
    origin.once("GET", "aa", script().head(500).length(0));
    let away = format!("{}/bucket/aa?signature=canary", storage.url());
    origin.once(
        "GET",
        "aa",
        script().head(302).header("location", &away).length(0),
    );
    storage.always("GET", "aa", script().head(200).length(3).chunk(b"abc"));
    larder
        .client()
        .get(&artifact("aa"))
        .await
        .assert_body(b"abc");

    let spans = collector.until(5).await;
    let fill = one(&spans, SpanKind::Internal, "fill");
    let mut tries: Vec<_> = spans
        .iter()
        .filter(|span| span.kind == SpanKind::Client)
        .collect();
    tries.sort_by_key(|span| span.time.start);
    let told = |span: &&Span| {
        let said =
            ["server.port", "http.response.status_code", "error.type"].map(|key| span.says(key));
        (said.join(" "), span.has_failed, span.parent == fill.id)
    };
    let (here, there) = (origin.address().port(), storage.address().port());
    let expected = [
        (format!("{here} 500 500"), true, true),
        (format!("{here} 302 "), false, true),
        (format!("{there} 200 "), false, true),
    ];
    assert_eq!(tries.iter().map(told).collect::<Vec<_>>(), expected);
    let seen = storage.seen("GET", "aa");
    assert_eq!(seen[0].header("traceparent"), None);
}

#[tokio::test]
async fn an_upstream_that_is_gone_is_told_by_its_kind() {
    let (mut origin, collector) = (Origin::start(), Collector::start());
    let larder = traced(&origin, &collector).start().await;
    origin.stop().await;
    assert_eq!(larder.client().get(&artifact("aa")).await.status, 404);
    let spans = collector.until(4).await;
    let tries = spans.iter().filter(|span| span.kind == SpanKind::Client);
    for tried in tries {
        assert_said(
            tried,
            &[
                ("error.type", "unreachable"),
                ("http.response.status_code", ""),
            ],
        );
        assert!(tried.has_failed);
    }
    let server = one(&spans, SpanKind::Server, "GET /v8/artifacts/{hash}");
    let said = [
        ("larder.outcome", "degraded"),
        ("larder.detail", "upstream-unreachable"),
    ];
    assert_said(server, &said);
    // To the client it is a miss.
    assert!(!server.has_failed);
}

#[tokio::test]
async fn neither_a_token_nor_a_query_leaves_for_the_collector() {
    let (origin, collector) = (Origin::start(), Collector::start());
    let larder = traced(&origin, &collector).start().await;
    origin.hold_at("slug=canary-team", "aa", &bytes(1, 100));
    let mut client = larder.client_as(TOKEN);
    let target = |path: &str| format!("{path}?slug=canary-team&x=canary-query");
    client.get("/v8/artifacts/aa?slug=canary-team").await;
    client.get(&target("/v8/artifacts/bb")).await;
    client.get(&target("/v2/canary-path")).await;
    client
        .put(&target("/v8/artifacts/cc"), b"canary-body")
        .await;
    client
        .post(&target("/v8/artifacts/events"), b"[\"canary-event\"]")
        .await;
    client.get(&target("/v8/artifacts/canary.hash")).await;
    let cookie = Request::new("CANARY", "/x").header("cookie", "canary-cookie");
    client.ask(&cookie).await;
    let exit = larder.stop().await;
    assert_eq!(exit.code, Some(0), "{}", exit.stderr);
    let spans = collector.spans();
    let server = spans.iter().filter(|span| span.kind == SpanKind::Server);
    assert_eq!(server.count(), 7, "{spans:#?}");
    for delivery in collector.deliveries() {
        let text = String::from_utf8_lossy(&delivery.body).to_lowercase();
        assert!(!text.contains("canary"), "{text}");
        let sent = format!("{:?}", delivery.head);
        assert!(!sent.contains("canary"), "{sent}");
    }
}

#[tokio::test]
async fn a_collector_that_is_away_costs_spans_and_nothing_else() {
    let (origin, mut collector) = (Origin::start(), Collector::start());
    collector.origin().stop().await;
    let larder = traced(&origin, &collector).start().await;
    origin.hold("aa", &bytes(1, 100));
    let mut client = larder.client();
    let before = Instant::now();
    for _ in 0..50 {
        client
            .get(&artifact("aa"))
            .await
            .assert_body(&bytes(1, 100));
    }
    assert!(before.elapsed() < Duration::from_secs(10));
    eventually("spans to be given up", async || lost(&larder).await >= 52.0).await;
    let said = "spans are lost";
    assert_eq!(larder.process().printed_errors().matches(said).count(), 1);
    collector.origin().resume();
    client.get(&artifact("aa")).await;
    let spans = collector.until(1).await;
    assert_said(&spans[0], &[("larder.outcome", "hit-memory")]);
}

#[tokio::test]
async fn a_collector_that_asks_for_time_gets_the_same_spans_again_and_what_it_refuses_is_counted() {
    let (origin, mut collector) = (Origin::start(), Collector::start());
    collector.origin().forget();
    collector
        .origin()
        .once("POST", "traces", script().head(503).length(0));
    // `partial_success`, with `rejected_spans` of 2 in it.
    let partly = script().head(200).length(4).chunk(&[0x0a, 2, 0x08, 2]);
    collector.origin().once("POST", "traces", partly);
    collector
        .origin()
        .always("POST", "traces", script().head(400).length(0));
    let larder = traced(&origin, &collector).start().await;
    larder.client().get(&artifact("aa")).await;
    eventually("two spans to be counted", async || {
        lost(&larder).await >= 2.0
    })
    .await;
    let deliveries = collector.deliveries();
    assert_eq!(deliveries.len(), 2);
    assert_eq!(deliveries[0].body, deliveries[1].body);
    assert_eq!(deliveries[0].connection, deliveries[1].connection);
    larder.client().get("/v8/artifacts/a.b").await;
    eventually("a third", async || lost(&larder).await >= 3.0).await;
    assert_eq!(
        collector.deliveries().len(),
        3,
        "what is wrong is not repeated"
    );
}

#[tokio::test]
async fn a_collector_that_never_ends_its_answer_is_not_told_twice() {
    let (origin, mut collector) = (Origin::start(), Collector::start());
    collector.origin().forget();
    let endless = script().head(200).length(9).loose(b"\n").stall();
    collector.origin().always("POST", "traces", endless);
    let larder = traced(&origin, &collector).start().await;
    larder.client().get(&artifact("aa")).await;
    let before = collector.until(3).await.len();
    larder.client().get(&artifact("bb")).await;
    let spans = collector.until(before + 3).await;
    let mut ids: Vec<_> = spans.iter().map(|span| &span.id).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), spans.len(), "{spans:#?}");
    assert!(lost(&larder).await < 1.0, "the head says: taken");
}

#[tokio::test]
async fn the_last_spans_are_delivered_at_the_end_and_a_silent_collector_does_not_hold_it_up() {
    let (origin, mut collector) = (Origin::start(), Collector::start());
    let larder = traced(&origin, &collector).start().await;
    let setup = larder.setup().clone();
    larder.client().get(&artifact("aa")).await;
    let exit = larder.stop().await;
    assert_eq!(exit.code, Some(0), "{}", exit.stderr);
    assert!(
        !exit.stderr.contains("could not be delivered"),
        "{}",
        exit.stderr
    );
    let spans = collector.spans();
    one(&spans, SpanKind::Server, "GET /v8/artifacts/{hash}");

    collector.origin().jam().await;
    let setup = setup.set("server.shutdown_grace", "2s");
    let larder = setup.start().await;
    larder.client().get(&artifact("aa")).await;
    let before = Instant::now();
    let exit = larder.stop().await;
    assert_eq!(exit.code, Some(0), "{}", exit.stderr);
    assert!(
        before.elapsed() < Duration::from_secs(8),
        "{:?}",
        before.elapsed()
    );
    assert!(
        exit.stderr
            .contains("the last spans could not be delivered in time")
    );
}

#[tokio::test]
async fn a_collector_behind_tls_gets_its_credential_and_nobody_else_sees_it() {
    let mut collector = Collector::speaking(Speech::http1_tls());
    let authority = collector.origin().authority().expect("TLS").to_owned();
    let origin = Origin::start();
    let setup = traced(&origin, &collector).secret(
        "traces.headers_file",
        "x-tenant: a\nauthorization: Bearer canary",
    );
    let file = setup.directory().join("authorities.pem");
    std::fs::write(&file, authority).expect("a file");
    let setup = setup.variable("SSL_CERT_FILE", file.to_str().expect("a plain path"));
    let larder = setup.set("log.level", "trace").start().await;
    larder.client().get(&artifact("aa")).await;
    collector.until(3).await;
    let delivery = &collector.deliveries()[0];
    assert_eq!(delivery.header("authorization"), Some("Bearer canary"));
    assert_eq!(delivery.header("x-tenant"), Some("a"));
    let shown = larder.setup().run(&["check", "--config", "{config}"]).await;
    assert!(
        shown.stdout.contains("traces.headers_file = "),
        "{}",
        shown.stdout
    );
    assert!(!shown.stdout.contains("canary"), "{}", shown.stdout);
    assert!(!larder.printed().contains("canary"));
    assert!(
        origin
            .requests()
            .iter()
            .all(|seen| seen.header("x-tenant").is_none())
    );
}

#[tokio::test]
async fn without_a_collector_nobody_is_told_and_headers_stay_as_they_are() {
    let (origin, collector) = (Origin::start(), Collector::start());
    let setup = Setup::before(&origin).variable("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.url());
    let larder = setup.start().await;
    let request = in_trace(Request::new("GET", &artifact("aa")), "01");
    larder.client().ask(&request).await;
    let seen = origin.seen("GET", "aa");
    assert_eq!(
        seen[0].header("traceparent"),
        Some(traceparent("01").as_str())
    );
    assert_eq!(seen[0].header("tracestate"), Some("vendor=1,other=2"));
    let exit = larder.stop().await;
    assert!(
        exit.stderr
            .contains("OTEL_EXPORTER_OTLP_ENDPOINT is set, and is not followed"),
        "{}",
        exit.stderr
    );
    assert_eq!(collector.accepted(), 0);
}
