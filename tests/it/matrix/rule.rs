//! The rule: what an asker may be shown, derived from what the origin alone would show it. Pure.

use super::axes::{Asked, Asker, Fate, Held, Met, Query, Word};
use super::cell::Cell;
use crate::support::Style;

/// What an answer must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// The artifact, or what a `HEAD` or a batch says of it.
    Artifact,
    /// This status, and nothing that only the artifact has.
    Nothing(u16),
}

/// What a token is to the team that its request names, at the moment of asking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    Member,
    Elsewhere,
    Unknown,
}

/// What Larder must answer: what the origin alone would, in its words. But for one freedom: what is
/// here is shown to whom the origin has accepted a moment ago.
pub fn may_see(cell: &Cell) -> Expect {
    if is_known_here(cell) {
        return Expect::Artifact;
    }
    alone(cell)
}

/// Whether Larder need ask nobody: it has what is asked for, and knows who asks.
pub fn is_known_here(cell: &Cell) -> bool {
    is_here(cell) && is_remembered(cell)
}

/// What the origin would answer to that very request, were there no Larder.
pub fn alone(cell: &Cell) -> Expect {
    let is_there = cell.held != Held::Uploading && is_home(cell.asker);
    match refusal(cell.style, standing(cell.asker)) {
        Some(status) => Expect::Nothing(status),
        None if is_there => Expect::Artifact,
        // A batch says so of each hash.
        None if cell.asked == Asked::Batch => Expect::Nothing(200),
        None => Expect::Nothing(404),
    }
}

/// What the origin says to an asker who first asks for the status, which is to prove nothing.
pub fn status(cell: &Cell) -> u16 {
    match (cell.style, cell.asker) {
        (_, Asker::Revoked(_, Word::WhileAsked)) => 200,
        (Style::StatusGuarded, asker) => refusal(cell.style, standing(asker)).unwrap_or(200),
        _ => 200,
    }
}

/// Whether an acceptance of this asker stands: given within its time, and not taken back by a 401 or
/// a 403 that came this way. A 404 takes nothing back.
fn is_remembered(cell: &Cell) -> bool {
    let said = refusal(cell.style, standing(cell.asker));
    match cell.asker {
        Asker::Member(_, Met::Before) | Asker::Revoked(_, Word::Unheard(_)) => true,
        Asker::Revoked(_, Word::Heard(_)) => !matches!(said, Some(401 | 403)),
        _ => false,
    }
}

/// Whether Larder answers the question by what it has: batches are the origin's, and so is the
/// `HEAD` of what does not rest yet.
fn is_here(cell: &Cell) -> bool {
    let answers = matches!(
        (cell.held, cell.asked),
        (Held::Memory | Held::Disk, Asked::Get | Asked::Head) | (Held::Filling, Asked::Get)
    );
    answers && is_home(cell.asker)
}

fn refusal(style: Style, standing: Standing) -> Option<u16> {
    match (style, standing) {
        (Style::Open, _) | (_, Standing::Member) => None,
        (Style::AllHidden, _) | (Style::TeamsHidden, Standing::Elsewhere) => Some(404),
        (_, Standing::Unknown) => Some(401),
        (_, Standing::Elsewhere) => Some(403),
    }
}

fn standing(asker: Asker) -> Standing {
    match (asker, asker.fate()) {
        (Asker::NoToken | Asker::Garbage, _) | (_, Fate::Expired) => Standing::Unknown,
        (Asker::Outsider | Asker::Astray, _) | (_, Fate::Dismissed) => Standing::Elsewhere,
        // It is a member of the team that its `teamId` names, and a `teamId` counts before a slug.
        // And whoever names none is at home with itself.
        _ => Standing::Member,
    }
}

/// Whether the asker's query is the artifact's, but for the order of different parameters.
fn is_home(asker: Asker) -> bool {
    match asker {
        Asker::Confused | Asker::Astray | Asker::Neighbour => false,
        Asker::Member(query, _) => matches!(query, Query::Both | Query::Turned),
        _ => true,
    }
}
