//! The memory tier: small artifacts, whole, least recently used out first. Knows nothing of the disk.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use http::header::{HeaderName, HeaderValue};
use moka::notification::RemovalCause;
use moka::policy::EvictionPolicy;
use moka::sync::Cache;
use tokio::time::Duration;

use super::budget::{Budget, Held};
use super::found::{Artifact, ArtifactBody};
use super::spread::Spread;
use crate::artifact::{KeyDigest, Label, Landed, Meta, Tier};
use crate::config;
use crate::metrics::{Eviction, Metrics};

/// What an entry costs besides its bytes: table, queues, timer, shared pointers …
///
/// Both figures are rounded up from a counting allocator's, over twelve thousand entries with bodies
/// of 100 bytes on a 64-bit Linux: 654 live bytes an entry without fields, 1,329 with one, 1,416
/// with four.
const OVERHEAD: u64 = 600;
/// … and each place in the map of its fields, taken or not; the map begins with six.
const PLACE: u64 = 112;
/// Evictions are put off by the cache; after an insert of this many bytes they are not.
const SETTLE_AT: u64 = 256 * 1024;
/// The cache's timers refuse ages beyond a thousand years; ten outlast every process.
const LONGEST: Duration = Duration::from_hours(10 * 365 * 24);

/// An artifact in memory: meta and body as one unit.
#[derive(Clone, Debug)]
pub struct Stored {
    /// What is known of it.
    pub meta: Arc<Meta>,
    /// All of it.
    pub body: Bytes,
    gone: Gone,
}

/// Held for those who still read an artifact that has left the tier: nobody else counts it then.
type Gone = Arc<OnceLock<Held>>;

/// The owner of an artifact's bytes, in the tier and out of it.
struct Kept {
    bytes: Bytes,
    _gone: Gone,
}

/// The memory tier; without a cache where it is turned off.
pub(super) struct Memory {
    cache: Option<Cache<KeyDigest, Arc<Stored>, Spread>>,
    capacity: u64,
    max_age: Duration,
    metrics: Arc<Metrics>,
}

/// Entries live until their age from landing, however late they were promoted.
struct FromLanding {
    max_age: Duration,
}

// === impl Memory ===

impl Memory {
    /// An empty tier.
    pub(super) fn new(
        config: &config::MemoryTier,
        max_age: Duration,
        metrics: Arc<Metrics>,
        budget: Budget,
    ) -> Self {
        let capacity = config.capacity;
        let counted = Arc::clone(&metrics);
        let cache = (capacity > 0).then(|| {
            Cache::builder()
                .max_capacity(capacity)
                .eviction_policy(EvictionPolicy::lru())
                .weigher(|_, stored: &Arc<Stored>| {
                    u32::try_from(stored.weight()).unwrap_or(u32::MAX)
                })
                .expire_after(FromLanding { max_age })
                .eviction_listener(move |_, stored, cause| {
                    stored.leave(&budget);
                    counted.evicted(Tier::Memory, reason(cause));
                })
                .build_with_hasher(Spread::new())
        });
        let tier = metrics.tier(Tier::Memory);
        tier.capacity.set(gauge(capacity));
        Self {
            cache,
            capacity,
            max_age,
            metrics,
        }
    }

    /// Finds an artifact that is not too old.
    pub(super) fn get(&self, key: &KeyDigest) -> Option<Arc<Stored>> {
        let stored = self.cache.as_ref()?.get(key)?;
        (stored.meta.landed.age() < self.max_age).then_some(stored)
    }

    /// Puts an artifact in the place of whatever the key had; `None`, or one that is too heavy,
    /// leaves the key with nothing. Returns whether the artifact is in.
    pub(super) fn replace(&self, key: &KeyDigest, stored: Option<Arc<Stored>>) -> bool {
        let Some(cache) = &self.cache else {
            return false;
        };
        let Some(stored) = stored.filter(|stored| stored.weight() <= self.capacity) else {
            cache.invalidate(key);
            self.report();
            return false;
        };
        let is_large = stored.body.len() as u64 > SETTLE_AT;
        cache.insert(*key, stored);
        if is_large {
            cache.run_pending_tasks();
        }
        self.report();
        true
    }

    /// Carries out what was put off and brings the gauges up to date.
    pub(super) fn settle(&self) {
        let Some(cache) = &self.cache else { return };
        cache.run_pending_tasks();
        self.report();
    }

