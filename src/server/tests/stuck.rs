//! Clients of HTTP/2 that would stay for ever: they leave no room, or do not hear a farewell. In paused time.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
use tokio::time::{Instant, sleep};

use super::super::connection;
use super::*;
use crate::tasks::Tasks;

/// A client's first words, and that it has nothing to set.
const GREETING: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

/// From now on an answer finds room for so many bytes fewer.
const NO_ROOM: &[u8] = b"\0\0\x06\x04\0\0\0\0\0\0\x04\0\0\0\0";

/// A request without a body.
fn get(stream: u8, path: &str) -> Vec<u8> {
    let length = u8::try_from(path.len()).unwrap();
    let head = [0, 0, 7 + length, 1, 5, 0, 0, 0, stream];
    let block = [&[0x82, 0x86, 0x04, length], path.as_bytes(), b"\x41\x01x"].concat();
    [&head[..], &block].concat()
}

/// Whether the server has reset this stream by now.
fn is_reset(heard: &[u8], stream: u8) -> bool {
    let reset = [0, 0, 4, 3, 0, 0, 0, 0, stream];
    heard.windows(reset.len()).any(|frame| frame == reset)
}

/// Seconds until the request for `path` is reset by a server whose client leaves no room for an answer once
/// it has had `taken` bytes of it, and reads all the while.
async fn seconds_to_reset(path: &str, first: &[u8], taken: &[u8]) -> u64 {
    let (mut near, far) = duplex(64 * 1024);
    let (service, tasks) = (Scripted::new(), Tasks::new());
    let accepted = in_clear_text(far, None, &limits());
    let serving = connection::run(accepted, Arc::clone(&service), limits(), &tasks);
    let start = Instant::now();
    let taking = async {
        near.write_all(&[GREETING, first, &get(1, path)].concat())
            .await
            .unwrap();
        let mut heard = Vec::new();
        while !heard.windows(taken.len()).any(|bytes| bytes == taken) {
            near.read_buf(&mut heard).await.unwrap();
        }
        near.write_all(NO_ROOM).await.unwrap();
        sleep(Duration::from_millis(1)).await;
        service.gate.add_permits(1);
        while !is_reset(&heard, 1) && near.read_buf(&mut heard).await.unwrap() > 0 {}
        assert!(is_reset(&heard, 1));
        start.elapsed().as_secs()
    };
    tokio::select! {
        () = serving => panic!("the connection ended first"),
        seconds = taking => seconds,
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_never_finds_room_for_its_first_byte_ends_in_time() {
    // The acknowledgement of what the client has set.
    let settings = b"\0\0\0\x04\x01\0\0\0\0";
    assert_eq!(seconds_to_reset("/hello", NO_ROOM, settings).await, 60);
}

#[tokio::test(start_paused = true)]
async fn so_does_one_that_finds_none_when_more_of_it_is_there() {
    assert_eq!(seconds_to_reset("/stream", b"", b"abc").await, 60);
}

#[tokio::test(start_paused = true)]
async fn whoever_has_been_told_to_go_and_asks_on_is_gone_soon() {
    let (near, far) = duplex(64 * 1024);
    let (service, tasks) = (Scripted::new(), Tasks::new());
    let accepted = in_clear_text(far, None, &limits());
    let watch = accepted.watch.clone();
    let start = Instant::now();
    let serving = async {
        connection::run(accepted, Arc::clone(&service), limits(), &tasks).await;
        start.elapsed().as_secs()
    };
    let (mut reader, mut writer) = tokio::io::split(near);
    let asking = async {
        writer.write_all(GREETING).await.unwrap();
        for turn in 0..120 {
            if turn == 5 {
                assert!(watch.dismiss(), "it is only waited for");
            }
            // It answers no ping, the one behind the farewell neither.
            if writer
                .write_all(&get(2 * turn + 1, "/hello"))
                .await
                .is_err()
            {
                break;
            }
            sleep(Duration::from_secs(1)).await;
        }
    };
    let reading = async {
        let mut heard = Vec::new();
        reader.read_to_end(&mut heard).await.ok();
        heard
    };
    let (seconds, (), heard) = tokio::join!(serving, asking, reading);
    // As long as a farewell may stand behind an answer that is taken slowly, and a moment more.
    let heard_by = 5 + usize::try_from(limits().stall_timeout.as_secs().max(20)).unwrap();
    let seconds = usize::try_from(seconds).unwrap();
    assert!((heard_by..=heard_by + 5).contains(&seconds), "{seconds}");
    let answers = heard.windows(5).filter(|bytes| bytes == b"hello").count();
    assert!(
        (heard_by..=heard_by + 1).contains(&answers),
        "on its way with the farewell: {answers}"
    );
}
