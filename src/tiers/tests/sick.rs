//! A disk that a test makes sick and heals.

use parking_lot::{Condvar, Mutex};
use rustix::io::Errno;

use super::*;
use crate::tiers::disk::files::Call;
use crate::tiers::disk::files::shim::Watch;

/// Which calls an illness is about.
pub(super) type Which = fn(&Call<'_>) -> bool;

/// How long a call hangs whatever a test does.
const LONGEST: Duration = Duration::from_secs(10);

/// Stands between a house and its files.
#[derive(Default)]
pub(super) struct Sick {
    illness: Mutex<Option<(Which, Illness)>>,
    healed: Condvar,
    calls: Mutex<u64>,
    has_no_pages: AtomicBool,
}

#[derive(Clone, Copy)]
enum Illness {
    Refuses(Errno),
    Hangs,
}

// === impl Sick ===

impl Sick {
    /// A healthy house, and the way to make its disk sick.
    pub(super) fn house(config: config::Tier) -> (House, Arc<Self>) {
        let sick = Arc::new(Self::default());
        let house = House::watched(config, Files::watched(Arc::clone(&sick) as Arc<dyn Watch>));
        (house, sick)
    }

    pub(super) fn refuse(&self, which: Which, reason: Errno) {
        *self.illness.lock() = Some((which, Illness::Refuses(reason)));
    }

    pub(super) fn hang(&self, which: Which) {
        *self.illness.lock() = Some((which, Illness::Hangs));
    }

    /// Nothing is found in the page cache from now on.
    pub(super) fn forget_pages(&self) {
        self.has_no_pages.store(true, Ordering::Relaxed);
    }

    pub(super) fn heal(&self) {
        *self.illness.lock() = None;
        self.healed.notify_all();
    }

    /// Calls that reached the disk, refused ones included.
    pub(super) fn calls(&self) -> u64 {
        *self.calls.lock()
    }
}

impl Watch for Sick {
    fn before(&self, call: &Call<'_>) -> io::Result<()> {
        *self.calls.lock() += 1;
        if matches!(call, Call::Peek(..)) && self.has_no_pages.load(Ordering::Relaxed) {
            return Err(Errno::AGAIN.into());
        }
        let mut illness = self.illness.lock();
        loop {
            match *illness {
                Some((which, Illness::Refuses(reason))) if which(call) => {
                    return Err(reason.into());
                }
                Some((which, Illness::Hangs)) if which(call) => {
                    // A test that failed must not hang itself.
                    let waited = self.healed.wait_for(&mut illness, LONGEST);
                    if waited.timed_out() {
                        return Err(Errno::IO.into());
                    }
                }
                _ => return Ok(()),
            }
        }
    }
}

pub(super) fn any(_: &Call<'_>) -> bool {
    true
}

/// Calls that change something.
pub(super) fn changes(call: &Call<'_>) -> bool {
    use Call::{Create, CreateOver, MakeFolder, Remove, Rename, Write};
    matches!(
        call,
        Create(_) | CreateOver(_) | MakeFolder(_) | Remove(_) | Rename(..) | Write(..)
    )
}

/// Calls that write.
pub(super) fn writes(call: &Call<'_>) -> bool {
    matches!(call, Call::Write(..))
}

/// Waits for the next probe and lets it happen; paused time only.
pub(super) async fn probe(house: &House) {
    tokio::time::advance(Duration::from_mins(2)).await;
    upkeep::look(house.disk()).await;
}

/// The state that the metric shows.
pub(super) fn state(house: &House) -> String {
    let families = house.metrics.registry().gather();
    let family = families
        .iter()
        .find(|family| family.name() == "larder_tier_state");
    let mut now = family.unwrap().get_metric().iter();
    let now = now
        .find(|metric| metric.get_gauge().get_value() > 0.0)
        .unwrap();
    let labels = now.get_label().iter();
    let mut state = labels.filter(|label| label.name() == "state");
    state.next().unwrap().value().to_owned()
}
