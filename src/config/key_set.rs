//! JWK sets (RFC 7517 §5): which keys are in one, not which of them are worth anything.
//!
//! One rule, whether a set is in a file or on the network, and whether it is checked or used.

use std::path::Path;

use serde_json::{Map, Value};

use super::file;

/// Longest set read, in bytes: a CI's takes a few KiB, with a certificate for each key.
pub const MAX_KEY_SET: usize = 256 * 1024;

/// The keys in the file at `path`, as they are written.
///
/// # Errors
///
/// What is wrong with the file, by its name.
pub fn key_file(path: &Path) -> Result<Vec<Value>, String> {
    let shown = path.display();
    let text = file::named_text(path)?;
    key_set(text.as_bytes()).map_err(|mistake| format!("{shown} {mistake}"))
}

/// The keys of a set, as they are written.
///
/// # Errors
///
/// Why it is none, without what it holds.
pub fn key_set(text: &[u8]) -> Result<Vec<Value>, &'static str> {
    if text.len() > MAX_KEY_SET {
        return Err("is larger than a set of keys: 256 KiB");
    }
    let set: Option<Map<String, Value>> = serde_json::from_slice(text).ok();
    match set.and_then(|mut set| set.remove("keys")) {
        Some(Value::Array(keys)) => Ok(keys),
        _ => Err("is no JWK set: a JSON object with a list of keys"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_is_an_object_with_a_list_of_keys_and_has_a_bound() {
        let keys = |text: &str| key_set(text.as_bytes()).map(|keys| keys.len());
        assert_eq!(keys(r#"{"keys":[]}"#), Ok(0));
        assert_eq!(keys(r#"{"keys":[{"kty":"RSA"},7],"more":1}"#), Ok(2));
        for text in ["", "keys", "[]", "{}", r#"{"keys":{}}"#, r#"{"keys":[]"#] {
            assert!(keys(text).unwrap_err().contains("no JWK set"), "{text}");
        }
        let filler = " ".repeat(MAX_KEY_SET);
        let long = keys(&format!(r#"{{"keys":[]}}{filler}"#));
        assert!(long.unwrap_err().contains("256 KiB"));
    }

    #[test]
    fn a_file_is_named_with_what_is_wrong_with_it() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "canary").unwrap();
        let mistake = key_file(file.path()).unwrap_err();
        let path = file.path().display().to_string();
        assert!(mistake.starts_with(&path), "{mistake}");
        assert!(!mistake.contains("canary"), "{mistake}");
        let missing = key_file(Path::new("/nowhere/keys.json")).unwrap_err();
        assert!(missing.starts_with("/nowhere/keys.json cannot be read: "));
    }
}
