//! What jobs may do, by what their tokens claim.

use figment::value::{Dict, Value};

use super::super::super::problem::quoted;
use super::super::super::{Claim, Grant, Rights, value};
use super::super::entry::{Entry, rights, teams};

/// What a grant may say.
const FIELDS: [&str; 3] = ["claims", "teams", "rights"];

/// Claims that are checked in any case, or say nothing of the job.
const NO_CONDITIONS: [&str; 6] = ["iss", "aud", "exp", "nbf", "iat", "jti"];

/// The grants of an issuer; their mistakes are noted as its own.
pub(super) fn grants(issuer: &mut Entry<'_>) -> Vec<Grant> {
    let needs = "grants: whatever none allows is denied";
    let items = issuer.need("grants", needs, value::items);
    if items.as_ref().is_some_and(Vec::is_empty) {
        issuer.mistakes.push(format!("needs {needs}"));
    }
    let mut grants = Vec::new();
    for (index, item) in items.iter().flatten().enumerate() {
        match grant(item) {
            Ok(grant) => grants.push(grant),
            Err(mistakes) => {
                let number = index + 1;
                let mistakes = mistakes.into_iter();
                issuer
                    .mistakes
                    .extend(mistakes.map(|mistake| format!("grant {number}: {mistake}")));
            }
        }
    }
    grants
}

fn grant(item: &Value) -> Result<Grant, Vec<String>> {
    let Some(fields) = item.as_dict() else {
        return Err(vec![
            "must be a table such as {claims = {ref = \"refs/heads/main\"}, teams = [\"acme\"]}"
                .to_owned(),
        ]);
    };
    let mut entry = Entry::new(fields, &FIELDS);
    let grant = Grant {
        claims: claims(&mut entry),
        teams: entry
            .need("teams", "teams, `*` for every team", teams)
            .unwrap_or_default(),
        rights: entry.take("rights", rights).unwrap_or(Rights::Read),
    };
    entry.end(grant)
}

/// The claims of a grant; never none.
fn claims(grant: &mut Entry<'_>) -> Vec<Claim> {
    let needs =
        "claims: a public CI signs tokens for everybody, and anybody may choose their audience";
    let fields = grant.need("claims", needs, |value| {
        let table = value.as_dict().cloned();
        table.ok_or_else(|| "must be a table such as {ref = \"refs/heads/main\"}".to_owned())
    });
    if fields.as_ref().is_some_and(Dict::is_empty) {
        grant.mistakes.push(format!("needs {needs}"));
    }
    let mut claims = Vec::new();
    for (name, value) in fields.iter().flatten() {
        let claim = claim(name, value);
        let claim = claim.map_err(|mistake| format!("claim {} {mistake}", quoted(name)));
        claims.extend(grant.note(claim));
    }
    claims
}

fn claim(name: &str, value: &Value) -> Result<Claim, String> {
    if NO_CONDITIONS.contains(&name) {
        return Err("is checked in any case, and is no condition".to_owned());
    }
    let texts = match value {
        Value::Array(_, items) => items.iter().map(said).collect::<Result<Vec<_>, _>>()?,
        single => vec![said(single)?],
    };
    if texts.is_empty() {
        return Err("may say nothing, and so would never hold".to_owned());
    }
    Ok(Claim {
        name: name.to_owned(),
        any_of: texts,
    })
}

/// One thing that a claim may say.
fn said(value: &Value) -> Result<String, String> {
    let text = value::text(value)
        .map_err(|mistake| format!("{mistake}; a list of texts is any of them"))?;
    match text.strip_suffix('*').unwrap_or(text) {
        "" => Err("may say anything: `*` stands only for the rest of something".to_owned()),
        stem if stem.contains('*') => Err(format!("{}: `*` stands only at the end", quoted(text))),
        _ => Ok(text.to_owned()),
    }
}
