//! The rule: which cells make sense, and what each comes to. Pure.

use std::ops::RangeInclusive;

use super::axes::{Asker, Fault, Place, Protocol};
use super::cell::{Cell, LIE, TAKEN};

/// Why the upstream could not say, as `Cache-Status` and the metrics name it.
pub type Why = &'static [&'static str];

/// What a cell comes to.
#[derive(Clone, Debug)]
pub struct Outcome {
    pub told: Told,
    /// How often the origin is asked, or connected to where nobody could ask.
    pub asked: RangeInclusive<usize>,
    /// How many requests upstream are counted, and as what.
    pub sent: RangeInclusive<u64>,
    pub results: Why,
    /// What the clients' requests are counted as.
    pub counted: Why,
    pub after: After,
}

/// What the client sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// A 404 that says why.
    Missed(Why),
    /// The artifact's first bytes, so many, and no end.
    Cut(RangeInclusive<usize>),
    /// So many bytes, as a whole artifact.
    Whole(usize),
    /// What is here, on grace.
    Grace,
    /// A 424 that says why.
    Undelivered(Why),
    /// The origin's 202, with so much of its answer's body.
    Taken(usize),
}

/// What the tiers hold, as the next `GET` shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum After {
    /// Nothing: it is fetched.
    Nothing,
    /// What was there before.
    Older,
    /// So many bytes of what was fetched or uploaded, as a whole.
    Newer(usize),
}

/// Why a cell cannot be played, where it cannot.
pub fn senseless(cell: &Cell) -> Option<&'static str> {
    let is_http2 = cell.protocol == Protocol::Http2Tls;
    match (cell.place, cell.fault, cell.asker) {
        (Place::Handshake, ..) if cell.protocol == Protocol::Http1 => {
            Some("nobody shakes hands without TLS")
        }
        (Place::Connect | Place::Handshake, Fault::GoAway, _) => Some("nobody has asked yet"),
        (Place::Connect | Place::Handshake, Fault::Refuse, _) => None,
        (_, fault, _) if fault.is_disavowal() && !is_http2 => Some("HTTP/1.1 has no words for it"),
        (place, fault, _) if fault.is_disavowal() && place != Place::Head => {
            Some("nobody disavows what is being answered")
        }
        (place, fault, _) if fault.is_lie() && place != Place::End => {
            Some("a lie about a length comes out at the end")
        }
        (Place::Body(_) | Place::End, _, Asker::Head | Asker::Lapsed | Asker::Stranger) => {
            Some("the answer to a HEAD has no body")
        }
        _ => None,
    }
}

/// What a cell that makes sense comes to.
pub fn outcome(cell: &Cell) -> Outcome {
    match (cell.place, cell.asker.is_upload()) {
        (Place::Connect | Place::Handshake | Place::Head, false) => unanswered(cell),
        (Place::Body(_) | Place::End, false) => begun(cell),
        (Place::End, true) => taken(cell),
        (_, true) => undelivered(cell),
    }
}

/// A read of which nothing has been answered.
fn unanswered(cell: &Cell) -> Outcome {
    let why = why(cell);
    let (told, counted, after): (_, Why, _) = match cell.asker {
        Asker::Lapsed => (Told::Grace, &["hit-memory"], After::Older),
        Asker::Stranger => (Told::Missed(why), &["degraded"], After::Older),
        _ => (Told::Missed(why), &["degraded"], After::Nothing),
    };
    Outcome {
        told,
        asked: asked(cell),
        sent: 1..=most(cell),
        results: why,
        counted,
        after,
    }
}

/// A fetch that broke behind its head, or was as long as was said.
fn begun(cell: &Cell) -> Outcome {
    let (read, passed) = (cell.before_gate(), cell.passed());
    let (told, after) = match cell.fault {
        // HTTP/2 does without what is more than was promised.
        Fault::TooShort if cell.protocol == Protocol::Http2Tls => {
            (Told::Cut(read..=passed - LIE), After::Nothing)
        }
        // Every byte that was promised has come, and nothing tells that there were more.
        Fault::TooShort => (Told::Whole(passed - LIE), After::Newer(passed - LIE)),
        // What comes together with the fault may be lost with it.
        _ => (Told::Cut(read..=passed), After::Nothing),
    };
    Outcome {
        told,
        // Nothing is repeated behind a head.
        asked: 1..=1,
        sent: 1..=1,
        results: &["ok"],
        counted: &["filled", "collapsed"],
        after,
    }
}

/// An upload of which the origin has said nothing.
fn undelivered(cell: &Cell) -> Outcome {
    let why = why(cell);
    let waits_on = cell.place == Place::Head && cell.fault == Fault::Stall;
    let after = match cell.place {
        // The origin has read all of it, and may hold it, unless it says that it does not.
        Place::Head if !cell.fault.is_disavowal() => After::Nothing,
        _ => After::Older,
    };
    Outcome {
        told: Told::Undelivered(why),
        asked: asked(cell),
        // Its client has been told, and the origin may still answer.
        sent: if waits_on { 0..=0 } else { 1..=most(cell) },
        results: why,
        counted: &["degraded"],
        after,
    }
}

/// An upload that was accepted: the head says it all.
fn taken(cell: &Cell) -> Outcome {
    let relayed = match (cell.fault, cell.protocol) {
        (Fault::TooShort, Protocol::Http1 | Protocol::Http1Tls) => TAKEN.len() - LIE,
        // What is not whole is left out.
        _ => 0,
    };
    Outcome {
        told: Told::Taken(relayed),
        asked: 1..=1,
        sent: 1..=1,
        results: &["ok"],
        counted: &["stored"],
        after: After::Newer(cell.length()),
    }
}

/// What the fault is called where it leaves no answer.
fn why(cell: &Cell) -> Why {
    match (cell.place, cell.fault, cell.protocol) {
        (Place::Connect, Fault::Refuse | Fault::Stall, _) | (Place::Handshake, ..) => {
            &["unreachable"]
        }
        (Place::Connect, _, Protocol::Http1Tls | Protocol::Http2Tls) => &["unreachable"],
        // It is a matter of luck what comes first: the reset or the connection,
        (Place::Connect, Fault::Reset, Protocol::Http1) => &["unreachable", "cut"],
        // the garbage or the question, without which it is in place of nothing.
        (Place::Connect, Fault::Garbage, Protocol::Http1) => &["error", "cut"],
        (_, Fault::Stall, _) => &["timeout"],
        (_, Fault::Garbage, _) => &["error"],
        _ => &["cut"],
    }
}

/// How often the origin may be asked for what it does not answer.
fn asked(cell: &Cell) -> RangeInclusive<usize> {
    if cell.is_unheard() {
        return 0..=0;
    }
    match cell.asker {
        // What is told by silence is not asked again: it would be silent for as long.
        asker if cell.fault == Fault::Stall && asker != Asker::Crowd => 1..=1,
        Asker::Crowd => 1..=4,
        asker if asker.is_upload() => 1..=3,
        // It looks as if the connection had been closed before, which is not counted.
        _ if matches!(cell.fault, Fault::Reset | Fault::Close) => 1..=3,
        _ => 1..=2,
    }
}

/// How many requests upstream that may take. Where nobody waits for the others in vain, each may come
/// too late to follow.
fn most(cell: &Cell) -> u64 {
    let most = match cell.asker {
        Asker::Crowd if cell.is_unheard() => cell.asker.heads(),
        Asker::Crowd => 4,
        _ => 3,
    };
    most as u64
}
