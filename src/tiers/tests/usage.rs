//! How much rests after a restart, before anybody has looked: known after an orderly end, bounded
//! after any other.

use futures_util::FutureExt;

use super::sick::{Sick, probe, state};
use super::*;
use crate::metrics::DiskFault;
use crate::tiers::disk::Owner;
use crate::tiers::disk::files::Call;
use crate::tiers::disk::files::shim::Watch;

/// What an entry of `BODY` bytes takes.
const TAKEN: u64 = 8 * KIB;
const BODY: usize = 7000;
/// The part of the capacity by which it may be exceeded, once, after a start without an exact word.
const BOUND: u64 = 32;

// === impl House ===

impl House {
    async fn try_store(&self, hash: &str) -> bool {
        let landing = small(hash, &"x".repeat(BODY));
        self.tiers.publish(landing).await.is_ok()
    }

    /// Bytes on the disk.
    fn held(&self) -> u64 {
        let entries = self.entries();
        let lengths = entries.iter().map(|path| fs::metadata(path).unwrap().len());
        lengths.map(|length| length.div_ceil(4096) * 4096).sum()
    }

    /// The gauges: bytes and entries.
    fn told(&self) -> (u64, u64) {
        let tier = self.metrics.tier(Tier::Disk);
        let number = |gauge: i64| u64::try_from(gauge).unwrap();
        (number(tier.bytes.get()), number(tier.entries.get()))
    }

    fn unread(&self) -> usize {
        let unread = (0..=u8::MAX).filter(|shard| !self.disk().is_read(*shard));
        unread.count()
    }

    fn read_all(&self) {
        for shard in 0..=u8::MAX {
            self.disk().read_shard(shard).unwrap();
        }
    }

    async fn fill(&self, count: u64) {
        for number in 0..count {
            assert!(self.try_store(&format!("n{number}")).await, "{number}");
        }
    }
}

fn of(entries: u64) -> config::Tier {
    config(0, entries * TAKEN)
}

#[tokio::test]
async fn what_rests_is_known_before_any_folder_is_read_and_right_when_all_are() {
    let house = House::with(of(256));
    house.fill(40).await;
    house.tiers.close().await;
    house.metrics.tier(Tier::Disk).bytes.set(0);
    let house = house.restart();
    assert_eq!(house.unread(), 256);
    assert_eq!(house.told(), (40 * TAKEN, 40));
    assert!(house.lookup("n7").await.is_some());
    assert_eq!((house.unread(), house.told()), (255, (40 * TAKEN, 40)));
    let removed = house.entries();
    for path in &removed[..10] {
        fs::remove_file(path).unwrap();
    }
    house.read_all();
    assert_eq!(house.told().0, house.held());
}

#[tokio::test]
async fn after_an_orderly_end_the_capacity_is_kept_without_reading_more_than_it_takes() {
    let house = House::with(of(64));
    house.fill(40).await;
    house.tiers.close().await;
    let house = house.restart();
    for number in 0..24 {
        assert!(house.try_store(&format!("new{number}")).await);
    }
    assert!(house.unread() > 200, "there was room for all of them");
    assert_eq!(house.held(), 64 * TAKEN);
    assert!(house.try_store("more").await);
    assert_eq!((house.unread(), house.held()), (0, 64 * TAKEN));
}

#[tokio::test]
async fn after_any_other_end_the_capacity_is_exceeded_by_one_part_in_thirty_two_at_most() {
    let house = House::with(of(64));
    house.fill(64).await;
    let house = house.restart();
    let bound = 64 * TAKEN + 64 * TAKEN / BOUND;
    let mut most = 0;
    for number in 0..40 {
        let is_stored = house.try_store(&format!("new{number}")).await;
        assert!(is_stored, "{number}: folders are read rather than refuse");
        most = most.max(house.held());
        if number == 0 {
            assert!(house.unread() > 250, "the first costs no scan");
        }
    }
    assert!(most > 64 * TAKEN, "this is what the bound is for");
    assert!(most <= bound, "{most}");
    assert_eq!((house.unread(), house.held()), (0, 64 * TAKEN));
}

