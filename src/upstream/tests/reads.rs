//! Fetching and asking.

use std::sync::Arc;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Empty};
use prometheus::proto::LabelPair;

use super::super::{Fetched, Stated, Upstream, forwarded_headers};
use super::origin::{Origin, Step, answer, say};
use super::{SHORT, artifact, at, failed, found, upstream, whole};
use crate::artifact::Failure;
use crate::metrics::Metrics;
use crate::tasks::Tasks;

#[tokio::test]
async fn a_fetch_says_what_the_origin_must_know() {
    let origin = Origin::start(|_| {
        vec![say(
            "HTTP/1.1 200 OK\r\ncontent-length: 3\r\nx-artifact-tag: t\r\n\
                  connection: keep-alive, x-hop\r\nx-hop: 1\r\nkeep-alive: timeout=5\r\n\r\nabc",
        )]
    })
    .await;
    let fetch = found(upstream(&at(origin.address)).fetch(&artifact()).await);
    assert_eq!(fetch.length, Some(3));
    assert_eq!(fetch.headers.get("x-artifact-tag").unwrap(), "t");
    for hop in ["connection", "x-hop", "keep-alive"] {
        assert!(!fetch.headers.contains_key(hop), "{hop}");
    }
    assert_eq!(whole(fetch).await.unwrap(), "abc");
    let seen = &origin.seen()[0];
    assert_eq!(
        seen.line(),
        "GET /base/v8/artifacts/a?slug=t%20x&b= HTTP/1.1"
    );
    assert_eq!(seen.header("host").unwrap(), origin.address.to_string());
    assert_eq!(seen.header("authorization"), Some("Bearer secret"));
    assert_eq!(seen.header("transfer-encoding"), None);
    assert_eq!(seen.header("content-length"), None);
}

#[tokio::test]
async fn a_chunked_artifact_has_no_length_and_ends_cleanly() {
    let origin = Origin::saying(
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nx: trailer\r\n\r\n",
    )
    .await;
    let fetch = found(upstream(&at(origin.address)).fetch(&artifact()).await);
    assert_eq!(fetch.length, None);
    assert_eq!(whole(fetch).await.unwrap(), "abc");
}

#[tokio::test]
async fn every_answer_that_is_none_is_a_failure_and_asked_for_again_where_that_may_help() {
    let table = [
        (
            "HTTP/1.1 500 No\r\ncontent-length: 0\r\n\r\n",
            Failure::Error,
            2,
        ),
        (
            "HTTP/1.1 503 No\r\ncontent-length: 0\r\n\r\n",
            Failure::Error,
            2,
        ),
        ("HTTP/1.1 204 No\r\n\r\n", Failure::Error, 1),
        (
            "HTTP/1.1 206 Part\r\ncontent-length: 1\r\n\r\na",
            Failure::Error,
            1,
        ),
        ("HTTP/1.1 304 Not\r\n\r\n", Failure::Error, 1),
        (
            "HTTP/1.1 302 Found\r\ncontent-length: 0\r\n\r\n",
            Failure::Error,
            1,
        ),
        ("HTTP/1.1 200 OK\r\n\r\nunframed", Failure::Error, 1),
        (
            "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 1\r\n\r\na",
            Failure::Error,
            1,
        ),
        (
            "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
            Failure::Error,
            1,
        ),
        (
            "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
            Failure::Error,
            1,
        ),
        ("SSH-2.0-OpenSSH\r\n\r\n", Failure::Error, 2),
        (
            "HTTP/1.1 429 Slow\r\ncontent-length: 0\r\n\r\n",
            Failure::Limited,
            2,
        ),
        ("", Failure::Cut, 2),
        ("HTTP/1.1 200 O", Failure::Cut, 2),
    ];
    for (said, expected, requests) in table {
        let origin = Origin::start(move |_| vec![say(said), Step::Close]).await;
        let fetched = upstream(&at(origin.address)).fetch(&artifact()).await;
        assert_eq!(failed(&fetched), expected, "{said:?}");
        assert_eq!(origin.seen().len(), requests, "{said:?}");
    }
}

#[tokio::test]
async fn an_origin_that_is_not_there_is_unreachable() {
    let nobody = at("127.255.255.254:1".parse().unwrap());
    let fetched = upstream(&nobody).fetch(&artifact()).await;
    assert_eq!(failed(&fetched), Failure::Unreachable);
}

