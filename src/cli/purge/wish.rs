//! What flags ask for, as requests. Pure.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;

use super::PurgeFlags;

const ENTRIES: &str = "/api/v1/entries";

/// One hash that is to be held.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Hold {
    hash: String,
    team: Option<String>,
}

/// The path and query of each removal: one for each hash, or one in all.
pub(super) fn wishes(flags: &PurgeFlags) -> Vec<String> {
    let said = [
        ("team", flags.team.as_deref()),
        ("older_than", flags.older_than.as_deref()),
        ("min_size", flags.min_size.as_deref()),
        ("all", flags.all.then_some("true")),
    ];
    let common = said
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)));
    let common: Vec<_> = common.collect();
    let with = |hash: Option<&str>| {
        let hash = hash.map(|hash| ("hash", hash));
        let pairs = hash.into_iter().chain(common.iter().copied());
        let pairs = pairs.map(|(name, value)| {
            format!("{name}={}", utf8_percent_encode(value, NON_ALPHANUMERIC))
        });
        format!("{ENTRIES}?{}", pairs.collect::<Vec<_>>().join("&"))
    };
    if flags.hash.is_empty() {
        return vec![with(None)];
    }
    flags.hash.iter().map(|hash| with(Some(hash))).collect()
}

/// The bodies of what holds each hash.
pub(super) fn held(flags: &PurgeFlags) -> Vec<Hold> {
    let hashes = flags.hash.iter();
    let held = hashes.map(|hash| Hold {
        hash: hash.clone(),
        team: flags.team.clone(),
    });
    held.collect()
}
