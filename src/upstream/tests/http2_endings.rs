//! How exchanges end that share a connection, and what the others notice of it.

use std::time::Duration;

use http_body_util::BodyExt;
use tokio::sync::watch;
use tokio::time::timeout;

use super::super::{Fetched, Upstream};
use super::frames::{
    Act, CANCEL, END_STREAM, Frame, INTERNAL_ERROR, NO_ERROR, REFUSED_STREAM, RST_STREAM, at_head,
    data, going_away,
};
use super::h2_origin::{Origin, Script};
use super::{LONG, SHORT, artifact, failed, found, upstream, whole};
use crate::artifact::Failure;

/// Short enough to wait for, and long enough for whoever answers at once.
const PATIENT: Duration = SHORT.saturating_mul(5);

async fn small(upstream: &Upstream) {
    let fetch = found(upstream.fetch(&artifact()).await);
    assert_eq!(whole(fetch).await.unwrap(), "abc");
}

#[tokio::test]
async fn a_request_that_the_origin_did_not_take_before_it_went_is_sent_again() {
    for reason in [NO_ERROR, INTERNAL_ERROR] {
        let origin = Origin::start(at_head(move |frame| {
            match (frame.connection, frame.stream) {
                (1, 3) => vec![going_away(1, reason)],
                _ => frame.answered("200", "abc"),
            }
        }))
        .await;
        let upstream = upstream(&origin.config());
        small(&upstream).await;
        small(&upstream).await;
        assert_eq!(origin.requests(), [(1, 1), (1, 3), (2, 1)]);
    }
}

#[tokio::test]
async fn what_an_origin_took_before_it_went_is_finished_there() {
    let (gate, opened) = watch::channel(false);
    let origin = Origin::start(at_head(move |frame| {
        match (frame.connection, frame.stream) {
            (1, 1) => vec![frame.head("200", &[], 0), frame.data("a", 0)],
            (1, 3) => vec![
                going_away(1, NO_ERROR),
                Act::Wait(opened.clone()),
                data(1, "bc", END_STREAM),
            ],
            _ => frame.answered("200", "abc"),
        }
    }))
    .await;
    let upstream = upstream(&origin.config());
    let first = found(upstream.fetch(&artifact()).await);
    small(&upstream).await;
    gate.send_replace(true);
    assert_eq!(whole(first).await.unwrap(), "abc");
    assert_eq!(origin.requests(), [(1, 1), (1, 3), (2, 1)]);
}

#[tokio::test]
async fn a_refused_stream_is_tried_once_more() {
    let origin = Origin::start(at_head(|frame| match frame.stream {
        3 | 7.. => vec![frame.reset(REFUSED_STREAM)],
        _ => frame.answered("200", "abc"),
    }))
    .await;
    let upstream = upstream(&origin.config());
    small(&upstream).await;
    small(&upstream).await;
    assert_eq!(failed(&upstream.fetch(&artifact()).await), Failure::Cut);
    let streams = [1, 3, 5, 7, 9].map(|stream| (1, stream));
    assert_eq!(origin.requests(), streams);
}

#[tokio::test]
async fn a_read_that_was_reset_is_sent_once_more_as_over_any_connection() {
    let origin = Origin::start(at_head(|frame| match frame.stream {
        1 => frame.answered("200", "abc"),
        _ => vec![frame.reset(INTERNAL_ERROR)],
    }))
    .await;
    let upstream = upstream(&origin.config());
    small(&upstream).await;
    assert_eq!(failed(&upstream.fetch(&artifact()).await), Failure::Cut);
    assert_eq!(origin.requests(), [(1, 1), (1, 3), (1, 5)]);
}

#[tokio::test]
async fn a_request_that_met_a_closing_connection_is_sent_again() {
    let origin = Origin::start(at_head(|frame| match (frame.connection, frame.stream) {
        (1, 3) => vec![Act::Close],
        _ => frame.answered("200", "abc"),
    }))
    .await;
    let upstream = upstream(&origin.config());
    small(&upstream).await;
    small(&upstream).await;
    assert_eq!(origin.requests(), [(1, 1), (1, 3), (2, 1)]);
}

#[tokio::test]
async fn a_connection_that_breaks_ends_all_its_bodies_visibly() {
    let origin = Origin::start(at_head(|frame| match frame.stream {
        1 => frame.answered("200", "abc"),
        3 => vec![
            frame.head("200", &[("content-length", "9")], 0),
            frame.data("abc", 0),
        ],
        5 => vec![frame.head("200", &[], 0), frame.data("abc", 0)],
        _ => vec![Act::Close],
    }))
    .await;
    let upstream = upstream(&origin.config());
    small(&upstream).await;
    let mut bodies = Vec::new();
    for _ in 0..2 {
        let mut body = found(upstream.fetch(&artifact()).await).body;
        let piece = body.frame().await.unwrap().unwrap();
        assert_eq!(piece.into_data().unwrap(), "abc");
        bodies.push(body);
    }
    // Nothing is heard after it was sent, so it goes to another connection.
    small(&upstream).await;
    for mut body in bodies {
        assert_eq!(body.frame().await.unwrap().unwrap_err(), Failure::Cut);
    }
    assert_eq!(origin.requests().last(), Some(&(2, 1)));
}

