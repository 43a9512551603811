//! The shape of the source tree, checked: who may import whom, and what may be named where.

#![expect(clippy::expect_used, reason = "the helpers of a test may fail loudly")]

mod documents;
mod links;
mod rules;
mod source;

use std::fs;
use std::path::Path;

use rules::{rows_that_look_down, violations};
use source::Source;

fn read(folder: &Path, found: &mut Vec<Source>) {
    for entry in fs::read_dir(folder).expect("a source folder") {
        let path = entry.expect("a folder's entry").path();
        if path.is_dir() {
            read(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let file = path.strip_prefix(env!("CARGO_MANIFEST_DIR"));
            let file = file.expect("a path in the package").display().to_string();
            let text = fs::read_to_string(&path).expect("a source file");
            found.push(Source::read(&file, &text));
        }
    }
}

/// The violations of one made-up file.
fn planted(file: &str, code: &str) -> Vec<String> {
    let found = violations(&[Source::read(file, &format!("//! A file.\n{code}"))]);
    let prefix = format!("{file}: ");
    let found = found.iter().map(|line| line.trim_start_matches(&prefix));
    found.map(str::to_owned).collect()
}

#[test]
fn source_tree_keeps_its_shape() {
    let mut found = Vec::new();
    read(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("src"),
        &mut found,
    );
    assert!(found.iter().any(|it| it.file == "src/artifact/key.rs"));
    let violations = violations(&found);
    assert!(violations.is_empty(), "\n{}", violations.join("\n"));
}

#[test]
fn no_import_can_close_a_cycle() {
    assert_eq!(rows_that_look_down(), Vec::<&str>::new());
}

#[test]
fn import_from_above_is_noticed_however_it_is_written() {
    for code in [
        "use crate::proxy::Proxy;",
        "pub(crate) use crate::proxy;",
        "use crate::{artifact::Tier, proxy::{self, get}};",
        "use crate::proxy::*;",
        "fn f() { g(&[crate::proxy::get::<u8>()]) }",
        "fn f(it: &crate::proxy::Proxy) {}",
        "use super::super::proxy::Proxy;",
        "mod inner { use super::super::super::proxy::Proxy; }",
        "macro_rules! m { () => { $crate::proxy::get() } }",
    ] {
        let found = planted("src/tiers/disk/mod.rs", code);
        assert_eq!(found, ["tiers may not import proxy"], "{code}");
    }
}

#[test]
fn file_calls_out_of_place_are_noticed() {
    for code in [
        "fn f() { std::fs::read(path) }",
        "fn f() { tokio::fs::read(path) }",
        "fn f() { File::open(path) }",
        "use std::fs;",
        "use std::{fs::{self, File}, io};",
        "use std::os::unix::fs::FileExt;",
    ] {
        for file in [
            "src/access/mod.rs",
            "src/tiers/memory.rs",
            "src/telemetry.rs",
        ] {
            assert_eq!(
                planted(file, code),
                ["a file call has no place here"],
                "{code}"
            );
        }
    }
}

#[test]
fn names_out_of_place_are_noticed() {
    for (code, what) in [
        ("use http::{Method, StatusCode};", "StatusCode"),
        ("const OK: http::StatusCode = f();", "StatusCode"),
        ("fn f() { std::env::args() }", "std::env"),
        ("use std::{env, fmt};", "std::env"),
        ("use prometheus::IntCounter;", "prometheus"),
        ("fn f() { tokio::spawn(g()) }", "a spawned task"),
        ("use tokio::task::{spawn, JoinSet};", "a spawned task"),
        ("#[allow(unsafe_code)] fn f() {}", "unsafe"),
    ] {
        let found = planted("src/proxy/get.rs", code);
        assert_eq!(found, [format!("{what} has no place here")], "{code}");
    }
}

#[test]
fn files_out_of_shape_are_noticed() {
    let bare = violations(&[Source::read("src/app.rs", "fn f() {}")]);
    assert_eq!(bare, ["src/app.rs: does not open with //!"]);
    assert_eq!(
        planted("src/app.rs", &"\n".repeat(400)),
        ["is longer than 400 lines"]
    );
    assert_eq!(
        planted("src/attic.rs", ""),
        ["module attic has no row in the import table"]
    );
    assert_eq!(
        planted("src/app.rs", "use crate::cli;"),
        ["app may not import cli"]
    );
}

#[test]
fn what_is_in_its_place_is_let_be() {
    for (file, code) in [
        ("src/lib.rs", "pub mod proxy;"),
        (
            "src/main.rs",
            "fn main() { larder::cli::run(std::env::args()) }",
        ),
        ("src/cli/serve.rs", "use crate::app::App;"),
        (
            "src/tiers/disk/draft.rs",
            "use std::fs::File; use super::super::Tiers;",
        ),
        (
            "src/transfer/reader.rs",
            "use std::fs::File; fn f(file: &File) {}",
        ),
        ("src/transfer/spool.rs", "fn f() { File::open(path) }"),
        ("src/config/env.rs", "use std::env;"),
        (
            "src/tiers/memory.rs",
            "// crate::proxy\nconst S: &str = \"crate::proxy\";",
        ),
        (
            "src/tiers/memory.rs",
            "fn f() { tokio::task::spawn_blocking(g) }",
        ),
        (
            "src/tiers/memory.rs",
            "use self::proxy::Proxy; mod proxy {}",
        ),
    ] {
        assert_eq!(planted(file, code), Vec::<String>::new(), "{code}");
    }
}

#[test]
fn tests_may_import_anything() {
    let inline = "#[cfg(test)]\nmod tests { use crate::proxy::Proxy; }\nfn f() {}";
    assert_eq!(planted("src/tiers/mod.rs", inline), Vec::<String>::new());

    let behind = "#[cfg(test)]\nuse std::{fs, io};\nuse crate::proxy::Proxy;";
    assert_eq!(
        planted("src/tiers/mod.rs", behind),
        ["tiers may not import proxy"]
    );

    let parent = Source::read("src/tiers/mod.rs", "//! A file.\n#[cfg(test)]\nmod tests;");
    let tests = Source::read(
        "src/tiers/tests.rs",
        "//! A file.\nuse crate::proxy::Proxy;",
    );
    assert_eq!(violations(&[parent, tests]), Vec::<String>::new());
}
