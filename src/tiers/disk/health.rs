//! What the disk tier can do, judged by the faults it met. Pure: moments are told, never asked for.
//!
//! ```text
//! Working ── cannot store ──▶ ReadOnly ── cannot be read, or hangs ──▶ Off
//!    ▲                           │                                     │
//!    └─────────── a probe that stored and read back ───────────────────┘
//! ```

use tokio::time::Duration;

use crate::artifact::Bypass;
use crate::metrics::{DiskFault, DiskState};

/// Stores that fail one after the other, none succeeding between them, before no more are tried. A
/// single bad folder among 256 never gets there.
const STORES_FAILED: u32 = 3;
/// Entries that the device cannot read before none is read any more: each of them is given up, which
/// a device that is only away for a while must not do to the whole tier.
const READS_FAILED: u32 = 8;
/// Calls that get no answer before none is waited for any more.
const UNANSWERED: u32 = 3;
/// Faults further apart than this have nothing to do with one another.
const TOGETHER: Duration = Duration::from_secs(30);
/// From a change for the worse to the first probe, and between two probes.
const PROBE_EVERY: Duration = Duration::from_secs(2);
/// How often that doubles where the tier came back only to fail again.
const MOST_DOUBLINGS: u32 = 5;
/// A tier that stayed for so long as a probe found it has recovered.
const RECOVERED: Duration = Duration::from_mins(2);

/// What was being done when a file call failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deed {
    /// Anything that makes an entry.
    Storing,
    /// Reading an entry.
    Reading,
    /// Looking whether the directory is there and answers at all.
    Watching,
    /// Anything else: listing a folder, removing a file. One folder or file may be odd, which says
    /// little of the others.
    Tidying,
}

/// What the tier can do, and what led there.
#[derive(Debug)]
pub(crate) struct Health {
    state: DiskState,
    /// Why it is not working, if it is not.
    cause: DiskFault,
    stores: Run,
    reads: Run,
    waits: Run,
    relapses: u32,
    /// When a probe last found it better, until it gets worse again.
    improved: Option<Duration>,
    probed: Duration,
}

/// Faults that belong together.
#[derive(Debug, Default)]
struct Run {
    length: u32,
    last: Duration,
}

// === impl Health ===

impl Health {
    /// In working order.
    pub(crate) fn new() -> Self {
        Self {
            state: DiskState::Working,
            cause: DiskFault::Other,
            stores: Run::default(),
            reads: Run::default(),
            waits: Run::default(),
            relapses: 0,
            improved: None,
            probed: Duration::ZERO,
        }
    }

    /// What the tier can do.
    #[cfg(test)]
    pub(crate) fn state(&self) -> DiskState {
        self.state
    }

    /// What became of an artifact that is not stored while the tier is as it is.
    pub(crate) fn bypass(&self) -> Bypass {
        bypass(self.cause)
    }

    /// Takes a fault in; returns the state it led to, if that is another.
    pub(crate) fn fault(
        &mut self,
        kind: DiskFault,
        deed: Deed,
        now: Duration,
    ) -> Option<DiskState> {
        use DiskFault::{Files, Full, Gone, Io, Other, Quota, ReadOnly, Slow};
        let led_to = match (kind, deed) {
            (_, Deed::Watching) => DiskState::Off,
            (Slow, _) if self.waits.reaches(UNANSWERED, now) => DiskState::Off,
            (Io, Deed::Reading) if self.reads.reaches(READS_FAILED, now) => DiskState::Off,
            (ReadOnly, Deed::Storing | Deed::Tidying) => DiskState::ReadOnly,
            (Full | Quota | Io | Files | Gone | Other, Deed::Storing)
                if self.stores.reaches(STORES_FAILED, now) =>
            {
                DiskState::ReadOnly
            }
            _ => return None,
        };
        self.worsen(led_to, kind, now)
    }

    /// An artifact was stored: the stores that failed before it were not the beginning of more.
    pub(crate) fn stored(&mut self) {
        self.stores = Run::default();
    }

    /// Whether it is time to look if the tier works.
    pub(crate) fn is_probe_due(&self, now: Duration) -> bool {
        let doublings = self.relapses.min(MOST_DOUBLINGS);
        self.state != DiskState::Working
            && now.saturating_sub(self.probed) >= PROBE_EVERY * 2_u32.pow(doublings)
    }

