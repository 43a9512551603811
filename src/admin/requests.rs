//! `GET /api/v1/requests`: the requests for artifacts that ended last, as JSON, each with a sentence about it.

use std::borrow::Cow;
use std::time::UNIX_EPOCH;

use serde::Serialize;

use crate::artifact::{ArtifactHash, InvalidHash, Outcome, form_decoded, parameters};
use crate::recent::{Recent, Record, Wanted};

/// Told where nobody says how many: what fits on a screen.
const USUAL: usize = 50;
/// Told at most: of a line each, more than anybody reads.
const MOST: usize = 500;

/// The whole answer.
#[derive(Serialize)]
struct Report<'a> {
    requests: Vec<Told<'a>>,
    kept: usize,
}

/// One request.
#[derive(Serialize)]
struct Told<'a> {
    time: String,
    route: &'a str,
    hash: &'a str,
    team: Option<Cow<'a, str>>,
    status: u16,
    outcome: &'a str,
    detail: Option<&'a str>,
    ended: &'a str,
    bytes_in: u64,
    bytes_out: u64,
    first_byte_seconds: f64,
    total_seconds: f64,
    peer: Option<String>,
    user_agent: Option<Cow<'a, str>>,
    explanation: String,
}

/// What is wrong with what is asked for.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unclear {
    /// There is no such parameter.
    #[error("there is no parameter {0:?} here: hash, team, outcome, trouble and limit there are")]
    Unknown(String),
    /// It is there twice.
    #[error("{0:?} is there twice")]
    Repeated(String),
    /// It is no hash.
    #[error(transparent)]
    Hash(#[from] InvalidHash),
    /// There is no such outcome.
    #[error("outcome is one of {}", Outcome::LABELS.join(", "))]
    Outcome,
    /// It is neither.
    #[error("trouble is true or false")]
    Trouble,
    /// It is no number, or out of bounds.
    #[error("limit is a number from 1 to {MOST}")]
    Limit,
}

/// Reads from a raw query what is wanted.
pub(super) fn wanted(query: &str) -> Result<Wanted, Unclear> {
    let mut wanted = Wanted {
        hash: None,
        team: None,
        outcome: None,
        trouble: false,
        limit: USUAL,
    };
    let mut seen = Vec::new();
    for (name, value) in parameters(query) {
        if seen.contains(&name) {
            return Err(Unclear::Repeated(name.to_owned()));
        }
        let value = String::from_utf8_lossy(&form_decoded(value)).into_owned();
        match name {
            "hash" => wanted.hash = Some(ArtifactHash::parse(&value)?),
            "team" => wanted.team = Some(value),
            "outcome" => wanted.outcome = Some(outcome(&value)?),
            "trouble" => wanted.trouble = value.parse().map_err(|_| Unclear::Trouble)?,
            "limit" => wanted.limit = limit(&value)?,
            _ => return Err(Unclear::Unknown(name.to_owned())),
        }
        seen.push(name);
    }
    Ok(wanted)
}

/// Encodes those that are wanted, newest first, and how many are kept.
pub(super) fn encode(recent: &Recent, wanted: &Wanted) -> serde_json::Result<Vec<u8>> {
    let newest = recent.newest(wanted);
    serde_json::to_vec(&Report {
        requests: newest.iter().map(Told::of).collect(),
        kept: recent.kept(),
    })
}

fn outcome(label: &str) -> Result<&'static str, Unclear> {
    let mut known = Outcome::LABELS.into_iter();
    known.find(|known| *known == label).ok_or(Unclear::Outcome)
}

fn limit(text: &str) -> Result<usize, Unclear> {
    let limit = text.parse().ok();
    limit
        .filter(|limit| (1..=MOST).contains(limit))
        .ok_or(Unclear::Limit)
}

// === impl Told ===

impl<'a> Told<'a> {
    fn of(record: &'a Record) -> Self {
        let Record {
            time,
            subject,
            answered,
        } = record;
        // Where the clock says otherwise, it does not know.
        let time = humantime::format_rfc3339_millis((*time).max(UNIX_EPOCH));
        Self {
            time: time.to_string(),
            route: answered.route.as_str(),
            hash: subject.hash.as_str(),
            team: subject.team.text(),
            status: answered.status,
            outcome: answered.outcome.as_str(),
            detail: answered.outcome.detail(),
            ended: answered.ended.as_str(),
            bytes_in: answered.bytes_in,
            bytes_out: answered.bytes_out,
            first_byte_seconds: answered.first_byte.as_secs_f64(),
            total_seconds: answered.total.as_secs_f64(),
            // An address of IPv4 is the same one on a socket of IPv6.
            peer: subject.peer.map(|peer| peer.to_canonical().to_string()),
            user_agent: subject.user_agent.text(),
            explanation: record.explanation(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::artifact::RouteName;
    use crate::recent::{Short, Subject};
    use crate::telemetry::Answered;

    #[test]
    fn a_client_is_where_it_is_also_on_a_socket_of_ipv6() {
        let recent = Recent::new();
        let subject = Subject {
            hash: ArtifactHash::parse("aa").unwrap(),
            team: Short::default(),
            user_agent: Short::default(),
            peer: "::ffff:10.0.0.7".parse().ok(),
        };
        recent.note(subject, &Answered::not_yet(RouteName::Get));
        let told = encode(&recent, &wanted("").unwrap()).unwrap();
        let told: serde_json::Value = serde_json::from_slice(&told).unwrap();
        assert_eq!(told["requests"][0]["peer"], "10.0.0.7");
    }

    #[test]
    fn a_query_says_what_is_wanted_once_and_in_known_words() {
        let all = wanted("").unwrap();
        assert_eq!((all.limit, all.trouble), (USUAL, false));
        let some = wanted("hash=aa&team=a+b%26&outcome=hit-disk&trouble=true&limit=500").unwrap();
        assert_eq!(some.hash.unwrap().as_str(), "aa");
        assert_eq!(some.team.as_deref(), Some("a b&"));
        assert_eq!(some.outcome, Some("hit-disk"));
        assert!(some.trouble && some.limit == MOST);
        for (query, word) in [
            ("teem=acme", "trouble"),
            ("hash=aa&hash=aa", "twice"),
            ("hash=..", "letters"),
            ("outcome=hit", "hit-memory"),
            ("trouble=1", "true or false"),
            ("limit=0", "500"),
            ("limit=501", "500"),
            ("limit=all", "500"),
        ] {
            let told = wanted(query).unwrap_err().to_string();
            assert!(told.contains(word), "{query}: {told}");
        }
    }
}
