//! What a job may do, by what its verified token claims. Pure.

use serde_json::{Map, Value};

use crate::access::evidence::Right;
use crate::access::tokens::{Denial, judge_use};
use crate::config::{Claim, Grant};

/// Stands at the end of a text for any rest.
const ANY_REST: char = '*';

/// Judges a request with this raw query by what a job's verified token claims: one of the grants that
/// apply to it must cover the request alone, its team and the right.
///
/// Where none does, the denial that is most telling is the answer.
pub fn judge_job(
    grants: &[Grant],
    claims: &Map<String, Value>,
    query: &str,
    right: Right,
) -> Result<(), Denial> {
    let applying = grants.iter().filter(|grant| applies(grant, claims));
    judge(applying, query, right)
}

/// Whether all that a grant asks for is claimed.
pub(super) fn applies(grant: &Grant, claims: &Map<String, Value>) -> bool {
    // Never for everybody, whoever made the grant.
    !grant.claims.is_empty() && grant.claims.iter().all(|claim| holds(claim, claims))
}

/// Judges by grants that apply.
pub(super) fn judge<'a>(
    applying: impl Iterator<Item = &'a Grant>,
    query: &str,
    right: Right,
) -> Result<(), Denial> {
    let mut denial = Denial::NoGrant;
    for grant in applying {
        match judge_use(&grant.teams, grant.rights, query, right) {
            Ok(()) => return Ok(()),
            // It is for this team: that says more than that others are not.
            Err(Denial::ReadOnly) => denial = Denial::ReadOnly,
            Err(other) if denial == Denial::NoGrant => denial = other,
            Err(_) => {}
        }
    }
    Err(denial)
}

fn holds(claim: &Claim, claims: &Map<String, Value>) -> bool {
    match claims.get(&claim.name) {
        Some(Value::Array(values)) => values.iter().any(|value| says(claim, value)),
        Some(value) => says(claim, value),
        None => false,
    }
}

