//! How long a client may take, in paused time.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::time::{Instant, sleep};

use super::super::connection;
use super::*;
use crate::tasks::Tasks;

fn accepted(io: DuplexStream) -> Accepted<DuplexStream> {
    in_clear_text(io, None, &limits())
}

/// Runs a connection and its client to the end of both.
async fn connect<C, F>(service: Arc<Scripted>, buffer: usize, client: C)
where
    C: FnOnce(DuplexStream) -> F,
    F: Future<Output = ()>,
{
    let (near, far) = duplex(buffer);
    let tasks = Tasks::new();
    tokio::join!(
        client(near),
        connection::run(accepted(far), service, limits(), &tasks)
    );
}

fn seconds(since: Instant) -> u64 {
    since.elapsed().as_secs()
}

#[tokio::test(start_paused = true)]
async fn a_dripping_first_head_is_cut_counted_from_the_connections_start() {
    connect(Scripted::new(), 4096, |mut io| async move {
        let start = Instant::now();
        for byte in [b"G", b"E", b"T"] {
            sleep(Duration::from_secs(3)).await;
            io.write_all(byte).await.unwrap();
        }
        assert_eq!(read_rest(&mut io).await, b"");
        assert_eq!(seconds(start), 10);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_client_that_says_nothing_at_all_is_cut_at_the_header_timeout() {
    connect(Scripted::new(), 4096, |mut io| async move {
        let start = Instant::now();
        assert_eq!(read_rest(&mut io).await, b"");
        assert_eq!(seconds(start), 10);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_kept_connection_outlives_the_header_timeout_and_ends_at_the_idle_timeout() {
    connect(Scripted::new(), 4096, |mut io| async move {
        for _ in 0..3 {
            assert_eq!(exchange(&mut io, HELLO).await.1, "hello");
            sleep(Duration::from_secs(100)).await;
        }
        assert_eq!(exchange(&mut io, HELLO).await.1, "hello");
        let start = Instant::now();
        assert_eq!(read_rest(&mut io).await, b"");
        assert_eq!(seconds(start), 130);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_dripping_later_head_is_cut_counted_from_its_first_byte() {
    connect(Scripted::new(), 4096, |mut io| async move {
        exchange(&mut io, HELLO).await;
        sleep(Duration::from_secs(100)).await;
        let start = Instant::now();
        io.write_all(b"GET /").await.unwrap();
        sleep(Duration::from_secs(6)).await;
        io.write_all(b"h").await.unwrap();
        assert_eq!(read_rest(&mut io).await, b"");
        assert_eq!(seconds(start), 10);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_body_that_stalls_is_cut_counted_from_its_last_piece() {
    connect(Scripted::new(), 4096, |mut io| async move {
        io.write_all(b"PUT /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\nabc")
            .await
            .unwrap();
        sleep(Duration::from_secs(20)).await;
        io.write_all(b"def").await.unwrap();
        let start = Instant::now();
        assert_eq!(read_rest(&mut io).await, b"");
        assert_eq!(seconds(start), 30);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_slow_answer_is_not_the_clients_silence() {
    let service = Scripted::new();
    let gate = Arc::clone(&service.gate);
    connect(service, 4096, |mut io| async move {
        io.write_all(b"PUT /gate HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\n\r\nabc")
            .await
            .unwrap();
        sleep(Duration::from_mins(10)).await;
        gate.add_permits(1);
        read_head(&mut io).await;
        assert_eq!(io.read_u8().await.unwrap(), b'a');
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_slow_body_of_an_answer_is_not_the_clients_silence() {
    let service = Scripted::new();
    let gate = Arc::clone(&service.gate);
    connect(service, 4096, |mut io| async move {
        io.write_all(b"GET /stream HTTP/1.1\r\nhost: x\r\n\r\n")
            .await
            .unwrap();
        read_head(&mut io).await;
        sleep(Duration::from_mins(10)).await;
        gate.add_permits(1);
        let mut body = [0; 6];
        io.read_exact(&mut body).await.unwrap();
        assert_eq!(&body, b"abcabc");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_client_that_takes_nothing_is_cut() {
    let (mut near, far) = duplex(1024);
    near.write_all(b"GET /big HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .unwrap();
    let start = Instant::now();
    connection::run(accepted(far), Scripted::new(), limits(), &Tasks::new()).await;
    assert_eq!(seconds(start), 60);
    assert_eq!(read_rest(&mut near).await.len(), 1024);
}

#[tokio::test(start_paused = true)]
async fn a_slow_reader_is_served_to_the_end_however_long_the_last_piece_takes() {
    connect(Scripted::new(), 128 * 1024, |mut io| async move {
        io.write_all(b"GET /big HTTP/1.1\r\nhost: x\r\n\r\n")
            .await
            .unwrap();
        read_head(&mut io).await;
        let mut left = BIG;
        let mut piece = vec![0; 64 * 1024];
        while left > 0 {
            sleep(Duration::from_secs(50)).await;
            left -= io.read(&mut piece).await.unwrap();
        }
        let start = Instant::now();
        assert_eq!(read_rest(&mut io).await, b"");
        // The last 128 KiB were out of our hands two pieces earlier.
        assert_eq!(seconds(start), 130 - 2 * 50);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_upload_answered_early_may_still_be_sent_until_the_client_hangs_up() {
    connect(Scripted::new(), 4096, |mut io| async move {
        let put = b"PUT /refused HTTP/1.1\r\nhost: x\r\ncontent-length: 100000\r\n\r\n";
        assert_eq!(exchange(&mut io, put).await.1, "hello");
        let start = Instant::now();
        io.write_all(&vec![0; 100_000]).await.unwrap();
        assert_eq!(read_rest(&mut io).await, b"");
        io.shutdown().await.unwrap();
        assert_eq!(seconds(start), 0);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_hang_up_is_not_waited_for_long() {
    let (mut near, far) = duplex(4096);
    near.write_all(b"PUT /refused HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n")
        .await
        .unwrap();
    let start = Instant::now();
    connection::run(accepted(far), Scripted::new(), limits(), &Tasks::new()).await;
    assert_eq!(seconds(start), 2);
}

#[tokio::test(start_paused = true)]
async fn what_runs_is_given_up_when_the_grace_has_passed() {
    let (mut near, far) = duplex(4096);
    near.write_all(b"GET /gate HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .unwrap();
    let tasks = Tasks::new();
    tasks.stop();
    let start = Instant::now();
    connection::run(accepted(far), Scripted::new(), limits(), &tasks).await;
    assert_eq!(seconds(start), 30);
}

/// Runs a connection of which a thousand bytes a second are asked.
async fn connect_hurried<C, F>(buffer: usize, client: C)
where
    C: FnOnce(DuplexStream) -> F,
    F: Future<Output = ()>,
{
    let (near, far) = duplex(buffer);
    let hurried = Limits {
        min_rate: 1000,
        ..limits()
    };
    let accepted = in_clear_text(far, None, &hurried);
    let tasks = Tasks::new();
    tokio::join!(
        client(near),
        connection::run(accepted, Scripted::new(), hurried, &tasks)
    );
}

#[tokio::test(start_paused = true)]
async fn a_body_that_drips_is_cut_after_a_minute_and_one_at_the_least_rate_is_not() {
    for (piece, minutes) in [(9000, 1), (10_000, 3)] {
        connect_hurried(64 * 1024, |mut io| async move {
            let put = b"PUT /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 180000\r\n\r\n";
            io.write_all(put).await.unwrap();
            let start = Instant::now();
            for _ in 0..18 {
                sleep(Duration::from_secs(10)).await;
                if io.write_all(&vec![0; piece]).await.is_err() {
                    break;
                }
            }
            assert_eq!(seconds(start) / 60, minutes, "{piece}");
        })
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_sips_is_cut_after_a_minute_and_one_at_the_least_rate_is_not() {
    for (piece, is_whole) in [(4000, false), (32 * 1024, true)] {
        connect_hurried(4096, |mut io| async move {
            io.write_all(b"GET /big HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
                .await
                .unwrap();
            read_head(&mut io).await;
            let mut taken = 0;
            loop {
                sleep(Duration::from_secs(5)).await;
                let mut some = vec![0; piece];
                let mut enough = 0;
                while enough < piece {
                    match io.read(&mut some).await.unwrap() {
                        0 => break,
                        read => enough += read,
                    }
                }
                if enough == 0 {
                    break;
                }
                taken += enough;
            }
            assert_eq!(taken == BIG, is_whole, "{piece}: {taken}");
        })
        .await;
    }
}
