//! What an origin that fails costs: every place where an exchange can go wrong, every way in which it
//! can, whom it meets, and over which protocol.
//!
//! The table is data ([`axes`]). Which cells make sense, and what each comes to, is a rule ([`rule`]):
//! for the client, at the origin, in the metrics, and in the tiers afterwards.

mod axes;
mod cell;
mod check;
mod ledger;
mod rule;
mod stage;

use std::any::Any;
use std::panic::AssertUnwindSafe;

use futures_util::{FutureExt, StreamExt, stream};

use axes::{Asker, Fault, Protocol};
use cell::Cell;
use check::complaints;
use rule::{outcome, senseless};
use stage::Stage;

/// Stages played on at once: most of their time is spent waiting for what never comes.
const AT_ONCE: usize = 12;

#[tokio::test]
async fn a_plain_origin_that_fails_costs_what_is_said_and_no_more() {
    assert_kept(Protocol::Http1).await;
}

#[tokio::test]
async fn an_origin_that_fails_over_tls_costs_what_is_said_and_no_more() {
    assert_kept(Protocol::Http1Tls).await;
}

#[tokio::test]
async fn an_origin_that_fails_over_http2_costs_what_is_said_and_no_more() {
    assert_kept(Protocol::Http2Tls).await;
}

#[test]
fn whatever_is_left_out_of_the_table_has_a_reason_and_nobody_is_left_out_of_it() {
    for protocol in Protocol::ALL {
        let (all, played) = (Cell::product(protocol), Cell::all(protocol));
        let left_out = all.iter().filter_map(senseless);
        assert_eq!(left_out.count() + played.len(), all.len());
        for asker in Asker::ALL {
            for fault in Fault::ALL {
                let is_played = |cell: &Cell| cell.asker == asker && cell.fault == fault;
                let needs_a_body = fault.is_lie() && !asker.fetches() && !asker.is_upload();
                let is_unsaid = fault == Fault::GoAway && protocol != Protocol::Http2Tls;
                assert_eq!(
                    played.iter().any(is_played),
                    !needs_a_body && !is_unsaid,
                    "{asker:?} {fault:?}"
                );
            }
        }
    }
}

/// Plays all cells of a protocol; fails with every one that is not as it must be.
async fn assert_kept(protocol: Protocol) {
    let cells = Cell::all(protocol);
    let count = cells.len();
    let failures: Vec<_> = stream::iter(groups(cells))
        .map(|group| async move { play_all(&group).await })
        .buffer_unordered(AT_ONCE)
        .concat()
        .await;
    assert!(
        failures.is_empty(),
        "{} of {count} cells:\n{}",
        failures.len(),
        failures.join("\n")
    );
}

/// Cells that can be played on one stage, one after the other; what takes long goes first.
fn groups(cells: Vec<Cell>) -> Vec<Vec<Cell>> {
    let mut groups: Vec<Vec<Cell>> = Vec::new();
    for cell in cells {
        let fits = |group: &&mut Vec<Cell>| shares_stage(&group[0], &cell);
        match groups.iter_mut().find(fits) {
            Some(group) => group.push(cell),
            None => groups.push(vec![cell]),
        }
    }
    groups.sort_by_key(|group| (group[0].fault != Fault::Stall, !group[0].asker.is_upload()));
    groups
}

/// Whether two cells need the same configuration, and neither keeps the other waiting.
fn shares_stage(one: &Cell, other: &Cell) -> bool {
    let is_alone = |cell: &Cell| cell.fault == Fault::Stall || cell.asker == Asker::Lapsed;
    let is_same_fault = (one.place, one.fault) == (other.place, other.fault);
    is_same_fault && !is_alone(one) && !is_alone(other)
}

async fn play_all(cells: &[Cell]) -> Vec<String> {
    let mut failures = Vec::new();
    let mut stage = None;
    for cell in cells {
        let played = AssertUnwindSafe(Box::pin(play(cell, &mut stage)))
            .catch_unwind()
            .await;
        let complaints = played.unwrap_or_else(|panic| {
            // Whatever it was, the next cell is to find nothing of it.
            stage = None;
            vec![said(&*panic)]
        });
        failures.extend(failure(cell, &complaints));
    }
    failures
}

/// What is to be told of a cell that was played.
fn failure(cell: &Cell, complaints: &[String]) -> Option<String> {
    (!complaints.is_empty()).then(|| format!("{cell}\n    {}", complaints.join("\n    ")))
}

async fn play(cell: &Cell, stage: &mut Option<Stage>) -> Vec<String> {
    let stage = match stage {
        Some(stage) => stage,
        None => stage.insert(Stage::set(cell).await),
    };
    let outcome = outcome(cell);
    let sight = stage.play(cell, &outcome).await;
    complaints(cell, &outcome, &sight)
}

fn said(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("a panic")
        .to_owned()
}
