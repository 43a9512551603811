//! The places that uploads have upstream: who waits for one, and who gives one up.
//!
//! A place is worth something to a body that is at hand. While one of those waits, an upload whose client
//! has nothing more to send for now leaves, and is sent anew once all of it is here: clients that do not go
//! on, or hardly, hold nobody back.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep};

use super::sending::Sending;
use super::{Standing, Supply};

/// How often it is looked whether a place is to change hands.
const TURN: Duration = Duration::from_millis(100);
/// How long an upload keeps its place in any case: a client on a fast line has sent most artifacts by then.
const KEPT: Duration = Duration::from_secs(1);
/// The silence after which an upload leaves that cannot be sent anew: it fails then. Longer than a line
/// that loses packets is silent for.
const SILENCE: Duration = Duration::from_secs(5);

/// The places of uploads.
pub(super) struct Places {
    free: Arc<Semaphore>,
    wanted: Mutex<Wanted>,
}

/// Of uploads that have a place, those that are to leave.
#[derive(Clone, Debug)]
pub(super) struct Leave {
    pub(super) places: Arc<Places>,
    pub(super) supply: Supply,
}

/// Why an upload leaves its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Leaving {
    /// Another needs it.
    Displaced,
    /// Nothing will come of it.
    Over,
}

/// How many need a place, and how many leave theirs to them. Who leaves does so in a moment, and not to
/// anybody in particular: that one too many may leave costs a connection.
#[derive(Debug, Default)]
struct Wanted {
    waiting: usize,
    promised: usize,
}

/// One who waits for a place, as long as it does.
struct Waiting<'a>(&'a Places);

// === impl Places ===

impl Places {
    /// So many, one at least.
    pub(super) fn new(count: usize) -> Self {
        Self {
            free: Arc::new(Semaphore::new(count.max(1))),
            wanted: Mutex::default(),
        }
    }

    /// Waits for a place; none where nothing will come of the upload. Bodies that are here go first, first
    /// come, first served.
    pub(super) async fn enter(&self, supply: &Supply) -> Option<OwnedSemaphorePermit> {
        let mut waiting = None;
        loop {
            // Never before one that is here: those queue.
            if let Ok(place) = Arc::clone(&self.free).try_acquire_owned() {
                return Some(place);
            }
            match supply.standing() {
                Standing::Growing => sleep(TURN).await,
                Standing::Passing => {
                    waiting.get_or_insert_with(|| self.wait());
                    sleep(TURN).await;
                }
                Standing::Here => break,
                Standing::Over => return None,
            }
        }
        let _waiting = waiting.unwrap_or_else(|| self.wait());
        Arc::clone(&self.free).acquire_owned().await.ok()
    }

    fn wait(&self) -> Waiting<'_> {
        self.wanted.lock().waiting += 1;
        Waiting(self)
    }

    /// Whether one more is to leave; whoever hears yes does.
    fn is_wanted(&self) -> bool {
        let mut wanted = self.wanted.lock();
        let is_wanted = wanted.promised < wanted.waiting;
        wanted.promised += usize::from(is_wanted);
        is_wanted
    }
}

impl fmt::Debug for Places {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Places")
            .field("free", &self.free.available_permits())
            .field("wanted", &*self.wanted.lock())
            .finish()
    }
}

// === impl Waiting ===

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let mut wanted = self.0.wanted.lock();
        wanted.waiting -= 1;
        wanted.promised = wanted.promised.saturating_sub(1);
    }
}

// === impl Leave ===

impl Leave {
    /// Completes when an upload that is being sent is to leave its place.
    pub(super) async fn due(&self, sending: &Sending) -> Leaving {
        let begun = Instant::now();
        loop {
            sleep(TURN).await;
            let sent = sending.progress();
            let is_idle = match self.supply.standing() {
                Standing::Growing => begun.elapsed() >= KEPT,
                Standing::Passing => sent.moved.elapsed() >= SILENCE,
                Standing::Here => false,
                Standing::Over => return Leaving::Over,
            };
            if is_idle && sent.is_starved && self.places.is_wanted() {
                return Leaving::Displaced;
            }
        }
    }
}

#[cfg(test)]
#[path = "places_tests.rs"]
mod tests;
