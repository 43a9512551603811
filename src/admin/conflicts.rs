//! `GET /api/v1/conflicts`: the newest uploads that replaced another body, as JSON.

use serde::Serialize;

use crate::tiers::{Conflict, Conflicts, Version};

/// The whole answer.
#[derive(Serialize)]
struct Report<'a> {
    conflicts: Vec<Told<'a>>,
    total: u64,
}

/// One conflict.
#[derive(Serialize)]
struct Told<'a> {
    time: String,
    hash: &'a str,
    team: Option<&'a str>,
    before: ToldVersion<'a>,
    after: ToldVersion<'a>,
}

/// One of its two artifacts.
#[derive(Serialize)]
struct ToldVersion<'a> {
    bytes: u64,
    landed: String,
    sha: Option<&'a str>,
}

/// Encodes what is listed, newest first, and how many there were.
pub(super) fn encode(conflicts: &Conflicts) -> serde_json::Result<Vec<u8>> {
    let newest = conflicts.newest();
    serde_json::to_vec(&Report {
        conflicts: newest.iter().map(|conflict| Told::of(conflict)).collect(),
        total: conflicts.total(),
    })
}

// === impl Told ===

impl<'a> Told<'a> {
    fn of(conflict: &'a Conflict) -> Self {
        Self {
            time: conflict.time.to_string(),
            hash: conflict.hash.as_str(),
            team: conflict.team.as_deref(),
            before: ToldVersion::of(&conflict.before),
            after: ToldVersion::of(&conflict.after),
        }
    }
}

// === impl ToldVersion ===

impl<'a> ToldVersion<'a> {
    fn of(version: &'a Version) -> Self {
        Self {
            bytes: version.bytes,
            landed: version.landed.to_string(),
            sha: version.sha.as_deref(),
        }
    }
}
