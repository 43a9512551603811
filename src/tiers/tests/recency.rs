//! How entries were used, over a restart: who goes first, and what a lost snapshot costs.

use std::os::unix::fs::symlink;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::io::Errno;

use super::*;
use crate::tiers::disk::files::Call;
use crate::tiers::disk::files::shim::Watch;
use crate::tiers::disk::{Prefix, Remembered, encode_recency};

/// What an entry of `BODY` bytes takes.
const TAKEN: u64 = 8 * KIB;
const BODY: usize = 7000;

/// Hashes whose entries all lie in one folder.
fn of_one_folder(count: usize) -> Vec<String> {
    let hashes = (0..).map(|number| format!("n{number}"));
    let is_in = |hash: &String| shard(hash) == 0xab;
    hashes.filter(is_in).take(count).collect()
}

fn shard(hash: &str) -> u8 {
    Prefix::of(&key(hash).digest).shard()
}

// === impl House ===

impl House {
    async fn store(&self, hash: &str) {
        let landing = small(hash, &"x".repeat(BODY));
        self.tiers.publish(landing).await.unwrap();
    }

    fn recency(&self, shard: u8) -> PathBuf {
        self.dir.path().join(format!("v1/recency/{shard:02x}"))
    }

    /// Ends in good order, and starts again with a capacity of `entries`.
    async fn restart_for(mut self, entries: u64) -> Self {
        self.tiers.close().await;
        self.config.disk.capacity = entries * TAKEN;
        self.config.disk.max_artifact = entries * TAKEN;
        self.restart()
    }

    /// Writes down that each was used at its second.
    fn remember(&self, used: &[(&str, u32)]) {
        fs::create_dir_all(self.dir.path().join("v1/recency")).unwrap();
        for number in 0..=u8::MAX {
            let here = used.iter().filter(|(hash, _)| shard(hash) == number);
            let mut here: Vec<_> = here
                .map(|(hash, used)| Remembered {
                    prefix: Prefix::of(&key(hash).digest),
                    used: *used,
                    uses: 1,
                })
                .collect();
            here.sort_by_key(|entry| entry.used);
            let file = encode_recency(number, &here);
            fs::write(self.recency(number), file).unwrap();
        }
    }

    async fn has(&self, hash: &str) -> bool {
        self.lookup(hash).await.is_some()
    }
}

/// Refuses every call after some.
struct Cut {
    granted: AtomicU64,
}

// === impl Cut ===

impl Cut {
    fn none() -> Arc<Self> {
        let granted = AtomicU64::new(u64::MAX);
        Arc::new(Self { granted })
    }

    fn after(&self, granted: u64) {
        self.granted.store(granted, Ordering::Relaxed);
    }
}

impl Watch for Cut {
    fn before(&self, _: &Call<'_>) -> io::Result<()> {
        let count = |left: u64| match left {
            u64::MAX => Some(left),
            left => left.checked_sub(1),
        };
        let granted = self
            .granted
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, count);
        granted.map(|_| ()).map_err(|_| Errno::NOSPC.into())
    }
}

#[tokio::test]
async fn what_was_used_longest_ago_before_a_restart_goes_first_after_it() {
    let house = House::with(config(0, MIB));
    let hashes = of_one_folder(4);
    for hash in &hashes {
        house.store(hash).await;
    }
    for used in [2, 0, 3, 1] {
        assert!(house.has(&hashes[used]).await);
    }
    let house = house.restart_for(3).await;
    while house.disk().trim(64) {}
    let mut kept = Vec::new();
    for used in [2, 0, 3, 1] {
        kept.push(house.has(&hashes[used]).await);
    }
    assert_eq!(kept, [false, false, true, true]);
    let house = house.restart_for(2).await;
    while house.disk().trim(64) {}
    assert!(!house.has(&hashes[3]).await);
    assert!(house.has(&hashes[1]).await, "used last, twice");
}

#[tokio::test]
async fn the_order_holds_across_folders_also_where_one_was_read_first() {
    let house = House::with(config(0, MIB));
    for number in 0..16 {
        house.store(&format!("n{number}")).await;
    }
    let house = house.restart_for(16).await;
    let names: Vec<String> = (0..16).map(|number| format!("n{number}")).collect();
    // Those that landed first were used last.
    let used = names.iter().zip(0..);
    let used: Vec<_> = used
        .map(|(hash, order)| (hash.as_str(), 1_000_000_000 - order))
        .collect();
    house.remember(&used);
    assert!(house.has("n15").await, "its folder is read, and it is used");
    for gone in (10..15).rev() {
        house.store(&format!("new{gone}")).await;
        assert!(!house.has(&format!("n{gone}")).await, "{gone}");
    }
    for kept in (0..10).chain([15]) {
        assert!(house.has(&format!("n{kept}")).await, "{kept}");
    }
}

#[tokio::test]
async fn a_clock_that_was_ahead_keeps_nothing_for_ever() {
    let house = House::with(config(0, MIB));
    let hashes = of_one_folder(2);
    for hash in &hashes {
        house.store(hash).await;
    }
    let house = house.restart_for(2).await;
    house.remember(&[(&hashes[0], u32::MAX), (&hashes[1], u32::MAX - 1)]);
    assert!(house.has(&hashes[1]).await);
    house.store("new").await;
    assert!(house.has(&hashes[1]).await);
    assert!(!house.has(&hashes[0]).await);
}

