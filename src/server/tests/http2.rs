//! Requests that share a connection, in paused time: each has its own, and so has the connection.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use h2::client::{ResponseFuture, SendRequest};
use h2::{Ping, PingPong, RecvStream, SendStream};
use http::HeaderMap;
use tokio::io::{DuplexStream, duplex};
use tokio::time::{Instant, sleep, timeout};

use super::super::connection;
use super::*;
use crate::tasks::Tasks;

/// A client and its connection.
struct Dialled {
    requests: SendRequest<Bytes>,
    pings: PingPong,
    /// What the connection ended with.
    ended: tokio::sync::oneshot::Receiver<Result<(), h2::Error>>,
    service: Arc<Scripted>,
    tasks: Tasks,
}

/// How a client's side is set up.
struct Manner {
    /// What each answer may send ahead.
    window: u32,
    /// What the line holds.
    line: usize,
}

impl Default for Manner {
    fn default() -> Self {
        Self {
            window: 65_535,
            line: 64 * 1024,
        }
    }
}

impl Dialled {
    async fn new() -> Self {
        Self::by(Manner::default()).await
    }

    async fn by(Manner { window, line }: Manner) -> Self {
        let (near, far) = duplex(line);
        let (service, tasks) = (Scripted::new(), Tasks::new());
        serve(far, &service, &tasks);
        let mut builder = h2::client::Builder::new();
        builder.initial_window_size(window);
        let (requests, mut connection) = builder.handshake(near).await.unwrap();
        let pings = connection.ping_pong().unwrap();
        let (end, ended) = tokio::sync::oneshot::channel();
        tasks.spawn_punctual(async move {
            end.send(connection.await).ok();
        });
        Self {
            requests,
            pings,
            ended,
            service,
            tasks,
        }
    }

    async fn get(&mut self, path: &str) -> RecvStream {
        let answer = self.send(path, true).await.0.await.unwrap();
        assert_eq!(answer.status(), 200);
        answer.into_body()
    }

    async fn send(&mut self, path: &str, is_all: bool) -> (ResponseFuture, SendStream<Bytes>) {
        let request = Request::builder()
            .method(if is_all { "GET" } else { "PUT" })
            .uri(format!("http://x{path}"))
            .body(())
            .unwrap();
        let mut ready = self.requests.clone().ready().await.unwrap();
        ready.send_request(request, is_all).unwrap()
    }

    async fn is_served(&mut self) {
        let mut body = self.get("/hello").await;
        assert_eq!(whole_of(&mut body).await.unwrap(), b"hello");
    }
}

/// Serves one end of a line beside the test.
pub(super) fn serve(far: DuplexStream, service: &Arc<Scripted>, tasks: &Tasks) {
    let (service, serving) = (Arc::clone(service), tasks.clone());
    tasks.spawn_punctual(async move {
        let accepted = in_clear_text(far, None, &limits());
        connection::run(accepted, service, limits(), &serving).await;
    });
}

/// Reads a body to its end, making room as it goes.
async fn whole_of(body: &mut RecvStream) -> Result<Vec<u8>, h2::Error> {
    let mut whole = Vec::new();
    while let Some(piece) = body.data().await {
        let piece = piece?;
        body.flow_control().release_capacity(piece.len()).unwrap();
        whole.extend_from_slice(&piece);
    }
    Ok(whole)
}

fn seconds(since: Instant) -> u64 {
    since.elapsed().as_secs()
}

async fn is_reset<T: std::fmt::Debug>(answer: impl Future<Output = Result<T, h2::Error>>) {
    let error = answer.await.unwrap_err();
    assert!(error.is_reset(), "{error}");
}

#[tokio::test(start_paused = true)]
async fn requests_are_answered_in_whatever_order_they_can_be() {
    let mut client = Dialled::new().await;
    let (late, _) = client.send("/gate", true).await;
    let mut streaming = client.get("/stream").await;
    assert_eq!(streaming.data().await.unwrap().unwrap(), "abc");
    client.is_served().await;
    client.service.gate.add_permits(2);
    assert_eq!(streaming.data().await.unwrap().unwrap(), "abc");
    assert_eq!(late.await.unwrap().status(), 200);
}

