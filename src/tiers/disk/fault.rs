//! What can be wrong with a file, and what it means for the request: never more than a miss.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};

use rustix::io::Errno;
use tokio::sync::Notify;
use tokio::time::{Duration, Instant};
use tracing::{debug, info, warn};

use super::health::{self, Deed, Health};
use super::layout::EntryName;
use crate::artifact::Bypass;
use crate::metrics::{DiskFault, DiskState, Metrics};
use crate::seldom::Seldom;
use crate::tiers::locks::{Lock, Rank};

/// A call that took so long has waited for the disk, and shows that the disk lives.
const WAITED: Duration = Duration::from_millis(1);
/// A disk that showed no life for so long hangs; until then it is busy. Less than anybody waits.
const SIGN_OF_LIFE: Duration = Duration::from_secs(2);

/// Why an entry cannot be read.
#[derive(Debug)]
pub(in crate::tiers) enum Fault {
    /// There is no such file, or it is none of ours.
    Missing,
    /// It is not what was written.
    Corrupt(&'static str),
    /// The disk does not say.
    Failing(io::Error),
}

/// What the tier can do, shared by everybody who meets a fault, and the word on it in log and
/// metrics: a line for each change, and no more than one a round for all else.
pub(in crate::tiers) struct Faults {
    health: Lock<Health>,
    /// The state once more, for those who only ask.
    state: AtomicU8,
    /// Whether a store failed since the last that did not.
    has_faltered: AtomicBool,
    unsaid: Lock<Unsaid>,
    /// Whether a damaged entry was named of late: a disk that goes bad has many.
    damage: Seldom<()>,
    /// The millisecond in which a call last came back that had waited for the disk; 0 for never.
    lived: AtomicU64,
    metrics: Arc<Metrics>,
    began: Instant,
    /// Told when the state changes, and when the directory should be looked at.
    pub(in crate::tiers) alarm: Notify,
}

/// Faults that changed nothing and that the log has not heard of.
#[derive(Debug, Default)]
struct Unsaid {
    number: u64,
    last: Option<String>,
    /// Why the tier does not come back, as the log was told.
    obstacle: Option<String>,
}

/// What a probe found the tier to be capable of, where that is not everything.
#[derive(Debug)]
pub(in crate::tiers) struct Obstacle {
    pub(in crate::tiers) state: DiskState,
    pub(in crate::tiers) kind: DiskFault,
    pub(in crate::tiers) what: String,
}

// === impl Fault ===

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound => Self::Missing,
            io::ErrorKind::UnexpectedEof => Self::Corrupt("it ends early"),
            _ if error.raw_os_error() == Some(Errno::LOOP.raw_os_error()) => Self::Missing,
            _ => Self::Failing(error),
        }
    }
}

/// Whether a failed call says nothing about the file: the process or the system is short of
/// something, nothing may be changed, or the disk was not asked at all.
pub(super) fn passes(error: &io::Error) -> bool {
    use DiskFault::{Files, ReadOnly, Slow};
    error.raw_os_error().is_none() || matches!(kind_of(error), Files | ReadOnly | Slow)
}

/// What kind of fault a failed call is.
pub(super) fn kind_of(error: &io::Error) -> DiskFault {
    let Some(errno) = Errno::from_io_error(error) else {
        return match error.kind() {
            io::ErrorKind::StorageFull => DiskFault::Full,
            io::ErrorKind::QuotaExceeded => DiskFault::Quota,
            io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => DiskFault::Slow,
            io::ErrorKind::NotFound => DiskFault::Gone,
            _ => DiskFault::Other,
        };
    };
    match errno {
        Errno::NOSPC => DiskFault::Full,
        Errno::DQUOT => DiskFault::Quota,
        Errno::ROFS => DiskFault::ReadOnly,
        Errno::IO | Errno::NXIO | Errno::NODEV | Errno::STALE => DiskFault::Io,
        Errno::MFILE | Errno::NFILE | Errno::NOMEM | Errno::AGAIN | Errno::INTR => DiskFault::Files,
        Errno::TIMEDOUT => DiskFault::Slow,
        Errno::NOENT => DiskFault::Gone,
        _ => DiskFault::Other,
    }
}

// === impl Faults ===

impl Faults {
    /// No fault met.
    pub(in crate::tiers) fn new(metrics: Arc<Metrics>) -> Self {
        Self {
            health: Lock::new(Rank::Faults, Health::new()),
            state: AtomicU8::new(DiskState::Working as u8),
            has_faltered: AtomicBool::new(false),
            unsaid: Lock::new(Rank::Faults, Unsaid::default()),
            damage: Seldom::default(),
            lived: AtomicU64::new(0),
            metrics,
            began: Instant::now(),
            alarm: Notify::new(),
        }
    }

    /// Notes a failed file call and says what it means for an artifact that was to be stored.
    pub(in crate::tiers) fn note(&self, call: &str, deed: Deed, error: &io::Error) -> Bypass {
        let kind = kind_of(error);
        self.metrics.disk.fault(kind);
        if deed == Deed::Storing {
            self.has_faltered.store(true, Ordering::Relaxed);
        }
        let now = self.began.elapsed();
        let led_to = self.health.lock().fault(kind, deed, now);
        if let Some(state) = led_to {
            self.show(state);
            *self.unsaid.lock() = Unsaid::default();
            if state == DiskState::Off {
                warn!(call, %error, "the disk tier is off; requests are answered without it");
            } else {
                warn!(call, %error, "the disk tier stores nothing; it is only read");
            }
        } else {
            let mut unsaid = self.unsaid.lock();
            unsaid.number += 1;
            unsaid.last = Some(format!("{call}: {error}"));
        }
        if kind == DiskFault::Gone {
            self.alarm.notify_one();
        }
        health::bypass(kind)
    }

