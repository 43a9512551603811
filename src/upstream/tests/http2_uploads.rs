//! Uploads over a shared connection, and their endings.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http_body::{Body, Frame as BodyFrame};
use http_body_util::{Full, StreamBody};
use tokio::time::timeout;

use super::super::{Delivered, Upstream};
use super::frames::{
    Act, CANCEL, DATA, END_STREAM, Frame, NO_ERROR, REFUSED_STREAM, RST_STREAM, WINDOW, at_end,
    data,
};
use super::h2_origin::{Origin, Script};
use super::{LONG, SHORT, artifact, backing, found, upstream, whole};
use crate::artifact::Failure;
use crate::metrics::Metrics;
use crate::tasks::Tasks;

const PIECES: usize = 64;
const PIECE: usize = 64 * 1024;

fn pieces(count: usize) -> impl futures_util::Stream<Item = Result<BodyFrame<Bytes>, Infallible>> {
    let piece = Bytes::from(vec![b'x'; PIECE]);
    stream::iter((0..count).map(move |_| Ok(BodyFrame::data(piece.clone()))))
}

/// A body that says it is longer than what comes of it, and then waits for ever.
fn endless() -> impl Body<Data = Bytes, Error = Infallible> + Send + Unpin + 'static {
    StreamBody::new(pieces(1).chain(stream::pending()))
}

async fn store_long(upstream: &Upstream) -> Delivered {
    let length = (PIECES * PIECE) as u64;
    let body = StreamBody::new(pieces(PIECES));
    upstream
        .store(artifact(), Some(length), body, backing())
        .await
}

async fn store_endless(upstream: &Upstream) -> Delivered {
    let length = (PIECES * PIECE) as u64;
    upstream
        .store(artifact(), Some(length), endless(), backing())
        .await
}

async fn small(upstream: &Upstream) {
    let fetch = found(upstream.fetch(&artifact()).await);
    assert_eq!(whole(fetch).await.unwrap(), "abc");
}

fn is_reset(frame: &Frame, stream: u32) -> bool {
    frame.kind == RST_STREAM && frame.stream == stream && frame.payload == CANCEL.to_be_bytes()
}

/// Answers what has ended, and bodies of uploads as `play` says.
fn uploads(play: impl Fn(&Frame) -> Vec<Act>) -> impl Fn(&Frame) -> Vec<Act> {
    move |frame| {
        if frame.is_end() {
            frame.answered("200", "abc")
        } else {
            play(frame)
        }
    }
}

#[tokio::test]
async fn an_upload_longer_than_all_windows_is_accepted() {
    let origin = Origin::start(uploads(|_| vec![])).await;
    let delivered = store_long(&upstream(&origin.config())).await;
    assert!(matches!(delivered, Delivered::Accepted(_)), "{delivered:?}");
    let seen = origin.taken(1);
    assert_eq!(seen, PIECES * PIECE);
}

#[tokio::test]
async fn an_early_refusal_is_heard_and_the_connection_serves_on() {
    for status in ["401", "413"] {
        let refused = AtomicBool::new(false);
        let origin = Origin::start(uploads(move |frame| {
            let is_first = frame.kind == DATA && !refused.swap(true, Ordering::Relaxed);
            match frame.stream {
                1 if frame.is_head() => vec![],
                3 if is_first => [
                    frame.answered(status, "no more"),
                    vec![frame.reset(NO_ERROR)],
                ]
                .concat(),
                _ => vec![],
            }
        }))
        .await;
        let upstream = upstream(&origin.config());
        small(&upstream).await;
        match store_endless(&upstream).await {
            Delivered::Refused(answer) => {
                assert_eq!(answer.code().to_string(), status);
                assert_eq!(answer.body(), "no more");
            }
            other => panic!("{other:?}"),
        }
        small(&upstream).await;
        assert_eq!(origin.requests(), [(1, 1), (1, 3), (1, 5)]);
    }
}

#[tokio::test]
async fn a_refusal_cuts_no_other_exchange() {
    let refused = AtomicBool::new(false);
    let origin = Origin::start(move |frame| {
        let is_first = frame.kind == DATA && !refused.swap(true, Ordering::Relaxed);
        match frame.stream {
            1 if frame.is_head() => vec![frame.head("200", &[], 0), frame.data("a", 0)],
            3 if is_first => frame.answered("403", "no"),
            3 if frame.kind == RST_STREAM => vec![data(1, "bc", END_STREAM)],
            _ => vec![],
        }
    })
    .await;
    let upstream = upstream(&origin.config());
    let other = found(upstream.fetch(&artifact()).await);
    let delivered = store_endless(&upstream).await;
    assert!(matches!(delivered, Delivered::Refused(_)), "{delivered:?}");
    // The origin has not reset the stream: it is on us to end what nobody wants.
    origin.has_seen(|frame| is_reset(frame, 3)).await;
    assert_eq!(whole(other).await.unwrap(), "abc");
}

