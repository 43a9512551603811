//! The operator's list of tokens: each named, each kept as a digest only, or known by a certificate.

use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use data_encoding::HEXLOWER_PERMISSIVE;
use figment::value::Value;

use super::super::problem::quoted;
use super::super::raw::Raw;
use super::super::secret::{token, token_file};
use super::super::{Proof, Rights, Token, moment, value};
use super::entry::{Entry, List, rights, teams};

/// The list.
const LIST: List = List {
    key: "access.tokens",
    what: "token",
};

/// What an entry may say.
const FIELDS: [&str; 8] = [
    "name",
    "token",
    "sha256",
    "file",
    "certificate",
    "teams",
    "rights",
    "expires",
];

/// The ways to give a token.
const WAYS: [&str; 3] = ["token", "sha256", "file"];

/// Checks `access.tokens`.
pub(super) fn tokens(raw: &mut Raw) -> Vec<Token> {
    LIST.read(raw, name, entry, clash)
}

fn name(item: &Value) -> Option<&str> {
    item.as_dict()?.get("name")?.as_str()
}

fn clash(one: &Token, two: &Token) -> Option<String> {
    if one.name == two.name {
        return Some(format!("two tokens are named {}", quoted(&one.name)));
    }
    let what = same(&one.proof, &two.proof)?;
    let (one, two) = (quoted(&one.name), quoted(&two.name));
    Some(format!("{one} and {two} are the same {what}"))
}

/// What two proofs have in common that should be one entry's alone. A token may be bound to several
/// certificates, but not be bound and free.
fn same(one: &Proof, two: &Proof) -> Option<&'static str> {
    let certificates = one.certificate().zip(two.certificate());
    let are_apart = certificates.is_some_and(|(one, two)| !is_one_name(one, two));
    match (one.sha256(), two.sha256()) {
        (Some(one), Some(two)) => (one == two && !are_apart).then_some("token"),
        (None, None) => (!are_apart).then_some("certificate"),
        _ => None,
    }
}

/// Whether one certificate may be called by both: of a host's name the case does not count.
fn is_one_name(one: &str, two: &str) -> bool {
    let may_be_host = one
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"-._*".contains(&byte));
    one == two || (may_be_host && one.eq_ignore_ascii_case(two))
}

fn entry(item: &Value) -> Result<Token, Vec<String>> {
    let Some(fields) = item.as_dict() else {
        return Err(vec![
            "must be a table such as {name = \"ci\", file = \"/run/ci.token\"}".to_owned(),
        ]);
    };
    let mut entry = Entry::new(fields, &FIELDS);
    let name = entry.need("name", "a name", |value| {
        value::text(value).map(str::to_owned)
    });
    let token = Token {
        name: name.unwrap_or_default(),
        proof: proof(&mut entry),
        teams: entry
            .take("teams", teams)
            .unwrap_or_else(|| vec!["*".to_owned()]),
        rights: entry.take("rights", rights).unwrap_or(Rights::ReadWrite),
        expires: entry.take("expires", moment::moment),
    };
    entry.end(token)
}

/// A token, in one way only, or a certificate, or both.
fn proof(entry: &mut Entry<'_>) -> Proof {
    let given = WAYS.iter().filter(|way| entry.has(way)).count();
    let certificate = entry.take("certificate", |value| value::text(value).map(Arc::from));
    if given > 1 || (given == 0 && !entry.has("certificate")) {
        entry
            .mistakes
            .push("needs one of token, sha256 and file, or a certificate".to_owned());
    }
    match (sha256(entry), certificate) {
        (Some(sha256), Some(certificate)) => Proof::Both(sha256, certificate),
        (None, Some(certificate)) => Proof::Certificate(certificate),
        // Where there is neither, that was noted.
        (sha256, None) => Proof::Token(sha256.unwrap_or_default()),
    }
}

/// The token's digest, however the token is given.
fn sha256(entry: &mut Entry<'_>) -> Option<[u8; 32]> {
    let text = entry.take("token", |value| token(value::text(value)?));
    let read = entry.take("file", |value| token_file(&value::path(value)?));
    let hex = entry.take("sha256", hex);
    let secret = text.or(read);
    secret.map(|secret| hash(secret.expose())).or(hex)
}

fn hash(text: &str) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes.copy_from_slice(digest(&SHA256, text.as_bytes()).as_ref());
    bytes
}

fn hex(value: &Value) -> Result<[u8; 32], String> {
    let decoded = HEXLOWER_PERMISSIVE.decode(value::text(value)?.as_bytes());
    decoded
        .ok()
        .and_then(|bytes| bytes.try_into().ok())
        .ok_or_else(|| "must be 64 hexadecimal digits".to_owned())
}

#[cfg(test)]
mod tests {
    use super::super::super::raw::Setting;
    use super::*;