#[tokio::test]
async fn hits_in_memory_are_written_down_too() {
    let house = House::with(config(MIB, MIB));
    let hashes = of_one_folder(2);
    for hash in &hashes {
        house.store(hash).await;
    }
    assert_eq!(house.text(&hashes[0]).await.unwrap().0, Tier::Memory);
    let house = house.restart_for(2).await;
    house.store("new").await;
    assert!(house.has(&hashes[0]).await);
    assert!(!house.has(&hashes[1]).await);
}

#[tokio::test]
async fn whatever_became_of_a_snapshot_costs_recency_only() {
    let house = House::with(config(0, MIB));
    let hashes = of_one_folder(3);
    for hash in &hashes {
        house.store(hash).await;
    }
    house.tiers.close().await;
    let mut house = house.restart();
    let path = house.recency(0xab);
    let whole = fs::read(&path).unwrap();
    let mut flipped = whole.clone();
    flipped[40] ^= 1;
    let lying = [&whole[..12], [0xff; 4].as_slice(), &whole[16..]].concat();
    let huge = vec![0; 64 << 20];
    let damaged = [&[], &whole[..30], &flipped, &lying, &huge, b"noise"];
    for (case, content) in damaged.into_iter().enumerate() {
        fs::write(&path, content).unwrap();
        house = house.restart();
        for hash in &hashes {
            assert!(house.has(hash).await, "{case}");
        }
    }
    for stranger in ["gone", "folder", "link"] {
        fs::remove_file(&path).unwrap_or_default();
        match stranger {
            "folder" => fs::create_dir(&path).unwrap(),
            "link" => symlink("/dev/zero", &path).unwrap(),
            _ => {}
        }
        house = house.restart();
        assert!(house.has(&hashes[0]).await, "{stranger}");
        house.tiers.close().await;
        house = house.restart();
        assert!(house.has(&hashes[1]).await, "{stranger}");
        fs::remove_dir(&path).unwrap_or_default();
    }
    assert_eq!(house.entries().len(), 3);
    assert_eq!(house.metrics.tier(Tier::Disk).corrupt.get(), 0);
}

#[tokio::test]
async fn a_snapshot_of_entries_that_are_gone_adds_nothing() {
    let house = House::with(config(0, MIB));
    let hashes = of_one_folder(2);
    for hash in &hashes {
        house.store(hash).await;
    }
    house.tiers.close().await;
    fs::remove_file(house.entries().remove(0)).unwrap();
    let house = house.restart();
    house.disk().read_shard(0xab).unwrap();
    assert_eq!(house.disk().entries(), 1);
    let found = [house.has(&hashes[0]).await, house.has(&hashes[1]).await];
    assert_eq!(found.iter().filter(|found| **found).count(), 1);
}

#[tokio::test]
async fn a_folder_that_was_not_read_keeps_its_snapshot() {
    let house = House::with(config(0, MIB));
    house.store("a").await;
    house.tiers.close().await;
    let before = fs::read(house.recency(shard("a"))).unwrap();
    let house = house.restart();
    house.disk().touch(&key("a").digest);
    house.disk().write_recency(shard("a")).unwrap();
    house.tiers.close().await;
    assert_eq!(fs::read(house.recency(shard("a"))).unwrap(), before);
}

#[tokio::test]
async fn a_crash_while_a_snapshot_is_written_leaves_the_old_one_or_the_new() {
    let hashes = of_one_folder(2);
    for granted in 0..6 {
        let cut = Cut::none();
        let files = Files::watched(Arc::clone(&cut) as Arc<dyn Watch>);
        let house = House::watched(config(0, MIB), files);
        for hash in &hashes {
            house.store(hash).await;
        }
        house.disk().write_recency(0xab).unwrap();
        let old = fs::read(house.recency(0xab)).unwrap();
        assert!(house.has(&hashes[0]).await);
        cut.after(granted);
        let written = house.disk().write_recency(0xab);
        cut.after(u64::MAX);
        // Look at the lock, create, write, rename.
        assert_eq!(written.is_ok(), granted >= 4);
        let now = fs::read(house.recency(0xab)).unwrap();
        assert_eq!(now != old, granted >= 4, "after {granted} calls");
        let house = house.restart();
        assert!(house.files_in("tmp").is_empty());
        assert!(house.has(&hashes[1]).await);
    }
}

#[tokio::test(start_paused = true)]
async fn a_full_disk_costs_the_snapshot_only_and_the_task_behind_writes_it_later() {
    let cut = Cut::none();
    let files = Files::watched(Arc::clone(&cut) as Arc<dyn Watch>);
    let house = House::watched(config(0, MIB), files);
    let tasks = Tasks::new();
    let shared = Arc::clone(&house.tiers.shared);
    tasks.spawn(upkeep::run(
        shared,
        house.dir.path().to_owned(),
        tasks.clone(),
    ));
    house.store("a").await;
    let path = house.recency(shard("a"));
    cut.after(0);
    tokio::time::sleep(Duration::from_mins(16)).await;
    assert!(!path.exists());
    cut.after(u64::MAX);
    while !house.disk().faults.is_working() {
        tokio::time::sleep(Duration::from_mins(1)).await;
    }
    assert!(house.has("a").await);
    house.store("b").await;
    while !path.exists() || !house.recency(shard("b")).exists() {
        tokio::time::sleep(Duration::from_mins(1)).await;
    }
    tasks.stop();
    assert_eq!(tasks.drain(Duration::from_mins(1)).await, 0);
}
