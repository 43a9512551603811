//! Work that belongs to no request: the only place that spawns.
//!
//! Whatever runs here is waited for at shutdown, up to the grace, and told when it is time to end.
//! What has not ended by then is dropped while there is still somebody to clean up behind it.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;
use tokio::time::{Duration, timeout};
use tokio_util::sync::{
    CancellationToken, WaitForCancellationFuture, WaitForCancellationFutureOwned,
};
use tokio_util::task::TaskTracker;

/// A handle to the process's tasks; clones share them.
#[derive(Clone, Debug, Default)]
pub struct Tasks {
    tracker: TaskTracker,
    stopping: CancellationToken,
    over: CancellationToken,
}

pin_project! {
    /// Work that ends with the grace. A block that selects would hold its work twice, as it was given
    /// and as it is polled, and a fill's is some kilobytes.
    struct UntilOver<W> {
        #[pin]
        work: W,
        #[pin]
        over: WaitForCancellationFutureOwned,
    }
}

// === impl Tasks ===

impl Tasks {
    /// Starts with no task running.
    pub fn new() -> Self {
        Self::default()
    }

    /// Runs `work` to its end, whoever stops waiting for it, or until the grace is over.
    pub fn spawn<F>(&self, work: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let over = self.over.clone().cancelled_owned();
        self.tracker.spawn(UntilOver { work, over });
    }

    /// Runs `work` that keeps to the grace by itself, and is polled too often to be asked about it
    /// each time.
    pub fn spawn_punctual<F>(&self, work: F)
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

    /// Drops what still runs after the grace.
    pub fn give_up(&self) {
        self.over.cancel();
    }
}

// === impl UntilOver ===

impl<W: Future<Output = ()>> Future for UntilOver<W> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.project();
        if this.work.poll(cx).is_ready() {
            return Poll::Ready(());
        }
        this.over.poll(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_outlasts_the_grace_is_dropped_with_what_it_holds() {
        let tasks = Tasks::new();
        let (held, dropped) = tokio::sync::oneshot::channel::<()>();
        tasks.spawn(async move {
            pending::<()>().await;
            drop(held);
        });
        tasks.stop();
        assert_eq!(tasks.drain(Duration::from_secs(30)).await, 1);
        tasks.give_up();
        assert_eq!(tasks.drain(Duration::from_secs(30)).await, 0);
        assert!(dropped.await.is_err());
    }
}