#[tokio::test]
async fn the_excess_of_many_short_lives_does_not_add_up() {
    for stored in 0..4 {
        let mut house = House::with(of(64));
        house.fill(64).await;
        let bound = 64 * TAKEN + 64 * TAKEN / BOUND;
        for life in 0..8 {
            house = house.restart();
            for number in 0..stored {
                house.try_store(&format!("life{life}x{number}")).await;
            }
            assert!(house.held() <= bound, "{stored} in life {life}");
            if life % 2 == 0 {
                house.disk().write_usage().unwrap();
            }
        }
    }
}

#[tokio::test]
async fn a_word_older_than_the_last_start_is_not_relied_on() {
    let house = House::with(of(64));
    house.fill(20).await;
    house.tiers.close().await;
    let house = house.restart();
    for number in 0..30 {
        assert!(house.try_store(&format!("more{number}")).await);
    }
    assert!(house.unread() > 200, "it left no word of its own");
    let house = house.restart();
    assert_eq!(house.told(), (20 * TAKEN, 20), "as good as any other guess");
    for number in 0..30 {
        assert!(house.try_store(&format!("new{number}")).await);
        assert!(house.held() <= 64 * TAKEN);
    }
}

#[tokio::test]
async fn in_a_new_directory_there_is_nothing_to_wait_for() {
    let house = House::with(of(64));
    let turn = house.disk().hold_reading_ahead();
    assert!(house.try_store("a").await);
    drop(turn);
    assert_eq!(house.unread(), 255);
}

#[tokio::test]
async fn a_word_that_was_damaged_is_none() {
    let house = House::with(of(64));
    house.fill(40).await;
    house.tiers.close().await;
    let path = house.dir.path().join("v1/usage");
    let mut bytes = fs::read(&path).unwrap();
    bytes[100] ^= 1;
    fs::write(&path, bytes).unwrap();
    let house = house.restart();
    assert_eq!(house.told(), (0, 0));
    house.read_all();
    assert_eq!(house.told(), (40 * TAKEN, 40));
}

#[tokio::test]
async fn a_tier_that_starts_overfull_evicts_down() {
    let house = House::with(of(64));
    house.fill(60).await;
    house.tiers.close().await;
    let House { dir, config, .. } = &house;
    let (dir, mut config) = (dir.path().to_owned(), config.clone());
    config.disk.capacity = 32 * TAKEN;
    let House {
        dir: kept,
        tiers,
        metrics,
        files,
        ..
    } = house;
    drop(tiers);
    let tiers = open(&config, &dir, &metrics, &files);
    let house = House {
        dir: kept,
        config,
        metrics,
        files,
        tiers,
    };
    assert!(house.disk().is_crowded(), "known before a folder is read");
    while house.disk().trim(10) {}
    assert_eq!(house.told(), (30 * TAKEN, 30));
    assert_eq!(house.held(), 30 * TAKEN);
}

#[tokio::test]
async fn a_folder_that_cannot_be_read_does_not_stop_the_others() {
    let house = House::with(of(64));
    house.fill(64).await;
    let folder = house.entries().remove(0).parent().unwrap().to_owned();
    let house = house.restart();
    fs::rename(&folder, house.dir.path().join("away")).unwrap();
    fs::write(&folder, b"no folder").unwrap();
    let mut stored = 0;
    for number in 0..40 {
        stored += u32::from(house.try_store(&format!("new{number}")).await);
    }
    assert!(stored > 35, "{stored}");
    assert_eq!(house.unread(), 1);
}

#[tokio::test]
async fn while_one_reads_ahead_others_wait_for_a_moment_and_hits_not_at_all() {
    let house = House::with(of(64));
    house.fill(64).await;
    house.tiers.close().await;
    let house = house.restart();
    let turn = house.disk().hold_reading_ahead();
    assert!(!house.try_store("new").await);
    assert!(house.lookup("n7").await.is_some());
    drop(turn);
    assert!(house.try_store("new").await);
}

