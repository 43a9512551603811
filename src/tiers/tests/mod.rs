//! Both tiers together, on real directories. What time would do is left out: no task runs behind
//! these tests unless they say so.

mod away;
mod conflicts;
mod crash;
mod degrade;
mod drafts;
mod every_call;
mod faults;
mod flips;
mod fsck;
mod hung;
mod interleavings;
#[cfg(target_os = "linux")]
mod kept;
mod listing;
mod purging;
mod reads;
mod recency;
mod room;
mod scrub;
mod sick;
mod stress;
mod survival;
mod uncopied;
mod usage;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use http::header::{HeaderName, HeaderValue};
use http_body_util::BodyExt;
use tokio::time::Duration;

use super::*;
use crate::artifact::{ArtifactHash, Fields, Label, OriginId, Scope, Tier};
use crate::caller::CallerDigest;

const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;

/// A data directory and the tiers in it.
struct House {
    dir: tempfile::TempDir,
    config: config::Tier,
    metrics: Arc<Metrics>,
    files: Files,
    tiers: Tiers,
}

fn config(memory: u64, disk: u64) -> config::Tier {
    config::Tier {
        in_flight: 128 << 20,
        memory: config::MemoryTier {
            capacity: memory,
            max_artifact: 64 * KIB,
        },
        disk: config::DiskTier {
            capacity: disk,
            max_artifact: disk,
            verify: config::Verify::FirstRead,
            max_age: Duration::from_hours(1),
            min_free: 0,
            scrub_rate: MIB,
        },
    }
}

fn key(hash: &str) -> ArtifactKey {
    let scope = Scope::new("slug=acme", CallerDigest::from_bytes([1; 32]));
    let hash = ArtifactHash::parse(hash).unwrap();
    ArtifactKey::new(&OriginId::new("none"), scope, hash)
}

fn label(key: &ArtifactKey, tag: &str) -> Label {
    let pair = (
        HeaderName::from_static("x-artifact-tag"),
        HeaderValue::from_str(tag).unwrap(),
    );
    Label::new(key, Fields::from_pairs([pair]))
}

fn small(hash: &str, body: &str) -> Landing {
    let key = key(hash);
    Landing {
        label: label(&key, body.get(..9).unwrap_or(body)),
        size: body.len() as u64,
        body: LandingBody::Memory(vec![Bytes::copy_from_slice(body.as_bytes())]),
        key,
    }
}

fn drafted(hash: &str, tag: &str, size: u64, draft: Draft) -> Landing {
    let key = key(hash);
    Landing {
        label: label(&key, tag),
        size,
        body: LandingBody::Draft(draft),
        key,
    }
}

fn bytes(length: u64, seed: u8) -> Bytes {
    (0..length)
        .map(|n| (n % 251) as u8 ^ seed)
        .collect::<Vec<_>>()
        .into()
}

fn open(config: &config::Tier, dir: &Path, metrics: &Arc<Metrics>, files: &Files) -> Tiers {
    Tiers {
        shared: Shared::open(config, dir, metrics, files.clone()).unwrap(),
    }
}

// === impl House ===

impl House {
    fn with(config: config::Tier) -> Self {
        Self::watched(config, Files::default())
    }

    /// A house whose file calls all go through `files`, also after a restart.
    fn watched(config: config::Tier, files: Files) -> Self {
        Self::built(tempfile::tempdir().unwrap(), config, files)
    }

