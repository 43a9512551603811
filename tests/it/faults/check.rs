//! What was seen of one cell, held against the rule.

use std::fmt;

use super::axes::{Asker, Place};
use super::cell::{Cell, TAKEN};
use super::ledger::Counts;
use super::rule::{After, Outcome, Told, Why};
use super::stage::Sight;
use crate::support::{Ended, Reply, error_code};

const FILLED: &str = "larder; fwd=uri-miss; fwd-status=200; stored";
const COLLAPSED: &str = "larder; fwd=uri-miss; collapsed";
const STORED: &str = "larder; fwd=method; stored";

/// Everything that is wrong with it.
pub fn complaints(cell: &Cell, outcome: &Outcome, sight: &Sight) -> Vec<String> {
    let mut found = Vec::new();
    let mut note = |what: &str, complaints: Vec<String>| {
        let named = complaints
            .iter()
            .map(|complaint| format!("{what}: {complaint}"));
        found.extend(named);
    };
    for reply in &sight.replies {
        note("the answer", told(cell, &outcome.told, reply));
    }
    note("upstream", asked(cell, outcome, sight));
    note("the metrics", counted(cell, outcome, sight));
    note("afterwards", after(cell, outcome.after, sight));
    found.dedup();
    found
}

/// What is wrong with what a client was told.
fn told(cell: &Cell, told: &Told, reply: &Reply) -> Vec<String> {
    let body = cell.body();
    match told {
        Told::Missed(why) => failed(reply, 404, "fwd=uri-miss", why),
        Told::Undelivered(why) => failed(reply, 424, "fwd=method", why),
        Told::Cut(lengths) => {
            let length = reply.body.len().clamp(*lengths.start(), *lengths.end());
            shown(reply, (&body[..length], Ended::Cut), &[FILLED, COLLAPSED])
        }
        Told::Whole(length) => shown(
            reply,
            (&body[..*length], Ended::Whole),
            &[FILLED, COLLAPSED],
        ),
        Told::Grace => {
            let grace = "larder; hit; detail=memory; grace";
            shown(reply, (&cell.older(), Ended::Whole), &[grace])
        }
        Told::Taken(length) => {
            let mut found = unequal(&reply.status, &202);
            found.extend(unequal(reply.cache_status(), STORED));
            found.extend(unequal(
                &(&*reply.body, reply.ended),
                &(&TAKEN[..*length], Ended::Whole),
            ));
            found
        }
    }
}

/// What is wrong with an error that is to say why.
fn failed(reply: &Reply, status: u16, source: &str, why: Why) -> Vec<String> {
    let mut found = unequal(&(reply.status, reply.ended), &(status, Ended::Whole));
    let said = reply.cache_status().to_owned();
    let may_be = why
        .iter()
        .map(|why| format!("larder; {source}; detail=upstream-{why}"));
    found.extend(no_member(&said, &may_be.collect::<Vec<_>>()));
    let code = if status == 404 {
        "not_found"
    } else {
        "upload_undelivered"
    };
    // The answer to a HEAD has no words.
    if !reply.body.is_empty() || status != 404 {
        found.extend(unequal(&*error_code(reply), code));
    }
    found
}

/// What is wrong with an artifact, or with its beginning.
fn shown(reply: &Reply, (body, ended): (&[u8], Ended), sources: &[&str]) -> Vec<String> {
    let mut found = unequal(&(reply.status, reply.ended), &(200, ended));
    found.extend(other_bytes(&reply.body, body));
    found.extend(no_member(reply.cache_status(), sources));
    found
}

/// What is wrong with what the origin was asked.
fn asked(cell: &Cell, outcome: &Outcome, sight: &Sight) -> Vec<String> {
    let mut found = Vec::new();
    let asked = if cell.place.is_before_requests() {
        found.extend(unequal(&sight.seen.len(), &0));
        sight.connections
    } else {
        sight.seen.len()
    };
    if !outcome.asked.contains(&asked) {
        found.push(format!("asked {asked} times, not {:?}", outcome.asked));
    }
    let body = cell.body();
    for seen in &sight.seen {
        found.extend(unequal(seen.method(), cell.asker.upstream_method()));
        if !cell.asker.is_upload() {
            found.extend(unequal(&seen.body.len(), &0));
        } else if let Place::Body(_) = cell.place {
            let read = seen.body.len();
            let is_part = read < body.len() && body.starts_with(&seen.body);
            found.extend((!is_part || read < cell.passed()).then(|| format!("{read} bytes")));
        } else {
            found.extend(other_bytes(&seen.body, &body));
        }
    }
    found
}

