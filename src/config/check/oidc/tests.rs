//! What may be written of CIs, and what may not.

use super::super::super::raw::Setting;
use super::super::super::{Claim, Rights};
use super::*;

const GITHUB: &str = "issuer = \"https://token.actions.githubusercontent.com\"";
const AUDIENCE: &str = "audience = \"https://cache.acme.example\"";
const GRANTS: &str = "grants = [{claims = {repository_owner = \"acme\"}, teams = [\"acme\"]}]";

fn raw(text: &str) -> Raw {
    let mut raw = Raw::new(Vec::new(), Vec::new());
    raw.lay([Setting::text(LIST.key, text, "default")]);
    raw
}

fn read(text: &str) -> Result<Vec<Issuer>, String> {
    let mut raw = raw(text);
    let issuers = issuers(&mut raw);
    let problems: Vec<String> = raw.problems.iter().map(ToString::to_string).collect();
    if problems.is_empty() {
        Ok(issuers)
    } else {
        Err(problems.join("\n"))
    }
}

fn with_grant(grant: &str) -> Result<Vec<Issuer>, String> {
    read(&format!("[{{{GITHUB}, {AUDIENCE}, grants = [{grant}]}}]"))
}

#[test]
fn what_is_not_said_is_the_usual_and_the_safer() {
    let issuers = read(&format!("[{{{GITHUB}, {AUDIENCE}, {GRANTS}}}]")).unwrap();
    let issuer = &issuers[0];
    assert_eq!(
        issuer.keys.to_string(),
        "https://token.actions.githubusercontent.com/.well-known/jwks"
    );
    assert_eq!(issuer.algorithm, SigningAlgorithm::Rs256);
    assert_eq!(issuer.grants[0].rights, Rights::Read);
    let slash = read(&format!(
        "[{{issuer = \"https://ci.example/a/\", {AUDIENCE}, {GRANTS}}}]"
    ))
    .unwrap();
    assert_eq!(slash[0].issuer, "https://ci.example/a/", "to the letter");
    assert_eq!(
        slash[0].keys.to_string(),
        "https://ci.example/a/.well-known/jwks"
    );
}

#[test]
fn everything_can_be_said() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), r#"{"keys":[]}"#).unwrap();
    let grant = "{claims = {ref = [\"refs/heads/main\", \"refs/heads/release/*\"], sub = \"a,b\"}, \
                 teams = [\"*\"], rights = \"read-write\"}";
    let issuers = read(&format!(
        "[{{issuer = \"http://[::1]:8080\", {AUDIENCE}, keys = {:?}, algorithm = \"EdDSA\", \
         grants = [{grant}]}}]",
        file.path()
    ))
    .unwrap();
    let issuer = &issuers[0];
    assert_eq!(issuer.keys, KeySource::File(file.path().to_owned()));
    assert_eq!(issuer.algorithm, SigningAlgorithm::EdDsa);
    let claim = |name: &str, any_of: &[&str]| Claim {
        name: name.to_owned(),
        any_of: any_of.iter().map(|&text| text.to_owned()).collect(),
    };
    assert_eq!(
        issuer.grants[0].claims,
        [
            claim("ref", &["refs/heads/main", "refs/heads/release/*"]),
            claim("sub", &["a,b"]),
        ]
    );
    assert_eq!(issuer.grants[0].rights, Rights::ReadWrite);
}

#[test]
fn keys_that_somebody_on_the_way_could_forge_are_a_mistake() {
    for (keys, message) in [
        ("http://ci.example/jwks", "must be https"),
        ("http://10.0.0.1/jwks", "must be https"),
        ("http://127.0.0.1.example/jwks", "must be https"),
        ("ftp://ci.example/jwks", "is no URL"),
        ("https://", "is no URL"),
        ("https://ci.example:99999/jwks", "its port"),
        ("https://ci.example/jwks#a", "without a fragment"),
        (
            "https://u:canary@ci.example/jwks",
            "without user and password",
        ),
        ("keys.json", "neither a URL nor an absolute path"),
        ("/nowhere/keys.json", "/nowhere/keys.json cannot be read"),
        ("/dev/null", "is no JWK set"),
        ("", "is empty"),
    ] {
        let error = read(&format!(
            "[{{{GITHUB}, {AUDIENCE}, keys = {keys:?}, {GRANTS}}}]"
        ))
        .unwrap_err();
        assert!(error.contains(message), "{keys}: {error}");
        assert!(!error.contains("canary"), "{keys}: {error}");
    }
    for keys in [
        "https://gitlab.example/oauth/discovery/keys?a=b",
        "http://localhost:1/jwks",
        "http://127.9.9.9/jwks",
    ] {
        let said = format!("[{{{GITHUB}, {AUDIENCE}, keys = {keys:?}, {GRANTS}}}]");
        assert_eq!(read(&said).unwrap()[0].keys.to_string(), keys);
    }
}