/// Whether a single value is one that the claim may have; a structure never is.
fn says(claim: &Claim, value: &Value) -> bool {
    match value {
        Value::String(text) => is_among(&claim.any_of, text),
        Value::Bool(_) | Value::Number(_) => is_among(&claim.any_of, &value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => false,
    }
}

fn is_among(any_of: &[String], text: &str) -> bool {
    any_of.iter().any(|said| match said.strip_suffix(ANY_REST) {
        Some(stem) => text.starts_with(stem),
        None => text == said,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::config::Rights;

    fn grant(claims: &[(&str, &[&str])], teams: &[&str], rights: Rights) -> Grant {
        let texts = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect();
        Grant {
            claims: claims
                .iter()
                .map(|(name, any_of)| Claim {
                    name: (*name).to_owned(),
                    any_of: texts(any_of),
                })
                .collect(),
            teams: texts(teams),
            rights,
        }
    }

    fn judged(grants: &[Grant], claims: &Value, query: &str, right: Right) -> Result<(), Denial> {
        judge_job(grants, claims.as_object().unwrap(), query, right)
    }

    /// Main writes, everything else of the owner reads, and one repository has a team of its own.
    fn usual() -> [Grant; 3] {
        let owner: (&str, &[&str]) = ("owner", &["acme"]);
        [
            grant(
                &[owner, ("ref", &["refs/heads/main"])],
                &["acme"],
                Rights::ReadWrite,
            ),
            grant(&[owner], &["acme"], Rights::Read),
            grant(
                &[owner, ("repository", &["acme/docs"])],
                &["docs", "team_d"],
                Rights::ReadWrite,
            ),
        ]
    }

    #[test]
    fn main_writes_and_pull_requests_read() {
        let main = json!({ "owner": "acme", "repository": "acme/web", "ref": "refs/heads/main" });
        let pull = json!({ "owner": "acme", "repository": "acme/web", "ref": "refs/pull/7/merge" });
        let docs =
            json!({ "owner": "acme", "repository": "acme/docs", "ref": "refs/pull/7/merge" });
        let stranger = json!({ "owner": "evil", "repository": "evil/x", "ref": "refs/heads/main" });
        let (read, write) = (Right::Read, Right::Write);
        for (claims, query, right, expected) in [
            (&main, "slug=acme", read, Ok(())),
            (&main, "slug=acme", write, Ok(())),
            (&main, "slug=docs", write, Err(Denial::OtherTeam)),
            (&main, "", read, Err(Denial::OtherTeam)),
            (&main, "slug=acme&slug=docs", read, Err(Denial::OtherTeam)),
            (&pull, "slug=acme", read, Ok(())),
            (&pull, "slug=acme", write, Err(Denial::ReadOnly)),
            (&pull, "slug=docs", write, Err(Denial::OtherTeam)),
            (&docs, "slug=docs&teamId=team_d", write, Ok(())),
            (&docs, "slug=acme", write, Err(Denial::ReadOnly)),
            // No grant is for both, and two halves are no grant.
            (&docs, "slug=docs&teamId=acme", read, Err(Denial::OtherTeam)),
            (&stranger, "slug=acme", read, Err(Denial::NoGrant)),
            (&stranger, "slug=acme", write, Err(Denial::NoGrant)),
        ] {
            let judged = judged(&usual(), claims, query, right);
            assert_eq!(judged, expected, "{claims} {query} {right:?}");
        }
    }

    #[test]
    fn the_order_of_grants_changes_nothing() {
        let pull =
            json!({ "owner": "acme", "repository": "acme/docs", "ref": "refs/pull/7/merge" });
        let mut turned = usual();
        turned.reverse();
        for query in ["slug=acme", "slug=docs", "slug=other", ""] {
            for right in [Right::Read, Right::Write] {
                let judge = |grants: &[Grant]| judged(grants, &pull, query, right);
                assert_eq!(judge(&usual()), judge(&turned), "{query} {right:?}");
            }
        }
    }

    #[test]
    fn claims_say_what_is_asked_for_to_the_letter() {
        let holds = |any_of: &[&str], value: Value| {
            let grants = [grant(&[("c", any_of)], &["*"], Rights::Read)];
            judged(&grants, &json!({ "c": value }), "", Right::Read).is_ok()
        };
        for (any_of, value) in [
            (&["a"][..], json!("a")),
            (&["b", "a"], json!("a")),
            (&["refs/heads/*"], json!("refs/heads/x/y")),
            (&["refs/heads/*"], json!("refs/heads/")),
            (&["true"], json!(true)),
            (&["42"], json!(42)),
            (&["-1"], json!(-1)),
            (&["4*"], json!(42)),
            (&["a"], json!(["b", "a"])),
            (&["7"], json!([7])),
        ] {
            assert!(holds(any_of, value.clone()), "{any_of:?} {value}");
        }
        for (any_of, value) in [
            (&["a"][..], json!("A")),
            (&["a"], json!("a ")),
            (&["a"], json!("ab")),
            (&["a*"], json!("xa")),
            (&["refs/heads/*"], json!("refs/heads")),
            (&["true"], json!("True")),
            (&["1"], json!(1.0)),
            (&["null"], json!(null)),
            (&["a"], json!([["a"]])),
            (&["a"], json!({ "a": "a" })),
            (&["{*"], json!({ "a": "a" })),
            (&["a"], json!([])),
            (&[], json!("a")),
        ] {
            assert!(!holds(any_of, value.clone()), "{any_of:?} {value}");
        }
        let absent = [grant(&[("c", &["a"])], &["*"], Rights::Read)];
        let denied = judged(&absent, &json!({ "d": "a" }), "", Right::Read);
        assert_eq!(denied, Err(Denial::NoGrant));
    }

    #[test]
    fn a_grant_without_claims_is_nobodys() {
        let everybody = [grant(&[], &["*"], Rights::ReadWrite)];
        let judged = judged(&everybody, &json!({}), "", Right::Read);
        assert_eq!(judged, Err(Denial::NoGrant));
    }
}
