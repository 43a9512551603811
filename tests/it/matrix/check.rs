//! What was seen of one cell, held against the rule.

use std::fmt;

use serde_json::{Value, json};

use super::axes::{Asked, Held};
use super::cell::{Cell, DURATION, MARK};
use super::rule::{self, Expect};
use crate::support::{Ended, Reply, Seen};

/// Longest complaint shown, in bytes: the beginning of a body says which body it is.
const LONGEST: usize = 300;

/// What one cell showed.
pub struct Sight {
    /// The status as the asker was told it before its question.
    pub status: u16,
    pub reply: Reply,
    /// The answer to the same question, put once more by whom Larder did not know before: asking
    /// proves nothing.
    pub again: Option<Reply>,
    /// The origin's own answer to the same question of the same asker.
    pub alone: Reply,
    /// What the origin was asked about the artifact by Larder since the question.
    pub about: Vec<Seen>,
    /// And in batches.
    pub batches: Vec<Seen>,
}

/// Everything that is wrong with it.
pub fn complaints(cell: &Cell, sight: &Sight) -> Vec<String> {
    let expected = rule::may_see(cell);
    let mut found = Vec::new();
    let mut note = |what: &str, complaints: Vec<String>| {
        let named = complaints
            .iter()
            .map(|complaint| format!("{what}: {complaint}"));
        found.extend(named);
    };
    let by_itself = rule::alone(cell);
    note("the origin alone", told(cell, by_itself, &sight.alone));
    note("the status", unequal(&sight.status, &rule::status(cell)));
    note("the answer", told(cell, expected, &sight.reply));
    if let Some(again) = &sight.again {
        note("the next answer", told(cell, expected, again));
    }
    let source = source(cell, expected);
    note("the answer", unequal(sight.reply.cache_status(), &*source));
    if expected != Expect::Artifact {
        let said = |reply: &Reply| {
            (
                words(reply),
                reply.header("content-type").map(str::to_owned),
            )
        };
        note(
            "the words",
            unequal(&said(&sight.reply), &said(&sight.alone)),
        );
    }
    note("upstream", asked_too_much(cell, expected, sight));
    found
}

/// What is wrong with an answer that is to be as expected.
fn told(cell: &Cell, expected: Expect, reply: &Reply) -> Vec<String> {
    let mut found = unequal(&reply.ended, &Ended::Whole);
    match expected {
        Expect::Artifact => {
            found.extend(unequal(&reply.status, &200));
            found.extend(shown(cell, reply));
        }
        Expect::Nothing(status) => {
            found.extend(unequal(&reply.status, &status));
            found.extend(traces(cell, reply));
        }
    }
    found
}

/// What is wrong with an artifact that is to be shown.
fn shown(cell: &Cell, reply: &Reply) -> Vec<String> {
    let body = cell.body();
    if cell.asked == Asked::Batch {
        let duration: u64 = DURATION.parse().expect("a number");
        let described =
            json!({ "size": body.len(), "taskDurationMs": duration, "tag": cell.tag() });
        let said: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
        return unequal(&said, &json!({ cell.hash(): described }));
    }
    let sent = if cell.asked == Asked::Get {
        &*body
    } else {
        &[]
    };
    let mut found = unequal(&*words(reply), &*String::from_utf8_lossy(sent));
    for (name, value) in [
        ("content-length", body.len().to_string()),
        ("x-artifact-tag", cell.tag()),
        ("x-artifact-duration", DURATION.to_owned()),
    ] {
        found.extend(unequal(&*reply.head.all(name), &[&*value]));
    }
    found
}

/// What shows of an artifact where nothing may.
fn traces(cell: &Cell, reply: &Reply) -> Vec<String> {
    let length = cell.body().len().to_string();
    let mut found = Vec::new();
    if words(reply).contains(MARK) {
        found.push("bytes of the artifact".to_owned());
    }
    for (name, value) in &reply.head.headers {
        let is_trace = name.starts_with("x-artifact-") || value.contains(MARK) || *value == length;
        found.extend(is_trace.then(|| format!("{name}: {value}")));
    }
    found
}

/// Where the answer says it comes from.
fn source(cell: &Cell, expected: Expect) -> String {
    let source = match (expected, cell.asked, cell.held) {
        (_, Asked::Batch, _) => "fwd=method",
        (Expect::Nothing(status), _, _) => {
            return format!("larder; fwd=uri-miss; fwd-status={status}");
        }
        (Expect::Artifact, _, Held::Memory) => "hit; detail=memory",
        (Expect::Artifact, _, Held::Disk) => "hit; detail=disk",
        (Expect::Artifact, Asked::Get, Held::Filling) => "fwd=uri-miss; collapsed",
        (Expect::Artifact, ..) => "fwd=method",
    };
    format!("larder; {source}")
}

/// At most one question about the artifact, with the asker's own credential; a `GET` after a `HEAD`
/// where the answer is no, and has no words; none about what the asker is known to be allowed.
fn asked_too_much(cell: &Cell, expected: Expect, sight: &Sight) -> Vec<String> {
    let own = cell.token().map(|token| format!("Bearer {token}"));
    let mut found = Vec::new();
    for seen in sight.about.iter().chain(&sight.batches) {
        found.extend(unequal(&seen.header("authorization"), &own.as_deref()));
    }
    let methods: Vec<_> = sight.about.iter().map(Seen::method).collect();
    let is_allowed = match (expected, methods.as_slice()) {
        (_, []) => true,
        (_, _) if cell.asked == Asked::Batch => false,
        (Expect::Artifact, ["HEAD"]) => !rule::is_known_here(cell),
        (Expect::Artifact, _) => false,
        (Expect::Nothing(_), [_]) => true,
        (Expect::Nothing(_), methods) => methods == ["HEAD", "GET"],
    };
    found.extend((!is_allowed).then(|| format!("asked by {methods:?}")));
    let batches = usize::from(cell.asked == Asked::Batch);
    found.extend(unequal(&sight.batches.len(), &batches));
    found
}

fn words(reply: &Reply) -> String {
    String::from_utf8_lossy(&reply.body).into_owned()
}

/// Nothing where the two are the same, else how they differ.
fn unequal<T: PartialEq + fmt::Debug + ?Sized>(is: &T, should_be: &T) -> Vec<String> {
    if is == should_be {
        return Vec::new();
    }
    let mut complaint = format!("{is:?} instead of {should_be:?}");
    complaint.truncate(complaint.floor_char_boundary(LONGEST));
    vec![complaint]
}
