//! Absences remembered for a moment, where the operator wants that.
//!
//! What is remembered is what the upstream said to one caller. It ends with its time, with whatever
//! bumps the key's epoch (an upload, a purge), and with a fill of the key.

use hashlink::LruCache;
use parking_lot::Mutex;
use tokio::time::{Duration, Instant};

use crate::artifact::{Answer, KeyDigest};
use crate::caller::CallerDigest;
use crate::tiers::Epoch;

/// Absences remembered; one that is forgotten costs a request.
const MOST: usize = 4096;
/// Longest words of one that is remembered: the API's are a tenth of this.
const LONGEST: usize = 2 * 1024;

/// What the upstream has not.
pub(super) struct Absences {
    ttl: Duration,
    table: Mutex<LruCache<KeyDigest, Absence>>,
}

/// What the upstream said to one caller.
#[derive(Clone)]
pub(super) struct Absence {
    pub(super) answer: Answer,
    pub(super) caller: CallerDigest,
    epoch: Epoch,
    until: Instant,
}

impl Absences {
    /// Remembers for `ttl`; nothing where that is 0.
    pub(super) fn new(ttl: Duration) -> Self {
        Self {
            ttl,
            table: Mutex::new(LruCache::new(MOST)),
        }
    }

    /// Takes note of an absence. `epoch` is what the key's was when the upstream was asked: where it
    /// has another by then, this is not found.
    pub(super) fn note(&self, key: KeyDigest, caller: CallerDigest, answer: &Answer, epoch: Epoch) {
        if self.ttl.is_zero() || answer.body().len() > LONGEST {
            return;
        }
        let absence = Absence {
            answer: answer.clone(),
            caller,
            epoch,
            until: Instant::now() + self.ttl,
        };
        self.table.lock().insert(key, absence);
    }

    /// What is remembered of a key, whose epoch is `epoch` now.
    pub(super) fn recall(&self, key: &KeyDigest, epoch: Epoch) -> Option<Absence> {
        if self.ttl.is_zero() {
            return None;
        }
        let mut table = self.table.lock();
        let absence = table.get(key)?;
        if absence.epoch == epoch && Instant::now() < absence.until {
            return Some(absence.clone());
        }
        table.remove(key);
        None
    }

    /// The upstream has it after all.
    pub(super) fn forget(&self, key: &KeyDigest) {
        if !self.ttl.is_zero() {
            self.table.lock().remove(key);
        }
    }
}
