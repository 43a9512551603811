//! What is counted, read at one moment: sums, tables and distributions by the names of the metrics.
//! Knows of no single metric.

use std::collections::BTreeMap;

use prometheus::Registry;
use prometheus::proto::{Metric, MetricFamily};

/// A label's name and its value.
pub(super) type Is<'a> = (&'a str, &'a str);

/// Numbers by two labels.
pub(super) type Table = BTreeMap<String, BTreeMap<String, u64>>;

/// Every metric at one moment.
pub(super) struct Figures(Vec<MetricFamily>);

/// How a measure is distributed.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Spread {
    /// How often it was taken.
    pub(super) count: u64,
    /// What all of them add up to.
    pub(super) sum: f64,
    /// Upper bounds, and how many were not above each.
    buckets: Vec<(f64, u64)>,
}

// === impl Figures ===

impl Figures {
    /// What `registry` has counted. Takes a millisecond or more: not for a runtime worker.
    pub(super) fn of(registry: &Registry) -> Self {
        Self(registry.gather())
    }

    /// The sum of every counter or gauge of a name that has these labels.
    pub(super) fn sum(&self, name: &str, labels: &[Is<'_>]) -> f64 {
        let numbers = self.metrics(name, labels).map(number);
        numbers.sum()
    }

    /// The same, as a whole number.
    pub(super) fn count(&self, name: &str, labels: &[Is<'_>]) -> u64 {
        whole(self.sum(name, labels))
    }

    /// The counters of a name by these two of its labels, without those that are nought.
    pub(super) fn table(&self, name: &str, [outer, inner]: [&str; 2]) -> Table {
        let mut table = Table::new();
        for metric in self.metrics(name, &[]) {
            let counted = whole(number(metric));
            if let (Some(row), Some(column)) = (value_of(metric, outer), value_of(metric, inner))
                && counted > 0
            {
                let row = table.entry(row.to_owned()).or_default();
                *row.entry(column.to_owned()).or_default() += counted;
            }
        }
        table
    }

    /// The histograms of a name by one of its labels.
    pub(super) fn spreads(&self, name: &str, label: &str) -> BTreeMap<String, Spread> {
        let mut spreads = BTreeMap::new();
        for metric in self.metrics(name, &[]) {
            if let Some(value) = value_of(metric, label) {
                let spread: &mut Spread = spreads.entry(value.to_owned()).or_default();
                spread.add(metric);
            }
        }
        spreads
    }

    /// Every histogram of a name that has these labels, as one.
    pub(super) fn spread(&self, name: &str, labels: &[Is<'_>]) -> Spread {
        let mut spread = Spread::default();
        for metric in self.metrics(name, labels) {
            spread.add(metric);
        }
        spread
    }

    fn metrics<'a>(
        &'a self,
        name: &'a str,
        labels: &'a [Is<'a>],
    ) -> impl Iterator<Item = &'a Metric> {
        let families = self.0.iter().filter(move |family| family.name() == name);
        let metrics = families.flat_map(MetricFamily::get_metric);
        metrics.filter(move |metric| {
            let mut labels = labels.iter();
            labels.all(|(label, value)| value_of(metric, label) == Some(value))
        })
    }
}

// === impl Spread ===

impl Spread {
    /// What half of them, or another part, were not above; straight between the bounds that were
    /// counted, and none where there is nothing. What lies beyond the last bound counts as that.
    pub(super) fn quantile(&self, part: f64) -> Option<f64> {
        let rank = part * exact(self.count);
        let (mut below, mut under) = (0.0, 0.0);
        for (bound, count) in &self.buckets {
            let count = exact(*count);
            if count >= rank && count > under && bound.is_finite() {
                return Some(below + (bound - below) * (rank - under) / (count - under));
            }
            if bound.is_finite() {
                (below, under) = (*bound, count);
            }
        }
        (self.count > 0).then_some(below)
    }

    /// The mean; none where there is nothing.
    pub(super) fn mean(&self) -> Option<f64> {
        (self.count > 0).then(|| self.sum / exact(self.count))
    }

    fn add(&mut self, metric: &Metric) {
        let histogram = metric.get_histogram();
        self.count += histogram.get_sample_count();
        self.sum += histogram.get_sample_sum();
        let buckets = histogram.get_bucket();
        let bounds = buckets.iter().map(|bucket| (bucket.upper_bound(), 0));
        if self.buckets.is_empty() {
            self.buckets = bounds.collect();
        }
        for ((_, count), bucket) in self.buckets.iter_mut().zip(buckets) {
            *count += bucket.cumulative_count();
        }
    }
}

/// A counter's or a gauge's number.
fn number(metric: &Metric) -> f64 {
    metric.get_counter().get_value() + metric.get_gauge().get_value()
}

fn value_of<'a>(metric: &'a Metric, label: &str) -> Option<&'a str> {
    let mut labels = metric.get_label().iter();
    let found = labels.find(|pair| pair.name() == label)?;
    Some(found.value())
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "what is counted is whole and not below nought, and beyond its range the cast stays at the end"
)]
fn whole(number: f64) -> u64 {
    number as u64
}

#[expect(
    clippy::cast_precision_loss,
    reason = "nobody counts to beyond 53 bits, and a share of it needs fewer"
)]
pub(super) fn exact(number: u64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::artifact::{Outcome, RouteName, Tier};
    use crate::metrics::{Exchange, Metrics, Operation};

    const HIT: Outcome = Outcome::Hit {
        tier: Tier::Memory,
        grace: false,
    };

    #[test]
    fn sums_and_tables_hold_what_was_counted_and_no_noughts() {
        let metrics = Metrics::new().unwrap();
        for (route, outcome) in [
            (RouteName::Get, HIT),
            (RouteName::Get, HIT),
            (RouteName::Put, Outcome::Stored),
        ] {
            metrics.request(route, outcome).unwrap().total.inc();
        }
        metrics.request(RouteName::Head, HIT).unwrap();
        let figures = Figures::of(metrics.registry());
        let name = "larder_requests_total";
        assert_eq!(figures.count(name, &[]), 3);
        assert_eq!(figures.count(name, &[("route", "get")]), 2);
        assert_eq!(figures.count("larder_no_such_thing", &[]), 0);
        let told = serde_json::json!({"get": {"hit-memory": 2}, "put": {"stored": 1}});
        let table = figures.table(name, ["route", "outcome"]);
        assert_eq!(serde_json::to_value(table).unwrap(), told);
    }

    #[test]
    fn a_quantile_lies_between_the_bounds_that_were_counted() {
        let metrics = Metrics::new().unwrap();
        let none = Figures::of(metrics.registry()).spread("larder_upstream_seconds", &[]);
        assert_eq!((none.quantile(0.5), none.mean()), (None, None));
        for seconds in [0.03, 0.03, 0.04, 0.2, 100.0] {
            metrics
                .upstream
                .count(Operation::Get, Exchange::Ok, seconds);
        }
        let figures = Figures::of(metrics.registry());
        let spreads = figures.spreads("larder_upstream_seconds", "operation");
        let spread = &spreads["get"];
        assert_eq!(spread.count, 5);
        // Three lie between 0.025 and 0.05, and the half is two and a half of them.
        let half = spread.quantile(0.5).unwrap();
        assert!((half - (0.025 + 0.025 * 2.5 / 3.0)).abs() < 1e-9, "{half}");
        assert_eq!(spread.quantile(0.99), Some(60.0), "beyond the last bound");
        assert!((spread.mean().unwrap() - 20.06).abs() < 1e-9);
    }
}
