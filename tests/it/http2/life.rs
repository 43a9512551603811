//! How connections of HTTP/2 begin and end: agreed on, stopped, idle, flooded.

use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::each_way;
use crate::support::{
    Agreed, Certificate, Client, Ended, Http2, Larder, Origin, Request, Setup, artifact, bytes,
    eventually, script, within,
};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const SETTINGS: &[u8] = b"\0\0\0\x04\0\0\0\0\0";
const PING: &[u8] = b"\0\0\x08\x06\0\0\0\0\0willpong";
/// More than any client in its right mind sends without a request.
const MANY: usize = 100_000;

async fn limited(larder: &Larder, limit: &str) -> f64 {
    let metrics = larder.metrics().await;
    metrics.sum("larder_limits_total", &[("limit", limit)])
}

/// Sends `first`, and then `again` until nobody listens or that is often enough; returns how often.
async fn flood(larder: &Larder, first: &[u8], again: &[u8]) -> usize {
    let stream = TcpStream::connect(larder.address()).await.expect("a port");
    let (mut reading, mut writing) = stream.into_split();
    let begin = [PREFACE, SETTINGS, first].concat();
    writing.write_all(&begin).await.expect("sent");
    let flooding = async {
        for number in 0..MANY {
            if writing.write_all(again).await.is_err() {
                return number;
            }
        }
        MANY
    };
    let draining = async {
        let mut some = vec![0; 16 * 1024];
        while reading.read(&mut some).await.is_ok_and(|read| read > 0) {}
    };
    within("the flood", async { tokio::join!(flooding, draining) })
        .await
        .0
}

#[tokio::test]
async fn a_flood_is_cut_and_counted_and_others_are_served_meanwhile() {
    let larder = Larder::alone().await;
    let other = Http2::of(&larder).await;
    let mut another = larder.client();
    let floods: [(&str, &[u8], &[u8]); 4] = [
        ("pings", b"", PING),
        ("settings", b"", SETTINGS),
        ("priorities", b"", b"\0\0\x05\x02\0\0\0\0\x03\0\0\0\0\x01"),
        ("windows", b"", b"\0\0\x04\x08\0\0\0\0\0\0\0\0\x01"),
    ];
    for (number, (what, first, again)) in floods.into_iter().enumerate() {
        let asking = async {
            for _ in 0..20 {
                assert_eq!(other.get(&artifact("aa")).await.status, 404, "{what}");
                assert_eq!(another.get(&artifact("aa")).await.status, 404, "{what}");
            }
        };
        let (sent, ()) = tokio::join!(flood(&larder, first, again), asking);
        assert!(sent < MANY, "{what}");
        let counted = u32::try_from(number + 1).expect("few");
        eventually("the count", async || {
            (limited(&larder, "frames").await - f64::from(counted)).abs() < 0.5
        })
        .await;
    }
}

#[tokio::test]
async fn heads_that_are_too_large_are_counted_as_in_http_1() {
    for larder in each_way(&Origin::start()).await {
        let client = Http2::of(&larder).await;
        let value = "x".repeat(5000);
        let mut large = Request::new("GET", &artifact("aa"));
        let mut many = Request::new("GET", &artifact("aa"));
        for _ in 0..4 {
            large = large.header("x-large", &value);
        }
        for _ in 0..65 {
            many = many.header("x-name", "1");
        }
        for (refused, counted) in [(&large, 1.0), (&large, 2.0), (&many, 3.0)] {
            assert_eq!(client.ask(refused).await.status, 431);
            eventually("it to be counted", async || {
                (limited(&larder, "head-size").await - counted).abs() < 0.5
            })
            .await;
        }
        // Nor is anything else taken for one.
        for method in ["GET", "HEAD"] {
            let absent = Request::new(method, &artifact("absent"));
            assert_eq!(client.ask(&absent).await.status, 404);
        }
        assert!((limited(&larder, "head-size").await - 3.0).abs() < 0.5);
    }
}

#[tokio::test]
async fn requests_taken_back_as_fast_as_they_are_made_are_a_flood_too() {
    let origin = Origin::start();
    origin.always("GET", "aa", script().stall());
    let larder = Larder::before(&origin).await;
    let stream = TcpStream::connect(larder.address()).await.expect("a port");
    let (mut reading, mut writing) = stream.into_split();
    let begin = [PREFACE, SETTINGS].concat();
    writing.write_all(&begin).await.expect("sent");
    let flooding = async {
        let mut head = b"\x82\x86\x41\x0blocalhost:1\x04".to_vec();
        let target = artifact("aa");
        head.push(u8::try_from(target.len()).expect("short"));
        head.extend_from_slice(target.as_bytes());
        for number in 0..20_000_u32 {
            let stream = (2 * number + 1).to_be_bytes();
            let length = u8::try_from(head.len()).expect("short");
            let mut frames = vec![0, 0, length, 1, 5];
            frames.extend_from_slice(&stream);
            frames.extend_from_slice(&head);
            frames.extend_from_slice(&[0, 0, 4, 3, 0]);
            frames.extend_from_slice(&stream);
            frames.extend_from_slice(&[0, 0, 0, 8]);
            if writing.write_all(&frames).await.is_err() {
                return number;
            }
        }
        20_000
    };
    let draining = async {
        let mut some = vec![0; 16 * 1024];
        while reading.read(&mut some).await.is_ok_and(|read| read > 0) {}
    };
    let (sent, ()) = within("the flood", async { tokio::join!(flooding, draining) }).await;
    assert!(sent < 20_000, "{sent}");
    eventually("the count", async || limited(&larder, "frames").await > 0.5).await;
    assert_eq!(larder.client().get("/v2/usual").await.status, 200);
}

