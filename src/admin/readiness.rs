//! Whether the process takes work: said by whoever starts and stops it, asked by whoever sends work.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

const STARTING: u8 = 0;
const READY: u8 = 1;
const STOPPING: u8 = 2;

/// A shared statement; clones share it. It begins as not ready.
#[derive(Clone, Debug, Default)]
pub struct Readiness(Arc<AtomicU8>);

impl Readiness {
    /// Begins as not ready.
    pub fn new() -> Self {
        Self::default()
    }

    /// The process takes work, unless it already stops.
    pub fn ready(&self) {
        let set = self
            .0
            .compare_exchange(STARTING, READY, Ordering::Relaxed, Ordering::Relaxed);
        if set.is_err() {
            tracing::debug!("readiness was decided before");
        }
    }

    /// The process takes no work any more.
    pub fn stopping(&self) {
        self.0.store(STOPPING, Ordering::Relaxed);
    }

    /// Whether the process takes work.
    pub fn is_ready(&self) -> bool {
        self.0.load(Ordering::Relaxed) == READY
    }

    /// The statement as a line of text.
    pub fn as_line(&self) -> &'static str {
        match self.0.load(Ordering::Relaxed) {
            STARTING => "starting\n",
            READY => "ready\n",
            _ => "stopping\n",
        }
    }

    /// The statement as a word.
    pub fn as_str(&self) -> &'static str {
        self.as_line().trim_end()
    }
}
