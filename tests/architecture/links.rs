//! Where the documents' links lead, checked: to files that are there, and to headings in them. Not the web.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Where documents are, besides the package's own folder.
const FOLDERS: [&str; 2] = ["docs", "deploy"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn is_document(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "md")
}

/// Every document directly in the package's folder, and below the others.
fn documents() -> Vec<PathBuf> {
    let mut found = Vec::new();
    gather(root(), false, &mut found);
    for folder in FOLDERS {
        gather(&root().join(folder), true, &mut found);
    }
    found
}

fn gather(folder: &Path, is_deep: bool, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("a folder's entry").path();
        if is_document(&path) {
            found.push(path);
        } else if is_deep && path.is_dir() {
            gather(&path, true, found);
        }
    }
}

/// The lines that are no code.
fn prose(text: &str) -> impl Iterator<Item = &str> {
    let mut is_code = false;
    text.lines().filter(move |line| {
        let is_fence = line.trim_start().starts_with("```");
        is_code ^= is_fence;
        !is_code && !is_fence
    })
}

/// What stands in the parentheses of every link.
fn targets(text: &str) -> Vec<&str> {
    let links = prose(text).flat_map(|line| line.split("](").skip(1));
    links.filter_map(|rest| rest.split(')').next()).collect()
}

/// The anchors of a document's headings, as they are made where Markdown is shown.
fn anchors(text: &str) -> HashSet<String> {
    let mut found = HashSet::new();
    for heading in prose(text).filter(|line| line.starts_with('#')) {
        let anchor = anchor(heading.trim_start_matches('#').trim());
        // The second of a name has a number.
        let mut names = (0..).map(|number| match number {
            0 => anchor.clone(),
            number => format!("{anchor}-{number}"),
        });
        names.find(|name| found.insert(name.clone()));
    }
    found
}

fn anchor(heading: &str) -> String {
    let kept = heading
        .chars()
        .filter(|it| it.is_alphanumeric() || " -_".contains(*it));
    kept.flat_map(char::to_lowercase)
        .map(|it| if it == ' ' { '-' } else { it })
        .collect()
}

/// What is wrong with a link of the document at `from`; nothing, where it is somebody else's.
fn fault(from: &Path, target: &str) -> Option<String> {
    if target.contains("://") || target.starts_with("mailto:") {
        return None;
    }
    let (file, heading) = target.split_once('#').unwrap_or((target, ""));
    let path = match file {
        "" => from.to_owned(),
        file => from.parent()?.join(file),
    };
    if !path.exists() {
        return Some(format!("{}: {target} is not there", from.display()));
    }
    let is_found = heading.is_empty()
        || fs::read_to_string(path).is_ok_and(|text| anchors(&text).contains(heading));
    (!is_found).then(|| format!("{}: {target} is no heading", from.display()))
}

#[test]
fn every_link_leads_to_a_file_and_a_heading_that_are_there() {
    let (mut checked, mut faults) = (0, Vec::new());
    for document in documents() {
        let text = fs::read_to_string(&document).expect("a document");
        for target in targets(&text) {
            checked += 1;
            faults.extend(fault(&document, target));
        }
    }
    assert!(checked > 200, "{checked} links");
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn every_alert_names_a_paragraph_that_says_what_to_do() {
    let rules = root().join("deploy/prometheus/larder.rules.yml");
    let text = fs::read_to_string(&rules).expect("the rules");
    let named: Vec<_> = text
        .lines()
        .filter_map(|line| line.trim().strip_prefix("runbook: "))
        .collect();
    assert_eq!(named.len(), text.matches("- alert: ").count());
    // They are written as from the package's folder.
    let faults: Vec<_> = named
        .iter()
        .filter_map(|target| fault(&root().join("README.md"), target))
        .collect();
    assert_eq!(faults, Vec::<String>::new());
}

#[test]
fn a_link_that_leads_nowhere_is_noticed() {
    let page = root().join("docs/operations.md");
    for target in [
        "answers.md",
        "#alerts",
        "../README.md#try-it",
        "https://turborepo.com",
    ] {
        assert_eq!(fault(&page, target), None, "{target}");
    }
    for target in ["nowhere.md", "#nowhere", "answers.md#nowhere"] {
        assert!(fault(&page, target).is_some(), "{target}");
    }
    let text = "# One, `two` of-it\n## A\n## A\n```sh\n# none [a](b)\n```\nsee [x](y.md#z) and ![p](p.png)\n";
    assert_eq!(
        anchors(text),
        ["one-two-of-it", "a", "a-1"].map(str::to_owned).into()
    );
    assert_eq!(targets(text), ["y.md#z", "p.png"]);
}
