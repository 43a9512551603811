//! The CIs whose signed tokens count, and what their jobs may do.

mod grant;
mod place;

use figment::value::Value;
use http::Uri;

use super::super::problem::quoted;
use super::super::raw::Raw;
use super::super::{Claim, Issuer, KeySource, SigningAlgorithm, value};
use super::entry::{Entry, List};

/// The list.
const LIST: List = List {
    key: "access.oidc",
    what: "issuer",
};

/// What an entry may say.
const FIELDS: [&str; 5] = ["issuer", "audience", "keys", "algorithm", "grants"];

/// CIs that sign tokens for everybody, and which of their claims say whose job it is.
///
/// Which workflow ran says so only where nobody else can call it, and is no such claim.
const PUBLIC: [(&str, &[&str]); 2] = [
    (
        "https://token.actions.githubusercontent.com",
        &[
            "sub",
            "repository",
            "repository_id",
            "repository_owner",
            "repository_owner_id",
            "enterprise",
            "enterprise_id",
        ],
    ),
    (
        "https://gitlab.com",
        &[
            "sub",
            "project_id",
            "project_path",
            "namespace_id",
            "namespace_path",
        ],
    ),
];

/// Checks `access.oidc`.
pub(super) fn issuers(raw: &mut Raw) -> Vec<Issuer> {
    let issuers = LIST.read(raw, name, entry, clash);
    for issuer in &issuers {
        warn_of_strangers(raw, issuer);
    }
    issuers
}

/// What an entry is called; one whose issuer is wrong may hold a password there, and goes by its number.
fn name(item: &Value) -> Option<&str> {
    let issuer = item.as_dict()?.get("issuer")?;
    place::issuer(issuer).ok()?;
    issuer.as_str()
}

fn named(issuer: &Issuer) -> String {
    let (name, audience) = (quoted(&issuer.issuer), quoted(&issuer.audience));
    format!("issuer {name} with the audience {audience}")
}

fn clash(one: &Issuer, two: &Issuer) -> Option<String> {
    let is_twin = one.issuer == two.issuer && one.audience == two.audience;
    is_twin.then(|| format!("{} is there twice", named(two)))
}

/// Warns of grants that hold for anybody's jobs: allowed, since only the CI knows all its claims.
fn warn_of_strangers(raw: &mut Raw, issuer: &Issuer) {
    let Some((_, whose)) = PUBLIC.iter().find(|(name, _)| *name == issuer.issuer) else {
        return;
    };
    for (index, grant) in issuer.grants.iter().enumerate() {
        // `repo:*` is everybody's: what stands before any rest must go beyond the owner.
        let is_somebodys = |text: &String| !text.ends_with('*') || text.contains('/');
        let says_whose = |claim: &Claim| {
            whose.contains(&claim.name.as_str()) && claim.any_of.iter().all(is_somebodys)
        };
        if !grant.claims.iter().any(says_whose) {
            let number = index + 1;
            raw.warn(
                LIST.key,
                &format!(
                    "{}: grant {number} does not say whose jobs, and that CI signs for everybody: add one \
                     of {}",
                    named(issuer),
                    whose.join(", ")
                ),
            );
        }
    }
}

fn entry(item: &Value) -> Result<Issuer, Vec<String>> {
    let Some(fields) = item.as_dict() else {
        return Err(vec![
            "must be a table such as {issuer = \"https://…\", audience = \"…\", grants = […]}"
                .to_owned(),
        ]);
    };
    let mut entry = Entry::new(fields, &FIELDS);
    let issuer = entry
        .need("issuer", "an issuer: the claim `iss`", place::issuer)
        .unwrap_or_default();
    let audience = entry.need(
        "audience",
        "an audience: without one, a token made for somebody else would do",
        |value| value::text(value).map(str::to_owned),
    );
    let algorithms = SigningAlgorithm::ALL.map(|algorithm| (algorithm.as_str(), algorithm));
    let issuer = Issuer {
        audience: audience.unwrap_or_default(),
        keys: keys(&mut entry, &issuer),
        algorithm: entry
            .take("algorithm", |value| value::choice(value, &algorithms))
            .unwrap_or(SigningAlgorithm::Rs256),
        grants: grant::grants(&mut entry),
        issuer,
    };
    entry.end(issuer)
}

/// Where its keys are; nobody uses what stands in where that is a mistake.
fn keys(entry: &mut Entry<'_>, issuer: &str) -> KeySource {
    let keys = if entry.has("keys") {
        entry.take("keys", place::keys)
    } else {
        entry.note(place::usual_keys(issuer))
    };
    keys.unwrap_or_else(|| KeySource::Url(Uri::default()))
}

#[cfg(test)]
mod tests;
