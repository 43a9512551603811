//! The way out: first nobody is sent here any more, then nobody is let in.

use std::time::Duration;

use tokio::time::sleep;

use crate::admin::Readiness;
use crate::tasks::Tasks;

/// What tells a running process to stop; clones tell the same one.
#[derive(Clone, Debug)]
pub struct Ending {
    pub(super) readiness: Readiness,
    pub(super) tasks: Tasks,
    /// How long it takes until whoever sends work here has seen that it should not.
    pub(super) delay: Duration,
}

impl Ending {
    /// How long connections are still taken.
    pub fn delay(&self) -> Duration {
        self.delay
    }

    /// Says that the process takes no more work, and after the delay tells everything to stop.
    pub async fn begin(&self) {
        self.readiness.stopping();
        sleep(self.delay).await;
        self.tasks.stop();
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use tokio::time::advance;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn work_is_declined_at_once_and_stopped_after_the_delay() {
        let ending = Ending {
            readiness: Readiness::new(),
            tasks: Tasks::new(),
            delay: Duration::from_secs(5),
        };
        ending.readiness.ready();
        let mut beginning = std::pin::pin!(ending.begin());
        assert!(beginning.as_mut().now_or_never().is_none());
        assert!(!ending.readiness.is_ready());
        advance(Duration::from_millis(4999)).await;
        assert!(beginning.as_mut().now_or_never().is_none());
        assert!(ending.tasks.stopping().now_or_never().is_none());
        advance(Duration::from_millis(2)).await;
        assert!(beginning.as_mut().now_or_never().is_some());
        assert!(ending.tasks.stopping().now_or_never().is_some());
    }
}
