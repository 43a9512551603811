//! The scrubber: looks over what rests on the disk, so that damage is found before somebody asks
//! for it.
//!
//! Nobody waits for it, so it waits for everybody: it keeps to its pace, reads one block at a time,
//! and none while another job wants the disk.

use std::sync::Arc;

use tokio::time::{Duration, Instant, sleep, sleep_until};
use tracing::{info, warn};

use super::Shared;
use super::disk::{Checking, Course, Disk, EntryName, Fault, Pass};
use crate::artifact::Landed;
use crate::metrics::{Checked, ScrubMetrics};
use crate::tasks::Tasks;

/// Before the first look: a job's sidecar has ended by then and was never slowed down.
pub(super) const FIRST_AFTER: Duration = Duration::from_mins(15);
/// From the end of a pass to the next. Entries live for seven days unless told otherwise: each is
/// looked over about once in its life, besides its first read.
pub(super) const PASS_EVERY: Duration = Duration::from_hours(7 * 24);
/// The wall clock is looked at again after this time at most, since it may be set.
const CLOCK_EVERY: Duration = Duration::from_hours(1);
/// How long others have the disk to themselves before it is looked at again.
const GIVE_WAY: Duration = Duration::from_millis(50);
/// Bytes that finding a file or folder counts for: to a disk that turns it is as dear as reading on
/// for so long.
const FINDING: u64 = 64 * 1024;
/// How far it came is written down this often: a kill costs a minute of a pass.
const KEPT_EVERY: Duration = Duration::from_mins(1);
/// So many entries in a row that cannot be read mean that the disk is at fault, not they …
const UNREADABLE_IN_A_ROW: u32 = 3;
/// … and it is given this time to recover, since what cannot be read is given up.
const RECOVERY: Duration = Duration::from_mins(10);

/// The scrubber and how far it has come.
pub(super) struct Scrubber {
    shared: Arc<Shared>,
    disk: Arc<Disk>,
    pace: Pace,
    course: Course,
    kept: Course,
    kept_at: Instant,
    unreadable_in_a_row: u32,
}

/// Bytes a second, with no credit for time that went by unused.
#[derive(Debug)]
struct Pace {
    rate: u64,
    free_at: Instant,
}

/// Runs until the process stops, at `rate` bytes a second; not at all at 0 or without a disk tier.
pub(super) async fn run(shared: Arc<Shared>, rate: u64, tasks: Tasks) {
    let resumed = tokio::select! {
        () = tasks.stopping() => None,
        resumed = Scrubber::resume(&shared, rate) => resumed,
    };
    let Some(mut scrubber) = resumed else { return };
    tokio::select! {
        () = tasks.stopping() => {}
        () = scrubber.scrub() => {}
    }
    scrubber.keep().await;
}

// === impl Scrubber ===

impl Scrubber {
    /// Takes up the course that a former process left.
    pub(super) async fn resume(shared: &Arc<Shared>, rate: u64) -> Option<Self> {
        let disk = Arc::clone(shared.disk.as_ref().filter(|_| rate > 0)?);
        let reader = Arc::clone(&disk);
        let read = shared.jobs.run(move || reader.read_course()).await;
        let course = read.unwrap_or_default();
        let scrubber = Self {
            shared: Arc::clone(shared),
            disk,
            pace: Pace {
                rate,
                free_at: Instant::now(),
            },
            kept: course.clone(),
            course,
            kept_at: Instant::now(),
            unreadable_in_a_row: 0,
        };
        scrubber.report();
        Some(scrubber)
    }

    /// Pass after pass.
    pub(super) async fn scrub(&mut self) {
        sleep(FIRST_AFTER).await;
        loop {
            while let Some(wait) = self.until_next_pass() {
                sleep(wait.min(CLOCK_EVERY)).await;
            }
            self.pass().await;
        }
    }

    /// Looks over every entry that has not had its turn. Dropped, it goes on where it was.
    pub(super) async fn pass(&mut self) {
        let begun = Pass::begun(Landed::now().as_secs());
        let mut pass = self.course.pass.take().unwrap_or(begun);
        self.course.pass = Some(pass.clone());
        loop {
            for name in self.names(&pass).await {
                self.look_over(&name, &mut pass).await;
                self.arrived(&pass).await;
            }
            if !pass.next_shard() {
                break;
            }
            self.arrived(&pass).await;
        }
        self.complete(&pass);
        self.keep().await;
    }

    /// Writes down how far it came, unless that is known or the disk takes nothing. A stop waits for
    /// it, so it waits for no disk that hangs.
    pub(super) async fn keep(&mut self) {
        self.kept_at = Instant::now();
        if self.kept == self.course || !self.disk.faults.is_working() {
            return;
        }
        let (disk, course) = (Arc::clone(&self.disk), self.course.clone());
        let kept = self
            .shared
            .jobs
            .run_within(move || disk.keep_course(&course));
        match kept.await.flatten() {
            Ok(()) => self.kept = self.course.clone(),
            Err(error) => warn!(%error, "the scrubber cannot write down how far it came"),
        }
    }