    /// The same, on a file system in memory where there is one: for those who build thousands.
    fn in_memory(config: config::Tier, files: Files) -> Self {
        let dir = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir());
        Self::built(dir.unwrap(), config, files)
    }

    fn built(dir: tempfile::TempDir, config: config::Tier, files: Files) -> Self {
        let metrics = Arc::new(Metrics::new().unwrap());
        let tiers = open(&config, dir.path(), &metrics, &files);
        Self {
            dir,
            config,
            metrics,
            files,
            tiers,
        }
    }

    fn new() -> Self {
        Self::with(config(MIB, 64 * MIB))
    }

    fn restart(self) -> Self {
        let Self {
            dir,
            config,
            metrics,
            files,
            tiers,
        } = self;
        drop(tiers);
        let tiers = open(&config, dir.path(), &metrics, &files);
        Self {
            dir,
            config,
            metrics,
            files,
            tiers,
        }
    }

    fn disk(&self) -> &Arc<Disk> {
        self.tiers.shared.disk.as_ref().unwrap()
    }

    async fn large(&self, hash: &str, body: &Bytes) -> Landing {
        let key = key(hash);
        let size = body.len() as u64;
        let mut draft = self.tiers.draft(&key, Some(size)).await.unwrap();
        for chunk in body.chunks(300_000) {
            draft.append(vec![body.slice_ref(chunk)]).await.unwrap();
        }
        drafted(hash, "large", size, draft)
    }

    async fn lookup(&self, hash: &str) -> Option<(Tier, Bytes)> {
        let found = self.tiers.lookup(&key(hash).digest).await?;
        let artifact = found.open().await.ok()?;
        let body = match artifact.body {
            ArtifactBody::Whole(body) => body,
            ArtifactBody::File(body) => body.collect().await.ok()?.to_bytes(),
        };
        assert_eq!(body.len() as u64, artifact.meta.size);
        Some((artifact.tier, body))
    }

    async fn text(&self, hash: &str) -> Option<(Tier, String)> {
        let (tier, body) = self.lookup(hash).await?;
        Some((tier, String::from_utf8(body.to_vec()).unwrap()))
    }

    fn files_in(&self, folder: &str) -> Vec<PathBuf> {
        let mut files = Vec::new();
        let mut folders = vec![self.dir.path().join("v1").join(folder)];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    files.push(path);
                }
            }
        }
        files
    }

    /// The entry the disk tier has of a key.
    async fn name_of(&self, hash: &str) -> disk::EntryName {
        self.disk().find(&key(hash).digest).await.unwrap()
    }

    fn entries(&self) -> Vec<PathBuf> {
        self.files_in("entries")
    }
}

fn on(tier: Tier, text: &str) -> (Tier, String) {
    (tier, text.to_owned())
}

#[tokio::test]
async fn a_landed_artifact_is_found_in_memory_and_after_a_restart_on_disk() {
    let house = House::new();
    let noted = house.tiers.epoch(&key("a").digest);
    house.tiers.land(small("a", "one"), noted).await.unwrap();
    assert_eq!(house.text("a").await, Some(on(Tier::Memory, "one")));
    let house = house.restart();
    let found = house.tiers.lookup(&key("a").digest).await.unwrap();
    let meta = found.meta().await.unwrap();
    assert_eq!(meta.label, label(&key("a"), "one"));
    assert_eq!(house.text("a").await, Some(on(Tier::Disk, "one")));
    assert_eq!(
        house.text("a").await,
        Some(on(Tier::Memory, "one")),
        "promoted"
    );
    assert_eq!(house.text("b").await, None);
}

#[tokio::test]
async fn the_gauges_tell_what_rests_where() {
    let house = House::new();
    house.tiers.publish(small("a", "one")).await.unwrap();
    house.tiers.report();
    for tier in Tier::ALL {
        let tier = house.metrics.tier(tier);
        assert_eq!(tier.entries.get(), 1);
        assert!(tier.bytes.get() > 3);
        assert!(tier.capacity.get() >= tier.bytes.get());
    }
}

#[tokio::test]
async fn an_upload_replaces_meta_and_body_in_both_tiers() {
    let house = House::new();
    house.tiers.publish(small("a", "one")).await.unwrap();
    let body = bytes(MIB, 3);
    let large = house.large("a", &body).await;
    house.tiers.publish(large).await.unwrap();
    assert_eq!(house.lookup("a").await, Some((Tier::Disk, body)));
    assert_eq!(house.entries().len(), 1);
    house.tiers.publish(small("a", "three")).await.unwrap();
    assert_eq!(house.text("a").await, Some(on(Tier::Memory, "three")));
    assert_eq!(house.entries().len(), 1);
    let house = house.restart();
    assert_eq!(house.text("a").await, Some(on(Tier::Disk, "three")));
}

