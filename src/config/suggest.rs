//! The known name nearest to a mistyped one.

use super::keys::{self, KEYS, PREFIX};

/// The key that was probably meant by `path`.
pub(super) fn key(path: &str) -> Option<String> {
    nearest(path, ".", KEYS.iter().map(|key| key.called_as_in(path)))
}

/// The variable that was probably meant by `name`.
pub(super) fn variable(name: &str) -> Option<String> {
    let rest = name.strip_prefix(PREFIX).unwrap_or(name);
    let path = keys::path(name);
    let known = KEYS
        .iter()
        .map(|key| keys::variable(&key.called_as_in(&path)))
        .filter_map(|name| Some(name.strip_prefix(PREFIX)?.to_owned()));
    nearest(rest, "__", known).map(|found| format!("{PREFIX}{found}"))
}

/// The candidate with the smallest distance, unless more than half of it would have to change.
///
/// A name that lacks only its table (`listen`) is as near as one letter: people forget tables more
/// often than they mistype five letters.
fn nearest(
    name: &str,
    separator: &str,
    candidates: impl Iterator<Item = String>,
) -> Option<String> {
    let score = |candidate: &str| {
        let bare = candidate
            .strip_suffix(name)
            .is_some_and(|table| table.ends_with(separator));
        if bare { 1 } else { distance(name, candidate) }
    };
    candidates
        .map(|candidate| (score(&candidate), candidate))
        .filter(|(score, candidate)| score * 2 <= candidate.chars().count())
        .min_by_key(|(score, _)| *score)
        .map(|(_, candidate)| candidate)
}

/// How many letters must be put in, left out or changed to make `a` into `b`; case counts for nothing.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.to_lowercase().chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (line, from) in a.to_lowercase().chars().enumerate() {
        let mut diagonal = line;
        let mut left = line + 1;
        if let Some(first) = row.first_mut() {
            *first = left;
        }
        for (cell, to) in row.iter_mut().skip(1).zip(&b) {
            let changed = diagonal + usize::from(from != *to);
            diagonal = *cell;
            left = changed.min(left + 1).min(*cell + 1);
            *cell = left;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distance_counts_edits() {
        for (a, b, edits) in [
            ("", "", 0),
            ("", "abc", 3),
            ("abc", "", 3),
            ("abc", "ABC", 0),
            ("kitten", "sitting", 3),
            ("listn", "listen", 1),
            ("flaw", "lawn", 2),
        ] {
            assert_eq!(distance(a, b), edits, "{a} {b}");
            assert_eq!(distance(b, a), edits, "{b} {a}");
        }
    }

    #[test]
    fn the_nearest_name_is_suggested_and_nonsense_is_not() {
        for (name, meant) in [
            ("tier.disk.capcity", Some("tier.disk.capacity")),
            ("servr.listen", Some("server.listen")),
            ("upstream_url", Some("upstream.url")),
            ("max_age", Some("tier.disk.max_age")),
            ("disk.capacity", Some("tier.disk.capacity")),
            ("listener.office.adress", Some("listener.office.address")),
            ("listner.office.tls", Some("listener.office.tls")),
            ("xyzzy", None),
        ] {
            assert_eq!(key(name).as_deref(), meant, "{name}");
        }
        assert_eq!(
            variable("LARDER_UPSTREAM_URL").as_deref(),
            Some("LARDER_UPSTREAM__URL")
        );
        assert_eq!(
            variable("LARDER_LISTENER__MY_CI__ADRESS").as_deref(),
            Some("LARDER_LISTENER__MY_CI__ADDRESS")
        );
        assert_eq!(variable("LARDER_Q"), None);
    }
}
