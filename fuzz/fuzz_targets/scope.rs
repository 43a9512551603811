//! Queries become scopes: two of them share one only where nothing but the order of different names
//! differs, and a team in the query is the only thing that makes an entry more than its caller's.

#![no_main]

use larder::artifact::{Scope, named_teams};
use larder::caller::CallerDigest;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let (one, other) = text.split_once('\n').unwrap_or((text, text));
    let [here, there] = [1, 2].map(|byte| CallerDigest::from_bytes([byte; 32]));
    let scope = Scope::new(one, here);
    let names_a_team = named_teams(one).next().is_some();
    assert_eq!(scope.is_personal(), !names_a_team);
    assert_eq!(
        scope.digest() == Scope::new(one, there).digest(),
        names_a_team,
        "{one:?}"
    );
    assert_eq!(
        scope.digest() == Scope::new(other, here).digest(),
        canonical(one) == canonical(other),
        "{one:?} {other:?}"
    );
});

/// The parts of a query by name, those of one name in their order.
fn canonical(query: &str) -> Vec<(&str, Vec<&str>)> {
    let mut named: Vec<(&str, Vec<&str>)> = Vec::new();
    for part in query.split('&').filter(|part| !part.is_empty()) {
        let name = part.split('=').next().unwrap_or(part);
        match named.iter_mut().find(|(known, _)| *known == name) {
            Some((_, parts)) => parts.push(part),
            None => named.push((name, vec![part])),
        }
    }
    named.sort_unstable();
    named
}