#[tokio::test(start_paused = true)]
async fn a_body_goes_both_ways_whole() {
    let mut client = Dialled::new().await;
    let mut big = client.get("/big").await;
    assert_eq!(whole_of(&mut big).await.unwrap(), vec![b'b'; BIG]);
    let (answer, mut body) = client.send("/echo", false).await;
    let sent = vec![b'e'; 3 * BIG];
    body.send_data(Bytes::from(sent.clone()), false).unwrap();
    // What follows a body is not part of it.
    body.send_trailers(HeaderMap::new()).unwrap();
    let mut echoed = answer.await.unwrap().into_body();
    assert_eq!(whole_of(&mut echoed).await.unwrap(), sent);
}

#[tokio::test(start_paused = true)]
async fn what_a_client_is_known_by_is_remembered_from_one_request_to_the_next() {
    let mut client = Dialled::new().await;
    for before in [&b"0"[..], b"1", b"2"] {
        let mut body = client.get("/before").await;
        assert_eq!(whole_of(&mut body).await.unwrap(), before);
    }
}

#[tokio::test(start_paused = true)]
async fn of_a_head_only_the_length_is_told() {
    let client = Dialled::new().await;
    let request = Request::head("http://x/hello").body(()).unwrap();
    let mut ready = client.requests.clone().ready().await.unwrap();
    let answer = ready.send_request(request, true).unwrap().0.await.unwrap();
    assert_eq!(answer.headers()["content-length"], "5");
    assert!(answer.into_body().is_end_stream());
}

#[tokio::test(start_paused = true)]
async fn a_request_that_panics_is_a_500_and_costs_no_other() {
    let mut client = Dialled::new().await;
    let (answer, _) = client.send("/panic", true).await;
    assert_eq!(answer.await.unwrap().status(), 500);
    client.is_served().await;
}

#[tokio::test(start_paused = true)]
async fn a_body_that_stalls_costs_its_own_request_only() {
    let mut client = Dialled::new().await;
    let (answer, mut body) = client.send("/echo", false).await;
    sleep(Duration::from_secs(20)).await;
    body.send_data(Bytes::from_static(b"abc"), false).unwrap();
    let start = Instant::now();
    is_reset(answer).await;
    assert_eq!(seconds(start), 30);
    client.is_served().await;
}

#[tokio::test(start_paused = true)]
async fn a_body_that_stalls_is_cut_also_for_whoever_reads_it_elsewhere() {
    let mut client = Dialled::new().await;
    let (answer, _body) = client.send("/aside", false).await;
    sleep(Duration::from_secs(1)).await;
    let aside = client.service.aside.lock().take().unwrap();
    let start = Instant::now();
    let reading = timeout(Duration::from_mins(5), aside.collect());
    let ((), read) = tokio::join!(is_reset(answer), reading);
    assert!(read.unwrap().is_err(), "half a body is none");
    assert_eq!(seconds(start), 30);
    client.is_served().await;
}

