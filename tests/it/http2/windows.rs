//! How far ahead of whoever reads them bodies may be sent, as clients are told.

use tokio::net::TcpStream;

use super::wire::{Frame, Line, SETTINGS, WINDOW_UPDATE};
use crate::support::{Larder, Origin, Setup, eventually, within};

const MIB: u32 = 1 << 20;
/// What every connection has for one body.
const LEAST: u32 = MIB;
/// What it has beyond one body.
const BESIDE: u32 = MIB;
/// The setting that says how much one body has.
const INITIAL_WINDOW_SIZE: u16 = 4;
/// What a connection has before anything is said of it.
const USUAL: u32 = 65_535;

/// A connection, and what one body and all together may be ahead on it.
async fn windows(larder: &Larder) -> (Line, u32, u32) {
    let stream = TcpStream::connect(larder.address()).await.expect("a port");
    let mut line = Line::new(stream);
    line.greet().await;
    let (mut one, mut all) = (None, None);
    while one.is_none() || all.is_none() {
        let frame = within("what is said first", line.next()).await;
        let frame = frame.expect("a frame");
        if frame.is(WINDOW_UPDATE, 0) {
            all = Some(USUAL + number(&frame.payload));
        }
        one = one.or(initial_window(&frame));
    }
    (line, one.expect("a window"), all.expect("a window"))
}

fn initial_window(frame: &Frame) -> Option<u32> {
    let settings = frame.is(SETTINGS, 0).then(|| frame.payload.chunks(6))?;
    let mut named = settings.filter(|it| it[..2] == INITIAL_WINDOW_SIZE.to_be_bytes());
    named.next().map(|it| number(&it[2..]))
}

fn number(bytes: &[u8]) -> u32 {
    u32::from_be_bytes(bytes.try_into().expect("four bytes"))
}

async fn with_in_flight(origin: &Origin, in_flight: &str) -> Larder {
    let setup = Setup::before(origin).set("tier.in_flight", in_flight);
    setup.start().await
}

#[tokio::test]
async fn the_first_connections_may_be_far_ahead_and_all_others_no_less_than_ever() {
    let origin = Origin::start();
    let larder = with_in_flight(&origin, "32MiB").await;
    let (mut lines, mut besides) = (Vec::new(), Vec::new());
    for _ in 0..200 {
        let (line, one, all) = windows(&larder).await;
        lines.push(line);
        besides.push(one.checked_sub(LEAST).expect("no less"));
        assert_eq!(all, one + BESIDE, "one that stands still leaves room");
    }
    assert_eq!(besides[0], 2 * MIB);
    assert!(besides.is_sorted_by(|one, next| one >= next));
    assert!(besides.iter().sum::<u32>() <= 32 * MIB);
    drop(lines);
    eventually("what they had is had again", async || {
        windows(&larder).await.1 == LEAST + 2 * MIB
    })
    .await;
}

#[tokio::test]
async fn where_there_is_no_memory_nobody_is_further_ahead() {
    let origin = Origin::start();
    let larder = with_in_flight(&origin, "1B").await;
    let (_line, one, all) = windows(&larder).await;
    assert_eq!((one, all), (LEAST, LEAST + BESIDE));
}