#[tokio::test]
async fn a_draft_that_is_open_at_the_end_makes_the_word_a_guess() {
    let house = House::with(of(64));
    house.fill(40).await;
    let draft = house.tiers.draft(&key("late"), Some(TAKEN)).await.unwrap();
    house.tiers.close().await;
    assert!(!house.try_store("later").await, "nothing is taken any more");
    drop(draft);
    let house = house.restart();
    for number in 0..3 {
        assert!(house.try_store(&format!("new{number}")).await);
    }
    assert_eq!(house.unread(), 0);
}

#[tokio::test(start_paused = true)]
async fn what_a_directory_brings_that_comes_back_counts_until_it_is_gone() {
    let (house, _) = Sick::house(of(64));
    house.fill(64).await;
    let (path, away) = (house.dir.path().to_owned(), tempfile::tempdir().unwrap());
    let away = away.path().join("data");
    fs::rename(&path, &away).unwrap();
    upkeep::look(house.disk()).await;
    probe(&house).await;
    fs::remove_dir_all(&path).unwrap();
    fs::rename(&away, &path).unwrap();
    upkeep::look(house.disk()).await;
    probe(&house).await;
    assert_eq!(state(&house), "working");
    for number in 0..40 {
        assert!(house.try_store(&format!("new{number}")).await);
        assert!(house.held() <= 64 * TAKEN, "{number}: {}", house.held());
    }
}

#[tokio::test]
async fn nothing_is_written_down_in_a_directory_that_somebody_else_took() {
    let house = House::with(of(64));
    house.fill(3).await;
    let away = tempfile::tempdir().unwrap();
    fs::rename(house.dir.path(), away.path().join("data")).unwrap();
    let _other = Owner::take(house.dir.path()).unwrap();
    let tmp = house.dir.path().join("v1/tmp");
    fs::create_dir_all(&tmp).unwrap();
    for number in 0..20 {
        fs::write(tmp.join(format!("{number:016x}.draft")), b"theirs").unwrap();
    }
    house.disk().write_usage().unwrap_err();
    let closed = house.disk().close(Duration::from_secs(1));
    closed.unwrap_err();
    assert_eq!(fs::read_dir(&tmp).unwrap().count(), 20);
    assert!(!house.dir.path().join("v1/usage").exists());
}

/// A disk on which some calls take a tenth of a second.
struct Slow(fn(&Call<'_>) -> bool);

impl Watch for Slow {
    fn before(&self, call: &Call<'_>) -> io::Result<()> {
        if (self.0)(call) {
            // Nothing is left to be waited for once it was asked.
            let advancing = tokio::time::advance(Duration::from_millis(100));
            advancing.now_or_never().unwrap_or_default();
        }
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn a_writer_makes_room_for_a_second_and_the_next_goes_on() {
    let calls: [fn(&Call<'_>) -> bool; 2] = [
        |call| matches!(call, Call::List(folder) if folder.parent().is_some_and(|it| it.ends_with("entries"))),
        |call| matches!(call, Call::Remove(file) if file.to_string_lossy().contains("/entries/")),
    ];
    for slow in calls {
        let mut house = House::watched(of(256), Files::watched(Arc::new(Slow(slow))));
        house.fill(256).await;
        house.config.disk.capacity = 64 * TAKEN;
        house = house.restart();
        let mut refused = 0;
        while !house.try_store("next").await {
            refused += 1;
            assert!(refused < 40);
            assert!(house.disk().is_crowded(), "the task behind goes on, too");
        }
        assert!(refused > 10, "{refused}");
        assert_eq!(state(&house), "working");
        assert_eq!(house.metrics.disk.faults(DiskFault::Slow), 0);
        assert!(house.held() <= 64 * TAKEN);
    }
}
