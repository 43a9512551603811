//! Uploads, and their endings.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::task::Poll;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::Request;
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Full, StreamBody};
use tokio::sync::{Notify, watch};

use super::super::{Again, Backing, Delivered, Hush, Standing, Supply, Upstream};
use super::origin::{Origin, Step, answer, say};
use super::{SHORT, Standstill, artifact, at, backing, found, upstream, whole};
use crate::artifact::Failure;
use crate::metrics::Metrics;
use crate::tasks::Tasks;

/// More than all buffers between here and there hold.
const PIECES: usize = 2048;
const PIECE: usize = 64 * 1024;

fn huge() -> impl Body<Data = Bytes, Error = Infallible> + Send + Unpin + 'static {
    let piece = Bytes::from(vec![b'x'; PIECE]);
    StreamBody::new(stream::iter(
        (0..PIECES).map(move |_| Ok(Frame::data(piece.clone()))),
    ))
}

async fn store_huge(upstream: &Upstream) -> Delivered {
    let length = (PIECES * PIECE) as u64;
    upstream
        .store(artifact(), Some(length), huge(), backing())
        .await
}

async fn store_small(upstream: &Upstream) -> Delivered {
    let body = Full::new(Bytes::from_static(b"abc"));
    upstream.store(artifact(), Some(3), body, backing()).await
}

#[tokio::test]
async fn an_upload_says_its_length_and_is_accepted() {
    let origin = Origin::start(|_| vec![Step::ReadBody, answer("202 Accepted", "{\"urls\":[]}")]);
    let origin = origin.await;
    let upstream = upstream(&at(origin.address));
    for _ in 0..2 {
        match store_huge(&upstream).await {
            Delivered::Accepted(answer) => {
                assert_eq!(answer.code(), 202);
                assert_eq!(answer.body(), "{\"urls\":[]}");
            }
            other => panic!("{other:?}"),
        }
    }
    let seen = &origin.seen()[1];
    assert_eq!(
        seen.line(),
        "PUT /base/v8/artifacts/a?slug=t%20x&b= HTTP/1.1"
    );
    assert_eq!(
        seen.header("content-length").unwrap(),
        (PIECES * PIECE).to_string()
    );
    assert_eq!(seen.header("transfer-encoding"), None);
    assert_eq!(seen.connection, 1, "the connection is used again");
}

#[tokio::test]
async fn an_empty_artifact_is_uploaded() {
    let origin = Origin::start(|_| vec![Step::ReadBody, answer("200 OK", "")]).await;
    let delivered = upstream(&at(origin.address))
        .store(artifact(), Some(0), Full::new(Bytes::new()), backing())
        .await;
    assert!(matches!(delivered, Delivered::Accepted(_)), "{delivered:?}");
}

#[tokio::test]
async fn an_early_refusal_is_read_and_the_connection_closed() {
    let (gate, opened) = watch::channel(false);
    let origin = Origin::start(move |seen| {
        if seen.line().starts_with("GET ") {
            return vec![answer("200 OK", "abc")];
        }
        vec![
            answer("403 Forbidden", "{\"error\":{}}"),
            Step::Wait(opened.clone()),
            Step::ReadBody,
        ]
    })
    .await;
    let upstream = upstream(&at(origin.address));
    match store_huge(&upstream).await {
        Delivered::Refused(answer) => assert_eq!(answer.body(), "{\"error\":{}}"),
        other => panic!("{other:?}"),
    }
    gate.send_replace(true);
    origin.deserted().await;
    let fetch = found(upstream.fetch(&artifact()).await);
    assert_eq!(whole(fetch).await.unwrap(), "abc");
    assert_eq!(origin.seen()[1].connection, 2);
}

#[tokio::test]
async fn a_refusal_is_heard_though_the_origin_hangs_up() {
    for _ in 0..20 {
        let refusal = answer("413 Too Large", "too large");
        let origin = Origin::start(move |_| vec![refusal.clone(), Step::Close]).await;
        match store_huge(&upstream(&at(origin.address))).await {
            Delivered::Refused(answer) => assert_eq!(answer.code(), 413),
            other => panic!("{other:?}"),
        }
        origin.deserted().await;
    }
}