    /// Looks for the oldest entry. Walks the whole tier.
    pub(super) fn find_oldest(&self) {
        let Some(cache) = &self.cache else { return };
        let oldest = cache.iter().map(|(_, stored)| stored.meta.landed).min();
        let age = oldest.map_or(0, |landed: Landed| landed.age().as_secs());
        self.metrics.tier(Tier::Memory).oldest.set(gauge(age));
    }

    /// Shows every entry that is not too old, in no order. Walks the whole tier.
    pub(super) fn each(&self, mut see: impl FnMut(&KeyDigest, &Arc<Stored>)) {
        let entries = self.cache.iter().flatten();
        for (key, stored) in entries.filter(|(_, stored)| stored.meta.landed.age() < self.max_age) {
            see(&key, &stored);
        }
    }

    fn report(&self) {
        let Some(cache) = &self.cache else { return };
        let tier = self.metrics.tier(Tier::Memory);
        tier.bytes.set(gauge(cache.weighted_size()));
        tier.entries.set(gauge(cache.entry_count()));
    }
}

// === impl Stored ===

impl Stored {
    /// An artifact for the tier.
    pub(super) fn new(meta: Arc<Meta>, bytes: Bytes) -> Self {
        let gone = Gone::default();
        let kept = Kept {
            bytes,
            _gone: Arc::clone(&gone),
        };
        Self {
            meta,
            body: Bytes::from_owner(kept),
            gone,
        }
    }

    /// It has left the tier: its bytes count as on their way until the last reader has gone too.
    fn leave(&self, budget: &Budget) {
        self.gone
            .get_or_init(|| budget.hold(self.body.len() as u64));
    }

    /// Ready to be served.
    pub fn artifact(&self) -> Artifact {
        Artifact {
            meta: Arc::clone(&self.meta),
            tier: Tier::Memory,
            body: ArtifactBody::Whole(self.body.clone()),
        }
    }

    fn weight(&self) -> u64 {
        self.body.len() as u64 + label_bytes(&self.meta.label) + OVERHEAD
    }
}

// === impl Kept ===

impl AsRef<[u8]> for Kept {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

// === impl FromLanding ===

impl FromLanding {
    fn left(&self, stored: &Stored) -> Duration {
        self.max_age
            .saturating_sub(stored.meta.landed.age())
            .min(LONGEST)
    }
}

#[expect(
    clippy::disallowed_types,
    reason = "the cache's interface names the system's instant; it is not looked at"
)]
impl moka::Expiry<KeyDigest, Arc<Stored>> for FromLanding {
    fn expire_after_create(
        &self,
        _: &KeyDigest,
        stored: &Arc<Stored>,
        _: std::time::Instant,
    ) -> Option<Duration> {
        Some(self.left(stored))
    }

    fn expire_after_update(
        &self,
        _: &KeyDigest,
        stored: &Arc<Stored>,
        _: std::time::Instant,
        _: Option<Duration>,
    ) -> Option<Duration> {
        Some(self.left(stored))
    }
}

fn label_bytes(label: &Label) -> u64 {
    let map = label.fields.as_map();
    let text = |(name, value): (&HeaderName, &HeaderValue)| name.as_str().len() + value.len();
    let fields: usize = map.iter().map(text).sum();
    let team = label.team.as_ref().map_or(0, String::len);
    let hash = label.hash.as_str().len();
    let uploader = label.uploader.as_ref();
    let uploader = uploader.map_or(0, |uploader| uploader.bytes());
    (fields + team + hash) as u64 + map.capacity() as u64 * PLACE + uploader
}

fn reason(cause: RemovalCause) -> Eviction {
    match cause {
        RemovalCause::Expired => Eviction::Age,
        RemovalCause::Size => Eviction::Size,
        RemovalCause::Replaced | RemovalCause::Explicit => Eviction::Replaced,
    }
}

