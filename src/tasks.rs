//! Work that belongs to no request: the only place that spawns.
//!
//! Whatever runs here is waited for at shutdown, up to the grace, and told when it is time to end.

use std::future::Future;

use tokio::time::{Duration, timeout};
use tokio_util::sync::{CancellationToken, WaitForCancellationFuture};
use tokio_util::task::TaskTracker;

/// A handle to the process's tasks; clones share them.
#[derive(Clone, Debug, Default)]
pub struct Tasks {
    tracker: TaskTracker,
    stopping: CancellationToken,
}

impl Tasks {
    /// Starts with no task running.
    pub fn new() -> Self {
        Self::default()
    }

    /// Runs `work` to its end, whoever stops waiting for it.
    pub fn spawn<F>(&self, work: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.tracker.spawn(work);
    }

    /// Completes when the process begins to stop: the shutdown arm of every loop.
    pub fn stopping(&self) -> WaitForCancellationFuture<'_> {
        self.stopping.cancelled()
    }

    /// Tells every task to end.
    pub fn stop(&self) {
        self.stopping.cancel();
        self.tracker.close();
    }

    /// Waits for every task, at most for `grace`; returns how many were still running.
    pub async fn drain(&self, grace: Duration) -> usize {
        self.tracker.close();
        match timeout(grace, self.tracker.wait()).await {
            Ok(()) => 0,
            Err(_) => self.tracker.len(),
        }
    }
}
