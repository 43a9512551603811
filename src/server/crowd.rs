//! Who is connected: how many in all, from each address and in handshakes, and who makes room for whom.
//!
//! Whoever is waited for and lets others wait goes first: a connection that is silent between two requests,
//! or that has not finished its first head. None that is being answered is ever asked to go.

use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::{Duration, Instant, timeout};

use super::LiveLimits;
use super::guard::Watch;
use super::http2::Advances;
use crate::metrics::{Limit, Metrics};

/// Silence after which a connection may be asked to go: long enough that its client is not just about to
/// send, as one is that has taken an idle connection from its pool.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

/// How often those who are all busy are looked at again, besides when one has gone.
const LOOK_AGAIN: Duration = Duration::from_millis(250);

/// Bits of an IPv6 address that tell clients apart: below, whoever has one has them all.
const NETWORK_OF_ONE: u32 = 64;

/// Everybody who is connected; clones share it.
#[derive(Clone, Debug, Default)]
pub(super) struct Crowd(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    present: Mutex<Present>,
    left: Notify,
    advances: Advances,
    metrics: Option<Arc<Metrics>>,
}

#[derive(Debug, Default)]
struct Present {
    guests: HashMap<u64, Entry>,
    of: HashMap<IpAddr, Share>,
    /// Those in a handshake, the first come first.
    shaking: VecDeque<u64>,
    next: u64,
}

/// What one address has.
#[derive(Clone, Copy, Debug, Default)]
struct Share {
    connections: usize,
    /// When nobody of it was found who could go.
    in_vain: Option<Instant>,
}

#[derive(Debug)]
struct Entry {
    watch: Watch,
    address: Option<IpAddr>,
}

/// How many there may be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Most {
    /// Of one address.
    pub(super) of_one: usize,
    /// In handshakes.
    pub(super) shaking: usize,
}

/// Somebody who is connected, until this is dropped.
#[derive(Debug)]
pub(super) struct Guest {
    crowd: Crowd,
    id: u64,
}

/// An address has as many connections as one may have, all of them in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TooMany;

// === impl Crowd ===

impl Crowd {
    /// Nobody; what bounds do is counted in `metrics`, if given.
    pub(super) fn new(metrics: Option<Arc<Metrics>>) -> Self {
        Self(Arc::new(Shared {
            metrics,
            ..Shared::default()
        }))
    }

    /// Waits for room for one more, making it where somebody is idle.
    ///
    /// Cancel-safe.
    pub(super) async fn room(&self, limits: &LiveLimits) {
        let mut is_told = false;
        loop {
            let left = self.0.left.notified();
            {
                let present = self.0.present.lock();
                if present.guests.len() < limits.get().max_connections {
                    return;
                }
                // Told once for each who waits, however long.
                if !std::mem::replace(&mut is_told, true) {
                    self.count(Limit::Connections);
                }
                present.dismiss(None);
            }
            // Whoever was asked may have begun a request meanwhile.
            drop(timeout(LOOK_AGAIN, left).await);
        }
    }

    /// Somebody has come.
    pub(super) fn enter(&self, watch: Watch) -> Guest {
        let mut present = self.0.present.lock();
        let id = present.next;
        present.next += 1;
        let address = None;
        present.guests.insert(id, Entry { watch, address });
        Guest {
            crowd: self.clone(),
            id,
        }
    }

    /// What they have of windows.
    pub(super) fn advances(&self) -> &Advances {
        &self.0.advances
    }

    /// Those who are connected.
    pub(super) fn len(&self) -> usize {
        self.0.present.lock().guests.len()
    }

    /// Completes when nobody is left.
    pub(super) async fn empty(&self) {
        loop {
            let left = self.0.left.notified();
            if self.len() == 0 {
                return;
            }
            left.await;
        }
    }

    /// Asks whoever has been idle for the longest to go.
    pub(super) fn thin_out(&self) {
        self.0.present.lock().dismiss(None);
    }

    fn count(&self, limit: Limit) {
        if let Some(metrics) = &self.0.metrics {
            metrics.limits.count(limit);
        }
    }
}

// === impl Present ===