#[tokio::test]
async fn an_early_acceptance_counts_only_when_the_body_has_gone_out() {
    let reads = Origin::start(|_| vec![answer("200 OK", ""), Step::ReadBody]).await;
    let delivered = store_huge(&upstream(&at(reads.address))).await;
    assert!(matches!(delivered, Delivered::Accepted(_)), "{delivered:?}");
    let closes = Origin::start(|_| vec![answer("200 OK", ""), Step::Close]).await;
    match store_huge(&upstream(&at(closes.address))).await {
        Delivered::Failed { sent_whole, .. } => assert!(!sent_whole),
        other => panic!("{other:?}"),
    }
    closes.deserted().await;
}

#[tokio::test]
async fn an_origin_that_takes_nothing_is_a_timeout() {
    let (_gate, opened) = watch::channel(false);
    let origin = Origin::start(move |_| vec![Step::Wait(opened.clone())]).await;
    let mut config = at(origin.address);
    config.idle_timeout = SHORT;
    match store_huge(&upstream(&config)).await {
        Delivered::Failed {
            failure: Failure::Timeout,
            sent_whole: false,
            ..
        } => {}
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_source_that_breaks_ends_the_connection() {
    let origin = Origin::start(|_| vec![Step::ReadBody]).await;
    let body = StreamBody::new(stream::iter([
        Ok(Frame::data(Bytes::from_static(b"abc"))),
        Err(io::Error::other("the client left")),
    ]));
    match upstream(&at(origin.address))
        .store(artifact(), Some(9), body, backing())
        .await
    {
        Delivered::Failed { sent_whole, .. } => assert!(!sent_whole),
        other => panic!("{other:?}"),
    }
    origin.deserted().await;
}

#[tokio::test]
async fn a_break_after_the_whole_body_leaves_the_outcome_open() {
    let origin = Origin::start(|_| vec![Step::ReadBody, Step::Close]).await;
    match store_small(&upstream(&at(origin.address))).await {
        Delivered::Failed {
            failure: Failure::Cut,
            sent_whole: true,
            ..
        } => {}
        other => panic!("{other:?}"),
    }
    assert_eq!(
        origin.seen().len(),
        1,
        "an upload is not sent again by itself"
    );
}

#[tokio::test]
async fn every_judgement_of_an_upload_is_told_apart() {
    let judged = async |said: &'static str| {
        let origin = Origin::start(move |_| vec![Step::ReadBody, say(said)]).await;
        store_small(&upstream(&at(origin.address))).await
    };
    match judged("HTTP/1.1 307 Elsewhere\r\nlocation: /x\r\ncontent-length: 0\r\n\r\n").await {
        Delivered::Refused(answer) => {
            assert_eq!(answer.code(), 307);
            assert!(!answer.head().headers.contains_key("location"));
        }
        other => panic!("{other:?}"),
    }
    let refused = judged("HTTP/1.1 402 Pay\r\ncontent-length: 0\r\n\r\n").await;
    assert!(matches!(refused, Delivered::Refused(_)), "{refused:?}");
    let limited = judged("HTTP/1.1 429 Slow\r\ncontent-length: 0\r\n\r\n").await;
    assert!(matches!(
        limited,
        Delivered::Failed {
            failure: Failure::Limited,
            sent_whole: false,
            ..
        }
    ));
    let error = judged("HTTP/1.1 502 Bad\r\ncontent-length: 0\r\n\r\n").await;
    assert!(matches!(
        error,
        Delivered::Failed {
            failure: Failure::Error,
            sent_whole: true,
            ..
        }
    ));
}

#[tokio::test]
async fn an_unreachable_origin_has_seen_nothing_of_an_upload() {
    let mut config = at("127.255.255.254:1".parse().unwrap());
    config.connect_timeout = SHORT;
    for length in [0, 3] {
        let body = Full::new(Bytes::from(vec![b'x'; length]));
        match upstream(&config)
            .store(artifact(), Some(length as u64), body, backing())
            .await
        {
            Delivered::Failed {
                failure: Failure::Unreachable,
                sent_whole: false,
                ..
            } => {}
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_passed_body_is_streamed_and_an_early_answer_ends_it() {
    let (gate, opened) = watch::channel(false);
    let origin = Origin::start(move |_| {
        vec![
            answer("409 Conflict", "no"),
            Step::Wait(opened.clone()),
            Step::ReadToEnd,
        ]
    })
    .await;
    let upstream = upstream(&at(origin.address));
    let request = Request::post("/v9/else").body(huge()).unwrap();
    let response = upstream.pass(request).await.unwrap();
    assert_eq!(response.status(), 409);
    assert_eq!(
        response.into_body().collect().await.unwrap().to_bytes(),
        "no"
    );
    assert_eq!(
        origin.seen()[0].header("transfer-encoding"),
        Some("chunked")
    );
    gate.send_replace(true);
    origin.deserted().await;
}

#[tokio::test]
async fn an_upload_whose_own_body_breaks_is_no_failure_of_the_origin() {
    let origin = Origin::start(|_| vec![Step::ReadBody, answer("200 OK", "")]).await;
    let metrics = Arc::new(Metrics::new().unwrap());
    let upstream = Upstream::new(&at(origin.address), Arc::clone(&metrics), Tasks::new()).unwrap();
    let pieces = || [Ok(Frame::data(Bytes::from_static(b"ab"))), Err("broke off")];
    for length in [Some(4), None] {
        let body = StreamBody::new(stream::iter(pieces()));
        let delivered = upstream.store(artifact(), length, body, backing()).await;
        let failed = matches!(
            delivered,
            Delivered::Failed {
                sent_whole: false,
                ..
            }
        );
        assert!(failed, "{delivered:?}");
    }
    let counted = metrics.registry().gather();
    let requests = counted
        .iter()
        .find(|family| family.name() == "larder_upstream_requests_total");
    let counted: Vec<_> = (requests.unwrap().get_metric().iter())
        .filter(|one| one.get_counter().get_value() > 0.0)
        .map(|one| one.get_label()[1].value())
        .collect();
    assert_eq!(counted, ["withdrawn"]);
    let complaints = upstream.http.as_ref().unwrap().complaints();
    assert!(complaints.say(Failure::Cut, "the first word about it"));
}

#[tokio::test]
async fn of_an_upload_that_stands_still_somebody_hears_and_it_goes_on() {
    let (gate, opened) = watch::channel(false);
    let origin = Origin::start(move |_| {
        let silence = Step::Wait(opened.clone());
        vec![Step::ReadBody, silence, answer("202 Accepted", "")]
    });
    let upstream = upstream(&at(origin.await.address));
    let hush = Hush {
        after: SHORT,
        tell: Arc::default(),
    };
    let tell = Arc::clone(&hush.tell);
    let body = Full::new(Bytes::from_static(b"abc"));
    let heard = async {
        tell.stands_still.notified().await;
        gate.send_replace(true);
    };
    let stored = upstream.store(artifact(), Some(3), body, Backing { hush, ..backing() });
    let (delivered, ()) = tokio::join!(stored, heard);
    assert!(matches!(delivered, Delivered::Accepted(_)), "{delivered:?}");
}

#[tokio::test]
async fn an_upload_whose_client_pauses_gives_its_place_to_one_that_is_here() {
    let origin = Origin::start(|_| vec![Step::ReadBody, answer("202 Accepted", "")]).await;
    let mut config = at(origin.address);
    config.max_concurrent = 2;
    let upstream = upstream(&config);
    let begun = Arc::new(Notify::new());
    let asked = Arc::clone(&begun);
    let piece = stream::poll_fn(move |_| {
        asked.notify_one();
        Poll::Ready(Some(Ok::<_, Infallible>(Frame::data(Bytes::from_static(
            b"abc",
        )))))
    });
    let body = StreamBody::new(piece.take(1).chain(stream::pending()));
    let supply = Supply::new(Standstill(Standing::Paused { is_kept: true }));
    let paused = Backing {
        supply,
        ..backing()
    };
    let pausing = upstream.store(artifact(), Some(6), body, paused);
    let coming = async {
        begun.notified().await;
        store_small(&upstream).await
    };
    let (paused, delivered) = tokio::join!(pausing, coming);
    match paused {
        Delivered::Failed {
            sent_whole, again, ..
        } => assert_eq!((sent_whole, again), (false, Some(Again::OnceHere))),
        other => panic!("{other:?}"),
    }
    assert!(matches!(delivered, Delivered::Accepted(_)), "{delivered:?}");
    assert_eq!(origin.seen().last().unwrap().connection, 2);
}
