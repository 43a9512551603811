//! Requests that are passed on, and what they cost the others.

use std::convert::Infallible;

use bytes::Bytes;
use futures_util::stream;
use http::{Method, Request};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Empty, Full, StreamBody};

use super::super::{Delivered, Upstream};
use super::origin::{Origin, Step, answer, say};
use super::{SHORT, artifact, at, backing, found, upstream};
use crate::artifact::Failure;

/// A client that has begun to send, and does no more.
fn stuck() -> impl Body<Data = Bytes, Error = Infallible> + Send + Unpin + 'static {
    StreamBody::new(stream::pending())
}

fn get() -> Request<Empty<Bytes>> {
    Request::get("/v2/user").body(Empty::new()).unwrap()
}

async fn passes(upstream: &Upstream) {
    assert_eq!(upstream.pass(get()).await.unwrap().status(), 200);
}

async fn stores(upstream: &Upstream) {
    let body = Full::new(Bytes::from_static(b"abc"));
    let delivered = upstream.store(artifact(), Some(3), body, backing()).await;
    assert!(matches!(delivered, Delivered::Accepted(_)), "{delivered:?}");
}

async fn four_at_once() -> (Origin, Upstream) {
    let origin = Origin::start(|seen| match seen.line() {
        line if line.starts_with("GET ") => vec![answer("200 OK", "abc")],
        _ => vec![Step::ReadBody, answer("202 Accepted", "")],
    })
    .await;
    let config = at(origin.address);
    assert_eq!(config.max_concurrent, 4);
    (origin, upstream(&config))
}

#[tokio::test]
async fn whoever_never_ends_a_body_has_no_claim_to_a_place() {
    let origin = Origin::start(|_| vec![Step::ReadToEnd]).await;
    let mut config = at(origin.address);
    config.exchange_timeout = SHORT;
    let upstream = upstream(&config);
    match upstream
        .store(artifact(), Some(3), stuck(), backing())
        .await
    {
        Delivered::Failed {
            failure: Failure::Timeout,
            sent_whole: true,
            again: None,
        } => {}
        other => panic!("{other:?}"),
    }
    let request = Request::post("/v2/user").body(stuck()).unwrap();
    assert_eq!(upstream.pass(request).await.unwrap_err(), Failure::Timeout);
    origin.deserted().await;
}

#[tokio::test]
async fn slow_uploads_do_not_hold_up_what_is_passed() {
    let (_origin, upstream) = four_at_once().await;
    let slow = || upstream.store(artifact(), Some(3), stuck(), backing());
    tokio::select! {
        biased;
        _ = async { tokio::join!(slow(), slow(), slow(), slow()) } => panic!("they have no end"),
        () = passes(&upstream) => {}
    }
}

#[tokio::test]
async fn slow_passed_bodies_hold_up_neither_uploads_nor_what_has_no_body() {
    let (_origin, upstream) = four_at_once().await;
    let slow = || upstream.pass(Request::post("/v9/else").body(stuck()).unwrap());
    let others = async {
        stores(&upstream).await;
        passes(&upstream).await;
        found(upstream.fetch(&artifact()).await);
    };
    tokio::select! {
        biased;
        _ = async { tokio::join!(slow(), slow(), slow(), slow()) } => panic!("they have no end"),
        () = others => {}
    }
}

#[tokio::test]
async fn a_passed_answer_that_nobody_reads_holds_no_place() {
    let origin = Origin::start(|seen| match seen.line() {
        line if line.starts_with("GET ") => vec![
            say("HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n"),
            Step::ReadToEnd,
        ],
        _ => vec![Step::ReadBody, answer("202 Accepted", "")],
    })
    .await;
    let upstream = upstream(&at(origin.address));
    let mut unread = Vec::new();
    for _ in 0..8 {
        unread.push(upstream.pass(get()).await.unwrap());
    }
    stores(&upstream).await;
    assert_eq!(unread.len(), 8);
}

#[tokio::test]
async fn a_body_without_a_length_goes_with_every_method() {
    for method in [Method::GET, Method::HEAD, Method::POST] {
        let sent = "3\r\nabc\r\n0\r\n\r\n";
        let origin = Origin::start(move |_| {
            vec![
                Step::Read(sent.len() as u64),
                say("HTTP/1.1 204 No\r\n\r\n"),
            ]
        })
        .await;
        let piece = Ok::<_, Infallible>(Frame::data(Bytes::from_static(b"abc")));
        let request = Request::builder()
            .method(&method)
            .uri("/v9/else")
            .body(StreamBody::new(stream::iter([piece])))
            .unwrap();
        let response = upstream(&at(origin.address)).pass(request).await.unwrap();
        assert_eq!(response.status(), 204, "{method}");
        let seen = &origin.seen()[0];
        assert_eq!(seen.header("transfer-encoding"), Some("chunked"));
        assert_eq!(seen.header("content-length"), None);
    }
}

#[tokio::test]
async fn an_answer_in_a_transfer_coding_nobody_asked_for_is_a_failure() {
    let origin = Origin::saying(
        "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    )
    .await;
    let upstream = upstream(&at(origin.address));
    assert_eq!(upstream.pass(get()).await.unwrap_err(), Failure::Error);
    let asked = upstream.ask(Request::new(Bytes::new())).await;
    assert_eq!(asked.unwrap_err(), Failure::Error);
}

#[tokio::test]
async fn a_chunked_answer_is_passed() {
    let origin = Origin::saying(
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    )
    .await;
    let response = upstream(&at(origin.address)).pass(get()).await.unwrap();
    assert!(!response.headers().contains_key("transfer-encoding"));
    let body = response.into_body().collect().await.unwrap();
    assert_eq!(body.to_bytes(), "abc");
}
