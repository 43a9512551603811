//! The metrics of the disk tier's health.

use prometheus::{Error, IntCounter, IntGauge, Registry};

use super::register::{counters, gauges, one};
use crate::artifact::Tier;

/// What the disk tier can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DiskState {
    /// It stores and is read.
    Working,
    /// It stores nothing; what it has is found.
    ReadOnly,
    /// It stores nothing and nothing is found in it.
    Off,
}

/// What kind of answer a file call gave that was none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DiskFault {
    /// No room on the file system.
    Full,
    /// No room in a quota.
    Quota,
    /// The file system, or the folder, takes no changes.
    ReadOnly,
    /// The device fails.
    Io,
    /// The process or the system is short of open files or memory.
    Files,
    /// No answer in time.
    Slow,
    /// The data directory is not the one that was opened.
    Gone,
    /// Anything else.
    Other,
}

/// The metrics of the disk tier that the memory tier has none of.
#[derive(Debug)]
pub struct DiskMetrics {
    states: [IntGauge; 3],
    faults: [IntCounter; 8],
    /// Files, links and folders in the tier's folders that are none of ours.
    pub foreign: IntGauge,
}

// === impl DiskState ===

impl DiskState {
    /// Every state, best first.
    pub const ALL: [Self; 3] = [Self::Working, Self::ReadOnly, Self::Off];

    /// The `state` label.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Working => "working",
            Self::ReadOnly => "read-only",
            Self::Off => "off",
        }
    }
}

// === impl DiskFault ===

impl DiskFault {
    /// Every kind.
    pub const ALL: [Self; 8] = [
        Self::Full,
        Self::Quota,
        Self::ReadOnly,
        Self::Io,
        Self::Files,
        Self::Slow,
        Self::Gone,
        Self::Other,
    ];

    /// The `kind` label.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Quota => "quota",
            Self::ReadOnly => "read-only",
            Self::Io => "io",
            Self::Files => "files",
            Self::Slow => "slow",
            Self::Gone => "gone",
            Self::Other => "other",
        }
    }
}

// === impl DiskMetrics ===

impl DiskMetrics {
    /// Registers the families, with every fault's series, so that a rate over them begins at nought.
    pub(super) fn register(registry: &Registry) -> Result<Self, Error> {
        let labels = ["tier", "state"];
        let help = "1 for what the disk tier can do now, 0 for the rest; 0 for all where there is no such tier.";
        let states = gauges(registry, "larder_tier_state", help, &labels)?;
        let help = "File calls of the disk tier that failed, by what kind of answer came.";
        let faults = counters(registry, "larder_disk_faults_total", help, &["kind"])?;
        let tier = Tier::Disk.as_str();
        Ok(Self {
            states: DiskState::ALL.map(|state| states.with_label_values(&[tier, state.as_str()])),
            faults: DiskFault::ALL.map(|kind| faults.with_label_values(&[kind.as_str()])),
            foreign: one(
                registry,
                IntGauge::new(
                    "larder_disk_foreign_files",
                    "Files, links and folders in the disk tier's folders that are none of its own; never touched.",
                )?,
            )?,
        })
    }

    /// Shows what the tier can do from now on; nothing where there is no disk tier.
    pub fn show(&self, now: Option<DiskState>) {
        for (state, gauge) in DiskState::ALL.iter().zip(&self.states) {
            gauge.set((Some(*state) == now).into());
        }
    }

    /// Counts a fault.
    pub fn fault(&self, kind: DiskFault) {
        for (_, counter) in DiskFault::ALL
            .iter()
            .zip(&self.faults)
            .filter(|(known, _)| **known == kind)
        {
            counter.inc();
        }
    }

    /// How many faults of a kind were counted.
    #[cfg(test)]
    pub(crate) fn faults(&self, kind: DiskFault) -> u64 {
        let known = DiskFault::ALL.iter().zip(&self.faults);
        known
            .filter(|(known, _)| **known == kind)
            .map(|(_, counter)| counter.get())
            .sum()
    }
}