#[test]
fn what_an_entry_lacks_or_has_too_much_is_said() {
    for (entry, message) in [
        (format!("{AUDIENCE}, {GRANTS}"), "issuer 1: needs an issuer"),
        (format!("{GITHUB}, {GRANTS}"), "needs an audience"),
        (format!("{GITHUB}, {AUDIENCE}"), "needs grants"),
        (format!("{GITHUB}, {AUDIENCE}, grants = []"), "needs grants"),
        (
            format!("{GITHUB}, {AUDIENCE}, {GRANTS}, algorithm = \"HS256\""),
            "\"HS256\" is none of: RS256",
        ),
        (
            format!("{GITHUB}, {AUDIENCE}, {GRANTS}, algorithms = [\"RS256\"]"),
            "\"algorithms\" is none of: issuer, audience, keys, algorithm, grants",
        ),
        (
            format!("issuer = \"http://ci.example\", {AUDIENCE}, {GRANTS}"),
            "must be https",
        ),
        (
            format!("issuer = \"https://ci.example?a=b\", {AUDIENCE}, {GRANTS}"),
            "without a query",
        ),
        (
            format!("issuer = \"https://u:canary@ci.example\", {AUDIENCE}, {GRANTS}"),
            "issuer 1: issuer is a URL without user and password",
        ),
    ] {
        let error = read(&format!("[{{{entry}}}]")).unwrap_err();
        assert!(error.contains(message), "{entry}: {error}");
        assert_eq!(error.lines().count(), 1, "{entry}: {error}");
        assert!(!error.contains("canary"), "{entry}: {error}");
    }
    let twice = format!("{{{GITHUB}, {AUDIENCE}, {GRANTS}}}");
    let error = read(&format!("[{twice}, {twice}]")).unwrap_err();
    assert!(error.contains("is there twice"), "{error}");
    let other = format!("{{{GITHUB}, audience = \"other\", {GRANTS}}}");
    assert_eq!(read(&format!("[{twice}, {other}]")).unwrap().len(), 2);
}

#[test]
fn a_grant_is_never_for_everybody() {
    for (grant, message) in [
        ("{teams = [\"a\"]}", "grant 1: needs claims: a public CI"),
        (
            "{claims = {}, teams = [\"a\"]}",
            "needs claims: a public CI",
        ),
        (
            "{claims = {ref = \"*\"}, teams = [\"a\"]}",
            "\"ref\" may say anything",
        ),
        (
            "{claims = {ref = \"\"}, teams = [\"a\"]}",
            "\"ref\" is empty",
        ),
        ("{claims = {ref = []}, teams = [\"a\"]}", "never hold"),
        (
            "{claims = {ref = [\"a\", \"*\"]}, teams = [\"a\"]}",
            "may say anything",
        ),
        (
            "{claims = {ref = \"a*b\"}, teams = [\"a\"]}",
            "only at the end",
        ),
        (
            "{claims = {ref = \"a**\"}, teams = [\"a\"]}",
            "only at the end",
        ),
        ("{claims = {ref = true}, teams = [\"a\"]}", "must be text"),
        (
            "{claims = {aud = \"a\"}, teams = [\"a\"]}",
            "is no condition",
        ),
        (
            "{claims = {exp = \"1\"}, teams = [\"a\"]}",
            "is no condition",
        ),
        ("{claims = \"ref\", teams = [\"a\"]}", "must be a table"),
        ("{claims = {ref = \"a\"}}", "needs teams"),
        ("{claims = {ref = \"a\"}, teams = []}", "names no team"),
        (
            "{claims = {ref = \"a\"}, teams = [\"a\"], rights = \"write\"}",
            "none of: read, read-write",
        ),
        (
            "{claims = {ref = \"a\"}, team = [\"a\"], teams = [\"a\"]}",
            "\"team\" is none of: claims, teams, rights",
        ),
        ("7", "grant 1: must be a table"),
    ] {
        let error = with_grant(grant).unwrap_err();
        assert!(error.contains(message), "{grant}: {error}");
        assert_eq!(error.lines().count(), 1, "{grant}: {error}");
    }
}

#[test]
fn every_mistake_in_every_entry_is_said() {
    let error = read(&format!(
        "[{{{GITHUB}, algorithm = \"none\", grants = [{{rights = \"all\"}}, 7]}}, {{}}, 7]"
    ))
    .unwrap_err();
    for (entry, count) in [
        (
            "issuer \"https://token.actions.githubusercontent.com\": ",
            6,
        ),
        ("issuer 2: ", 3),
        ("issuer 3: ", 1),
    ] {
        assert_eq!(error.matches(entry).count(), count, "{entry}{error}");
    }
    assert_eq!(error.lines().count(), 10, "{error}");
}

#[test]
fn a_grant_that_does_not_say_whose_jobs_is_doubted() {
    let doubts = |issuer: &str, claims: &str| {
        let mut raw = raw(&format!(
            "[{{issuer = {issuer:?}, {AUDIENCE}, grants = [{{claims = {claims}, teams = [\"a\"]}}]}}]"
        ));
        issuers(&mut raw);
        raw.warnings.join("\n")
    };
    let github = "https://token.actions.githubusercontent.com";
    let anybody = doubts(github, "{ref = \"refs/heads/main\"}");
    assert!(
        anybody.contains("grant 1 does not say whose jobs"),
        "{anybody}"
    );
    for (issuer, claims) in [
        (
            github,
            "{ref = \"refs/heads/main\", repository = \"acme/web\"}",
        ),
        (github, "{sub = \"repo:acme/*\"}"),
        ("https://ci.acme.example", "{ref = \"refs/heads/main\"}"),
    ] {
        assert_eq!(doubts(issuer, claims), "", "{issuer} {claims}");
    }
}
