//! What Larder has counted between two moments.

use std::collections::BTreeMap;

use crate::support::Metrics;

/// What is read of the metrics page.
const FAMILIES: [&str; 3] = [
    "larder_requests_total",
    "larder_upstream_requests_total",
    "larder_verdicts_total",
];

/// Series of counters with their values.
#[derive(Clone, Debug, Default)]
pub struct Ledger(BTreeMap<String, u64>);

// === impl Ledger ===

impl Ledger {
    pub fn read(metrics: &Metrics) -> Self {
        let counters = metrics.text().lines().filter_map(|line| {
            let (series, value) = line.rsplit_once(' ')?;
            let is_ours = FAMILIES.contains(&series.split('{').next()?);
            is_ours.then(|| (series.to_owned(), value.parse().expect("a whole number")))
        });
        Self(counters.collect())
    }

    /// What has been added since.
    pub fn since(&self, before: &Self) -> Self {
        let added = self.0.iter().filter_map(|(series, value)| {
            let added = value - before.0.get(series).copied().unwrap_or_default();
            (added > 0).then(|| (series.clone(), added))
        });
        Self(added.collect())
    }

    /// A family's counts by the value of one label, where all of them carry the other one.
    pub fn by(&self, family: &str, label: &str, other: (&str, &str)) -> Counts {
        let mut counts = Counts::default();
        for (series, value) in &self.0 {
            if !series.starts_with(&format!("{family}{{")) {
                continue;
            }
            if value_of(series, other.0) == Some(other.1) {
                let named = value_of(series, label).unwrap_or_default().to_owned();
                *counts.named.entry(named).or_default() += value;
            } else {
                counts.others.push(series.clone());
            }
        }
        counts
    }
}

/// Counts by name, and the series that should not be among them.
#[derive(Clone, Debug, Default)]
pub struct Counts {
    pub named: BTreeMap<String, u64>,
    pub others: Vec<String>,
}

// === impl Counts ===

impl Counts {
    pub fn sum(&self) -> u64 {
        self.named.values().sum()
    }
}

fn value_of<'a>(series: &'a str, label: &str) -> Option<&'a str> {
    let (_, rest) = series.split_once(&format!("{label}=\""))?;
    rest.split('"').next()
}
