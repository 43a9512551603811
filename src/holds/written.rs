//! The list of holds as it is written down: a line that names the form, one for each hold, and a digest of all
//! of it.
//!
//! What is damaged is read as nothing but damaged: a hold that got lost on the way would let out what it is there
//! to keep in.

use aws_lc_rs::digest::{SHA256, digest};
use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};

use super::table::{Hold, Table};
use crate::artifact::{ArtifactHash, Landed, ScopeDigest};

/// The first line; another form has another number.
const FORM: &str = "larder-holds 1";

/// What stands before the digest in the last line.
const SUM: &str = "sha256 ";

/// What was read is not what was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is not what a Larder of this version wrote there")]
pub struct Damaged;

/// One hold.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Line {
    hash: String,
    team: Option<String>,
    since: u64,
    healed: Vec<String>,
}

pub(super) fn write(table: &Table) -> Vec<u8> {
    let mut text = format!("{FORM}\n");
    for (hash, hold) in table.sorted() {
        let line = Line {
            hash: hash.to_string(),
            team: hold.team.clone(),
            since: hold.since.as_secs(),
            healed: hold
                .healed
                .iter()
                .map(|scope| HEXLOWER.encode(scope.as_bytes()))
                .collect(),
        };
        text.push_str(&serde_json::json!(line).to_string());
        text.push('\n');
    }
    let sum = sum(&text);
    [text.as_str(), SUM, &sum, "\n"].concat().into_bytes()
}

pub(super) fn read(bytes: &[u8]) -> Result<Table, Damaged> {
    let text = std::str::from_utf8(bytes).map_err(|_| Damaged)?;
    let (before, last) = text.rsplit_once(SUM).ok_or(Damaged)?;
    if last != format!("{}\n", sum(before)) {
        return Err(Damaged);
    }
    let mut lines = before.lines();
    if lines.next() != Some(FORM) {
        return Err(Damaged);
    }
    let mut table = Table::default();
    for (number, line) in (0..).zip(lines) {
        let (hash, hold) = parse(line, number).ok_or(Damaged)?;
        table.put(hash, hold);
    }
    Ok(table)
}

fn parse(line: &str, number: u64) -> Option<(ArtifactHash, Hold)> {
    let line: Line = serde_json::from_str(line).ok()?;
    let healed = line.healed.iter().map(|scope| {
        let bytes = HEXLOWER.decode(scope.as_bytes()).ok()?;
        Some(ScopeDigest::from_bytes(bytes.try_into().ok()?))
    });
    let hold = Hold {
        team: line.team,
        since: Landed::from_secs(line.since),
        number,
        healed: healed.collect::<Option<_>>()?,
    };
    Some((ArtifactHash::parse(&line.hash).ok()?, hold))
}

fn sum(text: &str) -> String {
    HEXLOWER.encode(digest(&SHA256, text.as_bytes()).as_ref())
}
