//! Many who begin an upload and do not go on, or whom the upstream does not take it from.

use std::fs;

use futures_util::future::join_all;

use super::{Guest, MIB, Shared, Stage, Takes, sized};
use crate::support::{Origin, Speech, script};

/// Memory for bodies: less than the uploads would have.
const IN_FLIGHT: u64 = 4 * MIB;
/// What is said to be sent where no more than a part of it is taken: more than is ahead of the upstream, and
/// then thrown away, together.
const LONG: usize = 64 << 20;
/// How far ahead of the upstream whoever has not proven its right is read.
const AHEAD: u64 = 8 * MIB;

fn sizes() -> (usize, usize) {
    let (uploads, length) = sized((20, 12), (200, 100));
    (uploads, length << 20)
}

/// Begins an upload, and sends half of it, or as much as is taken where the disk has no room for all.
async fn half(stage: &Stage, number: usize, length: usize) -> Guest {
    let mut guest = Guest::new(&stage.larder).await;
    guest
        .ask("PUT", &format!("half{number}"), "member", length)
        .await;
    guest.stuff(length / 2).await;
    guest
}

/// Asserts that they are cut in time, and others served meanwhile.
async fn are_cut(stage: &Stage, uploads: usize) {
    let cut = [("limit", "body-time")];
    // Of many some wait for room on the disk, and their clients for them.
    let least = sized(uploads, 1);
    stage.until("larder_limits_total", &cut, least).await;
    stage.serves("where they are cut").await;
}

/// Bytes written to drafts.
fn drafts(stage: &Stage) -> u64 {
    let folder = stage.larder.setup().data_dir().join("v1/tmp");
    let drafts = fs::read_dir(folder).expect("a folder");
    let length = drafts.filter_map(|draft| Some(draft.ok()?.metadata().ok()?.len()));
    length.sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn uploads_that_stand_still_wait_on_the_disk_until_they_are_cut() {
    let (uploads, length) = sizes();
    let stage = soon_cut().await;
    let bound = stage.bound().and(uploads, Takes::Connection);
    let bound = bound.and(uploads, Takes::Upload);
    let story = async {
        let begun = (0..uploads).map(|number| half(&stage, number, length));
        let _guests = join_all(begun).await;
        assert!(drafts(&stage) > 0);
        stage.serves("among uploads that stand still").await;
        assert!(stage.limited("memory").await > 0.0);
        are_cut(&stage, uploads).await;
    };
    stage
        .withstands("uploads that stand still", bound, story)
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn so_they_do_where_they_share_connections() {
    let (uploads, length) = sizes();
    let connections = sized(2, 10);
    let stage = soon_cut().await;
    let bound = stage.bound().and(connections, Takes::Connection);
    let bound = bound.and(uploads, Takes::Stream).and_ahead(IN_FLIGHT);
    let bound = bound.and(uploads, Takes::Upload);
    let story = async {
        let mut shared = Vec::new();
        for _ in 0..connections {
            shared.push(Shared::new(&stage.larder, None).await);
        }
        let mut bodies = Vec::new();
        for number in 0..uploads {
            let one = &shared[number % connections];
            let hash = format!("half{number}");
            bodies.push(one.stuff(&hash, "member", (length, length / 2)).await);
        }
        stage.serves("among streams that stand still").await;
        are_cut(&stage, uploads).await;
    };
    stage
        .withstands("streams that stand still", bound, story)
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn strangers_get_as_far_as_the_upstream_lets_them_and_a_little_ahead() {
    let (strangers, length) = (sized(10, 50), LONG);
    let stage = before_nobody_who_reads(strangers).await;
    let bound = stage.bound().and(strangers, Takes::Connection);
    let bound = bound.and(strangers, Takes::Upload);
    let bound = bound.and(strangers, Takes::Sent);
    let story = async {
        let begin = async |number: usize| {
            let mut guest = Guest::new(&stage.larder).await;
            let hash = format!("strange{number}");
            guest.ask("PUT", &hash, "stranger", length).await;
            let sent = guest.stuff(length).await;
            assert!(sent < length, "{sent}");
            guest
        };
        let _guests = join_all((0..strangers).map(begin)).await;
        has_little_of_each(&stage, strangers).await;
    };
    stage.withstands("strangers", bound, story).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn so_they_do_where_they_share_a_connection() {
    let (strangers, length) = (sized(10, 50), LONG);
    let connections = sized(2, 50);
    let stage = before_nobody_who_reads(strangers).await;
    let bound = stage.bound().and(connections, Takes::Connection);
    let bound = bound.and(strangers, Takes::Stream).and_ahead(IN_FLIGHT);
    let bound = bound.and(strangers, Takes::Upload);
    let bound = bound.and(strangers, Takes::Sent);
    let bound = bound.and(strangers.min(4 * connections), Takes::Window);
    let story = async {
        let mut shared = Vec::new();
        for _ in 0..connections {
            shared.push(Shared::new(&stage.larder, None).await);
        }
        let begin = async |number: usize| {
            let hash = format!("strange{number}");
            let one = &shared[number % connections];
            let (body, sent) = one.stuff(&hash, "stranger", (length, length)).await;
            assert!(sent < length, "{sent}");
            body
        };
        let _bodies = join_all((0..strangers).map(begin)).await;
        has_little_of_each(&stage, strangers).await;
    };
    stage.withstands("strangers, HTTP/2", bound, story).await;
}

/// Where an upload that stands still is cut soon.
async fn soon_cut() -> Stage {
    let patience = sized("4s", "10s");
    Stage::new(IN_FLIGHT, |setup| {
        setup.set("server.body_timeout", patience)
    })
    .await
}

/// Before an origin that takes no byte of a stranger's upload.
async fn before_nobody_who_reads(strangers: usize) -> Stage {
    let origin = Origin::narrow(Speech::Http1);
    for number in 0..strangers {
        let silence = script().early().stall();
        origin.always("PUT", &format!("strange{number}"), silence);
    }
    Stage::before(origin, IN_FLIGHT, |setup| {
        setup.set("upstream.idle_timeout", "3s")
    })
    .await
}

/// Asserts that little more than is ahead of the upstream was written, and that reads go on.
async fn has_little_of_each(stage: &Stage, strangers: usize) {
    let written = drafts(stage);
    assert!(written > 0);
    assert!(written <= strangers as u64 * (AHEAD + MIB), "{written}");
    stage.serves_readers("among strangers' uploads").await;
}