#[tokio::test]
async fn a_fill_older_than_an_upload_does_not_land() {
    let house = House::new();
    let noted = house.tiers.epoch(&key("a").digest);
    house.tiers.publish(small("a", "upload")).await.unwrap();
    let late = house.tiers.land(small("a", "fill"), noted).await;
    assert_eq!(late, Err(NotLanded::Overtaken));
    assert_eq!(house.text("a").await, Some(on(Tier::Memory, "upload")));
    let house = house.restart();
    assert_eq!(house.text("a").await, Some(on(Tier::Disk, "upload")));
}

#[tokio::test]
async fn a_promotion_older_than_a_change_does_not_land() {
    let house = House::new();
    house.tiers.publish(small("a", "one")).await.unwrap();
    let house = house.restart();
    let found = house.tiers.lookup(&key("a").digest).await.unwrap();
    let epochs = &house.tiers.shared.epochs;
    epochs.enter(key("a").digest.as_bytes()).bump();
    found.open().await.unwrap();
    let again = house.tiers.lookup(&key("a").digest).await.unwrap();
    assert_eq!(again.tier(), Tier::Disk);
}

#[tokio::test]
async fn a_forgotten_key_is_gone_from_both_tiers_and_the_directory() {
    let house = House::new();
    house.tiers.publish(small("a", "one")).await.unwrap();
    house.tiers.forget(&key("a").digest).await;
    assert_eq!(house.text("a").await, None);
    assert!(house.entries().is_empty());
    house.tiers.publish(small("a", "two")).await.unwrap();
    let house = house.restart();
    house.tiers.forget(&key("a").digest).await;
    assert!(house.entries().is_empty(), "also from an unread folder");
    assert_eq!(house.text("a").await, None);
    assert_eq!(house.metrics.tier(Tier::Disk).bytes.get(), 0);
}

#[tokio::test]
async fn an_upload_no_tier_takes_leaves_nothing_of_its_key() {
    let house = House::new();
    house.tiers.publish(small("a", "one")).await.unwrap();
    let mut lying = small("a", "two");
    lying.size += 1;
    house.tiers.publish(lying).await.unwrap_err();
    assert_eq!(house.text("a").await, None);
    assert!(house.entries().is_empty());
}

#[tokio::test]
async fn a_fill_no_tier_takes_leaves_what_was_there() {
    let house = House::new();
    house.tiers.publish(small("a", "one")).await.unwrap();
    let mut lying = small("a", "two");
    lying.size += 1;
    let noted = house.tiers.epoch(&key("a").digest);
    house.tiers.land(lying, noted).await.unwrap_err();
    assert_eq!(house.text("a").await, Some(on(Tier::Memory, "one")));
}

#[tokio::test]
async fn other_scopes_do_not_see_an_artifact() {
    let house = House::new();
    house.tiers.publish(small("a", "one")).await.unwrap();
    let scope = Scope::new("slug=other", CallerDigest::from_bytes([1; 32]));
    let other = ArtifactKey::new(&OriginId::new("none"), scope, key("a").hash);
    assert!(house.tiers.lookup(&other.digest).await.is_none());
}

#[tokio::test]
async fn without_a_disk_tier_small_artifacts_rest_in_memory() {
    let house = House::with(config(MIB, 0));
    house.tiers.publish(small("a", "one")).await.unwrap();
    assert_eq!(house.text("a").await, Some(on(Tier::Memory, "one")));
    let draft = house.tiers.draft(&key("b"), None).await;
    assert_eq!(draft.unwrap_err(), Bypass::NoRoom);
    assert!(!house.dir.path().join("v1").exists());
    assert!(house.dir.path().join("lock").exists());
}