    fn read(text: &str) -> Result<Vec<Token>, String> {
        let mut raw = Raw::new(Vec::new(), Vec::new());
        raw.lay([Setting::text(LIST.key, text, "default")]);
        let tokens = tokens(&mut raw);
        let problems: Vec<String> = raw.problems.iter().map(ToString::to_string).collect();
        if problems.is_empty() {
            Ok(tokens)
        } else {
            Err(problems.join("\n"))
        }
    }

    #[test]
    fn a_token_is_kept_as_its_digest_however_it_is_given() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "007\n").unwrap();
        let digest = data_encoding::HEXLOWER.encode(&hash("007"));
        for given in [
            "token = \"007\"".to_owned(),
            format!("sha256 = \"{}\"", digest.to_uppercase()),
            format!("file = {:?}", file.path()),
        ] {
            let list = read(&format!("[{{name = \"ci\", {given}}}]")).unwrap();
            assert!(list[0].proof == Proof::Token(hash("007")), "{given}");
            assert_eq!(list[0].teams, ["*"]);
            assert_eq!(list[0].rights, Rights::ReadWrite);
            assert_eq!(list[0].expires, None);
        }
    }

    #[test]
    fn an_entry_is_known_by_a_token_or_a_certificate_or_both() {
        let name = || Arc::from("ci.example");
        for (given, proof) in [
            ("certificate = \"ci.example\"", Proof::Certificate(name())),
            (
                "certificate = \"ci.example\", token = \"007\"",
                Proof::Both(hash("007"), name()),
            ),
        ] {
            let list = read(&format!("[{{name = \"ci\", {given}}}]")).unwrap();
            assert!(list[0].proof == proof, "{given}");
        }
        let entry = |name: &str, rest: &str| format!("{{name = \"{name}\", {rest}}}");
        let list = |one: &str, two: &str| format!("[{}, {}]", entry("a", one), entry("b", two));
        let (ci, x) = ("certificate = \"ci\"", "certificate = \"x\"");
        let (t, t_ci, t_x) = (
            "token = \"t\"",
            "token = \"t\", certificate = \"ci\"",
            "token = \"t\", certificate = \"x\"",
        );
        let (loud, ann, loud_ann) = (
            "certificate = \"CI\"",
            "certificate = \"spiffe://acme/ann\"",
            "certificate = \"spiffe://acme/ANN\"",
        );
        for (one, two) in [(ci, x), (ci, t), (ci, t_ci), (t_ci, t_x), (ann, loud_ann)] {
            assert_eq!(read(&list(one, two)).unwrap().len(), 2, "{one} {two}");
        }
        for (one, two, what) in [
            (ci, ci, "the same certificate"),
            (ci, loud, "the same certificate"),
            (t_ci, t_ci, "the same token"),
            (t, t_ci, "the same token"),
            (t_ci, t, "the same token"),
        ] {
            let error = read(&list(one, two)).unwrap_err();
            assert!(error.contains(what), "{one} {two}: {error}");
        }
    }

    #[test]
    fn what_an_entry_lacks_or_has_too_much_is_said_without_its_secret() {
        for (entry, message) in [
            ("{token = \"canary\"}", "token 1: needs a name"),
            ("{name = \"a\"}", "needs one of"),
            ("{name = \"a\", certificate = \"\"}", "certificate is empty"),
            (
                "{name = \"a\", certificate = 7}",
                "certificate must be text",
            ),
            ("{name = 7, token = \"canary\"}", "name must be text"),
            (
                "{name = \"a\", token = \"canary\", sha256 = \"00\"}",
                "64 hexadecimal",
            ),
            (
                "{name = \"a\", token = \"canary\", file = \"/nowhere\"}",
                "/nowhere cannot be read",
            ),
            ("{name = \"a\", token = \"canary \"}", "one word of ASCII"),
            ("{name = \"a\", token = 7}", "in quotes"),
            ("{name = \"a\", token = \"canary\", teams = []}", "no team"),
            (
                "{name = \"a\", token = \"canary\", rights = \"all\"}",
                "none of: read, read-write",
            ),
            (
                "{name = \"a\", token = \"canary\", team = \"x\"}",
                "\"team\" is none of",
            ),
            (
                "{name = \"a\", token = \"canary\"}, {name = \"a\", token = \"b\"}",
                "two tokens are named",
            ),
            (
                "{name = \"a\", token = \"canary\"}, {name = \"b\", token = \"canary\"}",
                "the same token",
            ),
            ("\"canary\"", "must be a table"),
        ] {
            let error = read(&format!("[{entry}]")).unwrap_err();
            assert!(error.contains(message), "{entry}: {error}");
            assert!(!error.contains("canary"), "{entry}: {error}");
        }
    }

    #[test]
    fn every_mistake_in_every_entry_is_said() {
        let entries = "[{name = \"a\", expires = \"soon\", rights = \"all\"}, {}, 7]";
        let mistakes = read(entries).unwrap_err();
        assert_eq!(mistakes.lines().count(), 6, "{mistakes}");
        for (entry, count) in [("token \"a\": ", 3), ("token 2: ", 2), ("token 3: ", 1)] {
            assert_eq!(mistakes.matches(entry).count(), count, "{mistakes}");
        }
    }
}
