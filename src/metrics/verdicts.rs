//! The metrics of judgements, by what was decided and on what ground.

use prometheus::{IntCounter, Registry};

use super::register::counters;

/// What was decided about a caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It may.
    Accepted,
    /// It may not.
    Refused,
    /// It might before, and cannot be asked about now.
    Grace,
    /// Nobody can say.
    Unknown,
}

/// On what ground.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ground {
    /// What the upstream said before.
    Memory,
    /// What it says to a question put for this.
    Probe,
    /// The operator's list.
    List,
    /// What a CI's issuer has signed.
    Oidc,
}

/// Judgements of callers.
#[derive(Debug)]
pub struct VerdictMetrics([[IntCounter; Ground::ALL.len()]; Verdict::ALL.len()]);

// === impl Verdict ===

impl Verdict {
    /// Every verdict, in the order of their declaration.
    const ALL: [Self; 4] = [Self::Accepted, Self::Refused, Self::Grace, Self::Unknown];

    fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Refused => "refused",
            Self::Grace => "grace",
            Self::Unknown => "unknown",
        }
    }
}

// === impl Ground ===

impl Ground {
    /// Every ground, in the order of their declaration.
    const ALL: [Self; 4] = [Self::Memory, Self::Probe, Self::List, Self::Oidc];

    fn as_str(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Probe => "probe",
            Self::List => "list",
            Self::Oidc => "oidc",
        }
    }
}

// === impl VerdictMetrics ===

impl VerdictMetrics {
    pub(super) fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let family = counters(
            registry,
            "larder_verdicts_total",
            "Judgements of callers: whether they may read or write, and on what ground that was decided.",
            &["result", "source"],
        )?;
        Ok(Self(Verdict::ALL.map(|verdict| {
            Ground::ALL.map(|ground| family.with_label_values(&[verdict.as_str(), ground.as_str()]))
        })))
    }

    /// Counts a judgement.
    pub fn count(&self, verdict: Verdict, ground: Ground) {
        let counter = self.0.get(verdict as usize);
        if let Some(counter) = counter.and_then(|grounds| grounds.get(ground as usize)) {
            counter.inc();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_judgement_is_counted_as_what_it_is() {
        let registry = Registry::new();
        let metrics = VerdictMetrics::register(&registry).unwrap();
        for verdict in Verdict::ALL {
            for ground in Ground::ALL {
                metrics.count(verdict, ground);
                let families = registry.gather();
                let counted = families[0].get_metric().iter().find(|metric| {
                    let [result, source] = metric.get_label() else {
                        panic!("two labels")
                    };
                    (result.value(), source.value()) == (verdict.as_str(), ground.as_str())
                });
                let value = counted.unwrap().get_counter().get_value();
                assert!((value - 1.0).abs() < f64::EPSILON, "{verdict:?} {ground:?}");
            }
        }
    }
}
