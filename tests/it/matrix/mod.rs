//! Who may read a hit: every way in which Larder can hold an artifact, be asked for it, by whom, and
//! before which origin.
//!
//! The table is data ([`axes`]), and what each cell must show is a rule ([`rule`]). Each asker puts
//! its question to the origin too, so that the rule cannot be wrong about that.

mod axes;
mod cell;
mod check;
mod rule;
mod stage;

use std::panic::AssertUnwindSafe;

use futures_util::FutureExt;

use crate::support::{Client, Head, Reply, Seen, Style, script};
use axes::{Asked, Asker, Held, Word};
use cell::Cell;
use check::{Sight, complaints};
use rule::{Expect, may_see};
use stage::{Ground, Stage};

#[tokio::test]
async fn where_only_artifacts_are_guarded_a_hit_is_for_whom_the_origin_would_serve() {
    assert_kept(Style::StatusPublic).await;
}

#[tokio::test]
async fn where_the_status_is_guarded_too_a_hit_is_for_whom_the_origin_would_serve() {
    assert_kept(Style::StatusGuarded).await;
}

#[tokio::test]
async fn where_every_stranger_is_told_404_a_hit_is_for_whom_the_origin_would_serve() {
    assert_kept(Style::AllHidden).await;
}

#[tokio::test]
async fn where_other_teams_are_told_404_a_hit_is_for_whom_the_origin_would_serve() {
    assert_kept(Style::TeamsHidden).await;
}

#[tokio::test]
async fn where_nothing_is_guarded_a_hit_is_for_everybody_under_its_query_and_nobody_else() {
    assert_kept(Style::Open).await;
}

/// Plays all cells before an origin of this style; fails with every one that is not as it must be.
async fn assert_kept(style: Style) {
    let all = Cell::all(style);
    let mut failures = Vec::new();
    for ground in Ground::all() {
        let cells: Vec<_> = all
            .iter()
            .filter(|cell| ground.is_for(cell))
            .copied()
            .collect();
        let stage = Stage::set(style, ground, &cells).await;
        for cell in &cells {
            failures.extend(failure(&stage, cell).await);
        }
    }
    let shown = all.iter().filter(|cell| may_see(cell) == Expect::Artifact);
    assert!(
        (1..all.len()).contains(&shown.count()),
        "a table that says nothing"
    );
    assert!(
        failures.is_empty(),
        "{} of {} cells:\n{}",
        failures.len(),
        all.len(),
        failures.join("\n")
    );
}

/// A cell with all that was wrong with it; a panic is one more complaint.
async fn failure(stage: &Stage, cell: &Cell) -> Option<String> {
    let played = AssertUnwindSafe(Box::pin(play(stage, cell)))
        .catch_unwind()
        .await;
    // Nothing is to wait for a cell that is over.
    stage.origin.release(&cell.gate());
    let complaints = played.unwrap_or_else(|panic| {
        let said = panic.downcast_ref::<String>().map(String::as_str);
        vec![
            said.or_else(|| panic.downcast_ref::<&str>().copied())
                .unwrap_or("a panic")
                .to_owned(),
        ]
    });
    (!complaints.is_empty()).then(|| format!("{cell}\n    {}", complaints.join("\n    ")))
}

async fn play(stage: &Stage, cell: &Cell) -> Vec<String> {
    stage.introduce(cell).await;
    let holding = stage.hold(cell).await;
    if !is_while_asked(cell) {
        stage.befall(cell);
    }
    if matches!(cell.asker, Asker::Revoked(_, Word::Heard(_))) {
        stage.let_it_be_heard(cell).await;
    }
    let mut asker = stage.asker(cell);
    let status = asker.get(&cell.target("status")).await.status;
    let (about_before, batches_before) = (about(stage, cell).len(), batches(stage).len());
    let reply = ask(stage, cell, &mut asker).await;
    let about = about(stage, cell).split_off(about_before);
    let batches = batches(stage).split_off(batches_before);
    let again = match cell.asker.accepted() {
        None => Some(asker.ask(&cell.request()).await),
        Some(_) => None,
    };
    let sight = Sight {
        status,
        reply,
        again,
        alone: stage.asker_alone(cell).ask(&cell.request()).await,
        about,
        batches,
    };
    let mut found = complaints(cell, &sight);
    found.extend(stage.end(cell, holding).await);
    found
}

/// Asks, and lets a fill go on as soon as the answer has begun.
async fn ask(stage: &Stage, cell: &Cell, asker: &mut Client) -> Reply {
    let head = if is_while_asked(cell) {
        answered_meanwhile(stage, cell, asker).await
    } else {
        asker.send_whole(&cell.request()).await;
        asker.read_head().await
    };
    let head = head.expect("an answer");
    let body = asker.read_some(1).await;
    stage.origin.release(&cell.gate());
    asker.rest_of(head, body).await
}

/// Asks, and lets the token's fate befall it while the origin thinks about the answer.
async fn answered_meanwhile(stage: &Stage, cell: &Cell, asker: &mut Client) -> Option<Head> {
    let thinking = format!("thinking-{}", cell.gate());
    let (method, name) = question(cell);
    stage
        .origin
        .once(method, &name, script().hold(&thinking).usual());
    asker.send_whole(&cell.request()).await;
    // An answer that nobody was asked about must fail this cell, not hang it.
    let hasty = tokio::select! {
        () = stage.origin.wait_at(&thinking) => None,
        hasty = asker.read_head() => hasty,
    };
    stage.befall(cell);
    stage.origin.release(&thinking);
    match hasty {
        Some(head) => Some(head),
        None => asker.read_head().await,
    }
}

/// How Larder puts a question that it cannot answer itself.
fn question(cell: &Cell) -> (&'static str, String) {
    match (cell.asked, cell.held) {
        (Asked::Batch, _) => ("POST", "artifacts".to_owned()),
        (Asked::Get, Held::Uploading) => ("GET", cell.hash()),
        (Asked::Get | Asked::Head, _) => ("HEAD", cell.hash()),
    }
}

fn is_while_asked(cell: &Cell) -> bool {
    matches!(cell.asker, Asker::Revoked(_, Word::WhileAsked))
}

/// Every `HEAD` and `GET` of a cell's artifact so far.
fn about(stage: &Stage, cell: &Cell) -> Vec<Seen> {
    let hash = cell.hash();
    let origin = &stage.origin;
    origin.seen_where(|seen| seen.is("HEAD", &hash) || seen.is("GET", &hash))
}

fn batches(stage: &Stage) -> Vec<Seen> {
    stage.origin.seen("POST", "artifacts")
}
