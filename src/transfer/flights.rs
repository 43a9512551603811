//! Who is fetching what: at most one fill for a key, and everybody else follows it.
//!
//! A flight's head is told once to all who wait; what each may do with it is decided where callers
//! are known.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::watch;

use super::fill::SourceHead;
use super::spool::NoSeat;
use super::{Reader, Spool};
use crate::artifact::{Answer, Bypass, Failure, KeyDigest};
use crate::caller::CallerDigest;

/// The fills under way, by key.
#[derive(Debug, Default)]
pub struct Flights {
    table: Mutex<HashMap<KeyDigest, Arc<Flight>>>,
}

/// One fill under way, as those who follow it know it.
struct Flight {
    leader: CallerDigest,
    head: watch::Receiver<Head>,
}

/// The right to fill a key, and the duty to tell its followers how it went.
///
/// Dropping it anywhere tells them that it broke.
pub struct Lead {
    flights: Arc<Flights>,
    key: KeyDigest,
    flight: Arc<Flight>,
    head: watch::Sender<Head>,
}

/// A place among those who wait for a fill.
#[derive(Clone, Debug)]
pub struct Follower {
    flight: Arc<Flight>,
}

/// What [`Flights::join`] gives.
#[derive(Debug)]
pub enum Joined {
    /// Nobody was fetching: run the fill, and follow it like everybody else.
    Lead(Lead, Follower),
    /// Somebody is.
    Follow(Follower),
}

/// How far a fill has come, before its body.
#[derive(Clone, Debug)]
pub enum Head {
    /// The upstream has not answered yet.
    Asking,
    /// The tiers had it after all: look again.
    LookAgain,
    /// The upstream has it, and the body follows.
    Open(Opening),
    /// The upstream has no such artifact for the leader.
    Absent(Answer),
    /// The upstream refused the leader.
    Refused(Answer),
    /// The upstream could not say.
    Failed(Failure),
}

/// The head of an artifact on its way.
#[derive(Clone, Debug)]
pub struct Opening {
    /// What is known of it.
    pub head: Arc<SourceHead>,
    /// What will become of it once it is whole.
    pub fate: Fate,
    spool: Spool,
    /// The seat of whoever comes first: a window without a reader would end at once.
    first: Arc<Mutex<Option<Reader>>>,
}

/// What will become of an artifact on its way, as far as its head tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is admitted for storing.
    Admitted,
    /// The same, if it passes its inspection.
    Inspected,
    /// It will not be stored.
    Bypassed(Bypass),
}

// === impl Flights ===

impl Flights {
    /// Joins the fill of `key`, as its leader where there is none.
    pub fn join(self: &Arc<Self>, key: KeyDigest, caller: CallerDigest) -> Joined {
        let mut table = self.table.lock();
        if let Some(flight) = table.get(&key) {
            return Joined::Follow(Follower {
                flight: Arc::clone(flight),
            });
        }
        let (lead, follower) = self.lead(key, caller);
        table.insert(key, Arc::clone(&lead.flight));
        Joined::Lead(lead, follower)
    }

    /// A fill of one's own that nobody else can join.
    pub fn alone(self: &Arc<Self>, key: KeyDigest, caller: CallerDigest) -> (Lead, Follower) {
        self.lead(key, caller)
    }

    /// Takes the fill of `key` out of the table: its readers finish, nobody new joins.
    pub fn supersede(&self, key: &KeyDigest) {
        self.table.lock().remove(key);
    }

    /// The same for every fill.
    pub fn supersede_all(&self) {
        self.table.lock().clear();
    }

    fn lead(self: &Arc<Self>, key: KeyDigest, leader: CallerDigest) -> (Lead, Follower) {
        let (sender, head) = watch::channel(Head::Asking);
        let flight = Arc::new(Flight { leader, head });
        let follower = Follower {
            flight: Arc::clone(&flight),
        };
        (
            Lead {
                flights: Arc::clone(self),
                key,
                flight,
                head: sender,
            },
            follower,
        )
    }
}

// === impl Lead ===

impl Lead {
    /// The key to fill.
    pub fn key(&self) -> &KeyDigest {
        &self.key
    }

    /// Tells the followers that the body begins to arrive; the first word counts.
    pub fn open(&self, opening: Opening) {
        self.tell(Head::Open(opening));
    }

    /// Leaves the table, then tells the followers what came of asking: an answer is for those who
    /// asked before it was there, and whoever hears of it may ask anew.
    pub fn end(self, head: Head) {
        self.leave();
        self.tell(head);
    }

    fn tell(&self, head: Head) {
        self.head.send_if_modified(|told| {
            let first = matches!(told, Head::Asking);
            if first {
                *told = head;
            }
            first
        });
    }

    /// Leaves the table.
    ///
    /// A fill that landed calls this after landing: between the two, late askers must find the
    /// artifact in one of them.
    pub fn retire(self) {
        drop(self);
    }

    fn leave(&self) {
        let mut table = self.flights.table.lock();
        if table
            .get(&self.key)
            .is_some_and(|flight| Arc::ptr_eq(flight, &self.flight))
        {
            table.remove(&self.key);
        }
    }
}

impl Drop for Lead {
    fn drop(&mut self) {
        self.leave();
        self.tell(Head::Failed(Failure::Cut));
    }
}