impl Present {
    /// Asks whoever has been waited for the longest to go, among all or those of one address; returns
    /// whether there is somebody.
    fn dismiss(&self, of: Option<IpAddr>) -> bool {
        let now = Instant::now();
        let waited_for = self
            .guests
            .values()
            .filter(|guest| of.is_none() || guest.address == of)
            .filter_map(|guest| Some((guest.watch.silent_since()?, guest)))
            .min_by_key(|(since, _)| *since);
        match waited_for {
            Some((since, guest)) if now.saturating_duration_since(since) >= PATIENCE => {
                guest.watch.dismiss()
            }
            _ => false,
        }
    }

    /// Makes room among those of one address. Looking at all of them takes its time, which nobody who keeps
    /// coming is given twice.
    fn make_room_of(&mut self, address: IpAddr) -> Result<(), TooMany> {
        let now = Instant::now();
        let share = self.of.get(&address).copied().unwrap_or_default();
        if share
            .in_vain
            .is_some_and(|at| now.saturating_duration_since(at) < LOOK_AGAIN)
        {
            return Err(TooMany);
        }
        if self.dismiss(Some(address)) {
            return Ok(());
        }
        self.of.entry(address).or_default().in_vain = Some(now);
        Err(TooMany)
    }

    /// The oldest handshake of whichever address makes the most of them.
    fn oldest_handshake(&mut self) -> Option<u64> {
        let of = |id: &u64| self.guests.get(id).and_then(|guest| guest.address);
        let mut shares: HashMap<Option<IpAddr>, usize> = HashMap::new();
        for id in &self.shaking {
            *shares.entry(of(id)).or_default() += 1;
        }
        let most = shares.values().max()?;
        let mut shaking = self.shaking.iter();
        let place = shaking.position(|id| shares.get(&of(id)) == Some(most))?;
        self.shaking.remove(place)
    }

    fn leave(&mut self, id: u64) {
        self.shaking.retain(|shaking| *shaking != id);
        let address = self.guests.remove(&id).and_then(|guest| guest.address);
        if let Some(address) = address
            && let Some(share) = self.of.get_mut(&address)
        {
            share.connections -= 1;
            share.in_vain = None;
            if share.connections == 0 {
                self.of.remove(&address);
            }
        }
    }
}

// === impl Guest ===

impl Guest {
    /// It comes from there, and is one too many if those who came before are all in use.
    ///
    /// This machine's own clients are not counted: they may stand for any number of others.
    pub(super) fn is_from(&self, address: IpAddr, most: Most) -> Result<(), TooMany> {
        let address = network_of_one(address);
        if address.is_loopback() {
            return Ok(());
        }
        let mut present = self.crowd.0.present.lock();
        let share = present.of.get(&address);
        if share.is_some_and(|share| share.connections >= most.of_one) {
            self.crowd.count(Limit::ConnectionsOfOne);
            present.make_room_of(address)?;
        }
        present.of.entry(address).or_default().connections += 1;
        if let Some(guest) = present.guests.get_mut(&self.id) {
            guest.address = Some(address);
        }
        Ok(())
    }

    /// It begins a handshake; if too many do, the oldest goes of whichever address has begun the most. A
    /// handshake takes an honest client some round trips.
    pub(super) fn shakes_hands(&self, most: Most) {
        let mut present = self.crowd.0.present.lock();
        present.shaking.push_back(self.id);
        if present.shaking.len() > most.shaking.max(1)
            && let Some(oldest) = present.oldest_handshake()
        {
            self.crowd.count(Limit::Handshakes);
            if let Some(guest) = present.guests.get(&oldest) {
                guest.watch.dismiss();
            }
        }
    }

    /// Its handshake is over.
    pub(super) fn has_shaken_hands(&self) {
        let mut present = self.crowd.0.present.lock();
        present.shaking.retain(|shaking| *shaking != self.id);
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        self.crowd.0.present.lock().leave(self.id);
        self.crowd.0.left.notify_waiters();
    }
}

/// What stands for one client among addresses.
fn network_of_one(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) if address.is_loopback() => address.into(),
        IpAddr::V6(address) => {
            let network = u128::MAX << (u128::BITS - NETWORK_OF_ONE);
            Ipv6Addr::from_bits(address.to_bits() & network).into()
        }
    }
}
