//! The metrics page as a table of sums.

/// The metrics page, read.
#[derive(Debug)]
pub struct Metrics(String);

impl Metrics {
    pub fn new(page: String) -> Self {
        Self(page)
    }

    /// The sum of all series of that name that carry these labels; 0 where there is none.
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let carries = |series: &str| {
            labels
                .iter()
                .all(|(label, value)| series.contains(&format!("{label}=\"{value}\"")))
        };
        let values = self.0.lines().filter_map(|line| {
            let (series, value) = line.rsplit_once(' ')?;
            let known = series.split('{').next() == Some(name);
            (known && carries(series)).then(|| value.parse::<f64>().expect("a number"))
        });
        // Not `sum`: that of nothing is negative zero.
        values.fold(0.0, |sum, value| sum + value)
    }

    /// Whether a series of that name is there at all.
    pub fn has(&self, name: &str) -> bool {
        self.0.lines().any(|line| line.starts_with(name))
    }

    pub fn text(&self) -> &str {
        &self.0
    }
}
