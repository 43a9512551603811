//! What a job may do by what its token claims: whatever is in the claims and in the query, `main` of one
//! owner writes for one team, everything else of that owner reads, and nobody else does anything.

#![no_main]

use std::sync::LazyLock;

use larder::access::{Right, judge_job};
use larder::config::{Claim, Grant, Rights};
use libfuzzer_sys::fuzz_target;
use serde_json::{Map, Value};

static GRANTS: LazyLock<[Grant; 2]> = LazyLock::new(|| {
    let owner = || claim("owner", "acme");
    let teams = || vec!["acme".to_owned()];
    [
        Grant {
            claims: vec![owner(), claim("ref", "refs/heads/main")],
            teams: teams(),
            rights: Rights::ReadWrite,
        },
        Grant {
            claims: vec![owner()],
            teams: teams(),
            rights: Rights::Read,
        },
    ]
});

fn claim(name: &str, text: &str) -> Claim {
    Claim {
        name: name.to_owned(),
        any_of: vec![text.to_owned()],
    }
}

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let (query, claims) = text.split_once('\n').unwrap_or(("slug=acme", text));
    let Ok(claims) = serde_json::from_str::<Map<String, Value>>(claims) else {
        return;
    };
    let is_team = names_acme_alone(query);
    let is_owner = says(&claims, "owner", "acme");
    let is_main = says(&claims, "ref", "refs/heads/main");
    let may = |right| judge_job(&*GRANTS, &claims, query, right).is_ok();
    assert_eq!(may(Right::Read), is_team && is_owner, "{text:?}");
    assert_eq!(may(Right::Write), is_team && is_owner && is_main, "{text:?}");
    assert!(judge_job(&[], &claims, query, Right::Read).is_err());
});

fn says(claims: &Map<String, Value>, name: &str, text: &str) -> bool {
    match claims.get(name) {
        Some(Value::String(said)) => said == text,
        Some(Value::Array(all)) => all.iter().any(|said| said.as_str() == Some(text)),
        _ => false,
    }
}

/// Each of the two names of a team at most once, at least one of them, both `acme`, and nothing else.
fn names_acme_alone(query: &str) -> bool {
    let parts: Vec<_> = query.split('&').filter(|part| !part.is_empty()).collect();
    let is_team = |part: &&str| {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        ["slug", "teamId"].contains(&name) && decoded(value) == b"acme"
    };
    let begin = |name: &str| parts.iter().filter(|part| part.starts_with(name)).count();
    !parts.is_empty()
        && parts.iter().all(is_team)
        && begin("slug=") <= 1
        && begin("teamId=") <= 1
}

/// Undoes the encoding of forms, byte by byte.
fn decoded(value: &str) -> Vec<u8> {
    let bytes = value.as_bytes();
    let (mut decoded, mut at) = (Vec::new(), 0);
    while at < bytes.len() {
        let hex = bytes
            .get(at + 1..at + 3)
            .filter(|pair| pair.iter().all(u8::is_ascii_hexdigit))
            .and_then(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok());
        match (bytes[at], hex) {
            (b'%', Some(byte)) => {
                decoded.push(byte);
                at += 2;
            }
            (b'+', _) => decoded.push(b' '),
            (byte, _) => decoded.push(byte),
        }
        at += 1;
    }
    decoded
}
