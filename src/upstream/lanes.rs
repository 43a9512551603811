//! How many requests may be upstream at once, and who goes first.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Duration, sleep, timeout};

use super::Supply;
use super::places::{Place, Places, over, ready};

/// The bound on concurrent requests: one for all, and within it a share for each kind of those that
/// may take long because a client sends slowly, so that they starve neither reads nor each other.
#[derive(Debug)]
pub(super) struct Lanes {
    all: Arc<Semaphore>,
    /// Kept free for questions on which a hit waits, where the others are taken: under load hits go
    /// first. None of few.
    kept: Arc<Semaphore>,
    uploads: Arc<Places>,
    passed: Arc<Semaphore>,
}

/// Kinds of requests, by what may hold them up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lane {
    /// No client can draw it out: it has no body, or one that is at hand.
    Read,
    /// A hit waits for it.
    Question,
    /// As slow as its client, and no artifact.
    Passed,
}

/// A place among the requests upstream; given back when dropped.
#[derive(Debug)]
pub(super) struct Permit {
    _share: Option<OwnedSemaphorePermit>,
    _place: Option<OwnedSemaphorePermit>,
}

/// A place of an upload.
#[derive(Debug)]
pub(super) struct UploadPermit {
    /// The one among uploads.
    pub(super) place: Arc<Place>,
    _all: Option<OwnedSemaphorePermit>,
}

impl Lanes {
    /// Lets `max` through at once, at least one; half of them may be uploads, and a quarter passed
    /// requests that have a body. An eighth is for questions about callers alone, which may have any other too.
    pub(super) fn new(max: usize) -> Self {
        let max = max.clamp(1, Semaphore::MAX_PERMITS);
        let kept = max / 8;
        Self {
            all: Arc::new(Semaphore::new(max - kept)),
            kept: Arc::new(Semaphore::new(kept)),
            uploads: Places::new(max / 2),
            passed: Arc::new(Semaphore::new((max / 4).max(1))),
        }
    }

    /// Waits for a place in a lane; first come, first served.
    pub(super) async fn enter(&self, lane: Lane) -> Permit {
        let share = match lane {
            Lane::Read | Lane::Question => None,
            Lane::Passed => acquire(&self.passed).await,
        };
        let place = match lane {
            Lane::Question => tokio::select! {
                biased;
                place = acquire(&self.all) => place,
                place = acquire(&self.kept) => place,
            },
            Lane::Read | Lane::Passed => acquire(&self.all).await,
        };
        Permit {
            _share: share,
            _place: place,
        }
    }

    /// The same for an upload, by where its body stands: for `within` once that comes no further. None
    /// where it takes longer, or nothing will come of it.
    pub(super) async fn enter_upload(
        &self,
        supply: &Supply,
        within: Duration,
    ) -> Option<UploadPermit> {
        let entering = async {
            let place = self.uploads.enter(supply).await?;
            let all = timeout(within, acquire(&self.all)).await.ok()?;
            Some(UploadPermit { place, _all: all })
        };
        let overdue = async {
            ready(supply).await;
            sleep(within).await;
        };
        tokio::select! {
            biased;
            permit = entering => permit,
            () = over(supply) => None,
            () = overdue => None,
        }
    }
}

/// The semaphores are never closed, so this is `None` for nobody.
async fn acquire(semaphore: &Arc<Semaphore>) -> Option<OwnedSemaphorePermit> {
    Arc::clone(semaphore).acquire_owned().await.ok()
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use tokio::time::Instant;

    use super::*;
    use crate::upstream::tests::here;

    #[tokio::test]
    async fn uploads_leave_half_to_reads() {
        let lanes = Lanes::new(4);
        let uploads: Vec<_> = (0..2)
            .filter_map(|_| {
                lanes
                    .enter_upload(&here(), Duration::ZERO)
                    .now_or_never()
                    .flatten()
            })
            .collect();
        assert_eq!(uploads.len(), 2);
        assert!(
            lanes
                .enter_upload(&here(), Duration::ZERO)
                .now_or_never()
                .is_none()
        );
        let reads: Vec<_> = (0..4)
            .filter_map(|_| lanes.enter(Lane::Read).now_or_never())
            .collect();
        assert_eq!(reads.len(), 2);
        drop(uploads);
        assert!(lanes.enter(Lane::Read).now_or_never().is_some());
    }

    #[tokio::test]
    async fn uploads_and_passed_bodies_leave_places_to_each_other_and_to_reads() {
        let lanes = Lanes::new(8);
        let passed: Vec<_> = (0..8)
            .filter_map(|_| lanes.enter(Lane::Passed).now_or_never())
            .collect();
        let uploads: Vec<_> = (0..8)
            .filter_map(|_| {
                lanes
                    .enter_upload(&here(), Duration::ZERO)
                    .now_or_never()
                    .flatten()
            })
            .collect();
        let reads: Vec<_> = (0..8)
            .filter_map(|_| lanes.enter(Lane::Read).now_or_never())
            .collect();
        assert_eq!((passed.len(), uploads.len(), reads.len()), (2, 4, 1));
        assert!(lanes.enter(Lane::Question).now_or_never().is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn an_upload_that_is_here_waits_for_its_time_and_no_longer() {
        let lanes = Lanes::new(2);
        let within = Duration::from_secs(5);
        let supply = here();
        let first = lanes.enter_upload(&supply, within).await;
        let begun = Instant::now();
        assert!(lanes.enter_upload(&supply, within).await.is_none());
        assert_eq!(begun.elapsed(), within);
        drop(first);
        let _all = [lanes.enter(Lane::Read).await, lanes.enter(Lane::Read).await];
        assert!(lanes.enter_upload(&supply, within).await.is_none());
        assert_eq!(begun.elapsed(), within * 2, "whatever it waits for");
    }

    #[tokio::test]
    async fn there_is_always_one() {
        let lanes = Lanes::new(0);
        assert!(
            lanes
                .enter_upload(&here(), Duration::ZERO)
                .now_or_never()
                .is_some()
        );
        assert!(lanes.enter(Lane::Question).now_or_never().is_some());
    }
}
