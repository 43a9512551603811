//! One issuer's keys as they are now, and the way to newer ones for a token that names another.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::{Notify, watch};
use tokio::time::{Duration, Instant, timeout};

use super::key_set::{Key, KeySet, Named};
use super::renewal::{Health, Renewal};
use super::verify::Refused;
use crate::tasks::Tasks;

/// How long keys count that could not be renewed: an issuer that cannot be reached for a day is no
/// reason to stop builds, and one that has withdrawn a key gets no more than that.
const KEEP: Duration = Duration::from_hours(24);
/// How long a request waits for keys that are being fetched: less than clients wait, and enough for a
/// connection and an answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// The least time from one fetch that a token caused to the next: nobody may make us knock at an
/// issuer's door by showing it keys that never were.
const ASK_PAUSE: Duration = Duration::from_secs(30);

/// The keys of one issuer; dropping all handles ends their renewal.
pub(super) struct Keys {
    ring: watch::Receiver<Ring>,
    wanted: Arc<Notify>,
    asked: Mutex<Option<Asked>>,
}

/// What is known of the keys.
#[derive(Clone, Debug, Default)]
pub(super) struct Ring {
    pub(super) set: Arc<KeySet>,
    /// Counts the sets that differed from the one before.
    pub(super) edition: u64,
    /// When the set was fetched; none where it does not age.
    pub(super) fetched: Option<Instant>,
    /// Newer keys are on their way.
    pub(super) is_fetching: bool,
    /// How many fetches have ended.
    pub(super) fetches: u64,
}

/// The key that a token names.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) key: Key,
    /// The edition of the set it is in.
    pub(super) edition: u64,
    /// How long it counts at the longest.
    pub(super) until: Option<Instant>,
}

/// The last fetch that a token caused.
#[derive(Clone, Copy, Debug)]
struct Asked {
    at: Instant,
    /// How many fetches had ended then.
    fetches: u64,
}

// === impl Keys ===

impl Keys {
    /// Keys that stay as they are.
    pub(super) fn fixed(set: KeySet) -> Arc<Self> {
        let (_, ring) = watch::channel(Ring {
            set: Arc::new(set),
            ..Ring::default()
        });
        Self::new(ring, Arc::default())
    }

    /// Keys that `fetch` brings, from now on until nobody holds them any more.
    pub(super) fn renewed<F>(
        fetch: impl Fn() -> F + Send + Sync + 'static,
        health: Health,
        tasks: &Tasks,
    ) -> Arc<Self>
    where
        F: Future<Output = Result<KeySet, String>> + Send + 'static,
    {
        let (sender, ring) = watch::channel(Ring {
            is_fetching: true,
            ..Ring::default()
        });
        let wanted = Arc::new(Notify::new());
        let renewal = Renewal::new(sender, Arc::clone(&wanted), health);
        tasks.spawn(renewal.run(fetch, tasks.clone()));
        Self::new(ring, wanted)
    }

    fn new(ring: watch::Receiver<Ring>, wanted: Arc<Notify>) -> Arc<Self> {
        Arc::new(Self {
            ring,
            wanted,
            asked: Mutex::new(None),
        })
    }

    /// Whether the keys have not changed since that edition.
    pub(super) fn is_at(&self, edition: u64) -> bool {
        self.ring.borrow().edition == edition
    }

    /// The key of that name; one that is not known may be new, and is waited for a while.
    ///
    /// Cancel-safe.
    pub(super) async fn find(&self, id: Option<&str>) -> Result<Found, Refused> {
        let mut ring = self.ring.clone();
        let fetches = {
            let ring = ring.borrow();
            match ring.find(id) {
                Err(Refused::Key) if ring.is_fetching || self.ask(ring.fetches) => ring.fetches,
                known => return known,
            }
        };
        let newer = timeout(PATIENCE, ring.wait_for(|ring| ring.fetches > fetches)).await;
        match newer {
            Ok(Ok(ring)) => ring.find(id),
            Ok(Err(_)) | Err(_) => Err(Refused::Key),
        }
    }

    /// Asks for newer keys, where that may be done; says whether they are on their way.
    fn ask(&self, fetches: u64) -> bool {
        let now = Instant::now();
        let mut asked = self.asked.lock();
        match *asked {
            // Somebody has just asked, and the fetch has not begun.
            Some(before) if before.fetches == fetches => true,
            Some(before) if now.duration_since(before.at) < ASK_PAUSE => false,
            Some(_) | None => {
                *asked = Some(Asked { at: now, fetches });
                self.wanted.notify_one();
                true
            }
        }
    }
}

// === impl Ring ===

impl Ring {
    fn find(&self, id: Option<&str>) -> Result<Found, Refused> {
        let until = self.fetched.map(|fetched| fetched + KEEP);
        if until.is_some_and(|until| Instant::now() >= until) {
            return Err(Refused::Key);
        }
        match self.set.named(id) {
            Named::Key(key) => Ok(Found {
                key: key.clone(),
                edition: self.edition,
                until,
            }),
            Named::Unknown => Err(Refused::Key),
            Named::Ambiguous => Err(Refused::Keys),
        }
    }
}
