//! How the counts grew: the last hour in steps of ten seconds, the last day in steps of five minutes.
//! Gone with the process; whoever wants more keeps the metrics.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use serde::Serialize;
use tokio::task::spawn_blocking;
use tokio::time::{MissedTickBehavior, interval};

use super::figures::Figures;
use crate::artifact::Landed;
use crate::metrics::Metrics;
use crate::tasks::Tasks;

/// How often the counts are looked at.
const FINE: Duration = Duration::from_secs(10);
/// An hour of that.
const MOST_FINE: usize = 360;
/// Steps that make a coarse one.
const FINE_IN_COARSE: u32 = 30;
/// A day of those.
const MOST_COARSE: usize = 288;

/// How the counts grew since the process began, or since this long ago.
#[derive(Debug)]
pub struct History(Mutex<Steps>);

#[derive(Debug)]
struct Steps {
    taken: u32,
    fine: Steady,
    coarse: Steady,
}

/// Steps of one length, the oldest first.
#[derive(Clone, Debug, Serialize)]
struct Steady {
    interval_seconds: u64,
    samples: VecDeque<Sample>,
    #[serde(skip)]
    most: usize,
    /// The counts where the last one ended.
    #[serde(skip)]
    from: Counts,
}

/// What one step added. Its time is a label: where the clock is set, the step is as long as before.
#[derive(Clone, Debug, Serialize)]
struct Sample {
    /// The second of its end, since 1970.
    time: u64,
    #[serde(flatten)]
    counts: Counts,
}

/// The counts of which a history is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
struct Counts {
    /// Requests of every kind.
    requests: u64,
    /// Artifacts served from memory.
    memory: u64,
    /// And from the disk.
    disk: u64,
    /// And those that were wanted and in neither.
    missed: u64,
    /// Uploads that were accepted.
    uploads: u64,
    /// Requests that the upstream or Larder refused.
    refused: u64,
    /// Requests for which the upstream could not say.
    degraded: u64,
    /// Bytes of bodies sent.
    bytes_sent: u64,
    /// Of these, bytes of hits.
    bytes_saved: u64,
}

/// Both lengths of steps, as they are told.
#[derive(Serialize)]
pub(super) struct Told {
    fine: Steady,
    coarse: Steady,
}

// === impl History ===

impl History {
    /// Nothing so far.
    pub fn new() -> Self {
        Self(Mutex::new(Steps {
            taken: 0,
            fine: Steady::new(FINE, MOST_FINE),
            coarse: Steady::new(FINE * FINE_IN_COARSE, MOST_COARSE),
        }))
    }

    /// Looks at `metrics` again and again, until `tasks` stop. Where a look comes late, the step before it was
    /// longer.
    pub async fn keep(self: Arc<Self>, metrics: Arc<Metrics>, tasks: Tasks) {
        let mut turn = interval(FINE);
        turn.set_missed_tick_behavior(MissedTickBehavior::Skip);
        // The first is at once.
        turn.tick().await;
        loop {
            tokio::select! {
                () = tasks.stopping() => return,
                _ = turn.tick() => {}
            }
            let metrics = Arc::clone(&metrics);
            let counted = spawn_blocking(move || Counts::of(&Figures::of(metrics.registry())));
            if let Ok(counts) = counted.await {
                self.note(Landed::now().as_secs(), counts);
            }
        }
    }

    /// What is kept.
    pub(super) fn tell(&self) -> Told {
        let steps = self.0.lock();
        Told {
            fine: steps.fine.clone(),
            coarse: steps.coarse.clone(),
        }
    }

    fn note(&self, time: u64, counts: Counts) {
        let mut steps = self.0.lock();
        steps.fine.note(time, counts);
        steps.taken = (steps.taken + 1) % FINE_IN_COARSE;
        if steps.taken == 0 {
            steps.coarse.note(time, counts);
        }
    }
}

impl Default for History {
    fn default() -> Self {
        Self::new()
    }
}

// === impl Steady ===

impl Steady {
    fn new(interval: Duration, most: usize) -> Self {
        Self {
            interval_seconds: interval.as_secs(),
            samples: VecDeque::new(),
            most,
            from: Counts::default(),
        }
    }

