//! File calls off the runtime's workers: a bounded number at a time, a bounded number waiting.
//!
//! A thread holds the turn of a job, never a future: a future may not be polled for as long as its
//! client takes nothing.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::task::spawn_blocking;
use tokio::time::{Duration, timeout};

use super::fault::{Faults, kind_of};
use super::health::Deed;
use crate::metrics::DiskFault;
use crate::tiers::locks::{Lock, Rank, is_steered};

#[cfg(test)]
mod tests;

/// File calls at once: more do not make a disk faster, and each holds a thread.
const DISK_JOBS: usize = 32;
/// Jobs that wait for their turn; with so many before it no job would be of use to anybody.
const MOST_WAITING: usize = 4096;
/// Landings of fills at once …
const LANDERS: usize = 8;
/// … and how many of them wait for one that lands before another begins: nobody waits for a fill's
/// landing, and waking a thread for each costs as much as the landing. Few enough that all are over in
/// time where each takes as long as a writer may that needs room.
const IN_TURN: usize = 8;
/// How long an answer waits for the disk before it is given without it.
pub(in crate::tiers) const DISK_WAIT: Duration = Duration::from_secs(3);
/// The same where giving up costs more than an answer from elsewhere: a body on its way breaks, an
/// upload is not kept. Well below what clients wait for an answer.
const LONGER_WAIT: Duration = Duration::from_secs(10);

/// The right to run file calls; clones share the bounds.
#[derive(Clone)]
pub(in crate::tiers) struct Jobs {
    queue: Arc<Lock<Queue>>,
    bounds: Bounds,
    faults: Arc<Faults>,
}

/// How many jobs run at once, how many may wait, and how many do for each that runs before another
/// begins beside it.
#[derive(Clone, Copy)]
struct Bounds {
    running: usize,
    waiting: usize,
    in_turn: usize,
}

type Job = Box<dyn FnOnce() + Send>;

/// Somebody who waits for a job. Who gives it up takes along what the job holds, a whole body maybe:
/// its place in the queue may stay for as long as the disk hangs.
struct Asker<F>(Arc<Lock<Option<F>>>);

#[derive(Default)]
struct Queue {
    running: usize,
    waiting: VecDeque<Job>,
}

/// Whether a job can be told that there is no room for it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Need {
    May,
    Must,
}

// === impl Jobs ===

impl Jobs {
    /// No job running. A disk that does not answer in time is a fault.
    pub(in crate::tiers) fn new(faults: Arc<Faults>) -> Self {
        Self::bounded(DISK_JOBS, MOST_WAITING, faults)
    }

    /// The same for so many jobs at once and so many waiting ones: for those that must take no turn
    /// of others.
    pub(in crate::tiers) fn bounded(running: usize, waiting: usize, faults: Arc<Faults>) -> Self {
        let in_turn = 0;
        Self {
            queue: Arc::new(Lock::new(Rank::Jobs, Queue::default())),
            bounds: Bounds {
                running,
                waiting,
                in_turn,
            },
            faults,
        }
    }

    /// The same for the landings of fills, one after the other while they are few.
    pub(in crate::tiers) fn of_landings(faults: Arc<Faults>) -> Self {
        let mut jobs = Self::bounded(LANDERS, MOST_WAITING, faults);
        jobs.bounds.in_turn = IN_TURN;
        jobs
    }

    /// Runs `job` on a thread that may block, or fails where too many are waiting. Once begun it
    /// runs to its end; dropped before that it never begins.
    pub(in crate::tiers) async fn run<T, F>(&self, job: F) -> io::Result<T>
    where
        T: Send + 'static,
        F: FnOnce() -> T + Send + 'static,
    {
        self.queued(Need::May, job).await
    }

    /// Like [`Jobs::run`], but gives up where the disk does not answer in time.
    pub(in crate::tiers) async fn run_within<T, F>(&self, job: F) -> io::Result<T>
    where
        T: Send + 'static,
        F: FnOnce() -> T + Send + 'static,
    {
        self.within(self.run(job)).await
    }

    /// Like [`Jobs::run_within`], for what should not be given up so soon.
    pub(in crate::tiers) async fn run_patiently<T, F>(&self, job: F) -> io::Result<T>
    where
        T: Send + 'static,
        F: FnOnce() -> T + Send + 'static,
    {
        self.in_time(LONGER_WAIT, self.run(job)).await
    }

    /// Like [`Jobs::run_patiently`] however many are waiting: for what makes old bytes unfindable.
    /// Whoever asks holds an upload, and those are bounded.
    pub(in crate::tiers) async fn run_surely<T, F>(&self, job: F) -> io::Result<T>
    where
        T: Send + 'static,
        F: FnOnce() -> T + Send + 'static,
    {
        self.in_time(LONGER_WAIT, self.queued(Need::Must, job))
            .await
    }

    /// Waits for the disk as long as an answer may.
    pub(in crate::tiers) async fn within<T>(
        &self,
        waiting: impl Future<Output = io::Result<T>>,
    ) -> io::Result<T> {
        self.in_time(DISK_WAIT, waiting).await
    }

    /// Runs a small job that nobody waits for, in its turn; here where there is no runtime. They are
    /// as many as there are open files.
    pub(in crate::tiers) fn run_aside(&self, job: impl FnOnce() + Send + 'static) {
        if Handle::try_current().is_err() {
            return job();
        }
        drop(self.push(Need::Must, Box::new(job)));
    }

