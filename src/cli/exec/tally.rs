//! What came of the requests so far, as the metrics have it.

use std::time::Duration;

use crate::artifact::RouteName;
use crate::metrics::Metrics;

/// What came of the requests so far.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Tally {
    /// Every request, whatever it was about.
    pub(super) requests: u64,
    /// Those that were about an artifact.
    pub(super) asked: u64,
    /// Artifacts asked for to be had.
    pub(super) reads: u64,
    /// Served from memory.
    pub(super) from_memory: u64,
    /// Served from the disk.
    pub(super) from_disk: u64,
    /// Fetched from the upstream.
    pub(super) fetched: u64,
    /// Refused, by the upstream or here.
    pub(super) refused: u64,
    /// Uploads, however they ended.
    pub(super) uploads: u64,
    /// Uploads that the upstream has accepted, or Larder by itself.
    pub(super) stored: u64,
    /// Requests about artifacts that the upstream could not be asked for.
    pub(super) degraded: u64,
    /// Bytes of hits.
    pub(super) saved_bytes: u64,
    /// How long the tasks took that hits stood for.
    pub(super) saved: Duration,
}

impl Tally {
    /// Of all requests until now.
    pub(super) fn of(metrics: &Metrics) -> Self {
        use RouteName::{Batch, Get, Head, Put};
        let all = |route| metrics.answered(route, |_| true);
        let any = |route, labels: &[&str]| metrics.answered(route, |it| labels.contains(&it));
        let taken = any(Put, &["stored", "passed", "bypass"]);
        // Who uploads need not wait for the answer.
        let stored = taken.max(metrics.upstream.uploads_accepted());
        let seconds = metrics.saved_seconds.get();
        Self {
            requests: RouteName::ALL.into_iter().map(all).sum(),
            asked: [Get, Head, Put, Batch].into_iter().map(all).sum(),
            reads: all(Get),
            from_memory: any(Get, &["hit-memory"]),
            from_disk: any(Get, &["hit-disk"]),
            fetched: any(Get, &["filled", "collapsed", "bypass"]),
            refused: any(Get, &["refused", "denied"]),
            uploads: all(Put).max(stored),
            stored,
            degraded: [Get, Head, Put]
                .into_iter()
                .map(|route| any(route, &["degraded"]))
                .sum(),
            saved_bytes: metrics.saved_bytes.get(),
            saved: Duration::try_from_secs_f64(seconds).unwrap_or_default(),
        }
    }

    /// Artifacts that were here.
    pub(super) fn hits(&self) -> u64 {
        self.from_memory + self.from_disk
    }

    /// Artifacts that nobody had, or that were not to be had.
    pub(super) fn misses(&self) -> u64 {
        self.reads.saturating_sub(self.hits() + self.fetched)
    }

    /// Uploads that nobody has.
    pub(super) fn failed(&self) -> u64 {
        self.uploads.saturating_sub(self.stored)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::artifact::{Failure, Outcome, Tier};
    use crate::metrics::{Exchange, Operation};

    #[test]
    fn every_request_is_counted_where_it_belongs() {
        let metrics = Metrics::new().unwrap();
        assert_eq!(Tally::of(&metrics), Tally::default());
        let hit = |tier| Outcome::Hit { tier, grace: false };
        let degraded = Outcome::Degraded(Failure::Timeout);
        for (route, outcome) in [
            (RouteName::Get, hit(Tier::Memory)),
            (RouteName::Get, hit(Tier::Memory)),
            (RouteName::Get, hit(Tier::Disk)),
            (RouteName::Get, Outcome::Filled),
            (RouteName::Get, Outcome::Absent),
            (RouteName::Get, degraded),
            (RouteName::Put, Outcome::Stored),
            (RouteName::Put, Outcome::UploadRefused),
            (RouteName::Put, Outcome::Error("client_left")),
            (RouteName::Status, Outcome::Passed),
        ] {
            metrics.request(route, outcome).unwrap().total.inc();
        }
        let tally = Tally::of(&metrics);
        assert_eq!((tally.requests, tally.asked, tally.reads), (10, 9, 6));
        assert_eq!((tally.hits(), tally.fetched, tally.misses()), (3, 1, 2));
        assert_eq!((tally.stored, tally.failed(), tally.degraded), (1, 2, 1));
        // The one whose client did not wait.
        for _ in 0..2 {
            metrics.upstream.count(Operation::Put, Exchange::Ok, 0.1);
        }
        let tally = Tally::of(&metrics);
        assert_eq!((tally.stored, tally.failed()), (2, 1));
    }
}
