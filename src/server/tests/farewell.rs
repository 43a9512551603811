//! How a connection of HTTP/2 is given up, in paused time: never in the middle of what its client has begun.

use std::time::Duration;

use tokio::io::{DuplexStream, duplex};
use tokio::time::{Instant, sleep, timeout};

use super::crowd::{Party, serve};
use super::floods::{DATA, GET, HEADERS, PING, SETTINGS, frame};
use super::*;
use crate::tasks::Tasks;

const GOAWAY: u8 = 7;

/// A client that says nothing of its own accord.
struct Silent(DuplexStream);

impl Silent {
    /// Which has agreed on HTTP/2, and lets so many bytes of an answer be sent ahead.
    async fn new(mut line: DuplexStream, window: u32) -> Self {
        let mut setting = vec![0, 4];
        setting.extend_from_slice(&window.to_be_bytes());
        line.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
            .await
            .unwrap();
        let mut silent = Self(line);
        silent.send(SETTINGS, 0, 0, &setting).await;
        silent.send(SETTINGS, 1, 0, b"").await;
        silent
    }

    async fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        let frame = frame(kind, flags, stream, payload);
        self.0.write_all(&frame).await.unwrap();
    }

    /// The next frame: its kind, its flags and what it carries; nothing at the connection's end.
    async fn next(&mut self) -> Option<(u8, u8, Vec<u8>)> {
        let mut head = [0; 9];
        self.0.read_exact(&mut head).await.ok()?;
        let mut payload = vec![0; usize::from(head[1]) << 8 | usize::from(head[2])];
        self.0.read_exact(&mut payload).await.ok()?;
        Some((head[3], head[4], payload))
    }

    /// Reads up to the next frame of a kind.
    async fn until(&mut self, kind: u8) -> Vec<u8> {
        loop {
            match self.next().await {
                Some((came, _, payload)) if came == kind => return payload,
                Some((came, flags, payload)) => {
                    if (came, flags) == (PING, 0) {
                        // So that it is not given up for being gone.
                        self.send(PING, 1, 0, &payload).await;
                    }
                }
                None => panic!("the connection ended before a frame of kind {kind}"),
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_that_crosses_a_farewell_is_answered_however_long_that_takes() {
    let (near, far) = duplex(64 * 1024);
    let (service, tasks) = (Scripted::new(), Tasks::new());
    http2::serve(far, &service, &tasks);
    let mut client = Silent::new(near, 65_535).await;
    let start = Instant::now();
    client.until(GOAWAY).await;
    assert_eq!(start.elapsed(), limits().idle_timeout);
    client.send(HEADERS, 5, 1, GET).await;
    sleep(Duration::from_secs(20)).await;
    service.gate.add_permits(1);
    let head = client.until(HEADERS).await;
    assert_eq!(head[0], 0x88, "a status of 200");
    let start = Instant::now();
    let ended = async { while client.next().await.is_some() {} };
    timeout(Duration::from_secs(10), ended).await.unwrap();
    assert!(start.elapsed() <= Duration::from_secs(3));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_takes_an_answer_slowly_is_not_given_up_for_gone() {
    let (near, far) = duplex(64 * 1024);
    http2::serve(far, &Scripted::new(), &Tasks::new());
    let mut client = Silent::new(near, 1 << 30).await;
    client.send(8, 0, 0, &(1_u32 << 30).to_be_bytes()).await;
    let ask = b"\x82\x86\x04\x04/big\x41\x01x";
    client.send(HEADERS, 5, 1, ask).await;
    let mut taken = 0;
    while taken < BIG {
        // A ping stands in line behind more than is taken at a time.
        sleep(Duration::from_secs(25)).await;
        let before = taken;
        while taken < BIG && taken < before + 48 * 1024 {
            taken += client.until(DATA).await.len();
        }
    }
    assert_eq!(taken, BIG);
}

#[tokio::test(start_paused = true)]
async fn whoever_still_takes_the_end_of_an_answer_is_not_asked_to_make_room() {
    let (party, tasks) = (Party::of(1), Tasks::new());
    let (near, far) = duplex(64 * 1024);
    serve(&party, far, &tasks);
    let mut client = Silent::new(near, 32 * 1024 + 1).await;
    let ask = b"\x82\x86\x04\x05/some\x41\x01x";
    client.send(HEADERS, 5, 1, ask).await;
    let mut taken = 0;
    while taken < SOME {
        let piece = timeout(Duration::from_secs(2), client.until(DATA)).await;
        match piece {
            Ok(piece) => taken += piece.len(),
            // All of it is out of the service's hands.
            Err(_) => {
                client.send(8, 0, 1, &1024_u32.to_be_bytes()).await;
            }
        }
        let room = party.crowd.room(&party.limits);
        assert!(timeout(Duration::from_millis(1), room).await.is_err());
    }
    assert_eq!(taken, SOME);
    // Then it has been idle for as long as anybody.
    sleep(Duration::from_secs(8)).await;
    party.crowd.room(&party.limits).await;
}
