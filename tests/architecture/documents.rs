//! What the documents say of the sources, checked.

use std::collections::HashSet;
use std::fs;
use std::path::Path;

/// Every promise of the page whose number begins with this letter, with the tests that it names.
fn promises(page: &str, letter: char) -> Vec<(&str, Vec<&str>)> {
    let is_numbered = |line: &&str| {
        let number = line
            .strip_prefix("| ")
            .and_then(|rest| rest.strip_prefix(letter));
        number.is_some_and(|rest| rest.starts_with(|first: char| first.is_ascii_digit()))
    };
    let rows = page.lines().filter(is_numbered);
    rows.filter_map(|row| {
        let (promise, tests) = row.trim_end_matches([' ', '|']).rsplit_once('|')?;
        let named = tests.split('`').skip(1).step_by(2);
        let last = |path: &'_ str| {
            path.rsplit_once("::")
                .map_or(path.len(), |(_, name)| name.len())
        };
        Some((
            promise,
            named.map(|path| &path[path.len() - last(path)..]).collect(),
        ))
    })
    .collect()
}

/// The names of all functions below a folder.
fn functions(folder: &Path, found: &mut HashSet<String>) {
    for entry in fs::read_dir(folder).expect("a source folder") {
        let path = entry.expect("a folder's entry").path();
        if path.is_dir() {
            functions(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).expect("a source file");
            let named = text
                .split("fn ")
                .skip(1)
                .filter_map(|rest| rest.split_once('('));
            found.extend(named.map(|(name, _)| name.to_owned()));
        }
    }
}

#[test]
fn every_promise_names_tests_that_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut known = HashSet::new();
    functions(&root.join("src"), &mut known);
    functions(&root.join("tests"), &mut known);
    for (page, letter, least) in [
        ("docs/invariants.md", 'I', 34),
        ("docs/security.md", 'S', 13),
    ] {
        let text = fs::read_to_string(root.join(page)).expect("the page");
        let promises = promises(&text, letter);
        assert!(
            promises.len() >= least,
            "{page}: {} promises",
            promises.len()
        );
        for (promise, tests) in promises {
            assert!(!tests.is_empty(), "nothing keeps {promise}");
            for test in tests {
                assert!(
                    known.contains(test),
                    "{promise} names {test}, which is no test"
                );
            }
        }
    }
}

#[test]
fn a_promise_is_read_with_its_tests() {
    let row = "| I1 | A `body` is whole. | `it::fill::a_b`, `c_d` |\n| # | promise |";
    assert_eq!(
        promises(row, 'I'),
        [("| I1 | A `body` is whole. ", vec!["a_b", "c_d"])]
    );
}
