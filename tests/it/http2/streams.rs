//! Requests that share a connection: what one of them does is not felt by the others.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::join_all;
use h2::Reason;

use super::each_way;
use crate::support::{
    Ended, Http2, Larder, Origin, Request, Seen, Setup, artifact, bytes, error_code, eventually,
    script,
};

const MIB: usize = 1 << 20;

/// Asserts that the connection serves a usual request.
async fn assert_served(client: &Http2) {
    assert_eq!(client.get("/v2/usual").await.status, 200);
}

#[tokio::test]
async fn many_that_want_the_same_at_once_cost_one_fetch() {
    let origin = Origin::start();
    let body = bytes(1, MIB);
    origin.hold("aa", &body);
    origin.once("GET", "aa", script().hold("fetched").usual());
    let larder = Larder::before(&origin).await;
    let client = Http2::of(&larder).await;
    let target = artifact("aa");
    let asking = join_all((0..100).map(|_| client.get(&target)));
    let releasing = async {
        origin.wait_at("fetched").await;
        // Others are answered meanwhile.
        assert_served(&client).await;
        origin.release("fetched");
    };
    let (replies, ()) = tokio::join!(asking, releasing);
    for reply in replies {
        reply.assert_body(&body);
    }
    assert_eq!(origin.gets("aa"), 1);
}

#[tokio::test]
async fn whoever_reads_one_answer_slowly_reads_the_others_quickly() {
    let origin = Origin::start();
    for larder in each_way(&origin).await {
        let client = Http2::ahead(&larder, 65_535).await;
        let body = bytes(2, 16 * MIB);
        assert_eq!(client.put(&artifact("aa"), &body).await.status, 202);
        let target = Request::new("GET", &artifact("aa"));
        let slow = client.begin(&target, true).await;
        let mut slow = slow.answer().await.expect("an answer");
        let first = slow.piece().await.expect("a piece").expect("no error");
        for _ in 0..3 {
            client.get(&artifact("aa")).await.assert_body(&body);
        }
        let rest = slow.whole().await;
        assert_eq!(rest.ended, Ended::Whole);
        assert_eq!(first.len() + rest.body.len(), body.len());
    }
}

#[tokio::test]
async fn an_upload_that_stands_still_holds_back_no_other_and_leaves_nothing_when_it_is_cut() {
    let origin = Origin::start();
    for larder in each_way(&origin).await {
        let client = Http2::of(&larder).await;
        let announced = Request::new("PUT", &artifact("half")).header("content-length", "100000");
        let mut half = client.begin(&announced, false).await;
        let piece = Bytes::from(bytes(3, 60_000));
        half.upload.send_data(piece, false).expect("a stream");
        let before = origin.seen("PUT", "half").len();
        eventually("half of it upstream", async || {
            origin.seen("PUT", "half").len() >= before.max(1)
        })
        .await;
        for number in 0..8 {
            let hash = format!("whole{number}");
            let put = client.put(&artifact(&hash), &bytes(4, MIB)).await;
            assert_eq!(put.status, 202);
        }
        half.upload.send_reset(Reason::CANCEL);
        drop(half);
        let is_cut = |seen: &Seen| seen.is("PUT", "half") && seen.ended == Some(Ended::Cut);
        origin.until("the cut", is_cut).await;
        assert_eq!(client.get(&artifact("half")).await.status, 404);
        assert_served(&client).await;
    }
    let is_whole = |seen: &Seen| seen.is("PUT", "half") && seen.ended == Some(Ended::Whole);
    assert!(origin.seen_where(is_whole).is_empty());
}

#[tokio::test]
async fn an_upload_that_stalls_is_cut_counted_and_costs_no_other() {
    let origin = Origin::start();
    let larder = Setup::before(&origin)
        .set("server.body_timeout", "300ms")
        .start()
        .await;
    let client = Http2::of(&larder).await;
    let mut stalled = client
        .begin(&Request::new("PUT", &artifact("half")), false)
        .await;
    let piece = Bytes::from_static(b"some");
    stalled.upload.send_data(piece, false).expect("a stream");
    stalled.answer().await.expect_err("no answer");
    let metrics = larder.metrics().await;
    let cut = metrics.sum("larder_limits_total", &[("limit", "body-time")]);
    assert!((cut - 1.0).abs() < 0.5, "{cut}");
    assert_eq!(client.get(&artifact("half")).await.status, 404);
    assert_served(&client).await;
}

#[tokio::test]
async fn an_upload_refused_early_is_told_so_and_its_connection_goes_on() {
    let origin = Origin::start();
    origin.members(&["member"], 403);
    let larder = Setup::before(&origin)
        .set("upload.max_size", "1MiB")
        .start()
        .await;
    let client = Http2::of(&larder).await;
    for _ in 0..100 {
        let large = Request::new("PUT", &artifact("large")).header("content-length", "2000000");
        let mut exchange = client.begin(&large, false).await;
        let piece = Bytes::from(bytes(5, 100_000));
        // It may have been refused by now.
        exchange.upload.send_data(piece, false).ok();
        let answer = exchange.answer().await.expect("an answer");
        assert_eq!(answer.status, 413);
        let reply = answer.whole().await;
        assert_eq!(reply.ended, Ended::Whole);
        assert_eq!(error_code(&reply), "too_large");
    }
    let grown = client.put(&artifact("grown"), &bytes(5, 2_000_000)).await;
    assert_eq!((grown.status, grown.ended), (413, Ended::Whole));
    assert_served(&client).await;
    let other = Http2::of(&larder).await.token(Some("stranger"));
    let denied = other.put(&artifact("denied"), &bytes(5, 900_000)).await;
    assert_eq!((denied.status, denied.ended), (403, Ended::Whole));
    assert_served(&other).await;
}

#[tokio::test]
async fn whoever_leaves_one_answer_leaves_that_one_only() {
    let origin = Origin::start();
    let body = bytes(6, MIB);
    let halved = script().head(200).length(MIB).chunk(&body[..MIB / 2]);
    origin.once("GET", "aa", halved.hold("rest").chunk(&body[MIB / 2..]));
    let larder = Larder::before(&origin).await;
    let client = Arc::new(Http2::of(&larder).await);
    let target = Request::new("GET", &artifact("aa"));
    let mut leaving = client.begin(&target, true).await;
    let staying = client.begin(&target, true).await;
    leaving.upload.send_reset(Reason::CANCEL);
    drop(leaving);
    let staying = staying.answer().await.expect("an answer");
    assert_served(&client).await;
    origin.release("rest");
    staying.whole().await.assert_body(&body);
    assert_eq!(origin.gets("aa"), 1);
}

#[tokio::test]
async fn a_connection_that_breaks_ends_what_its_requests_had_begun() {
    let origin = Origin::start();
    let larder = Larder::before(&origin).await;
    let client = Http2::of(&larder).await;
    for number in 0..4 {
        let path = format!("/v2/held{number}");
        let name = format!("held{number}");
        origin.always("POST", &name, script().stall());
        let mut exchange = client.begin(&Request::new("POST", &path), false).await;
        exchange
            .upload
            .send_data(Bytes::from_static(b"some"), false)
            .expect("a stream");
        origin.until("it", |seen| seen.is("POST", &name)).await;
    }
    drop(client);
    eventually("all of them to be cut", async || {
        let cut = |seen: &Seen| seen.method() == "POST" && seen.ended == Some(Ended::Cut);
        origin.seen_where(cut).len() == 4
    })
    .await;
    eventually("their lines", async || {
        larder.printed().matches(" POST ").count() == 4
    })
    .await;
}
