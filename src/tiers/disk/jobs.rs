//! File calls off the runtime's workers, a bounded number at a time.

use std::io;
use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

/// File calls at once: more do not make a disk faster, and each holds a thread.
const DISK_JOBS: usize = 32;

/// The right to run file calls; clones share the bound.
#[derive(Clone, Debug)]
pub(in crate::tiers) struct Jobs {
    permits: Arc<Semaphore>,
}

// === impl Jobs ===

impl Jobs {
    /// No job running.
    pub(in crate::tiers) fn new() -> Self {
        Self {
            permits: Arc::new(Semaphore::new(DISK_JOBS)),
        }
    }

    /// Lets no job begin while the returned permit lives.
    #[cfg(test)]
    pub(in crate::tiers) async fn hold(&self) -> tokio::sync::SemaphorePermit<'_> {
        let all = u32::try_from(DISK_JOBS).unwrap();
        self.permits.acquire_many(all).await.unwrap()
    }

    /// Runs `job` on a thread that may block. Once begun it runs to its end, also where nobody
    /// waits for it any more.
    pub(in crate::tiers) async fn run<T, F>(&self, job: F) -> io::Result<T>
    where
        T: Send + 'static,
        F: FnOnce() -> T + Send + 'static,
    {
        let permit = Arc::clone(&self.permits)
            .acquire_owned()
            .await
            .map_err(io::Error::other)?;
        spawn_blocking(move || {
            let outcome = job();
            drop(permit);
            outcome
        })
        .await
        .map_err(io::Error::other)
    }
}

/// Runs a small job that nobody waits for: on a blocking thread where there is a runtime, else here.
pub(in crate::tiers) fn run_aside(job: impl FnOnce() + Send + 'static) {
    match Handle::try_current() {
        Ok(runtime) => drop(runtime.spawn_blocking(job)),
        Err(_) => job(),
    }
}
