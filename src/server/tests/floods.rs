//! Frames that bring little: whatever their kind, a client that sends many of them is cut, and one that
//! sends what clients send is not.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{DuplexStream, duplex, split};
use tokio::time::{Instant, sleep, timeout};

use super::super::connection;
use super::*;
use crate::tasks::Tasks;

pub(super) const DATA: u8 = 0;
pub(super) const HEADERS: u8 = 1;
const PRIORITY: u8 = 2;
const RST_STREAM: u8 = 3;
pub(super) const SETTINGS: u8 = 4;
pub(super) const PING: u8 = 6;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;

/// Frames that no client in its right mind sends.
const MANY: u32 = 1_000_000;

/// `GET /gate`, and `PUT /gate`: answered when the test says so.
pub(super) const GET: &[u8] = b"\x82\x86\x04\x05/gate\x41\x01x";
const PUT: &[u8] = b"\x02\x03PUT\x86\x04\x05/gate\x41\x01x";

/// What is sent of a flood, by its number.
type Next = Box<dyn Fn(u32) -> Vec<u8>>;

pub(super) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut frame = length[1..].to_vec();
    frame.extend_from_slice(&[kind, flags]);
    frame.extend_from_slice(&stream.to_be_bytes());
    frame.extend_from_slice(payload);
    frame
}

/// Sends what `next` makes of 0, 1, 2 and so on until nobody listens; returns of how many.
async fn flood(begin: &[u8], next: impl Fn(u32) -> Vec<u8>) -> u32 {
    let (near, far) = duplex(64 * 1024);
    let accepted = in_clear_text(far, None, &limits());
    let tasks = Tasks::new();
    let serving = connection::run(accepted, Scripted::new(), limits(), &tasks);
    let (mut listening, mut near) = split::<DuplexStream>(near);
    let sending = async {
        near.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
            .await
            .unwrap();
        near.write_all(&frame(SETTINGS, 0, 0, b"")).await.unwrap();
        near.write_all(begin).await.unwrap();
        for number in 0..MANY {
            if near.write_all(&next(number)).await.is_err() {
                return number;
            }
        }
        MANY
    };
    let reading = async {
        tokio::io::copy(&mut listening, &mut tokio::io::sink())
            .await
            .ok();
    };
    tokio::join!(sending, reading, serving).0
}

#[tokio::test(start_paused = true)]
async fn whatever_the_frames_a_flood_of_them_is_cut() {
    let upload = frame(HEADERS, 4, 1, PUT);
    let opened = |number: u32| 2 * number + 1;
    let floods: [(&str, &[u8], Next); 9] = [
        ("settings", b"", Box::new(|_| frame(SETTINGS, 0, 0, b""))),
        ("pings", b"", Box::new(|_| frame(PING, 0, 0, &[0; 8]))),
        ("empty data", &upload, Box::new(|_| frame(DATA, 0, 1, b""))),
        ("tiny data", &upload, Box::new(|_| frame(DATA, 0, 1, b"x"))),
        (
            "padding",
            &upload,
            Box::new(|_| frame(DATA, 8, 1, &[9, 0, 0, 0, 0, 0, 0, 0, 0, 0])),
        ),
        (
            "priorities",
            b"",
            Box::new(|_| frame(PRIORITY, 0, 3, &[0, 0, 0, 0, 1])),
        ),
        (
            "windows",
            b"",
            Box::new(|_| frame(WINDOW_UPDATE, 0, 0, &[0, 0, 0, 1])),
        ),
        ("unknown", b"", Box::new(|_| frame(0xfa, 0, 0, b"x"))),
        (
            "requests taken back",
            b"",
            Box::new(move |number| {
                let mut both = frame(HEADERS, 5, opened(number), GET);
                both.extend(frame(RST_STREAM, 0, opened(number), &[0, 0, 0, 8]));
                both
            }),
        ),
    ];
    for (what, begin, next) in floods {
        let sent = flood(begin, next).await;
        assert!(sent < 10_000, "{what}: {sent}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_head_without_end_is_cut() {
    let begin = frame(HEADERS, 1, 1, GET);
    let sent = flood(&begin, |_| frame(CONTINUATION, 0, 1, b"\0\x01a\x01b")).await;
    assert!(sent < 10_000, "{sent}");
    let large = [b"\0\x01a\x7f\xe9\x06".as_slice(), &[b'x'; 1000]].concat();
    let sent = flood(&begin, |_| frame(CONTINUATION, 0, 1, &large)).await;
    assert!(sent < 10_000, "{sent}");
}

#[tokio::test(start_paused = true)]
async fn half_a_head_is_no_request_and_its_connection_ends_as_an_idle_one() {
    let (mut near, far) = duplex(64 * 1024);
    near.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        .await
        .unwrap();
    near.write_all(&frame(SETTINGS, 0, 0, b"")).await.unwrap();
    near.write_all(&frame(HEADERS, 1, 1, GET)).await.unwrap();
    let service = Scripted::new();
    let start = Instant::now();
    let accepted = in_clear_text(far, None, &limits());
    connection::run(accepted, Arc::clone(&service), limits(), &Tasks::new()).await;
    assert!(start.elapsed() <= limits().idle_timeout + Duration::from_secs(2));
    assert_eq!(service.served.load(Ordering::Relaxed), 0);
}

#[tokio::test(start_paused = true)]
async fn many_requests_one_after_the_other_are_no_flood() {
    let (near, far) = duplex(64 * 1024);
    let (service, tasks) = (Scripted::new(), Tasks::new());
    http2::serve(far, &service, &tasks);
    let (mut requests, connection) = h2::client::handshake(near).await.unwrap();
    tasks.spawn_punctual(async move {
        connection.await.ok();
    });
    for _ in 0..20_000 {
        let request = Request::head("http://x/hello").body(()).unwrap();
        requests = requests.ready().await.unwrap();
        let (answer, _) = requests.send_request(request, true).unwrap();
        assert_eq!(answer.await.unwrap().status(), 200);
    }
}

#[tokio::test(start_paused = true)]
async fn pings_in_moderation_are_no_flood() {
    let (mut near, far) = duplex(64 * 1024);
    http2::serve(far, &Scripted::new(), &Tasks::new());
    near.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        .await
        .unwrap();
    near.write_all(&frame(SETTINGS, 0, 0, b"")).await.unwrap();
    // The server's own pings are not answered here: after a minute it gives the client up.
    for _ in 0..50 {
        for _ in 0..100 {
            near.write_all(&frame(PING, 0, 0, &[7; 8])).await.unwrap();
            let mut some = [0; 4096];
            timeout(Duration::from_secs(1), near.read(&mut some))
                .await
                .unwrap()
                .unwrap();
        }
        sleep(Duration::from_secs(1)).await;
    }
}