#[tokio::test]
async fn an_early_acceptance_counts_only_when_the_body_has_gone_out() {
    let accepted = AtomicBool::new(false);
    let origin = Origin::start(move |frame| {
        let is_first = frame.kind == DATA && !accepted.swap(true, Ordering::Relaxed);
        if is_first {
            return [frame.answered("200", ""), vec![frame.reset(NO_ERROR)]].concat();
        }
        vec![]
    })
    .await;
    match store_endless(&upstream(&origin.config())).await {
        Delivered::Failed {
            failure: Failure::Cut,
            sent_whole: false,
            ..
        } => {}
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn an_origin_that_takes_no_more_is_a_timeout_however_busy_the_connection_is() {
    let script = Script::new().stingy().with(WINDOW, 1024);
    let origin = script.start(uploads(|_| vec![])).await;
    let mut config = origin.config();
    config.idle_timeout = SHORT * 5;
    let upstream = upstream(&config);
    small(&upstream).await;
    let busy = async {
        loop {
            small(&upstream).await;
        }
    };
    let delivered = tokio::select! {
        delivered = timeout(LONG, store_long(&upstream)) => delivered.expect("it never ends"),
        () = busy => unreachable!(),
    };
    match delivered {
        Delivered::Failed {
            failure: Failure::Timeout,
            sent_whole: false,
            ..
        } => {}
        other => panic!("{other:?}"),
    }
    small(&upstream).await;
    assert!(
        origin
            .requests()
            .iter()
            .all(|(connection, _)| *connection == 1)
    );
}

async fn store_small(origin: &Origin) -> Delivered {
    let body = Full::new(Bytes::from_static(b"abc"));
    let upstream = upstream(&origin.config());
    upstream.store(artifact(), Some(3), body, backing()).await
}

#[tokio::test]
async fn an_upload_that_was_not_taken_is_known_to_be_unseen_and_worth_another_try() {
    let origin = Origin::start(at_end(|frame| vec![frame.reset(REFUSED_STREAM)])).await;
    match store_small(&origin).await {
        Delivered::Failed {
            failure: Failure::Cut,
            sent_whole: false,
            again: Some(_),
        } => {}
        other => panic!("{other:?}"),
    }
    assert_eq!(origin.requests(), [(1, 1)]);
}

#[tokio::test]
async fn a_break_after_the_whole_body_leaves_the_outcome_open() {
    let origin = Origin::start(at_end(|_| vec![Act::Close])).await;
    match store_small(&origin).await {
        Delivered::Failed {
            failure: Failure::Cut,
            sent_whole: true,
            ..
        } => {}
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn an_upload_whose_own_body_breaks_is_withdrawn_and_the_connection_serves_on() {
    let origin = Origin::start(uploads(|_| vec![])).await;
    let metrics = Arc::new(Metrics::new().unwrap());
    let upstream = Upstream::new(&origin.config(), Arc::clone(&metrics), Tasks::new()).unwrap();
    let pieces = || {
        [
            Ok(BodyFrame::data(Bytes::from_static(b"ab"))),
            Err("broke off"),
        ]
    };
    for length in [Some(4), None] {
        let body = StreamBody::new(stream::iter(pieces()));
        match upstream.store(artifact(), length, body, backing()).await {
            Delivered::Failed { sent_whole, .. } => assert!(!sent_whole),
            other => panic!("{other:?}"),
        }
    }
    small(&upstream).await;
    assert_eq!(origin.requests(), [(1, 1), (1, 3), (1, 5)]);
    let counted = metrics.registry().gather();
    let requests = counted
        .iter()
        .find(|family| family.name() == "larder_upstream_requests_total");
    let series = requests.unwrap().get_metric();
    let results: Vec<_> = series
        .iter()
        .filter(|one| one.get_counter().get_value() > 0.0)
        .map(|one| one.get_label()[1].value())
        .collect();
    assert_eq!(results, ["ok", "withdrawn"]);
}
