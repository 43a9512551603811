//! What tokens were proven to be worth, for a few minutes: a build shows its token hundreds of times.
//!
//! Known by digest; no token is kept.

use std::sync::Arc;

use hashlink::LruCache;
use parking_lot::Mutex;
use tokio::time::{Duration, Instant};

use super::Entry;
use crate::access::tokens::now;
use crate::caller::CallerDigest;

/// Tokens remembered; one that is forgotten costs a verification, a fraction of a millisecond.
const MAX_TOKENS: usize = 4096;
/// How long at the longest, whatever the token says.
pub(super) const MAX_AGE: Duration = Duration::from_mins(5);

/// The tokens that were verified of late.
pub(super) struct Remembered(Mutex<LruCache<CallerDigest, Proven>>);

/// What a token was proven to be worth.
#[derive(Clone)]
pub(super) struct Proven {
    pub(super) entry: Arc<Entry>,
    /// Which of the entry's grants apply.
    pub(super) grants: Arc<[usize]>,
    /// The edition of the keys that proved it.
    pub(super) edition: u64,
    /// When the token ends, in seconds since 1970.
    pub(super) expires: u64,
    /// Until when that is remembered.
    pub(super) until: Instant,
}

impl Remembered {
    pub(super) fn new() -> Self {
        Self(Mutex::new(LruCache::new(MAX_TOKENS)))
    }

    /// What the caller's token is worth, where that is still known.
    pub(super) fn recall(&self, caller: CallerDigest) -> Option<Proven> {
        let mut tokens = self.0.lock();
        let proven = tokens.get(&caller)?;
        if proven.holds() {
            return Some(proven.clone());
        }
        tokens.remove(&caller);
        None
    }

    pub(super) fn note(&self, caller: CallerDigest, proven: &Proven) {
        if proven.holds() {
            self.0.lock().insert(caller, proven.clone());
        }
    }
}

impl Proven {
    fn holds(&self) -> bool {
        // The token ends by the clock on the wall, which goes on while the machine sleeps.
        now() < self.expires && Instant::now() < self.until && self.entry.keys.is_at(self.edition)
    }
}