    /// Takes in what a probe that ended `now` found: nothing wrong, or that the tier can do no more
    /// than this; returns the state it led to, if that is another.
    pub(crate) fn probed(
        &mut self,
        found: Result<(), (DiskState, DiskFault)>,
        now: Duration,
    ) -> Option<DiskState> {
        self.probed = now;
        let (state, cause) = found.err().unwrap_or((DiskState::Working, self.cause));
        self.cause = cause;
        if state == self.state {
            return None;
        }
        if state == DiskState::Working {
            (self.stores, self.reads, self.waits) = Default::default();
        }
        if rank(state) < rank(self.state) {
            self.improved = Some(now);
        }
        self.state = state;
        Some(state)
    }

    /// Never to a better state: only a probe leads there.
    fn worsen(&mut self, to: DiskState, cause: DiskFault, now: Duration) -> Option<DiskState> {
        if rank(to) <= rank(self.state) {
            return None;
        }
        if let Some(improved) = self.improved.take() {
            let has_recovered = now.saturating_sub(improved) >= RECOVERED;
            self.relapses = if has_recovered { 0 } else { self.relapses + 1 };
        }
        (self.state, self.cause, self.probed) = (to, cause, now);
        Some(to)
    }
}

// === impl Run ===

impl Run {
    /// Adds a fault; returns whether there are `enough` by now.
    fn reaches(&mut self, enough: u32, now: Duration) -> bool {
        if now.saturating_sub(self.last) > TOGETHER {
            self.length = 0;
        }
        self.length = self.length.saturating_add(1);
        self.last = now;
        self.length >= enough
    }
}

/// How bad a state is.
fn rank(state: DiskState) -> Option<usize> {
    DiskState::ALL.iter().position(|known| *known == state)
}

