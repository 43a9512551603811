//! The places that uploads have upstream: who waits for one, and who gives one up.
//!
//! A place is worth something to a body that is at hand. While one of those waits, an upload whose client
//! hardly sends for now leaves, and is sent anew once all of it is here: clients that do not go on hold
//! nobody back.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep};

use super::queue::{Loser, Queue, Rank};
use super::sending::Sending;
use super::{Standing, Supply};

/// How long an upload is watched before it leaves: a client on a fast line has sent most artifacts by then.
const WATCHED: Duration = Duration::from_secs(1);
/// The same of what cannot be sent anew, and fails. Longer than a line that loses packets is silent for.
const WATCHED_LONG: Duration = Duration::from_secs(5);
/// Bytes a second with which a client keeps its place: half a megabit a second is a line.
const ENOUGH: u64 = 64 * 1024;
/// How often it is looked whether an upload that has been watched for long enough is wanted away.
const LOOK: Duration = Duration::from_millis(100);

/// The places of uploads.
pub(super) struct Places(Mutex<Queue<Arc<Ticket>>>);

/// A place; given back when dropped.
pub(super) struct Place {
    places: Arc<Places>,
    /// It was asked for.
    is_asked: AtomicBool,
}

/// Why an upload leaves its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Leaving {
    /// Another needs it.
    Displaced,
    /// Nothing will come of it.
    Over,
}

/// When an upload that has a place is to leave it.
#[derive(Clone, Debug)]
pub(super) struct Leave {
    pub(super) place: Arc<Place>,
    pub(super) supply: Supply,
}

/// What one who waits is told by.
#[derive(Debug, Default)]
struct Ticket {
    /// It has a place that is not taken yet.
    is_served: AtomicBool,
    told: Notify,
}

/// One who waits, as long as it does.
struct Waiting {
    places: Arc<Places>,
    ticket: Arc<Ticket>,
    rank: Rank,
}

// === impl Places ===

impl Places {
    /// So many, one at least.
    pub(super) fn new(count: usize) -> Arc<Self> {
        Arc::new(Self(Mutex::new(Queue::new(count.max(1)))))
    }

    /// Waits for a place; none where nothing will come of the body.
    pub(super) async fn enter(self: &Arc<Self>, supply: &Supply) -> Option<Arc<Place>> {
        let mut coming = self.wait(Rank::Coming);
        let rank = tokio::select! {
            biased;
            place = coming.served() => return Some(place),
            rank = ready(supply) => rank?,
        };
        drop(coming);
        let mut waiting = self.wait(rank);
        tokio::select! {
            biased;
            place = waiting.served() => Some(place),
            () = over(supply) => None,
        }
    }

    fn wait(self: &Arc<Self>, rank: Rank) -> Waiting {
        let ticket = Arc::new(Ticket::default());
        let mut queue = self.0.lock();
        queue.join(Arc::clone(&ticket), rank);
        serve(&mut queue);
        drop(queue);
        Waiting {
            places: Arc::clone(self),
            ticket,
            rank,
        }
    }

    fn release(&self, was_asked: bool) {
        let mut queue = self.0.lock();
        if was_asked {
            queue.has_left();
        }
        queue.release();
        serve(&mut queue);
    }
}

/// Tells those whose turn it is.
fn serve(queue: &mut Queue<Arc<Ticket>>) {
    while let Some(ticket) = queue.next() {
        ticket.is_served.store(true, Ordering::Relaxed);
        ticket.told.notify_one();
    }
}

/// Completes when a body comes no further before it is sent; none where nothing comes of it.
pub(super) async fn ready(supply: &Supply) -> Option<Rank> {
    let rank = |standing| match standing {
        Standing::Here => Some(Some(Rank::Here)),
        Standing::HeldUp => Some(Some(Rank::HeldUp)),
        Standing::Over => Some(None),
        Standing::AtHand | Standing::Paused { .. } => None,
    };
    turned(supply, rank).await
}

/// Completes when nothing will come of a body.
pub(super) async fn over(supply: &Supply) {
    turned(supply, |standing| {
        (standing == Standing::Over).then_some(())
    })
    .await;
}

/// Completes once a body stands so that `judge` says something.
async fn turned<T>(supply: &Supply, judge: impl Fn(Standing) -> Option<T>) -> T {
    loop {
        let turned = supply.turned();
        if let Some(judged) = judge(supply.standing()) {
            return judged;
        }
        turned.await;
    }
}

impl fmt::Debug for Places {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Places")
            .field(&self.0.lock().free())
            .finish()
    }
}

// === impl Place ===

impl Place {
    /// Whether another needs it; whoever hears yes leaves it.
    fn is_wanted(&self, of: Loser) -> bool {
        let is_asked = self.places.0.lock().asks_to_leave(of);
        self.is_asked.fetch_or(is_asked, Ordering::Relaxed);
        is_asked
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.release(self.is_asked.load(Ordering::Relaxed));
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Place").finish_non_exhaustive()
    }
}

// === impl Ticket ===

impl PartialEq for Ticket {
    /// Each is one of its own.
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self, other)
    }
}

// === impl Waiting ===

impl Waiting {
    /// The place, in its turn. Cancel-safe.
    async fn served(&mut self) -> Arc<Place> {
        while !self.ticket.is_served.load(Ordering::Relaxed) {
            self.ticket.told.notified().await;
        }
        // From here on it is the place that is given back.
        self.ticket.is_served.store(false, Ordering::Relaxed);
        Arc::new(Place {
            places: Arc::clone(&self.places),
            is_asked: AtomicBool::new(false),
        })
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let mut queue = self.places.0.lock();
        queue.leave(&self.ticket, self.rank);
        if self.ticket.is_served.load(Ordering::Relaxed) {
            queue.release();
            serve(&mut queue);
        }
    }
}

// === impl Leave ===

impl Leave {
    /// Completes when the upload whose body is `sending` is to leave its place.
    pub(super) async fn due(&self, sending: &Sending) -> Leaving {
        let (mut since, mut sent) = (Instant::now(), sending.progress().sent);
        let mut was_paused = false;
        loop {
            sleep(LOOK).await;
            let progress = sending.progress();
            let paused = match self.supply.standing() {
                // What the connection has not asked for more of waits for the upstream.
                Standing::Paused { is_kept } if progress.is_starved => Some(is_kept),
                Standing::Over => return Leaving::Over,
                // It is the upstream that is waited for, or the disk.
                _ => None,
            };
            let Some(is_kept) = paused else {
                // A piece may come in the very moment of a look.
                if !was_paused {
                    (since, sent) = (Instant::now(), progress.sent);
                }
                was_paused = false;
                continue;
            };
            was_paused = true;
            let (watched, loser) = if is_kept {
                (WATCHED, Loser::Waits)
            } else {
                (WATCHED_LONG, Loser::Fails)
            };
            if progress.sent.saturating_sub(sent) >= ENOUGH * watched.as_secs() {
                (since, sent) = (Instant::now(), progress.sent);
            } else if since.elapsed() >= watched && self.place.is_wanted(loser) {
                return Leaving::Displaced;
            }
        }
    }
}

#[cfg(test)]
#[path = "places_tests.rs"]
mod tests;