    /// Counts its course as not written down.
    #[cfg(test)]
    pub(super) fn forget_what_is_kept(&mut self) {
        self.kept = Course::default();
    }

    /// How long to wait; `None` where a pass is under way or due.
    fn until_next_pass(&self) -> Option<Duration> {
        let now = Landed::now().as_secs();
        let completed = self.course.completed;
        let due = completed.saturating_add(PASS_EVERY.as_secs());
        // One that ended in the future was timed by a clock that has been set since.
        let waits = self.course.pass.is_none() && (completed..due).contains(&now);
        waits.then(|| Duration::from_secs(due - now))
    }

    /// The entries of the shard whose turn it is; those of one that cannot be read have to wait for
    /// the next pass.
    async fn names(&mut self, pass: &Pass) -> Vec<EntryName> {
        self.turn().await;
        let disk = Arc::clone(&self.disk);
        let (shard, from) = (pass.shard(), pass.from);
        let listed = self
            .shared
            .jobs
            .run(move || disk.resting_from(shard, from))
            .await;
        self.pace.spend(FINDING);
        listed.flatten().unwrap_or_else(|error| {
            self.disk.cannot_list(&error);
            Vec::new()
        })
    }

    async fn look_over(&mut self, name: &EntryName, pass: &mut Pass) {
        let checked = match self.check(name, pass).await {
            Ok(checked) => checked,
            Err(fault) => self.judge(name, fault).await,
        };
        self.metrics().entries(checked).inc();
        pass.entries += u64::from(checked != Checked::Gone);
        pass.damaged += u64::from(checked == Checked::Damaged);
        pass.unreadable += u64::from(checked == Checked::Unreadable);
        pass.step_past(&name.prefix);
        self.recover_from(checked).await;
    }

    async fn check(&mut self, name: &EntryName, pass: &mut Pass) -> Result<Checked, Fault> {
        self.turn().await;
        let (disk, name) = (Arc::clone(&self.disk), *name);
        let begun = self.shared.jobs.run(move || disk.begin_check(&name)).await;
        let Some(mut checking) = begun.map_err(Fault::Failing)?? else {
            return Ok(Checked::Gone);
        };
        let footer = checking.footer_length(&name);
        self.count(footer, pass);
        self.pace.spend(FINDING.saturating_add(footer));
        while !checking.is_done() {
            self.turn().await;
            let stepped = self.shared.jobs.run(move || step(checking)).await;
            let (further, length) = stepped.map_err(Fault::Failing)??;
            checking = further;
            self.count(length, pass);
            self.pace.spend(length);
        }
        Ok(self.disk.passed(&name))
    }

    async fn judge(&self, name: &EntryName, fault: Fault) -> Checked {
        let (disk, name) = (Arc::clone(&self.disk), *name);
        let judged = self.shared.jobs.run(move || disk.failed(&name, &fault));
        judged.await.unwrap_or(Checked::Unreadable)
    }

    /// Waits until the pace allows the next call, and then until nobody else wants the disk and it
    /// works: one that does not has more to do than to be looked over.
    async fn turn(&self) {
        sleep_until(self.pace.free_at).await;
        while !self.shared.is_idle() || !self.disk.faults.is_working() {
            sleep(GIVE_WAY).await;
        }
    }

    async fn recover_from(&mut self, checked: Checked) {
        if checked != Checked::Unreadable {
            self.unreadable_in_a_row = 0;
            return;
        }
        self.unreadable_in_a_row += 1;
        if self.unreadable_in_a_row >= UNREADABLE_IN_A_ROW {
            self.unreadable_in_a_row = 0;
            sleep(RECOVERY).await;
        }
    }

    async fn arrived(&mut self, pass: &Pass) {
        self.course.pass = Some(pass.clone());
        self.report();
        if self.kept_at.elapsed() >= KEPT_EVERY {
            self.keep().await;
        }
    }

    fn complete(&mut self, pass: &Pass) {
        let now = Landed::now().as_secs();
        self.course = Course {
            pass: None,
            completed: now,
        };
        self.report();
        info!(
            entries = pass.entries,
            bytes = pass.bytes,
            damaged = pass.damaged,
            unreadable = pass.unreadable,
            seconds = now.saturating_sub(pass.started),
            "what rests on the disk was looked over"
        );
    }

    fn count(&self, bytes: u64, pass: &mut Pass) {
        pass.bytes += bytes;
        self.metrics().bytes.inc_by(bytes);
    }

    fn report(&self) {
        let metrics = self.metrics();
        metrics.progress.set(self.course.progress());
        metrics
            .completed
            .set(super::memory::gauge(self.course.completed));
    }

    fn metrics(&self) -> &ScrubMetrics {
        self.disk.scrub_metrics()
    }
}

fn step(mut checking: Checking) -> Result<(Checking, u64), Fault> {
    let length = checking.step()?;
    Ok((checking, length))
}

// === impl Pace ===

impl Pace {
    fn spend(&mut self, bytes: u64) {
        let since = self.free_at.max(Instant::now());
        let nanos = u128::from(bytes) * 1_000_000_000 / u128::from(self.rate.max(1));
        let pause = Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
        self.free_at = since.checked_add(pause).unwrap_or(since);
    }
}
