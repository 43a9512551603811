//! Absences remembered for a moment, where the operator wants that.
//!
//! What is remembered is what the upstream said to whoever spoke. It ends with its time, with whatever
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

/// What the upstream said to whoever spoke.
#[derive(Clone)]
pub(super) struct Absence {
    pub(super) answer: Answer,
    pub(super) speaker: CallerDigest,
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
    pub(super) fn note(
        &self,
        key: KeyDigest,
        speaker: CallerDigest,
        answer: &Answer,
        epoch: Epoch,
    ) {
        if self.ttl.is_zero() || answer.body().len() > LONGEST {
            return;
        }
        let absence = Absence {
            answer: answer.clone(),
            speaker,
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

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::Response;
    use tokio::time::advance;

    use super::*;

    const TTL: Duration = Duration::from_secs(2);

    fn key() -> KeyDigest {
        KeyDigest::from_bytes([1; 32])
    }

    fn caller() -> CallerDigest {
        CallerDigest::from_bytes([2; 32])
    }

    fn answer(length: usize) -> Answer {
        let (head, ()) = Response::builder()
            .status(404)
            .body(())
            .unwrap()
            .into_parts();
        Answer::new(head, Bytes::from(vec![b'x'; length]))
    }

    #[tokio::test(start_paused = true)]
    async fn it_is_remembered_for_its_time_and_its_epoch() {
        let absences = Absences::new(TTL);
        let (then, later) = (Epoch::first(), Epoch::first().next());
        absences.note(key(), caller(), &answer(9), then);
        assert_eq!(absences.recall(&key(), then).unwrap().speaker, caller());
        assert!(absences.recall(&key(), later).is_none());
        assert!(
            absences.recall(&key(), then).is_none(),
            "it is gone for good"
        );
        absences.note(key(), caller(), &answer(9), then);
        advance(TTL).await;
        assert!(absences.recall(&key(), then).is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_is_remembered_where_that_is_off_or_much_was_said_or_it_came_after_all() {
        let epoch = Epoch::first();
        let off = Absences::new(Duration::ZERO);
        off.note(key(), caller(), &answer(9), epoch);
        assert!(off.recall(&key(), epoch).is_none());
        let absences = Absences::new(TTL);
        absences.note(key(), caller(), &answer(LONGEST + 1), epoch);
        assert!(absences.recall(&key(), epoch).is_none());
        absences.note(key(), caller(), &answer(LONGEST), epoch);
        absences.forget(&key());
        assert!(absences.recall(&key(), epoch).is_none());
    }
}
