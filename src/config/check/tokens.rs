//! The operator's list of tokens: each named, each kept as a digest only.

use aws_lc_rs::digest::{SHA256, digest};
use data_encoding::HEXLOWER_PERMISSIVE;
use figment::value::Value;

use super::super::problem::quoted;
use super::super::raw::Raw;
use super::super::secret::{token, token_file};
use super::super::{Rights, Token, moment, value};
use super::entry::{Entry, List, rights, teams};

/// The list.
const LIST: List = List {
    key: "access.tokens",
    what: "token",
};

/// What an entry may say.
const FIELDS: [&str; 7] = [
    "name", "token", "sha256", "file", "teams", "rights", "expires",
];

/// Checks `access.tokens`.
pub(super) fn tokens(raw: &mut Raw) -> Vec<Token> {
    LIST.read(raw, name, entry, clash)
}

fn name(item: &Value) -> Option<&str> {
    item.as_dict()?.get("name")?.as_str()
}

fn clash(one: &Token, two: &Token) -> Option<String> {
    if one.name == two.name {
        Some(format!("two tokens are named {}", quoted(&one.name)))
    } else if one.sha256 == two.sha256 {
        let (one, two) = (quoted(&one.name), quoted(&two.name));
        Some(format!("{one} and {two} are the same token"))
    } else {
        None
    }
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
        sha256: sha256(&mut entry),
        teams: entry
            .take("teams", teams)
            .unwrap_or_else(|| vec!["*".to_owned()]),
        rights: entry.take("rights", rights).unwrap_or(Rights::ReadWrite),
        expires: entry.take("expires", moment::moment),
    };
    entry.end(token)
}

/// The token's digest, however the token is given, which must be in one way only.
fn sha256(entry: &mut Entry<'_>) -> [u8; 32] {
    let ways = ["token", "sha256", "file"];
    if ways.iter().filter(|way| entry.has(way)).count() != 1 {
        entry
            .mistakes
            .push("needs one of token, sha256 and file".to_owned());
    }
    let text = entry.take("token", |value| token(value::text(value)?));
    let read = entry.take("file", |value| token_file(&value::path(value)?));
    let hex = entry.take("sha256", hex);
    text.or(read)
        .map(|secret| hash(secret.expose()))
        .or(hex)
        .unwrap_or_default()
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
            assert_eq!(list[0].sha256, hash("007"), "{given}");
            assert_eq!(list[0].teams, ["*"]);
            assert_eq!(list[0].rights, Rights::ReadWrite);
            assert_eq!(list[0].expires, None);
        }
    }

    #[test]
    fn what_an_entry_lacks_or_has_too_much_is_said_without_its_secret() {
        for (entry, message) in [
            ("{token = \"canary\"}", "token 1: needs a name"),
            ("{name = \"a\"}", "needs one of"),
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
