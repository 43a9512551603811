//! The metrics of the scrubber.

use prometheus::{Gauge, IntCounter, IntGauge, Registry};

use super::register::{counters, one};

/// What the looking over of one entry showed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checked {
    /// It is what was written.
    Intact,
    /// It is not, and was put aside.
    Damaged,
    /// Its key had another by then, or none.
    Gone,
    /// The disk, or the process, did not say.
    Unreadable,
}

/// The metrics of the scrubber.
#[derive(Debug)]
pub struct ScrubMetrics {
    /// Bytes of entries looked over.
    pub bytes: IntCounter,
    /// The part of the pass that is done, from 0 to 1; 1 too between two passes.
    pub progress: Gauge,
    /// The second in which the last pass ended; 0 before the first.
    pub completed: IntGauge,
    entries: [IntCounter; 4],
}

// === impl Checked ===

impl Checked {
    /// Every result.
    pub const ALL: [Self; 4] = [Self::Intact, Self::Damaged, Self::Gone, Self::Unreadable];

    /// The `result` label.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Intact => "intact",
            Self::Damaged => "damaged",
            Self::Gone => "gone",
            Self::Unreadable => "unreadable",
        }
    }
}

// === impl ScrubMetrics ===

impl ScrubMetrics {
    pub(super) fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let entries = counters(
            registry,
            "larder_scrub_entries_total",
            "Entries of the disk tier that the scrubber looked over, by what it found.",
            &["result"],
        )?;
        Ok(Self {
            bytes: one(
                registry,
                IntCounter::new(
                    "larder_scrub_bytes_total",
                    "Bytes of entries of the disk tier that the scrubber looked over.",
                )?,
            )?,
            progress: one(
                registry,
                Gauge::new(
                    "larder_scrub_progress_ratio",
                    "The part of the scrubber's pass that is done, from 0 to 1; 1 between two passes.",
                )?,
            )?,
            completed: one(
                registry,
                IntGauge::new(
                    "larder_scrub_last_completed_timestamp_seconds",
                    "When the scrubber's last pass over the disk tier ended, in seconds since 1970; 0 before the first.",
                )?,
            )?,
            entries: Checked::ALL.map(|checked| entries.with_label_values(&[checked.as_str()])),
        })
    }

    /// The counter of one result.
    pub fn entries(&self, checked: Checked) -> &IntCounter {
        let [intact, damaged, gone, unreadable] = &self.entries;
        match checked {
            Checked::Intact => intact,
            Checked::Damaged => damaged,
            Checked::Gone => gone,
            Checked::Unreadable => unreadable,
        }
    }
}