impl fmt::Debug for Lead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lead")
            .field("key", &self.key)
            .finish_non_exhaustive()
    }
}

// === impl Follower ===

impl Follower {
    /// Whose credential the fill runs under.
    pub fn leader(&self) -> CallerDigest {
        self.flight.leader
    }

    /// Waits until the upstream has answered.
    ///
    /// Cancel-safe.
    pub async fn head(&self) -> Head {
        let mut head = self.flight.head.clone();
        let told = head.wait_for(|head| !matches!(head, Head::Asking)).await;
        told.map_or(Head::Failed(Failure::Cut), |head| head.clone())
    }
}

impl fmt::Debug for Flight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Flight")
            .field("head", &*self.head.borrow())
            .finish_non_exhaustive()
    }
}

// === impl Opening ===

impl Opening {
    /// Opens `spool` to readers.
    pub fn new(head: SourceHead, fate: Fate, spool: Spool) -> Self {
        let first = Arc::new(Mutex::new(spool.reader().ok()));
        Self {
            head: Arc::new(head),
            fate,
            spool,
            first,
        }
    }

    /// Whether every byte is here and nothing is being waited for: it is as good as in its tier.
    /// What is still to be inspected may never get there.
    pub fn is_about_to_rest(&self) -> bool {
        self.fate == Fate::Admitted && self.spool.whole_length().is_some()
    }

    /// Whether the body rests in a file rather than in memory.
    pub fn is_filed(&self) -> bool {
        self.spool.is_filed()
    }

    /// Seats a reader.
    pub fn reader(&self) -> Result<Reader, NoSeat> {
        let first = self.first.lock().take();
        let reader = first.map_or_else(|| self.spool.reader(), Ok)?;
        Ok(reader.with_length(self.length()))
    }

    /// The body's length, where it is known by now.
    pub fn length(&self) -> Option<u64> {
        self.head.length.or_else(|| self.spool.whole_length())
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::task::{Context, Wake};

    use super::*;

    fn key() -> KeyDigest {
        KeyDigest::from_bytes([1; 32])
    }

    fn caller(number: u8) -> CallerDigest {
        CallerDigest::from_bytes([number; 32])
    }

    fn lead(flights: &Arc<Flights>, number: u8) -> Option<(Lead, Follower)> {
        match flights.join(key(), caller(number)) {
            Joined::Lead(lead, follower) => Some((lead, follower)),
            Joined::Follow(_) => None,
        }
    }

    #[tokio::test]
    async fn one_leads_and_the_others_follow_it() {
        let flights = Arc::new(Flights::default());
        let (lead, first) = lead(&flights, 1).unwrap();
        let Joined::Follow(second) = flights.join(key(), caller(2)) else {
            panic!("two leads")
        };
        assert_eq!(second.leader(), caller(1));
        lead.end(Head::Failed(Failure::Timeout));
        for follower in [first, second] {
            assert!(matches!(
                follower.head().await,
                Head::Failed(Failure::Timeout)
            ));
        }
    }

    #[tokio::test]
    async fn a_dropped_lead_tells_its_followers_and_leaves_the_table() {
        let flights = Arc::new(Flights::default());
        let (dropped, follower) = lead(&flights, 1).unwrap();
        drop(dropped);
        assert!(matches!(follower.head().await, Head::Failed(Failure::Cut)));
        assert!(lead(&flights, 2).is_some());
    }

    /// Asks again at the moment in which it hears of an answer.
    struct Eager {
        flights: Arc<Flights>,
        leads: AtomicBool,
    }

    impl Wake for Eager {
        fn wake(self: Arc<Self>) {
            let leads = lead(&self.flights, 1).is_some();
            self.leads.store(leads, Ordering::SeqCst);
        }
    }

    fn leads_after(end: impl FnOnce(Lead)) -> bool {
        let flights = Arc::new(Flights::default());
        let (lead, follower) = lead(&flights, 1).unwrap();
        let eager = Arc::new(Eager {
            flights,
            leads: AtomicBool::new(false),
        });
        let waker = Arc::clone(&eager).into();
        let mut head = pin!(follower.head());
        let asked = head.as_mut().poll(&mut Context::from_waker(&waker));
        assert!(asked.is_pending());
        end(lead);
        eager.leads.load(Ordering::SeqCst)
    }

    #[test]
    fn whoever_hears_of_an_answer_and_asks_again_does_not_get_it_twice() {
        assert!(leads_after(|lead| lead.end(Head::LookAgain)));
        assert!(leads_after(|lead| {
            lead.end(Head::Failed(Failure::Timeout));
        }));
        assert!(leads_after(drop));
    }

    #[test]
    fn a_superseded_fill_is_followed_by_nobody_new_and_does_not_take_a_newer_one_along() {
        let flights = Arc::new(Flights::default());
        let (old, _) = lead(&flights, 1).unwrap();
        flights.supersede(&key());
        let (_new, _) = lead(&flights, 2).unwrap();
        old.retire();
        assert!(lead(&flights, 3).is_none());
    }

    #[test]
    fn a_fill_of_ones_own_is_in_no_table() {
        let flights = Arc::new(Flights::default());
        let (_alone, _) = flights.alone(key(), caller(1));
        assert!(lead(&flights, 2).is_some());
    }
}