#[tokio::test]
async fn absence_and_refusal_are_relayed_byte_for_byte() {
    for (status, body) in [
        ("404 Not Found", "{\"error\": {\"code\":\"not_found\"} }"),
        ("401 Unauthorized", ""),
        ("402 Payment Required", "pay"),
        (
            "403 Forbidden",
            "{\"error\":{\"code\":\"forbidden\",\"message\":\"\u{fc}\"}}",
        ),
        ("410 Gone", "x"),
    ] {
        let origin = Origin::start(move |_| vec![answer(status, body)]).await;
        let (code, kept) = match upstream(&at(origin.address)).fetch(&artifact()).await {
            Fetched::Absent(kept) if status.starts_with("404") => (404, kept),
            Fetched::Refused(kept) if !status.starts_with("404") => (kept.code(), kept),
            other => panic!("{status}: {other:?}"),
        };
        assert!(status.starts_with(&code.to_string()));
        assert_eq!(kept.body(), body);
    }
}

#[tokio::test]
async fn an_answer_too_long_to_relay_keeps_its_status() {
    let origin = Origin::start(|_| vec![answer("404 No", &"x".repeat(65 * 1024))]).await;
    match upstream(&at(origin.address)).fetch(&artifact()).await {
        Fetched::Absent(kept) => assert!(kept.body().is_empty()),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_cut_body_never_ends_cleanly() {
    for said in [
        "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n9\r\nabc",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nnot a size\r\n",
    ] {
        let origin = Origin::start(move |_| vec![say(said), Step::Close]).await;
        let fetch = found(upstream(&at(origin.address)).fetch(&artifact()).await);
        assert_eq!(whole(fetch).await, Err(Failure::Cut), "{said:?}");
    }
}

#[tokio::test]
async fn silence_before_the_head_is_a_timeout() {
    let origin = Origin::start(|_| vec![Step::ReadToEnd]).await;
    let mut config = at(origin.address);
    config.first_byte_timeout = SHORT;
    let fetched = upstream(&config).fetch(&artifact()).await;
    assert_eq!(failed(&fetched), Failure::Timeout);
    origin.deserted().await;
}

#[tokio::test]
async fn silence_within_a_body_is_a_timeout() {
    let origin = Origin::start(|_| {
        vec![
            say("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc"),
            Step::ReadToEnd,
        ]
    })
    .await;
    let mut config = at(origin.address);
    config.idle_timeout = SHORT;
    let fetch = found(upstream(&config).fetch(&artifact()).await);
    assert_eq!(whole(fetch).await, Err(Failure::Timeout));
    origin.deserted().await;
}

/// One that sends an artifact a byte at a time.
async fn dripping() -> Origin {
    Origin::start(|_| {
        vec![
            say("HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n"),
            Step::Drip(SHORT / 20),
        ]
    })
    .await
}

#[tokio::test]
async fn a_dripping_body_is_a_timeout() {
    let origin = dripping().await;
    let mut config = at(origin.address);
    config.idle_timeout = SHORT * 3;
    config.min_rate = 1 << 20;
    let fetch = found(upstream(&config).fetch(&artifact()).await);
    assert_eq!(whole(fetch).await, Err(Failure::Timeout));
}

#[tokio::test]
async fn a_body_ends_after_its_time_however_fast_it_comes() {
    let origin = dripping().await;
    let mut config = at(origin.address);
    config.min_rate = 0;
    config.exchange_timeout = SHORT * 3;
    let fetch = found(upstream(&config).fetch(&artifact()).await);
    assert_eq!(whole(fetch).await, Err(Failure::Timeout));
}

#[tokio::test]
async fn a_place_upstream_is_held_to_the_bodys_end() {
    let origin = Origin::start(|_| vec![answer("200 OK", "abc")]).await;
    let mut config = at(origin.address);
    config.max_concurrent = 1;
    // Healthy answers must be within it too.
    config.head_timeout = SHORT * 10;
    let upstream = upstream(&config);
    let first = found(upstream.fetch(&artifact()).await);
    assert_eq!(failed(&upstream.fetch(&artifact()).await), Failure::Timeout);
    assert_eq!(origin.seen().len(), 1);
    whole(first).await.unwrap();
    let second = found(upstream.fetch(&artifact()).await);
    drop(second);
    found(upstream.fetch(&artifact()).await);
}

#[tokio::test]
async fn a_request_that_met_a_closing_connection_is_sent_again() {
    let origin = Origin::start(|seen| match (seen.connection, seen.line()) {
        (1, line) if line.contains("again") => vec![Step::Close],
        _ => vec![answer("200 OK", "abc")],
    })
    .await;
    let upstream = upstream(&at(origin.address));
    whole(found(upstream.fetch(&artifact()).await))
        .await
        .unwrap();
    let mut again = artifact();
    again.path_and_query = "/again".parse().unwrap();
    let fetch = found(upstream.fetch(&again).await);
    assert_eq!(whole(fetch).await.unwrap(), "abc");
    let connections: Vec<_> = origin.seen().iter().map(|seen| seen.connection).collect();
    assert_eq!(connections, [1, 1, 2]);
}

#[tokio::test]
async fn stat_asks_with_head() {
    let origin = Origin::start(|seen| {
        assert!(seen.line().starts_with("HEAD "));
        vec![say(
            "HTTP/1.1 200 OK\r\ncontent-length: 12\r\nx-artifact-duration: 7\r\n\r\n",
        )]
    })
    .await;
    match upstream(&at(origin.address)).stat(artifact()).await {
        Stated::Present(headers, Some(12), _) => assert_eq!(headers["x-artifact-duration"], "7"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn stat_falls_back_to_a_get_that_is_dropped() {
    let origin = Origin::start(|seen| {
        if seen.line().starts_with("HEAD ") {
            return vec![say("HTTP/1.1 405 No\r\ncontent-length: 9\r\n\r\n")];
        }
        vec![
            say("HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n"),
            Step::ReadToEnd,
        ]
    })
    .await;
    let stated = upstream(&at(origin.address)).stat(artifact()).await;
    assert!(
        matches!(stated, Stated::Present(_, Some(1_000_000), _)),
        "{stated:?}"
    );
    origin.deserted().await;
}

#[tokio::test]
async fn a_question_about_a_caller_keeps_its_budget() {
    let origin = Origin::start(|_| vec![Step::ReadToEnd]).await;
    let mut config = at(origin.address);
    config.probe_timeout = SHORT;
    let stated = upstream(&config).probe(artifact()).await;
    assert!(
        matches!(stated, Stated::Failed(Failure::Timeout)),
        "{stated:?}"
    );
}

#[tokio::test]
async fn asked_answers_come_whole() {
    for status in ["200 OK", "404 No"] {
        let origin = Origin::start(move |_| vec![Step::ReadBody, answer(status, "{}")]).await;
        let mut request = Request::post("/v8/artifacts/events?slug=t")
            .body(Bytes::from_static(b"[1]"))
            .unwrap();
        request
            .headers_mut()
            .insert("host", "larder".parse().unwrap());
        *request.headers_mut() = forwarded_headers(request.headers(), request.version());
        let answer = upstream(&at(origin.address)).ask(request).await.unwrap();
        assert_eq!(answer.body(), "{}");
        assert!(status.starts_with(&answer.code().to_string()));
        let seen = &origin.seen()[0];
        assert_eq!(
            seen.line(),
            "POST /base/v8/artifacts/events?slug=t HTTP/1.1"
        );
        assert_eq!(seen.header("content-length"), Some("3"));
        assert_eq!(seen.header("host").unwrap(), origin.address.to_string());
    }
}

#[tokio::test]
async fn a_server_that_cannot_answer_a_small_request_fails_it() {
    for (status, expected) in [
        ("500 No", Failure::Error),
        ("503 No", Failure::Error),
        ("429 Slow", Failure::Limited),
    ] {
        let origin = Origin::start(move |_| vec![answer(status, "{}")]).await;
        let request = Request::get("/v8/artifacts/status")
            .body(Bytes::new())
            .unwrap();
        let asked = upstream(&at(origin.address)).ask(request).await;
        assert_eq!(asked.unwrap_err(), expected, "{status}");
    }
}

#[tokio::test]
async fn passed_answers_are_relayed_with_their_redirects() {
    let origin = Origin::start(|_| {
        let head = "HTTP/1.1 302 Found\r\nlocation: /x\r\ncontent-encoding: gzip\r\n";
        vec![say(head), say("connection: close\r\n\r\n.."), Step::Close]
    })
    .await;
    let request = Request::get("/v2/user").body(Empty::new()).unwrap();
    let upstream = upstream(&at(origin.address));
    let response = upstream.pass(request).await.unwrap();
    assert_eq!(response.status(), 302);
    assert_eq!(response.headers()["location"], "/x");
    assert_eq!(response.headers()["content-encoding"], "gzip");
    assert!(!response.headers().contains_key("connection"));
    let body = response.into_body().collect().await.unwrap();
    assert_eq!(body.to_bytes(), "..");
}

#[tokio::test]
async fn every_exchange_is_counted_once() {
    let origin = Origin::start(|_| vec![answer("404 No", "")]).await;
    let metrics = Arc::new(Metrics::new().unwrap());
    let upstream = Upstream::new(&at(origin.address), Arc::clone(&metrics), Tasks::new()).unwrap();
    upstream.fetch(&artifact()).await;
    upstream.stat(artifact()).await;
    let counted: Vec<_> = metrics
        .registry()
        .gather()
        .iter()
        .filter(|family| family.name() == "larder_upstream_requests_total")
        .flat_map(|family| family.get_metric().to_vec())
        .filter(|metric| metric.get_counter().get_value() > 0.0)
        .map(|metric| {
            let labels: Vec<_> = metric.get_label().iter().map(LabelPair::value).collect();
            format!("{} {}", labels.join(" "), metric.get_counter().get_value())
        })
        .collect();
    assert_eq!(counted, ["get absent 1", "head absent 1"]);
}
