//! The metrics of uploads that the upstream has not answered yet; who they are is known where they run.

use prometheus::{IntGauge, Registry};

use super::register::one;

/// Uploads on their way upstream, as they were when last shown.
#[derive(Debug)]
pub struct UploadMetrics {
    entries: IntGauge,
    bytes: IntGauge,
    oldest: IntGauge,
}

/// What there is to show of uploads on their way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Underway {
    /// How many.
    pub entries: u64,
    /// Bytes of their bodies that have come.
    pub bytes: u64,
    /// Whole seconds since the oldest of them began; 0 where there is none.
    pub oldest_seconds: u64,
}

// === impl UploadMetrics ===

impl UploadMetrics {
    pub(super) fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let gauge = |name, help| one(registry, IntGauge::new(name, help)?);
        Ok(Self {
            entries: gauge(
                "larder_upload_queue_entries",
                "Uploads whose body arrives, waits for its turn or is on its way upstream: those \
                 that the upstream has not answered yet.",
            )?,
            bytes: gauge(
                "larder_upload_queue_bytes",
                "Bytes that have come of the bodies of uploads that the upstream has not answered \
                 yet.",
            )?,
            oldest: gauge(
                "larder_upload_queue_oldest_seconds",
                "Seconds since the oldest upload began that the upstream has not answered yet; 0 \
                 where there is none.",
            )?,
        })
    }

    /// Shows what is under way now.
    pub fn show(&self, now: Underway) {
        let pairs = [
            (&self.entries, now.entries),
            (&self.bytes, now.bytes),
            (&self.oldest, now.oldest_seconds),
        ];
        for (gauge, value) in pairs {
            gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
        }
    }
}
