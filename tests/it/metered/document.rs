//! What `docs/metrics.md` says: families, their labels, and the values of these.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

/// A family as the document has it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Documented {
    pub(super) kind: String,
    pub(super) labels: BTreeSet<String>,
}

/// The values of labels, by family and label.
pub(super) type Values = BTreeMap<(String, String), BTreeSet<String>>;

/// Labels whose values are what runs and what is configured.
pub(super) const OPEN: [&str; 2] = ["version", "certificate"];

/// Both tables of the document.
pub(super) fn read() -> (BTreeMap<String, Documented>, Values) {
    let text = read_file("docs/metrics.md");
    let (families, values) = text.split_once("## Values of labels").expect("two tables");
    let families = rows(families).map(|cells| {
        let [name] = words(&cells[0]).try_into().expect("a name");
        let documented = Documented {
            kind: cells[1].clone(),
            labels: words(&cells[2]).into_iter().collect(),
        };
        (name, documented)
    });
    let mut known = Values::new();
    for cells in rows(values) {
        let [label] = words(&cells[0]).try_into().expect("a label");
        for family in words(&cells[1]) {
            let values = words(&cells[2]).into_iter().collect();
            let before = known.insert((family, label.clone()), values);
            assert_eq!(before, None, "{cells:?}");
        }
    }
    (families.collect(), known)
}

/// A file of the project.
pub(super) fn read_file(path: &str) -> String {
    let root = env!("CARGO_MANIFEST_DIR");
    fs::read_to_string(format!("{root}/{path}")).expect(path)
}

/// The cells of each row that begins with something in backticks.
fn rows(text: &str) -> impl Iterator<Item = Vec<String>> {
    let rows = text.lines().filter(|line| line.starts_with("| `"));
    rows.map(|row| {
        let cells = row.trim_matches('|').split(" | ");
        cells.map(|cell| cell.trim().to_owned()).collect()
    })
}

/// What stands in backticks.
fn words(cell: &str) -> Vec<String> {
    let quoted = cell.split('`').skip(1).step_by(2);
    quoted.map(str::to_owned).collect()
}