    fn note(&mut self, time: u64, counts: Counts) {
        if self.samples.len() >= self.most {
            self.samples.pop_front();
        }
        self.samples.push_back(Sample {
            time,
            counts: counts.since(self.from),
        });
        self.from = counts;
    }
}

// === impl Counts ===

impl Counts {
    fn of(figures: &Figures) -> Self {
        let requests = |labels: &[_]| figures.count("larder_requests_total", labels);
        let get = |outcome| requests(&[("route", "get"), ("outcome", outcome)]);
        let put = |outcome| requests(&[("route", "put"), ("outcome", outcome)]);
        let all = |outcome| requests(&[("outcome", outcome)]);
        let missed = ["filled", "collapsed", "absent", "degraded", "bypass"];
        Self {
            requests: requests(&[]),
            memory: get("hit-memory"),
            disk: get("hit-disk"),
            missed: missed.into_iter().map(get).sum(),
            uploads: ["stored", "passed", "bypass"].into_iter().map(put).sum(),
            refused: ["refused", "denied"].into_iter().map(all).sum(),
            degraded: all("degraded"),
            bytes_sent: figures.count("larder_response_bytes_total", &[]),
            bytes_saved: figures.count("larder_saved_bytes_total", &[]),
        }
    }

    fn since(self, before: Self) -> Self {
        Self {
            requests: self.requests.saturating_sub(before.requests),
            memory: self.memory.saturating_sub(before.memory),
            disk: self.disk.saturating_sub(before.disk),
            missed: self.missed.saturating_sub(before.missed),
            uploads: self.uploads.saturating_sub(before.uploads),
            refused: self.refused.saturating_sub(before.refused),
            degraded: self.degraded.saturating_sub(before.degraded),
            bytes_sent: self.bytes_sent.saturating_sub(before.bytes_sent),
            bytes_saved: self.bytes_saved.saturating_sub(before.bytes_saved),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::artifact::{Outcome, RouteName};

    fn requests(requests: u64) -> Counts {
        Counts {
            requests,
            ..Counts::default()
        }
    }

    fn told(steady: &Steady) -> Vec<(u64, u64)> {
        let samples = steady.samples.iter();
        samples
            .map(|sample| (sample.time, sample.counts.requests))
            .collect()
    }

    #[test]
    fn a_step_holds_what_came_since_the_last_whatever_the_clock_says() {
        let history = History::new();
        for (time, counted) in [(1000, 5), (1010, 5), (50, 9), (9000, 10)] {
            history.note(time, requests(counted));
        }
        let fine = told(&history.tell().fine);
        assert_eq!(fine, [(1000, 5), (1010, 0), (50, 4), (9000, 1)]);
        assert_eq!(told(&history.tell().coarse), []);
    }

    #[test]
    fn the_oldest_steps_go_and_coarse_ones_add_up() {
        let history = History::new();
        for step in 1..=10_000 {
            history.note(step, requests(2 * step));
        }
        let Told { fine, coarse } = history.tell();
        assert_eq!(fine.samples.len(), MOST_FINE);
        assert_eq!(told(&fine).last(), Some(&(10_000, 2)));
        assert_eq!(coarse.samples.len(), MOST_COARSE);
        assert_eq!(told(&coarse).last(), Some(&(9_990, 60)));
    }

    #[tokio::test(start_paused = true)]
    async fn the_counts_are_looked_at_every_ten_seconds_until_the_end() {
        let metrics = Arc::new(Metrics::new().unwrap());
        let (history, tasks) = (Arc::new(History::new()), Tasks::new());
        tasks.spawn(Arc::clone(&history).keep(Arc::clone(&metrics), tasks.clone()));
        let handles = metrics.request(RouteName::Put, Outcome::Stored).unwrap();
        handles.total.inc_by(3);
        tokio::time::sleep(FINE + FINE / 2).await;
        handles.total.inc_by(4);
        tokio::time::sleep(FINE).await;
        tasks.stop();
        assert_eq!(tasks.drain(FINE).await, 0);
        let fine = history.tell().fine;
        let uploads: Vec<_> = fine.samples.iter().map(|it| it.counts.uploads).collect();
        assert_eq!(uploads, [3, 4]);
    }
}
