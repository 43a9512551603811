//! The metrics page as families, each with its type and its series.

use std::collections::{BTreeMap, BTreeSet};

/// A family of metrics.
#[derive(Debug, Default)]
pub(super) struct Family {
    pub(super) kind: String,
    pub(super) help: String,
    /// The labels of each series, but for the bounds of a histogram's buckets.
    pub(super) series: Vec<BTreeMap<String, String>>,
}

impl Family {
    /// The names of its labels, which all of its series have.
    pub(super) fn labels(&self) -> BTreeSet<&str> {
        let names = |series: &'_ BTreeMap<String, String>| {
            let names: BTreeSet<_> = series.keys().cloned().collect();
            names
        };
        let all: BTreeSet<_> = self.series.iter().map(names).collect();
        assert!(all.len() <= 1, "series with different labels: {all:?}");
        let one = self.series.first().into_iter();
        one.flat_map(|series| series.keys().map(String::as_str))
            .collect()
    }

    /// Every value of a label.
    pub(super) fn values(&self, label: &str) -> BTreeSet<&str> {
        let values = self.series.iter().filter_map(|series| series.get(label));
        values.map(String::as_str).collect()
    }
}

/// Every family of the page, by its name.
pub(super) fn families(page: &str) -> BTreeMap<String, Family> {
    let mut families: BTreeMap<String, Family> = BTreeMap::new();
    for line in page.lines() {
        let told = |word| line.strip_prefix(word)?.split_once(' ');
        if let Some((name, help)) = told("# HELP ") {
            help.clone_into(&mut families.entry(name.to_owned()).or_default().help);
        } else if let Some((name, kind)) = told("# TYPE ") {
            kind.clone_into(&mut families.entry(name.to_owned()).or_default().kind);
        } else {
            let (series, _) = line.rsplit_once(' ').expect("a series and its value");
            let (name, labels) = series.split_once('{').unwrap_or((series, ""));
            let known = family_of(name, &families);
            let family = families.get_mut(known).expect("a type before its series");
            let mut labels = parse(labels.trim_end_matches('}'));
            labels.remove("le");
            family.series.push(labels);
        }
    }
    families
}

/// The family of a series; those of a histogram stand behind its name.
pub(super) fn family_of<'a>(series: &'a str, families: &BTreeMap<String, Family>) -> &'a str {
    let suffixes = ["_bucket", "_sum", "_count"].into_iter();
    let mut stems = suffixes.filter_map(|suffix| series.strip_suffix(suffix));
    let is_histogram = |stem: &&str| families.get(*stem).is_some_and(|it| it.kind == "histogram");
    stems.find(is_histogram).unwrap_or(series)
}

/// `a="b",c="d"`; no value here has a quote or a comma in it.
fn parse(labels: &str) -> BTreeMap<String, String> {
    let pairs = labels.split(',').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| {
            let (name, value) = pair.split_once('=').expect("a label and its value");
            (name.to_owned(), value.trim_matches('"').to_owned())
        })
        .collect()
}