#[tokio::test]
async fn a_cut_body_never_ends_cleanly_and_cuts_no_other() {
    for length in [Some("9"), None] {
        for reason in [NO_ERROR, INTERNAL_ERROR, CANCEL] {
            let origin = Origin::start(at_head(move |frame| match (frame.stream, length) {
                (1, _) => vec![frame.head("200", &[], 0), frame.data("a", 0)],
                (3, Some(length)) => vec![
                    frame.head("200", &[("content-length", length)], 0),
                    frame.data("abc", 0),
                    frame.reset(reason),
                    data(1, "bc", END_STREAM),
                ],
                (3, None) => vec![
                    frame.head("200", &[], 0),
                    frame.data("abc", 0),
                    frame.reset(reason),
                    data(1, "bc", END_STREAM),
                ],
                _ => frame.answered("200", "abc"),
            }))
            .await;
            let upstream = upstream(&origin.config());
            let other = found(upstream.fetch(&artifact()).await);
            match upstream.fetch(&artifact()).await {
                Fetched::Found(fetch) => assert_eq!(whole(fetch).await, Err(Failure::Cut)),
                cut => assert_eq!(failed(&cut), Failure::Cut),
            }
            assert_eq!(whole(other).await.unwrap(), "abc");
            small(&upstream).await;
            assert_eq!(origin.requests().last(), Some(&(1, 5)));
        }
    }
}

#[tokio::test]
async fn a_stream_of_another_length_than_was_said_is_cut() {
    for said in ["2", "4"] {
        let origin = Origin::start(at_head(move |frame| {
            let head = frame.head("200", &[("content-length", said)], 0);
            vec![head, frame.data("a", 0), frame.data("bc", END_STREAM)]
        }))
        .await;
        match upstream(&origin.config()).fetch(&artifact()).await {
            Fetched::Found(fetch) => assert_eq!(whole(fetch).await, Err(Failure::Cut), "{said}"),
            // The client may find it out before it has handed over the head.
            early => assert_eq!(failed(&early), Failure::Error, "{said}"),
        }
    }
}

#[tokio::test]
async fn an_answer_that_speaks_of_its_connection_is_none() {
    let origin = Origin::start(at_head(|frame| {
        let fields = [("connection", "close"), ("content-length", "0")];
        vec![frame.head("200", &fields, END_STREAM)]
    }))
    .await;
    let fetched = upstream(&origin.config()).fetch(&artifact()).await;
    assert_eq!(failed(&fetched), Failure::Error);
}

#[tokio::test]
async fn a_stream_that_stalls_is_a_timeout_and_holds_up_no_other() {
    let origin = Origin::start(at_head(|frame| match frame.stream {
        1 => vec![frame.head("200", &[], 0)],
        3 => vec![data(1, "a", 0)],
        5 => vec![frame.head("200", &[], 0), frame.data("abc", 0)],
        7 => vec![
            data(1, "bc", END_STREAM),
            frame.head("200", &[], 0),
            frame.data("abc", END_STREAM),
        ],
        _ => vec![],
    }))
    .await;
    let mut config = origin.config();
    config.first_byte_timeout = PATIENT;
    let upstream = upstream(&config);
    let healthy = found(upstream.fetch(&artifact()).await);
    assert_eq!(failed(&upstream.fetch(&artifact()).await), Failure::Timeout);
    let is_reset = |frame: &Frame| frame.kind == RST_STREAM && frame.stream == 3;
    origin.has_seen(is_reset).await;
    drop(found(upstream.fetch(&artifact()).await));
    origin
        .has_seen(|frame| frame.kind == RST_STREAM && frame.stream == 5)
        .await;
    small(&upstream).await;
    assert_eq!(whole(healthy).await.unwrap(), "abc");
    assert_eq!(origin.requests().last(), Some(&(1, 7)));
}

#[tokio::test]
async fn a_silent_body_is_a_timeout_and_holds_up_no_other() {
    let origin = Origin::start(at_head(|frame| match frame.stream {
        1 => vec![frame.head("200", &[], 0), frame.data("a", 0)],
        _ => frame.answered("200", "abc"),
    }))
    .await;
    let mut config = origin.config();
    config.idle_timeout = PATIENT;
    let upstream = upstream(&config);
    let silent = found(upstream.fetch(&artifact()).await);
    assert_eq!(whole(silent).await, Err(Failure::Timeout));
    origin.has_seen(|frame| frame.kind == RST_STREAM).await;
    small(&upstream).await;
    assert_eq!(origin.requests(), [(1, 1), (1, 3)]);
}

#[tokio::test]
async fn nobody_joins_a_connection_that_was_silent_for_as_long_as_an_answer_may_take() {
    let origin = Origin::start(at_head(|frame| match (frame.connection, frame.stream) {
        (1, 3..) => vec![],
        _ => frame.answered("200", "abc"),
    }));
    let origin = origin.await;
    let mut config = origin.config();
    config.first_byte_timeout = PATIENT;
    let upstream = upstream(&config);
    small(&upstream).await;
    assert_eq!(failed(&upstream.fetch(&artifact()).await), Failure::Timeout);
    small(&upstream).await;
    assert_eq!(origin.requests(), [(1, 1), (1, 3), (2, 1)]);
}

#[tokio::test]
async fn a_connection_that_answers_no_ping_is_found_dead() {
    let origin = Script::new().dead().start(at_head(|frame| {
        vec![frame.head("200", &[], 0), frame.data("abc", 0)]
    }));
    let origin = origin.await;
    let mut config = origin.config();
    config.idle_timeout = Duration::from_hours(1);
    config.exchange_timeout = Duration::from_hours(1);
    let upstream = upstream(&config);
    let fetch = found(upstream.fetch(&artifact()).await);
    tokio::time::pause();
    let ended = timeout(LONG * 4, whole(fetch)).await;
    assert_eq!(ended.expect("it is never found out"), Err(Failure::Cut));
}