#[tokio::test]
async fn a_stop_says_farewell_finishes_what_runs_and_exits_well() {
    let origin = Origin::start();
    let body = bytes(1, 10_000);
    for mut larder in each_way(&origin).await {
        let halved = script().head(200).length(10_000).chunk(&body[..5000]);
        origin.once("GET", "aa", halved.hold("rest").chunk(&body[5000..]));
        let mut client = Http2::of(&larder).await;
        let target = Request::new("GET", &artifact("aa"));
        let mut answer = client
            .begin(&target, true)
            .await
            .answer()
            .await
            .expect("one");
        let first = answer.piece().await.expect("a piece").expect("no error");
        larder.terminate();
        eventually("a farewell", async || !client.is_open().await).await;
        origin.release("rest");
        let rest = answer.whole().await;
        assert_eq!(rest.ended, Ended::Whole);
        assert_eq!([&first[..], &rest.body].concat(), body);
        client.ended().await.expect("an orderly end");
        let exit = larder.exit().await;
        assert_eq!(exit.code, Some(0), "{}", exit.stderr);
    }
}

#[tokio::test]
async fn what_outlasts_the_grace_is_cut_and_the_process_ends_all_the_same() {
    let origin = Origin::start();
    origin.always("POST", "held", script().stall());
    let mut larder = Setup::before(&origin)
        .set("server.shutdown_grace", "300ms")
        .start()
        .await;
    let client = Http2::of(&larder).await;
    let mut held = client.begin(&Request::new("POST", "/v2/held"), false).await;
    let piece = Bytes::from_static(b"some");
    held.upload.send_data(piece, false).expect("a stream");
    origin.until("it", |seen| seen.is("POST", "held")).await;
    larder.terminate();
    held.answer().await.expect_err("cut");
    let exit = larder.exit().await;
    assert_eq!(exit.code, Some(0), "{}", exit.stderr);
}

#[tokio::test]
async fn an_idle_connection_is_told_and_ended() {
    let larder = Setup::alone()
        .set("server.idle_timeout", "300ms")
        .start()
        .await;
    let mut client = Http2::of(&larder).await;
    assert_eq!(client.get(&artifact("aa")).await.status, 404);
    client.ended().await.expect("an orderly end");
    assert!(limited(&larder, "head-time").await < 0.5, "it did no wrong");
}

#[tokio::test]
async fn both_versions_are_offered_and_each_is_spoken_where_it_was_agreed_on() {
    let certificate = Certificate::new();
    let larder = Setup::alone().secured(&certificate).start().await;
    let offers: [(&[&[u8]], &[u8]); 4] = [
        (&[b"h2", b"http/1.1"], b"h2"),
        (&[b"http/1.1", b"h2"], b"h2"),
        (&[b"h2"], b"h2"),
        (&[b"http/1.1"], b"http/1.1"),
    ];
    for (offered, agreed) in offers {
        let trust = certificate.trust().offering(offered);
        let stream = TcpStream::connect(larder.address()).await.expect("a port");
        let mut stream = trust.secure(stream).await.expect("TLS");
        assert_eq!(Agreed::on(&stream).protocol.as_deref(), Some(agreed));
        // Whoever speaks the other one all the same is not served.
        let other: &[u8] = if agreed == b"h2" {
            b"GET / HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n"
        } else {
            &[PREFACE, SETTINGS].concat()
        };
        stream.write_all(other).await.expect("sent");
        let mut said = Vec::new();
        let ended = timeout(Duration::from_secs(20), stream.read_to_end(&mut said)).await;
        assert!(ended.is_ok(), "not ended: {agreed:?}");
        assert!(!said.starts_with(b"HTTP/1.1 2"), "{}", said.escape_ascii());
    }
    let client = Http2::of(&larder).await;
    assert_eq!(client.get(&artifact("aa")).await.status, 404);
    assert_eq!(larder.client().get(&artifact("aa")).await.status, 404);
}

#[tokio::test]
async fn one_listener_speaks_both_in_clear_text() {
    let larder = Larder::alone().await;
    let client = Http2::of(&larder).await;
    assert_eq!(client.put(&artifact("aa"), b"body").await.status, 202);
    larder
        .client()
        .get(&artifact("aa"))
        .await
        .assert_body(b"body");
    let mut old = Client::new(larder.address());
    // What HTTP/1 knows as the way to HTTP/2 is no way here.
    let upgrade = Request::new("GET", &artifact("aa"))
        .header("connection", "upgrade, http2-settings")
        .header("upgrade", "h2c")
        .header("http2-settings", "AAMAAABkAAQAAP__");
    assert_eq!(old.ask(&upgrade).await.status, 200);
}
