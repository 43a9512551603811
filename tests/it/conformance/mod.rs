//! HTTP/1.1 to the letter: a table of dialogues, byte by byte, and what comes of each.
//!
//! Of every case it is asked whether the right answer comes, whether the connection is closed behind a
//! message that could be read in two ways, what the origin has seen of it, what is left under its name,
//! and whether a usual request goes well afterwards: on the same connection where that is kept, and on
//! another one always.

mod case;
mod chunks;
mod codings;
mod exchanges;
mod heads;
mod lengths;
pub mod passed;
mod player;
mod targets;
mod unread;
mod upstream;

use std::panic::AssertUnwindSafe;

use futures_util::FutureExt;
use futures_util::future::join_all;

use crate::support::{Larder, Origin, Setup, artifact, script};
use case::{Case, Place};
use player::{KNOWN, KNOWN_BODY, play};

/// No more than this may be uploaded here.
const MAX_SIZE: &str = "64KiB";

fn cases(place: Place) -> Vec<Case> {
    let tables = [
        lengths::cases(),
        codings::cases(),
        chunks::cases(),
        heads::cases(),
        targets::cases(),
        exchanges::cases(),
        unread::cases(),
    ];
    let is_played = |case: &Case| case.place == place || case.place == Place::Anywhere;
    tables.into_iter().flatten().filter(is_played).collect()
}

fn mark(number: usize) -> String {
    format!("c{number:03}x")
}

async fn start(setup: Setup) -> Larder {
    let larder = setup.set("upload.max_size", MAX_SIZE).start().await;
    let mut client = larder.stranger();
    let known = client.put(&artifact(KNOWN), KNOWN_BODY).await;
    assert_eq!(known.status, 202);
    // Now it may read and write for sure, and no case is asked about it.
    client.get(&artifact(KNOWN)).await.assert_body(KNOWN_BODY);
    larder
}

/// Plays all of them at once, and tells which have failed.
async fn play_all(cases: &[Case], larder: &Larder, origin: Option<&Origin>) {
    let playing = cases.iter().enumerate().map(|(number, case)| async move {
        let mark = mark(number);
        let played = play(case, &mark, larder.address(), origin);
        let failed = AssertUnwindSafe(played).catch_unwind().await.is_err();
        failed.then_some(case.name)
    });
    let failed: Vec<_> = join_all(playing).await.into_iter().flatten().collect();
    assert!(
        failed.is_empty(),
        "{} of {}: {failed:#?}",
        failed.len(),
        cases.len()
    );
}

#[tokio::test]
async fn every_case_before_an_origin() {
    let origin = Origin::start();
    let larder = start(Setup::before(&origin)).await;
    play_all(&cases(Place::Before), &larder, Some(&origin)).await;
}

#[tokio::test]
async fn every_case_alone() {
    let larder = start(Setup::alone()).await;
    play_all(&cases(Place::Alone), &larder, None).await;
}

/// One after the other: a connection upstream on which an answer was odd is there for the next.
#[tokio::test]
async fn every_odd_answer_of_an_origin() {
    let origin = Origin::start();
    let larder = start(Setup::before(&origin)).await;
    for (number, case) in upstream::cases().iter().enumerate() {
        let mark = mark(number);
        let says = case.origin_says.expect("an answer");
        let answers = [
            ("GET", script()),
            ("HEAD", script()),
            ("PUT", script().early()),
        ];
        for (method, answer) in answers {
            let answer = answer.loose(says);
            let closing = case.origin_closes;
            let answer = if closing { answer.cut() } else { answer };
            origin.always(method, &mark, answer);
        }
        play(case, &mark, larder.address(), Some(&origin)).await;
    }
}