/// What is wrong with what was counted.
fn counted(cell: &Cell, outcome: &Outcome, sight: &Sight) -> Vec<String> {
    let heads = cell.asker.heads();
    let method = |name: &str| name.to_ascii_lowercase();
    let route = method(cell.asker.method());
    let requests = sight
        .counted
        .by("larder_requests_total", "outcome", ("route", &route));
    let mut found = strange(&requests, outcome.counted);
    found.extend(unequal(&requests.sum(), &(heads as u64)));

    let operation = method(cell.asker.upstream_method());
    let upstream = sight.counted.by(
        "larder_upstream_requests_total",
        "result",
        ("operation", &operation),
    );
    found.extend(strange(&upstream, outcome.results));
    if !outcome.sent.contains(&upstream.sum()) {
        found.push(format!("{upstream:?}, not {:?}", outcome.sent));
    }

    let verdicts = sight
        .counted
        .by("larder_verdicts_total", "result", ("source", "probe"));
    found.extend(match cell.asker {
        Asker::Lapsed => strange(&verdicts, &["grace"]),
        Asker::Stranger => strange(&verdicts, &["unknown"]),
        _ => Vec::new(),
    });
    let judged = matches!(cell.asker, Asker::Lapsed | Asker::Stranger);
    found.extend(unequal(&verdicts.sum(), &u64::from(judged)));
    found
}

/// What is wrong with what is here afterwards.
fn after(cell: &Cell, after: After, sight: &Sight) -> Vec<String> {
    let (body, older, next) = (cell.body(), cell.older(), &sight.next);
    let is_here = after != After::Nothing;
    let here = match after {
        After::Older => &*older,
        After::Newer(length) => &body[..length],
        // What the origin has been given by the upload before.
        After::Nothing if cell.asker.is_upload() => &*older,
        After::Nothing => &*body,
    };
    let mut found = unequal(&(next.status, next.ended), &(200, Ended::Whole));
    found.extend(other_bytes(&next.body, here));
    found.extend(unequal(&next.is_hit(), &is_here));
    found.extend(unequal(&sight.fetched, &usize::from(!is_here)));
    if !is_here {
        found.extend(unequal(next.cache_status(), FILLED));
    }
    found
}

/// Counts under other names than these.
fn strange(counts: &Counts, names: Why) -> Vec<String> {
    let strangers = counts
        .named
        .keys()
        .filter(|name| !names.contains(&&***name));
    let mut found: Vec<_> = strangers
        .map(|name| format!("{name} instead of {names:?}"))
        .collect();
    found.extend(counts.others.iter().map(|series| format!("also {series}")));
    found
}

fn other_bytes(arrived: &[u8], expected: &[u8]) -> Vec<String> {
    if arrived == expected {
        return Vec::new();
    }
    let same = arrived
        .iter()
        .zip(expected)
        .take_while(|(one, other)| one == other);
    let (here, there) = (arrived.len(), expected.len());
    vec![format!(
        "{here} bytes instead of {there}, the same up to {}",
        same.count()
    )]
}

fn no_member<T: AsRef<str> + fmt::Debug>(said: &str, may_be: &[T]) -> Vec<String> {
    let is_member = may_be.iter().any(|member| member.as_ref() == said);
    (!is_member)
        .then(|| format!("{said:?} instead of {may_be:?}"))
        .into_iter()
        .collect()
}

/// Nothing where the two are the same, else how they differ.
fn unequal<T: PartialEq + fmt::Debug + ?Sized>(is: &T, should_be: &T) -> Vec<String> {
    if is == should_be {
        return Vec::new();
    }
    vec![format!("{is:?} instead of {should_be:?}")]
}
