//! The files beside the code say what the code does.

use std::path::Path;

use super::super::*;
use super::{environment, written};

#[test]
fn the_default_file_says_what_is_built_in() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/default.toml");
    let text = std::fs::read_to_string(path).unwrap();
    let shown = |text: &str| -> Vec<(String, Option<String>)> {
        let loaded = written(text).load(&[]).unwrap();
        assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
        let values = loaded.values.into_iter();
        values.map(|value| (value.key, value.value)).collect()
    };
    assert_eq!(shown(&text), shown(""));
    for key in KEYS {
        if let Standing::Preset(_) = key.standing {
            let line = written(&text).line(&[], key.name);
            assert!(line.contains("# larder.toml:"), "{line}");
        }
    }
    let unset = [
        "data_dir",
        "cert",
        "key",
        "client_ca",
        "client_crl",
        "token",
        "token_file",
        "ca_file",
        "client_cert",
        "client_key",
        "proxy",
        "mode",
        "signature_key_file",
        "max_artifact",
        "min_free",
        "endpoint",
        "headers_file",
    ];
    for name in unset {
        assert!(text.contains(&format!("\n# {name} = ")), "{name}");
    }
}

#[test]
fn the_recipes_have_no_mistakes() {
    for name in ["office-lan", "ci-sidecar", "remote-team"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("config/{name}.toml"));
        let flags = Flags {
            config: Some(path),
            ..Flags::default()
        };
        let loaded = load(&flags, &environment(&[])).unwrap();
        assert!(
            matches!(loaded.config.access.mode, AccessMode::Upstream),
            "{name}"
        );
        let doubts = loaded
            .warnings
            .iter()
            .filter(|doubt| !doubt.contains("clear text"));
        assert_eq!(doubts.count(), 0, "{name}: {:?}", loaded.warnings);
    }
}

#[test]
fn the_recipes_for_corporate_networks_lack_nothing_but_their_files() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/operations.md");
    let text = std::fs::read_to_string(path).unwrap();
    let (_, section) = text.split_once("\n## Corporate networks\n").unwrap();
    let (section, _) = section.split_once("\n## ").unwrap();
    let recipes = section
        .split("\n```")
        .filter_map(|block| block.strip_prefix("toml\n"));
    let mut read = 0;
    for recipe in recipes {
        read += 1;
        let mistakes = match written(recipe).load(&[]) {
            Ok(_) => continue,
            Err(problems) => problems.to_string(),
        };
        for mistake in mistakes.lines() {
            assert!(mistake.contains(" cannot be read: "), "{mistake}\n{recipe}");
        }
    }
    assert_eq!(read, 4);
}

#[test]
fn the_documentation_lists_every_key_with_its_default() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/configuration.md");
    let text = std::fs::read_to_string(path).unwrap();
    let (_, keys) = text.split_once("\n## Keys\n").unwrap();
    let (keys, _) = keys.split_once("\n## ").unwrap();
    let rows: Vec<Vec<&str>> = keys
        .lines()
        .filter(|line| line.starts_with("| `"))
        .map(|line| line.split('|').map(str::trim).collect())
        .collect();
    let documented: Vec<String> = rows.iter().map(|row| row[1].replace('`', "")).collect();
    let known: Vec<&str> = KEYS.iter().map(|key| key.name).collect();
    assert_eq!(documented, known);
    for (key, row) in KEYS.iter().zip(rows) {
        match key.standing {
            Standing::Preset("") => assert_eq!(row[2], "`[]`", "{}", key.name),
            Standing::Preset(text) => assert_eq!(row[2], format!("`{text}`"), "{}", key.name),
            Standing::Unset => assert!(!row[2].is_empty(), "{}", key.name),
        }
    }
}
