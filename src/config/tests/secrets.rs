//! What must never be printed.

use super::{environment, mistake_in, written};

#[test]
fn secrets_are_never_printed() {
    let file = written(
        "access.mode = \"tokens\"\naccess.tokens = [{name = \"ci\", token = \"canary-1\"}]",
    );
    let loaded = file.load(&[
        ("LARDER_ADMIN__TOKEN", "canary-2"),
        ("HTTP_PROXY", "http://u:canary-3@p"),
    ]);
    let loaded = loaded.unwrap();
    let shown: Vec<String> = loaded.values.iter().map(ToString::to_string).collect();
    let shown = format!("{} {loaded:?}", shown.join("\n"));
    assert!(!shown.contains("canary"), "{shown}");
    assert!(
        shown.contains("admin.token = \"***\"  # LARDER_ADMIN__TOKEN"),
        "{shown}"
    );
    assert!(shown.contains("name = \"ci\", token = \"***\""), "{shown}");
    let wrong = file.mistakes(&[
        ("LARDER_ADMIN__TOKEN", "canary with spaces"),
        ("LARDER_UPSTREAM__PROXY", "socks5://u:canary@p"),
        ("LARDER_UPSTREAM__URL", "http://u:canary@p"),
        (
            "LARDER_ACCESS__TOKENS",
            "[{name = \"x\", token = \"canary\", oops}]",
        ),
        ("LARDER_CANARY", "canary"),
    ]);
    assert_eq!(wrong.len(), 5, "{wrong:?}");
    assert!(!wrong.join("\n").contains("canary"), "{wrong:?}");
    let environment = environment(&[("LARDER_ADMIN__TOKEN", "canary")]);
    assert!(!format!("{environment:?}").contains("canary"));
}

#[test]
fn a_secret_comes_from_its_key_or_from_a_file_not_from_both() {
    let file = written("");
    let path = file.folder.path().join("token");
    std::fs::write(&path, "s3cret\n").unwrap();
    let path = path.to_str().unwrap();
    let from_file = ("LARDER_ADMIN__TOKEN_FILE", path);
    let loaded = file.load(&[from_file]).unwrap();
    assert_eq!(loaded.config.admin.token.unwrap().expose(), "s3cret");
    assert_eq!(
        file.line(&[from_file], "admin.token"),
        "# admin.token is not set"
    );
    let both = file.mistakes(&[from_file, ("LARDER_ADMIN__TOKEN", "a")]);
    assert_eq!(
        both,
        [
            "LARDER_ADMIN__TOKEN_FILE: admin.token_file: admin.token is set too (LARDER_ADMIN__TOKEN): keep one"
        ]
    );
    let missing = mistake_in("admin.token_file = \"/nowhere/token\"");
    assert!(
        missing.starts_with("larder.toml:1: admin.token_file: /nowhere/token cannot be read: "),
        "{missing}"
    );
}

#[test]
fn of_a_secret_and_its_file_the_higher_layer_wins() {
    let token = ("LARDER_ADMIN__TOKEN", "above");
    let file = written("admin.token_file = \"/nowhere/token\"");
    let loaded = file.load(&[token]).unwrap();
    assert_eq!(loaded.config.admin.token.unwrap().expose(), "above");
    assert_eq!(
        file.line(&[token], "admin.token"),
        "admin.token = \"***\"  # LARDER_ADMIN__TOKEN"
    );
    assert_eq!(
        file.line(&[token], "admin.token_file"),
        "# admin.token_file is not set"
    );
    let file = written("admin.token = \"below\"");
    let path = file.folder.path().join("token");
    std::fs::write(&path, "above\n").unwrap();
    let from_file = ("LARDER_ADMIN__TOKEN_FILE", path.to_str().unwrap());
    let loaded = file.load(&[from_file]).unwrap();
    assert_eq!(loaded.config.admin.token.unwrap().expose(), "above");
    assert_eq!(
        file.line(&[from_file], "admin.token_file"),
        "admin.token_file = \"token\"  # LARDER_ADMIN__TOKEN_FILE"
    );
    let both = written("admin.token = \"a\"\nadmin.token_file = \"/nowhere/token\"");
    assert!(both.mistakes(&[])[0].contains("admin.token is set too (larder.toml:1): keep one"));
}

/// A file that holds a signature key, and the configuration that names it.
fn signed_with(key: &str) -> (super::Written, String) {
    let file = written("");
    let path = file.folder.path().join("signature-key");
    std::fs::write(&path, key).unwrap();
    let path = path.to_str().unwrap().to_owned();
    (file, path)
}

#[test]
fn a_signature_key_is_its_files_text_without_the_last_line_end() {
    use crate::artifact::*;
    use http::{HeaderMap, HeaderValue};

    let long = "a signature key of more than thirty-two bytes";
    let mut headers = HeaderMap::new();
    let tag = HeaderValue::from_static("R33t9xOO0Of3hfSEqdGaGYDCrT6P0+awEuIYtbji0CI=");
    headers.insert("x-artifact-tag", tag);
    let caller = crate::caller::CallerDigest::from_bytes([1; 32]);
    let hash = ArtifactHash::parse("140a7f78c2a46f3e").unwrap();
    let artifact = ArtifactKey::new(&OriginId::new("none"), Scope::new("", caller), hash);
    for (text, is_the_key) in [
        (long.to_owned(), true),
        (format!("{long}\n"), true),
        (format!("{long}\r\n"), true),
        (format!("{long}\n\n"), false),
        (format!("{long}\r"), false),
        (format!(" {long}"), false),
    ] {
        let (file, path) = signed_with(&text);
        let loaded = file.load(&[("LARDER_ACCESS__SIGNATURE_KEY_FILE", &path)]);
        let loaded = loaded.unwrap();
        assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
        let key = loaded.config.access.signature_key.unwrap();
        let mut check = key.begin(&artifact, &Fields::pick(&headers), None).unwrap();
        check.update(b"not quite an archive");
        let fits = matches!(check.verdict(), SignatureVerdict::Fits);
        assert_eq!(fits, is_the_key, "{text:?}");
    }
}

#[test]
fn a_signature_key_that_is_none_is_a_mistake_and_a_short_one_a_doubt() {
    let variable = "LARDER_ACCESS__SIGNATURE_KEY_FILE";
    for empty in ["", "\n", "\r\n"] {
        let (file, path) = signed_with(empty);
        let mistakes = file.mistakes(&[(variable, &path), ("LARDER_LOG__LEVEL", "loud")]);
        assert_eq!(mistakes.len(), 2, "{mistakes:?}");
        let expected = format!("{variable}: access.signature_key_file: signature-key holds no key");
        assert_eq!(mistakes[0], expected);
    }
    let missing = mistake_in("access.signature_key_file = \"/nowhere/key\"");
    assert!(
        missing.contains("/nowhere/key cannot be read: "),
        "{missing}"
    );
    let (file, path) = signed_with("canary");
    let loaded = file.load(&[(variable, &path)]).unwrap();
    assert_eq!(loaded.warnings.len(), 1, "{:?}", loaded.warnings);
    assert!(loaded.warnings[0].contains("fewer than 32 bytes"));
    assert!(!format!("{loaded:?}").contains("canary"));
    assert_eq!(
        file.line(&[(variable, &path)], "access.signature_key_file"),
        format!("access.signature_key_file = \"signature-key\"  # {variable}")
    );
}