#[tokio::test(start_paused = true)]
async fn a_slow_answer_is_not_the_clients_silence() {
    let mut client = Dialled::new().await;
    let (late, _) = client.send("/gate", true).await;
    let mut streaming = client.get("/stream").await;
    streaming.data().await.unwrap().unwrap();
    sleep(Duration::from_mins(10)).await;
    client.service.gate.add_permits(2);
    assert_eq!(streaming.data().await.unwrap().unwrap(), "abc");
    assert_eq!(late.await.unwrap().status(), 200);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_takes_nothing_of_one_answer_loses_that_one() {
    let mut client = Dialled::new().await;
    let mut big = client.get("/big").await;
    let start = Instant::now();
    let mut taken = 0;
    let reset = loop {
        match big.data().await.unwrap() {
            // It is told of no room: the window stays closed.
            Ok(piece) => taken += piece.len(),
            Err(error) => break error,
        }
    };
    assert!(reset.is_reset(), "{reset}");
    assert_eq!((taken, seconds(start)), (65_535, 60));
    drop(big);
    client.is_served().await;
}

#[tokio::test(start_paused = true)]
async fn a_client_that_takes_little_gets_all_of_it() {
    let mut client = Dialled::new().await;
    let mut big = client.get("/big").await;
    let mut left = BIG;
    while left > 0 {
        sleep(Duration::from_secs(10)).await;
        let mut enough: usize = 16 * 1024;
        while enough > 0 && left > 0 {
            let piece = big.data().await.unwrap().unwrap();
            big.flow_control().release_capacity(piece.len()).unwrap();
            left -= piece.len();
            enough = enough.saturating_sub(piece.len());
        }
    }
    client.is_served().await;
}

#[tokio::test(start_paused = true)]
async fn a_client_that_takes_nothing_at_all_is_cut() {
    let manner = Manner {
        window: 1 << 30,
        line: 1024,
    };
    let (mut near, far) = duplex(manner.line);
    near.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0")
        .await
        .unwrap();
    // A window of 2^30, and a request for /big.
    near.write_all(b"\0\0\x06\x04\0\0\0\0\0\0\x04\x40\0\0\0\0\0\x04\x08\0\0\0\0\0\x3f\xff\0\0")
        .await
        .unwrap();
    near.write_all(b"\0\0\x0b\x01\x05\0\0\0\x01\x82\x86\x04\x04/big\x41\x01x")
        .await
        .unwrap();
    let start = Instant::now();
    let accepted = in_clear_text(far, None, &limits());
    connection::run(accepted, Scripted::new(), limits(), &Tasks::new()).await;
    assert_eq!(seconds(start), 60);
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_is_closed_politely_and_pings_do_not_keep_it() {
    let mut client = Dialled::new().await;
    client.is_served().await;
    let start = Instant::now();
    let ended = timeout(Duration::from_mins(10), async {
        loop {
            tokio::select! {
                ended = &mut client.ended => break ended.unwrap(),
                () = sleep(Duration::from_secs(20)) => {
                    client.pings.ping(Ping::opaque()).await.ok();
                }
            }
        }
    });
    assert!(ended.await.unwrap().is_ok());
    assert_eq!(seconds(start), 130);
}

#[tokio::test(start_paused = true)]
async fn a_connection_in_use_is_not_idle() {
    let mut client = Dialled::new().await;
    for _ in 0..5 {
        sleep(Duration::from_secs(100)).await;
        client.is_served().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_stop_finishes_what_runs_and_takes_nothing_new() {
    let mut client = Dialled::new().await;
    let mut streaming = client.get("/stream").await;
    streaming.data().await.unwrap().unwrap();
    client.tasks.stop();
    sleep(Duration::from_millis(10)).await;
    let request = Request::get("http://x/hello").body(()).unwrap();
    let refused = match client.requests.clone().ready().await {
        Ok(mut ready) => match ready.send_request(request, true) {
            Ok((answer, _)) => answer.await.is_err(),
            Err(_) => true,
        },
        Err(_) => true,
    };
    assert!(refused);
    client.service.gate.add_permits(1);
    assert_eq!(streaming.data().await.unwrap().unwrap(), "abc");
    assert!((&mut client.ended).await.unwrap().is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_stop_does_not_wait_for_who_is_idle_or_gone_silent() {
    let (mut near, far) = duplex(4096);
    near.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0")
        .await
        .unwrap();
    let tasks = Tasks::new();
    let start = Instant::now();
    let accepted = in_clear_text(far, None, &limits());
    let serving = connection::run(accepted, Scripted::new(), limits(), &tasks);
    let stopping = async {
        sleep(Duration::from_secs(5)).await;
        tasks.stop();
    };
    tokio::join!(serving, stopping);
    assert_eq!(seconds(start), 5 + 2);
    drop(near);
}

#[tokio::test(start_paused = true)]
async fn half_a_preface_is_cut_at_the_header_timeout() {
    let (mut near, far) = duplex(4096);
    near.write_all(b"PRI * HTTP/2.0\r\n\r\nSM").await.unwrap();
    let start = Instant::now();
    let accepted = in_clear_text(far, None, &limits());
    connection::run(accepted, Scripted::new(), limits(), &Tasks::new()).await;
    assert_eq!(seconds(start), 10);
    assert_eq!(read_rest(&mut near).await, b"");
}

#[tokio::test(start_paused = true)]
async fn what_only_begins_like_a_preface_is_http_1() {
    for request in [
        &b"PRINT /hello HTTP/1.1\r\nhost: x\r\n\r\n"[..],
        b"PUT /hello HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n",
        b"P /hello HTTP/1.1\r\nhost: x\r\n\r\n",
    ] {
        let (mut near, far) = duplex(4096);
        serve(far, &Scripted::new(), &Tasks::new());
        assert_eq!(exchange(&mut near, request).await.1, "hello");
        assert_eq!(exchange(&mut near, HELLO).await.1, "hello");
    }
}