/// A number as a gauge takes it.
pub(super) fn gauge(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::artifact::{ArtifactHash, Fields};

    const DAY: Duration = Duration::from_hours(24);

    fn memory(capacity: u64) -> Memory {
        let config = config::MemoryTier {
            capacity,
            max_artifact: capacity,
        };
        let metrics = Arc::new(Metrics::new().unwrap());
        let budget = Budget::new(u64::MAX, Arc::clone(&metrics));
        Memory::new(&config, DAY, metrics, budget)
    }

    fn key(number: u8) -> KeyDigest {
        KeyDigest::from_bytes([number; 32])
    }

    fn stored(size: usize, landed: Landed) -> Arc<Stored> {
        let meta = Meta {
            label: Label {
                hash: ArtifactHash::parse("a").unwrap(),
                team: None,
                fields: Fields::default(),
                uploader: None,
            },
            size: size as u64,
            landed,
        };
        Arc::new(Stored::new(Arc::new(meta), Bytes::from(vec![7; size])))
    }

    #[test]
    fn a_small_artifact_weighs_what_was_measured() {
        let pairs = [
            ("content-type", "application/octet-stream"),
            ("x-artifact-duration", "1234"),
            (
                "x-artifact-tag",
                "c2lnbmF0dXJlc2lnbmF0dXJlc2lnbmF0dXJlc2lnbmE=",
            ),
            ("x-artifact-sha", "da39a3ee5e6b4b0d3255bfef95601890afd80709"),
        ];
        for (number, measured) in [(0, 654), (1, 1329), (4, 1416)] {
            let fields = pairs.into_iter().take(number).map(|(name, value)| {
                let name = HeaderName::from_static(name);
                (name, HeaderValue::from_static(value))
            });
            let mut meta = Meta::clone(&stored(100, Landed::now()).meta);
            meta.label.fields = Fields::from_pairs(fields);
            let (meta, body) = (Arc::new(meta), Bytes::from(vec![7; 100]));
            let weight = Stored::new(meta, body).weight();
            assert!((measured..measured + 200).contains(&weight), "{weight}");
        }
    }

    #[test]
    fn one_too_heavy_for_the_tier_takes_its_predecessor_with_it() {
        let memory = memory(10_000);
        assert!(memory.replace(&key(1), Some(stored(100, Landed::now()))));
        assert!(!memory.replace(&key(1), Some(stored(10_000, Landed::now()))));
        assert!(memory.get(&key(1)).is_none());
    }

    #[test]
    fn the_bytes_stay_below_the_capacity() {
        let memory = memory(4 << 20);
        for number in 0..20 {
            memory.replace(&key(number), Some(stored(1 << 20, Landed::now())));
        }
        let tier = memory.metrics.tier(Tier::Memory);
        assert!(tier.bytes.get() <= 4 << 20, "{}", tier.bytes.get());
        assert!(memory.get(&key(19)).is_some(), "the newest stays");
        assert!(memory.get(&key(0)).is_none());
    }

    #[test]
    fn age_counts_from_landing_not_from_promotion() {
        let memory = memory(10_000);
        let landed = |age: u64| Landed::from_secs(Landed::now().as_secs() - age);
        memory.replace(&key(1), Some(stored(1, landed(DAY.as_secs()))));
        memory.replace(&key(2), Some(stored(1, landed(DAY.as_secs() - 100))));
        assert!(memory.get(&key(1)).is_none());
        assert!(memory.get(&key(2)).is_some());
    }

    #[test]
    fn who_still_reads_what_has_left_holds_it_and_nobody_holds_what_is_in() {
        let metrics = Arc::new(Metrics::new().unwrap());
        let budget = Budget::new(u64::MAX, Arc::clone(&metrics));
        let config = config::MemoryTier {
            capacity: 10_000,
            max_artifact: 10_000,
        };
        let memory = Memory::new(&config, DAY, metrics, budget.clone());
        memory.replace(&key(1), Some(stored(1000, Landed::now())));
        let reader = memory.get(&key(1)).unwrap().body.clone();
        assert_eq!(budget.held(), 0);
        memory.replace(&key(1), Some(stored(500, Landed::now())));
        memory.settle();
        assert_eq!(budget.held(), 1000);
        let rest = reader.slice(990..);
        drop(reader);
        assert_eq!(budget.held(), 1000, "a piece keeps all of it");
        drop(rest);
        assert_eq!(budget.held(), 0);
        memory.replace(&key(1), None);
        memory.settle();
        assert_eq!(budget.held(), 0, "nobody read it");
    }

    #[test]
    fn a_tier_that_is_off_holds_nothing() {
        let memory = memory(0);
        assert!(!memory.replace(&key(1), Some(stored(1, Landed::now()))));
        assert!(memory.get(&key(1)).is_none());
    }
}