/// What becomes of an artifact that is not stored for this reason.
pub(crate) fn bypass(cause: DiskFault) -> Bypass {
    match cause {
        DiskFault::Full | DiskFault::Quota => Bypass::NoRoom,
        _ => Bypass::DiskFault,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn at(seconds: u32) -> Duration {
        SECOND * seconds
    }

    fn sick(kind: DiskFault, deed: Deed, times: u32) -> Health {
        let mut health = Health::new();
        for _ in 0..times {
            health.fault(kind, deed, at(100));
        }
        health
    }

    #[test]
    fn each_fault_leads_where_it_must_and_not_sooner() {
        use Deed::{Reading, Storing, Tidying, Watching};
        use DiskFault::{Files, Full, Gone, Io, Other, Quota, ReadOnly, Slow};
        use DiskState::{Off, ReadOnly as Reads};
        let table = [
            (Full, Storing, STORES_FAILED, Reads),
            (Quota, Storing, STORES_FAILED, Reads),
            (Io, Storing, STORES_FAILED, Reads),
            (Files, Storing, STORES_FAILED, Reads),
            (Other, Storing, STORES_FAILED, Reads),
            (ReadOnly, Storing, 1, Reads),
            (ReadOnly, Tidying, 1, Reads),
            (Io, Reading, READS_FAILED, Off),
            (Slow, Storing, UNANSWERED, Off),
            (Slow, Reading, UNANSWERED, Off),
            (Slow, Tidying, UNANSWERED, Off),
            (Gone, Storing, STORES_FAILED, Reads),
            (Gone, Watching, 1, Off),
            (Slow, Watching, 1, Off),
            (Io, Watching, 1, Off),
            (Full, Watching, 1, Off),
        ];
        for (kind, deed, times, state) in table {
            let before = sick(kind, deed, times - 1).state();
            assert_eq!(before, DiskState::Working, "{kind:?} {deed:?}");
            let health = sick(kind, deed, times);
            assert_eq!(health.state(), state, "{kind:?} {deed:?}");
            let is_room = matches!(kind, Full | Quota);
            assert_eq!(health.bypass() == Bypass::NoRoom, is_room, "{kind:?}");
        }
    }

    #[test]
    fn one_odd_file_or_folder_and_a_shortage_of_the_process_turn_off_no_hits() {
        for (kind, deed) in [
            (DiskFault::Io, Deed::Tidying),
            (DiskFault::Other, Deed::Tidying),
            (DiskFault::Other, Deed::Reading),
            (DiskFault::Files, Deed::Reading),
            (DiskFault::Files, Deed::Tidying),
            (DiskFault::ReadOnly, Deed::Reading),
        ] {
            assert_eq!(sick(kind, deed, 1000).state(), DiskState::Working);
        }
    }

    #[test]
    fn stores_between_failures_keep_the_tier_storing() {
        let mut health = Health::new();
        for _ in 0..100 {
            health.fault(DiskFault::Io, Deed::Storing, at(1));
            health.fault(DiskFault::Io, Deed::Storing, at(1));
            health.stored();
        }
        assert_eq!(health.state(), DiskState::Working);
    }

    #[test]
    fn faults_far_apart_have_nothing_to_do_with_one_another() {
        let mut health = Health::new();
        for number in 1..100 {
            let now = at(number * 31);
            assert_eq!(health.fault(DiskFault::Slow, Deed::Reading, now), None);
        }
    }

    #[test]
    fn a_fault_makes_it_worse_once_and_never_better() {
        let mut health = sick(DiskFault::Gone, Deed::Watching, 1);
        assert_eq!(
            health.fault(DiskFault::ReadOnly, Deed::Storing, at(101)),
            None
        );
        assert_eq!(health.fault(DiskFault::Gone, Deed::Watching, at(101)), None);
        assert_eq!(health.state(), DiskState::Off);
        let mut health = sick(DiskFault::ReadOnly, Deed::Storing, 1);
        let worse = health.fault(DiskFault::Gone, Deed::Watching, at(101));
        assert_eq!(worse, Some(DiskState::Off));
    }

    #[test]
    fn only_a_probe_brings_it_back() {
        let mut health = sick(DiskFault::Gone, Deed::Watching, 1);
        health.stored();
        assert!(!health.is_probe_due(at(101)));
        assert!(health.is_probe_due(at(102)));
        let full = Err((DiskState::ReadOnly, DiskFault::Full));
        assert_eq!(health.probed(full, at(102)), Some(DiskState::ReadOnly));
        assert_eq!(health.bypass(), Bypass::NoRoom);
        assert_eq!(health.probed(full, at(104)), None);
        assert!(!health.is_probe_due(at(105)) && health.is_probe_due(at(106)));
        assert_eq!(health.probed(Ok(()), at(106)), Some(DiskState::Working));
        assert!(!health.is_probe_due(at(1000)));
    }

    #[test]
    fn whoever_comes_back_only_to_fail_is_probed_less_and_less_until_it_recovers() {
        let mut health = Health::new();
        let mut now = at(100);
        let mut waits = Vec::new();
        for _ in 0..8 {
            health.fault(DiskFault::ReadOnly, Deed::Storing, now);
            let failed = now;
            while !health.is_probe_due(now) {
                now += SECOND;
            }
            waits.push(now.saturating_sub(failed).as_secs());
            health.probed(Ok(()), now);
        }
        assert_eq!(waits, [2, 4, 8, 16, 32, 64, 64, 64]);
        now += RECOVERED;
        health.fault(DiskFault::ReadOnly, Deed::Storing, now);
        assert!(health.is_probe_due(now + PROBE_EVERY));
    }

    #[test]
    fn a_half_that_comes_back_only_to_fail_is_probed_less_and_less_too() {
        let mut health = sick(DiskFault::Io, Deed::Reading, READS_FAILED);
        let (mut now, mut last) = (at(100), at(100));
        let mut waits = Vec::new();
        for _ in 0..5 {
            while !health.is_probe_due(now) {
                now += SECOND;
            }
            waits.push(now.saturating_sub(last).as_secs());
            health.probed(Err((DiskState::ReadOnly, DiskFault::ReadOnly)), now);
            last = now;
            for _ in 0..READS_FAILED {
                health.fault(DiskFault::Io, Deed::Reading, now);
            }
            assert_eq!(health.state(), DiskState::Off);
        }
        assert_eq!(waits, [2, 4, 8, 16, 32]);
    }

    #[test]
    fn what_failed_before_the_return_counts_no_more() {
        let mut health = sick(DiskFault::Slow, Deed::Reading, UNANSWERED);
        health.probed(Ok(()), at(102));
        assert_eq!(health.fault(DiskFault::Slow, Deed::Reading, at(103)), None);
    }
}