    /// Makes a file call that may wait for the disk, and notes whether the disk answered it.
    pub(super) fn timed<T>(&self, call: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        let began = Instant::now();
        let outcome = call()?;
        self.answered(began.elapsed());
        Ok(outcome)
    }

    fn answered(&self, took: Duration) {
        if took >= WAITED {
            let now = self.began.elapsed().as_millis();
            let now = u64::try_from(now).unwrap_or(u64::MAX).max(1);
            self.lived.store(now, Ordering::Relaxed);
        }
    }

    /// Notes that somebody waited in vain for a call. A disk that answers others meanwhile is busy,
    /// which is no reason to do without it.
    pub(super) fn note_wait(&self, error: &io::Error) {
        let lived = Duration::from_millis(self.lived.load(Ordering::Relaxed));
        let is_alive =
            !lived.is_zero() && self.began.elapsed().saturating_sub(lived) < SIGN_OF_LIFE;
        if is_alive {
            self.metrics.disk.fault(DiskFault::Slow);
        } else {
            self.note("wait for the disk", Deed::Reading, error);
        }
    }

    /// Notes that an artifact was stored.
    pub(super) fn stored(&self) {
        if self.has_faltered.load(Ordering::Relaxed) {
            self.has_faltered.store(false, Ordering::Relaxed);
            self.health.lock().stored();
        }
    }

    /// Whether nothing may be looked for: whoever asks would wait, or find what is not ours.
    pub(in crate::tiers) fn is_off(&self) -> bool {
        self.state.load(Ordering::Acquire) == DiskState::Off as u8
    }

    /// Whether the tier stores and is read.
    pub(in crate::tiers) fn is_working(&self) -> bool {
        self.state.load(Ordering::Acquire) == DiskState::Working as u8
    }

    /// Whether anything may be stored, or what becomes of an artifact instead. Asks no disk.
    pub(in crate::tiers) fn may_store(&self) -> Result<(), Bypass> {
        if self.is_working() {
            Ok(())
        } else {
            Err(self.health.lock().bypass())
        }
    }

    /// Whether it is time to look if the tier works.
    pub(in crate::tiers) fn is_probe_due(&self) -> bool {
        self.health.lock().is_probe_due(self.began.elapsed())
    }

    /// Takes in what a probe found.
    pub(in crate::tiers) fn probed(&self, found: Result<(), Obstacle>) {
        let now = self.began.elapsed();
        let capable = found.as_ref().err().map(|it| (it.state, it.kind));
        let led_to = self.health.lock().probed(capable.map_or(Ok(()), Err), now);
        if let Some(state) = led_to {
            self.show(state);
        }
        let mut unsaid = self.unsaid.lock();
        match found {
            Ok(()) => {
                *unsaid = Unsaid::default();
                if led_to.is_some() {
                    info!("the disk tier works again");
                }
            }
            Err(obstacle) => {
                self.metrics.disk.fault(obstacle.kind);
                let is_new = unsaid.obstacle.as_ref() != Some(&obstacle.what);
                if is_new {
                    let state = obstacle.state.as_str();
                    info!(
                        state,
                        because = obstacle.what,
                        "the disk tier does not work yet"
                    );
                    unsaid.obstacle = Some(obstacle.what);
                }
            }
        }
    }

    /// Tells the log of faults that changed nothing. Called once a round.
    pub(in crate::tiers) fn tell(&self) {
        let mut unsaid = self.unsaid.lock();
        if let Some(last) = unsaid.last.take() {
            let faults = std::mem::take(&mut unsaid.number);
            warn!(
                faults,
                last, "file calls of the disk tier failed; requests were answered without"
            );
        }
    }

    /// Tells the log of a damaged entry, or how many were not told of since the last.
    pub(super) fn tell_damage(&self, name: &EntryName, how: &str) {
        if let Some(unsaid) = self.damage.due(()) {
            warn!(entry = %name, how, unsaid, "a damaged entry is put aside (said once a minute)");
        } else {
            debug!(entry = %name, how, "a damaged entry is put aside");
        }
    }

    /// Shows the state to whoever looks.
    pub(super) fn show(&self, state: DiskState) {
        self.state.store(state as u8, Ordering::Release);
        self.metrics.disk.show(Some(state));
        self.alarm.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    fn waits_in_vain(faults: &Faults) {
        for _ in 0..10 {
            faults.note_wait(&io::ErrorKind::TimedOut.into());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_disk_that_answers_others_is_busy_and_one_that_answers_nobody_hangs() {
        let faults = Faults::new(Arc::new(Metrics::new().unwrap()));
        advance(Duration::from_mins(1)).await;
        faults.answered(WAITED);
        waits_in_vain(&faults);
        assert!(faults.is_working());
        advance(SIGN_OF_LIFE).await;
        // What the page cache has shows nothing.
        faults.answered(WAITED / 2);
        waits_in_vain(&faults);
        assert!(faults.is_off());
    }
}