    /// Like [`Jobs::run_aside`], but not at all where too many are waiting.
    pub(in crate::tiers) fn run_if_room(&self, job: impl FnOnce() + Send + 'static) {
        if Handle::try_current().is_err() {
            return job();
        }
        drop(self.push(Need::May, Box::new(job)));
    }

    /// Makes a file call that may wait for the disk.
    pub(super) fn timed<T>(&self, call: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        self.faults.timed(call)
    }

    /// Whether the tier that the jobs are for is off.
    pub(super) fn are_off(&self) -> bool {
        self.faults.is_off()
    }

    /// Whether file calls may hang, even those that never do on a disk that works.
    pub(super) fn may_hang(&self) -> bool {
        !self.faults.is_working()
    }

    /// Whether every turn is taken and somebody waits for one.
    pub(super) fn are_stuck(&self) -> bool {
        let queue = self.queue.lock();
        queue.running >= self.bounds.running && !queue.waiting.is_empty()
    }

    /// How many jobs run and wait.
    #[cfg(test)]
    pub(in crate::tiers) fn number(&self) -> (usize, usize) {
        let queue = self.queue.lock();
        (queue.running, queue.waiting.len())
    }

    async fn in_time<T>(
        &self,
        wait: Duration,
        waiting: impl Future<Output = io::Result<T>>,
    ) -> io::Result<T> {
        if is_steered() {
            return waiting.await;
        }
        let outcome = timeout(wait, waiting).await;
        let outcome = outcome.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
        if let Err(error) = &outcome
            && kind_of(error) == DiskFault::Slow
            // Of a disk that is off nobody expects an answer.
            && !self.faults.is_off()
        {
            self.faults.note_wait(error);
        }
        outcome
    }

    /// Whether no job is running or waiting: nobody wants the disk just now.
    pub(in crate::tiers) fn are_idle(&self) -> bool {
        let queue = self.queue.lock();
        queue.running == 0 && queue.waiting.is_empty()
    }

    async fn queued<T, F>(&self, need: Need, job: F) -> io::Result<T>
    where
        T: Send + 'static,
        F: FnOnce() -> T + Send + 'static,
    {
        let (done, outcome) = oneshot::channel();
        let asker = Asker(Arc::new(Lock::new(Rank::Jobs, Some(job))));
        let place = Arc::clone(&asker.0);
        let job = move || {
            let job = place.lock().take();
            if let Some(job) = job {
                drop(done.send(job()));
            }
        };
        self.push(need, Box::new(job))?;
        outcome.await.map_err(io::Error::other)
    }

    fn push(&self, need: Need, job: Job) -> io::Result<()> {
        if is_steered() {
            job();
            return Ok(());
        }
        let mut queue = self.queue.lock();
        if need == Need::May && queue.waiting.len() >= self.bounds.waiting {
            let what = "too many file calls are waiting";
            return Err(io::Error::new(io::ErrorKind::WouldBlock, what));
        }
        queue.waiting.push_back(job);
        let has_its_turn = queue.waiting.len() <= queue.running * self.bounds.in_turn;
        if queue.running < self.bounds.running && !has_its_turn {
            queue.running += 1;
            let jobs = self.clone();
            drop(spawn_blocking(move || jobs.work()));
        }
        Ok(())
    }

    fn work(&self) {
        while let Some(job) = self.next() {
            // The runtime's hook has reported the panic, and whoever asked sees that nothing came.
            drop(catch_unwind(AssertUnwindSafe(job)));
        }
    }

    /// The next job, or this thread's end: one decision, so no job is left behind.
    fn next(&self) -> Option<Job> {
        let mut queue = self.queue.lock();
        let job = queue.waiting.pop_front();
        if job.is_none() {
            queue.running -= 1;
        }
        job
    }

    /// Lets no job begin while the returned guard lives.
    #[cfg(test)]
    pub(in crate::tiers) fn hold(&self) -> Held {
        loop {
            let mut queue = self.queue.lock();
            // A thread whose job has just ended may still be looking for the next.
            if queue.running == 0 {
                queue.running = self.bounds.running;
                return Held(self.clone());
            }
            drop(queue);
            std::thread::yield_now();
        }
    }
}

impl<F> Drop for Asker<F> {
    fn drop(&mut self) {
        let job = self.0.lock().take();
        drop(job);
    }
}

impl fmt::Debug for Jobs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let queue = self.queue.lock();
        f.debug_struct("Jobs")
            .field("running", &queue.running)
            .field("waiting", &queue.waiting.len())
            .finish_non_exhaustive()
    }
}

/// Runs a job on a thread of its own, for the one who looks whether the others hang.
pub(in crate::tiers) async fn run_alone<T, F>(faults: &Faults, job: F) -> io::Result<T>
where
    T: Send + 'static,
    F: FnOnce() -> T + Send + 'static,
{
    let mut asked = spawn_blocking(job);
    let Ok(outcome) = timeout(DISK_WAIT, &mut asked).await else {
        let late = io::ErrorKind::TimedOut.into();
        faults.note("look at the directory", Deed::Watching, &late);
        // There is nothing to be done before it answers, and a second thread would hang too.
        drop(asked.await);
        return Err(late);
    };
    outcome.map_err(io::Error::other)
}

/// Keeps all turns taken.
#[cfg(test)]
pub(in crate::tiers) struct Held(Jobs);

#[cfg(test)]
impl Drop for Held {
    fn drop(&mut self) {
        let mut queue = self.0.queue.lock();
        queue.running = queue.waiting.len().min(self.0.bounds.running);
        for _ in 0..queue.running {
            let jobs = self.0.clone();
            drop(spawn_blocking(move || jobs.work()));
        }
    }
}
