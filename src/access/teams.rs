//! Which teams a request names, and whether a holder of some may make it. Pure.

use crate::artifact::{form_decoded, parameters};

/// Stands for any team, and for none.
const ANY: &str = "*";

/// Whether a request with this raw query may be made by whoever may use `teams`.
///
/// Without `*` the query must name at least one team, every one named must be among them, and there
/// must be nothing else in it: not a name twice, of which an origin may take either, and no other
/// parameter, since there are origins that find a team in `team` as well.
pub(super) fn may_use(teams: &[String], query: &str) -> bool {
    if teams.iter().any(|team| team == ANY) {
        return true;
    }
    let mut named = [false; NAMES.len()];
    for (name, value) in parameters(query) {
        let Some(seen) = slot(&mut named, name) else {
            return false;
        };
        if std::mem::replace(seen, true) || !is_among(teams, value) {
            return false;
        }
    }
    named.contains(&true)
}

/// The parameters that name a team.
const NAMES: [&str; 2] = ["teamId", "slug"];

fn slot<'a>(named: &'a mut [bool; NAMES.len()], name: &str) -> Option<&'a mut bool> {
    let mut slots = NAMES.iter().zip(named);
    slots
        .find(|(known, _)| **known == name)
        .map(|(_, seen)| seen)
}

fn is_among(teams: &[String], value: &str) -> bool {
    let value = form_decoded(value);
    !value.is_empty() && teams.iter().any(|team| team.as_bytes() == value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn may(teams: &[&str], query: &str) -> bool {
        let teams: Vec<String> = teams.iter().map(|&team| team.to_owned()).collect();
        may_use(&teams, query)
    }

    #[test]
    fn every_team_named_must_be_among_the_holders() {
        for query in [
            "slug=acme",
            "teamId=team_1",
            "teamId=team_1&slug=acme",
            "slug=acme&teamId=team_1",
            "&slug=acme&",
            "slug=%61cme",
            "slug=%C3%BC+b",
        ] {
            assert!(may(&["acme", "team_1", "ü b"], query), "{query}");
        }
    }

    #[test]
    fn what_an_origin_may_read_otherwise_is_for_holders_of_every_team() {
        for query in [
            "",
            "slug=",
            "slug",
            "slug=other",
            "teamId=other&slug=acme",
            "slug=acme&teamId=",
            "slug=acme&slug=acme",
            "slug=acme&slug=other",
            "slug=acme&team=other",
            "slug=acme&x=1",
            "slug=acme;slug=other",
            "Slug=acme",
            "%73lug=acme",
            "slug=acme&%73lug=other",
            "slug[]=acme",
            "slug=ACME",
            "slug=acme%00",
            "slug=*",
        ] {
            assert!(!may(&["acme"], query), "{query:?}");
            assert!(may(&["*"], query), "{query:?}");
            assert!(may(&["acme", "*"], query), "{query:?}");
        }
    }
}
