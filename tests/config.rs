//! The binary from outside: its words, its flags, its exit codes, what `check` prints.

#![expect(clippy::unwrap_used, reason = "a test may fail where it stands")]

use std::path::Path;
use std::process::{Command, Output};

/// The binary with nothing but a home of its own around it.
fn larder(home: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_larder"))
        .args(arguments)
        .env_clear()
        .env("HOME", home)
        .envs(variables.iter().copied())
        .current_dir(home)
        .output()
        .unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn help_and_version_are_answers() {
    let home = tempfile::tempdir().unwrap();
    let version = larder(home.path(), &["--version"], &[]);
    assert_eq!(version.status.code(), Some(0));
    assert_eq!(stdout(&version), "larder 0.1.0\n");
    for arguments in [&["--help"][..], &["serve", "--help"], &["check", "-h"]] {
        let help = larder(home.path(), arguments, &[]);
        assert_eq!(help.status.code(), Some(0));
        for flag in [
            "--config",
            "--listen",
            "--admin-listen",
            "--upstream",
            "--data-dir",
            "--memory",
            "--disk",
            "--log-format",
            "--log-level",
        ] {
            assert!(stdout(&help).contains(flag), "{arguments:?} {flag}");
        }
    }
    assert_eq!(
        larder(home.path(), &["demo", "--help"], &[]).status.code(),
        Some(0)
    );
}

#[test]
fn wrong_usage_and_wrong_configuration_exit_with_2() {
    let home = tempfile::tempdir().unwrap();
    for arguments in [
        &["--nonsense"][..],
        &["nonsense"],
        &["check", "--listen"],
        &["demo", "--listen", "a:1"],
        &["check", "--memory", "much"],
        &["serve", "--memory", "much"],
        &["--memory", "much"],
        &["--config", "/nowhere.toml"],
    ] {
        let output = larder(home.path(), arguments, &[]);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert_eq!(stdout(&output), "", "{arguments:?}");
        assert!(!stderr(&output).is_empty(), "{arguments:?}");
    }
}

#[test]
fn check_prints_a_line_a_key_with_its_source() {
    let home = tempfile::tempdir().unwrap();
    // The working directory is never searched.
    std::fs::write(home.path().join("larder.toml"), "nonsense = 1").unwrap();
    let file = home.path().join(".config/larder/larder.toml");
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(&file, "[log]\nlevel = \"debug\"\n").unwrap();
    let output = larder(
        home.path(),
        &["check", "--listen", "localhost:1", "--listen", "unix:/l"],
        &[
            ("LARDER_TIER__DISK__CAPACITY", "50GiB"),
            ("LARDER_ADMIN__TOKEN", "canary"),
            ("LARDER_SERVICE_HOST", "10.0.0.1"),
            ("LARDER_PORT", "tcp://10.0.0.1:8585"),
        ],
    );
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(stderr(&output), "");
    let text = stdout(&output);
    for line in [
        "server.listen = [\"localhost:1\", \"unix:/l\"]  # --listen",
        "tier.disk.capacity = \"50GiB\"  # LARDER_TIER__DISK__CAPACITY",
        "tier.disk.max_age = \"7d\"  # default",
        "admin.token = \"***\"  # LARDER_ADMIN__TOKEN",
        &format!("log.level = \"debug\"  # {}:2", file.display()),
    ] {
        assert!(text.lines().any(|other| other == line), "{line}\n{text}");
    }
    assert!(!text.contains("canary"));
    assert!(text.parse::<toml_edit::DocumentMut>().is_ok(), "{text}");
}

#[test]
fn check_says_every_mistake_on_standard_error() {
    let home = tempfile::tempdir().unwrap();
    let output = larder(
        home.path(),
        &["check", "--listen", ":1"],
        &[("LARDER_UPSTREAM_URL", "x"), ("LARDER_LOG__LEVEL", "loud")],
    );
    assert_eq!(output.status.code(), Some(2));
    let text = stderr(&output);
    assert_eq!(text.lines().count(), 3, "{text}");
    assert!(
        text.contains("LARDER_UPSTREAM_URL: did you mean LARDER_UPSTREAM__URL?"),
        "{text}"
    );
    assert!(text.contains("--listen: server.listen: "), "{text}");
    assert!(text.contains("LARDER_LOG__LEVEL: log.level: "), "{text}");
}

#[test]
fn check_warns_of_what_is_rarely_meant() {
    let home = tempfile::tempdir().unwrap();
    let output = larder(
        home.path(),
        &["check", "--listen", "0.0.0.0:1"],
        &[("LARDER_ACCESS__MODE", "open")],
    );
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(
        stderr(&output),
        "warning: LARDER_ACCESS__MODE: access.mode is `open`: everyone who reaches 0.0.0.0:1 reads and writes\n"
    );
}

#[test]
fn listeners_that_differ_are_shown_with_their_sources_and_their_mistakes_all_at_once() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("listeners.toml");
    let path = file.to_str().unwrap();
    std::fs::write(&file, "[listener.local]\naddress = \"127.0.0.1:1\"\n").unwrap();
    let variables = [
        ("LARDER_LISTENER__MY_CI__ADDRESS", "unix:/l"),
        ("LARDER_LISTENER__MY_CI__ACCESS", "tokens"),
    ];
    let output = larder(home.path(), &["check", "--config", path], &variables);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(stderr(&output), "");
    let text = stdout(&output);
    for line in [
        "# server.listen is not set",
        &format!("listener.local.address = \"127.0.0.1:1\"  # {path}:2"),
        "listener.local.access = \"open\"  # default",
        "listener.my-ci.address = \"unix:/l\"  # LARDER_LISTENER__MY_CI__ADDRESS",
        "listener.my-ci.tls = false  # default",
        "listener.my-ci.access = \"tokens\"  # LARDER_LISTENER__MY_CI__ACCESS",
    ] {
        assert!(text.lines().any(|other| other == line), "{line}\n{text}");
    }
    // What is printed is a configuration that brings the same about.
    std::fs::write(&file, &text).unwrap();
    let again = larder(home.path(), &["check", "--config", path], &[]);
    assert_eq!(again.status.code(), Some(0), "{}", stderr(&again));

    std::fs::write(&file, "[listener.a]\ntls = true\naccess = \"upstream\"\n").unwrap();
    for command in ["check", "serve"] {
        let output = larder(home.path(), &[command, "--config", path], &[]);
        assert_eq!(output.status.code(), Some(2), "{command}");
        let text = stderr(&output);
        assert_eq!(text.lines().count(), 2, "{text}");
        assert!(text.contains("listener.a: needs an address"), "{text}");
        assert!(
            text.contains("listener.a.tls: there is no certificate"),
            "{text}"
        );
    }
}
