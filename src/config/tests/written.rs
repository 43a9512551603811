//! How things may be written, in the file and in the environment.

use std::path::PathBuf;

use super::super::*;
use super::{mistake_in, written};

#[test]
fn a_file_that_is_no_toml_is_said_by_line_and_never_quoted() {
    let file = written("data_dir = \"/x\"\n[admin]\ntoken = \"canary\nlog = 1");
    let mistakes = file.mistakes(&[("LARDER_LOG__LEVEL", "loud")]).join("\n");
    assert!(mistakes.starts_with("larder.toml:3: "), "{mistakes}");
    assert!(mistakes.contains("LARDER_LOG__LEVEL: "), "{mistakes}");
    assert!(!mistakes.contains("canary"), "{mistakes}");
}

#[test]
fn tables_and_keys_are_not_mistaken_for_one_another() {
    for (text, mistake) in [
        ("server = 5", "larder.toml:1: server: is a table of keys"),
        ("[[server]]\nlisten = \"a:1\"", "server: is a table of keys"),
        ("[upstream.url]\na = 1", "unknown key upstream.url.a"),
        ("upstream.url = {}", "upstream.url: must be text"),
        ("[servers]", "larder.toml:1: unknown key servers"),
        (
            "\"server.listen\" = \"a:1\"",
            "unknown key \"server.listen\"",
        ),
    ] {
        let mistakes = mistake_in(text);
        assert!(mistakes.contains(mistake), "{text}: {mistakes}");
    }
    written("[server]\n[tier]\n[tier.disk]").load(&[]).unwrap();
}

#[test]
fn environment_text_reaches_its_field_as_it_was_written() {
    let file = written("");
    for text in ["007", "1.10", "true", "[a]", "{a=1}", "\"q\"", "null"] {
        let loaded = file.load(&[("LARDER_ADMIN__TOKEN", text)]).unwrap();
        assert_eq!(loaded.config.admin.token.unwrap().expose(), text);
    }
    let loaded = file.load(&[("LARDER_DATA_DIR", "/ignored")]).unwrap();
    assert_eq!(loaded.config.data_dir, PathBuf::from("/data"));
}

#[test]
fn a_list_is_written_with_commas_or_as_an_array() {
    let file = written("");
    for text in [
        "a:1, [::1]:2",
        "a:1,[::1]:2,",
        "[\"a:1\", \"[::1]:2\"]",
        " [ 'a:1', '[::1]:2' ] ",
    ] {
        let variables = [
            ("LARDER_SERVER__LISTEN", text),
            ("LARDER_ACCESS__MODE", "open"),
        ];
        let loaded = file.load(&variables).unwrap();
        let shown: Vec<String> = loaded
            .config
            .server
            .listen
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(shown, ["a:1", "[::1]:2"], "{text}");
    }
    let none = file
        .load(&[("LARDER_ACCESS__CREDENTIAL_HEADERS", "")])
        .unwrap();
    assert_eq!(none.config.access.credential_headers.len(), 0);
    let wrong = file.mistakes(&[("LARDER_SERVER__LISTEN", "[a:1]")]);
    assert_eq!(
        wrong,
        ["LARDER_SERVER__LISTEN: server.listen: begins like a TOML array, but is none"]
    );
}

#[test]
fn service_links_are_nobodys_configuration() {
    let links = [
        ("LARDER_SERVICE_HOST", "10.0.0.1"),
        ("LARDER_SERVICE_PORT", "8585"),
        ("LARDER_SERVICE_PORT_HTTP", "8585"),
        ("LARDER_PORT", "tcp://10.0.0.1:8585"),
        ("LARDER_PORT_8585_TCP", "tcp://10.0.0.1:8585"),
        ("LARDER_PORT_8585_TCP_PROTO", "tcp"),
        ("LARDER_PORT_8585_TCP_PORT", "8585"),
        ("LARDER_PORT_8585_TCP_ADDR", "10.0.0.1"),
        ("LARDER_ADMIN_SERVICE_HOST", "10.0.0.1"),
        ("LARDER_ADMIN_V2_PORT", "udp://10.0.0.1:1"),
        ("LARDER_ADMIN_PORT_1_UDP_PORT", "1"),
    ];
    let loaded = written("").load(&links).unwrap();
    assert_eq!(loaded.warnings, Vec::<String>::new());
    let loaded = written("").load(&[("LARDER_PORT", "9000")]).unwrap();
    assert!(
        loaded.warnings[0].contains("LARDER_SERVER__LISTEN"),
        "{:?}",
        loaded.warnings
    );
    for name in [
        "LARDER_PORT_X_TCP",
        "LARDER_SERVER__PORT",
        "LARDER_HOST",
        "LARDER_",
    ] {
        let mistakes = written("").mistakes(&[(name, "tcp://10.0.0.1:1")]);
        assert!(
            mistakes[0].contains(&format!("unknown variable {name}")),
            "{mistakes:?}"
        );
    }
}

#[test]
fn variables_are_spelled_in_capitals_only() {
    let mistakes = written("").mistakes(&[("LARDER_data_dir", "/x")]);
    assert_eq!(
        mistakes,
        ["unknown variable LARDER_data_dir: did you mean LARDER_DATA_DIR?"]
    );
    written("")
        .load(&[("larder_data_dir", "/x"), ("LARDERX", "y")])
        .unwrap();
}

#[test]
fn text_that_is_not_utf_8_is_a_mistake() {
    use std::os::unix::ffi::OsStringExt;
    let odd = std::ffi::OsString::from_vec(vec![0xff]);
    let environment = Environment::new([("LARDER_DATA_DIR".into(), odd)]);
    let problems = load(&written("").flags, &environment).unwrap_err();
    assert_eq!(
        problems.to_string(),
        "LARDER_DATA_DIR: data_dir: is not UTF-8"
    );
}
