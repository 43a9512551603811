//! The operator's list in words that would bring it about again, secrets masked.

use std::time::Duration;

use toml_edit::{Array, InlineTable, Value};

use super::effective::{MASK, texts};
use super::{Claim, Grant, Issuer, Token};

/// `access.tokens`.
pub(super) fn tokens(tokens: &[Token]) -> Value {
    Value::from(tokens.iter().map(token).collect::<Array>())
}

/// `access.oidc`.
pub(super) fn issuers(issuers: &[Issuer]) -> Value {
    Value::from(issuers.iter().map(issuer).collect::<Array>())
}

fn token(token: &Token) -> InlineTable {
    let mut table = InlineTable::new();
    table.insert("name", token.name.as_str().into());
    if token.proof.sha256().is_some() {
        table.insert("token", MASK.into());
    }
    if let Some(certificate) = token.proof.certificate() {
        table.insert("certificate", (&**certificate).into());
    }
    table.insert("teams", texts(&token.teams));
    table.insert("rights", token.rights.as_str().into());
    if let Some(expires) = token.expires {
        let moment = std::time::UNIX_EPOCH + Duration::from_secs(expires);
        let text = humantime::format_rfc3339_seconds(moment).to_string();
        table.insert("expires", text.into());
    }
    table
}

fn issuer(issuer: &Issuer) -> InlineTable {
    let mut table = InlineTable::new();
    table.insert("issuer", issuer.issuer.as_str().into());
    table.insert("audience", issuer.audience.as_str().into());
    table.insert("keys", issuer.keys.to_string().into());
    table.insert("algorithm", issuer.algorithm.as_str().into());
    let grants: Array = issuer.grants.iter().map(grant).collect();
    table.insert("grants", grants.into());
    table
}

fn grant(grant: &Grant) -> InlineTable {
    let mut table = InlineTable::new();
    let claims: InlineTable = grant.claims.iter().map(claim).collect();
    table.insert("claims", claims.into());
    table.insert("teams", texts(&grant.teams));
    table.insert("rights", grant.rights.as_str().into());
    table
}

fn claim(claim: &Claim) -> (&str, Value) {
    let said = match claim.any_of.as_slice() {
        [single] => Value::from(single),
        several => texts(several),
    };
    (&claim.name, said)
}
