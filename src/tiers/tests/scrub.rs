//! Looking over what rests: damage is found without a read, at a pace, and in nobody's way.

use std::collections::VecDeque;

use parking_lot::Mutex;
use rustix::io::Errno;
use tokio::time::{Instant, sleep, timeout};

use super::sick::{Sick, state};
use super::*;
use crate::metrics::{Checked, Eviction};
use crate::tiers::disk::files::Call;
use crate::tiers::disk::files::shim::Watch;
use crate::tiers::scrubbing::{FIRST_AFTER, PASS_EVERY, Scrubber};

/// Longer than any pass below takes, in virtual time.
const LONG: Duration = Duration::from_hours(24);

// === impl House ===

impl House {
    /// A scrubber that wrote down that it came half through.
    async fn interrupted(&self) -> Scrubber {
        let mut scrubber = self.scrubber().await;
        timeout(Duration::from_secs(9), scrubber.pass())
            .await
            .unwrap_err();
        scrubber.keep().await;
        scrubber
    }

    async fn scrubber(&self) -> Scrubber {
        let rate = self.config.disk.scrub_rate;
        let scrubber = Scrubber::resume(&self.tiers.shared, rate).await;
        scrubber.unwrap()
    }

    async fn scrub(&self) {
        timeout(LONG, self.scrubber().await.pass()).await.unwrap();
    }

    fn checked(&self) -> [u64; 4] {
        Checked::ALL.map(|checked| self.metrics.scrub.entries(checked).get())
    }

    /// Eight entries of three blocks, and as many small ones, on the disk only.
    async fn furnished() -> Self {
        let house = Self::with(config(0, 64 * MIB));
        house.furnish().await;
        house
    }

    async fn furnish(&self) {
        for number in 0..8 {
            let large = format!("large{number}");
            let body = bytes(150 * KIB, number);
            let landing = self.large(&large, &body).await;
            self.tiers.publish(landing).await.unwrap();
            let small = small(&format!("small{number}"), "body");
            self.tiers.publish(small).await.unwrap();
        }
    }
}

fn change(path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(path).unwrap();
    change(&mut bytes);
    fs::write(path, bytes).unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_rests_intact_is_known_to_be_intact_after_a_pass() {
    let house = House::furnished().await.restart();
    house.scrub().await;
    assert_eq!(house.checked(), [16, 0, 0, 0]);
    let name = house.name_of("large3").await;
    assert!(!house.disk().is_first_read(&name));
    let resting: u64 = house
        .entries()
        .iter()
        .map(|path| fs::metadata(path).unwrap().len())
        .sum();
    assert_eq!(house.metrics.scrub.bytes.get(), resting);
    assert!(house.metrics.scrub.progress.get() > 0.999);
    assert!(house.metrics.scrub.completed.get() > 0);
}

#[tokio::test(start_paused = true)]
async fn damage_anywhere_is_found_without_a_read_and_counted_once() {
    let body = 150 * 1024;
    let damages: [fn(&mut Vec<u8>, usize); 6] = [
        |bytes, _| bytes[0] ^= 1,
        |bytes, _| bytes[70_000] ^= 0x80,
        |bytes, body| bytes[body - 1] ^= 1,
        |bytes, body| bytes[body + 20] ^= 1,
        |bytes, _| bytes.truncate(1000),
        |bytes, _| bytes.push(0),
    ];
    for (number, damage) in damages.into_iter().enumerate() {
        let house = House::furnished().await;
        let name = house.name_of("large3").await;
        let is_it = |path: &PathBuf| path.ends_with(name.to_string());
        let path = house.entries().into_iter().find(is_it).unwrap();
        change(&path, |bytes| damage(bytes, body));
        house.scrub().await;
        assert_eq!(house.checked(), [15, 1, 0, 0], "damage {number}");
        assert_eq!(house.metrics.tier(Tier::Disk).corrupt.get(), 1);
        assert!(!path.exists(), "damage {number}");
        assert_eq!(house.files_in("quarantine").len(), 1);
        house.scrub().await;
        assert_eq!(house.metrics.tier(Tier::Disk).corrupt.get(), 1);
        assert_eq!(house.lookup("large3").await, None);
        assert!(house.lookup("large4").await.is_some());
    }
}

#[tokio::test(start_paused = true)]
async fn the_file_of_another_entry_under_a_name_is_damage() {
    let house = House::with(config(0, 64 * MIB));
    house.tiers.publish(small("a", "one")).await.unwrap();
    let other = fs::read(house.entries().remove(0)).unwrap();
    house.tiers.publish(small("b", "two")).await.unwrap();
    let name = house.name_of("b").await.to_string();
    let path = house
        .entries()
        .into_iter()
        .find(|path| path.ends_with(&name));
    fs::write(path.unwrap(), other).unwrap();
    house.scrub().await;
    assert_eq!(house.checked(), [1, 1, 0, 0]);
}

#[tokio::test(start_paused = true)]
async fn a_pass_keeps_to_its_pace() {
    let house = House::furnished().await;
    let begun = Instant::now();
    house.scrub().await;
    let took = begun.elapsed();
    let entries: u64 = house.checked().iter().sum();
    // The last block, which is one of 64 KiB at most, is not waited for.
    let finding = (256 + entries - 1) * 64 * KIB;
    let weight = house.metrics.scrub.bytes.get() + finding;
    let rate = house.config.disk.scrub_rate;
    let least = Duration::from_millis(weight * 1000 / rate);
    assert!(took >= least, "{took:?} is faster than {least:?}");
    assert!(
        took < least * 3 / 2,
        "{took:?} is slower than its pace {least:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn nothing_is_read_while_others_want_the_disk() {
    let house = House::furnished().await;
    let mut scrubber = house.scrubber().await;
    let held = house.tiers.shared.jobs.hold();
    timeout(Duration::from_mins(1), scrubber.pass())
        .await
        .unwrap_err();
    let jobs = format!("{:?}", house.tiers.shared.jobs);
    assert!(jobs.contains("waiting: 0"), "it did not even ask: {jobs}");
    drop(held);
    timeout(LONG, scrubber.pass()).await.unwrap();
    assert_eq!(house.checked(), [16, 0, 0, 0]);
}

#[tokio::test(start_paused = true)]
async fn a_pass_goes_on_after_a_restart_where_it_was() {
    let house = House::furnished().await;
    let scrubber = house.interrupted().await;
    let before = house.checked()[0];
    let progress = house.metrics.scrub.progress.get();
    assert!((2..15).contains(&before), "{before} in half the time");
    assert!(progress > 0.0 && progress < 1.0, "{progress}");
    drop(scrubber);
    let house = house.restart();
    house.metrics.scrub.progress.set(0.0);
    let mut scrubber = house.scrubber().await;
    assert!((house.metrics.scrub.progress.get() - progress).abs() < 0.000_1);
    timeout(LONG, scrubber.pass()).await.unwrap();
    assert_eq!(house.checked(), [16, 0, 0, 0], "each had one turn");
}

#[tokio::test(start_paused = true)]
async fn a_stop_writes_down_how_far_it_came() {
    let house = House::furnished().await;
    let (tasks, shared) = (Tasks::new(), Arc::clone(&house.tiers.shared));
    tasks.spawn(scrubbing::run(shared, MIB, tasks.clone()));
    sleep(FIRST_AFTER + Duration::from_secs(9)).await;
    tasks.stop();
    assert_eq!(tasks.drain(LONG).await, 0);
    let pass = house.disk().read_course().pass.unwrap();
    assert_eq!(pass.entries, house.checked()[0]);
    assert!(pass.entries > 0);
}

#[tokio::test(start_paused = true)]
async fn a_lost_or_damaged_course_begins_anew() {
    let house = House::furnished().await;
    let scrubber = house.interrupted().await;
    change(&house.dir.path().join("v1/scrub"), |bytes| bytes[9] ^= 1);
    let before = house.checked()[0];
    drop(scrubber);
    let house = house.restart();
    house.scrub().await;
    assert_eq!(house.checked()[0], before + 16);
}

#[tokio::test(start_paused = true)]
async fn the_first_pass_begins_some_minutes_after_the_start_and_the_next_a_week_later() {
    let house = House::furnished().await;
    let mut scrubber = house.scrubber().await;
    timeout(FIRST_AFTER, scrubber.scrub()).await.unwrap_err();
    assert_eq!(house.checked(), [0; 4]);
    timeout(FIRST_AFTER + LONG, scrubber.scrub())
        .await
        .unwrap_err();
    assert_eq!(house.checked(), [16, 0, 0, 0], "one pass");
    let course = disk::Course {
        pass: None,
        completed: crate::artifact::Landed::now().as_secs() - PASS_EVERY.as_secs(),
    };
    house.disk().keep_course(&course).unwrap();
    let mut scrubber = house.scrubber().await;
    timeout(FIRST_AFTER + LONG, scrubber.scrub())
        .await
        .unwrap_err();
    assert_eq!(house.checked(), [32, 0, 0, 0], "another");
}

#[tokio::test]
async fn a_rate_of_nought_turns_it_off() {
    let house = House::furnished().await;
    assert!(Scrubber::resume(&house.tiers.shared, 0).await.is_none());
    let without = House::with(config(MIB, 0));
    assert!(Scrubber::resume(&without.tiers.shared, 1).await.is_none());
}

#[tokio::test]
async fn looking_over_an_entry_never_removes_a_newer_upload() {
    let house = House::with(config(0, 64 * MIB));
    let old = house.large("a", &bytes(150 * KIB, 1)).await;
    house.tiers.publish(old).await.unwrap();
    let name = house.name_of("a").await;
    change(&house.entries().remove(0), |bytes| bytes[100_000] ^= 1);
    let mut checking = house.disk().begin_check(&name).unwrap().unwrap();
    checking.step().unwrap();
    house.tiers.publish(small("a", "new")).await.unwrap();
    let fault = checking.step().unwrap_err();
    assert_eq!(house.disk().failed(&name, &fault), Checked::Gone);
    assert_eq!(house.metrics.tier(Tier::Disk).corrupt.get(), 0);
    assert_eq!(house.text("a").await, Some(on(Tier::Disk, "new")));
}

#[tokio::test]
async fn an_entry_that_is_evicted_meanwhile_is_no_damage() {
    let house = House::with(config(0, 64 * MIB));
    house.tiers.publish(small("a", "one")).await.unwrap();
    let name = house.name_of("a").await;
    let mut checking = house.disk().begin_check(&name).unwrap().unwrap();
    house.disk().evict(&name, Eviction::Size).unwrap();
    assert_eq!(checking.step().unwrap(), 3, "it stays open");
    assert_eq!(house.disk().passed(&name), Checked::Gone);
    assert!(house.disk().begin_check(&name).unwrap().is_none());
    let late = disk::Fault::Missing;
    assert_eq!(house.disk().failed(&name, &late), Checked::Gone);
}

/// Refuses to open entries, and peeks as long as told; notes what is to leave the page cache.
#[derive(Default)]
struct Disturbed {
    opens: Mutex<Option<Errno>>,
    blind: Mutex<VecDeque<bool>>,
    uncached: Mutex<Vec<(u64, Option<u64>)>>,
}

impl Watch for Disturbed {
    fn before(&self, call: &Call<'_>) -> io::Result<()> {
        match call {
            Call::Open(path) if path.to_string_lossy().contains("entries") => {
                self.opens.lock().map_or(Ok(()), |error| Err(error.into()))
            }
            Call::Peek(..) if self.blind.lock().pop_front() == Some(true) => {
                Err(Errno::AGAIN.into())
            }
            Call::Uncache(_, offset, length) => {
                self.uncached.lock().push((*offset, *length));
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

fn disturbed() -> (Arc<Disturbed>, House) {
    let disturbed = Arc::new(Disturbed::default());
    let files = Files::watched(Arc::clone(&disturbed) as Arc<dyn Watch>);
    (disturbed, House::watched(config(0, 64 * MIB), files))
}

#[tokio::test(start_paused = true)]
async fn a_shortage_of_the_process_condemns_nothing_that_is_looked_over() {
    let (disturbed, house) = disturbed();
    house.furnish().await;
    *disturbed.opens.lock() = Some(Errno::MFILE);
    house.scrub().await;
    assert_eq!(house.checked(), [0, 0, 0, 16]);
    assert_eq!(house.disk().entries(), 16);
    *disturbed.opens.lock() = None;
    assert!(house.lookup("large0").await.is_some());
}

#[tokio::test(start_paused = true)]
async fn folders_that_cannot_be_looked_over_keep_nobody_from_storing() {
    let (house, sick) = Sick::house(config(0, 64 * MIB));
    house.furnish().await;
    sick.refuse(|call| matches!(call, Call::List(_)), Errno::ACCESS);
    house.scrub().await;
    assert_eq!(state(&house), "working");
}

#[tokio::test(start_paused = true)]
async fn a_disk_that_fails_is_given_time_before_more_is_given_up() {
    let (disturbed, house) = disturbed();
    house.furnish().await;
    *disturbed.opens.lock() = Some(Errno::IO);
    let mut scrubber = house.scrubber().await;
    timeout(Duration::from_mins(5), scrubber.pass())
        .await
        .unwrap_err();
    assert_eq!(house.checked(), [0, 0, 0, 3]);
    assert_eq!(house.disk().entries(), 13);
}

#[tokio::test]
async fn what_was_not_cached_leaves_the_page_cache_and_what_was_stays() {
    let (disturbed, house) = disturbed();
    let landing = house.large("a", &bytes(150 * KIB, 1)).await;
    house.tiers.publish(landing).await.unwrap();
    let name = house.name_of("a").await;
    let check = || {
        let mut checking = house.disk().begin_check(&name).unwrap().unwrap();
        while !checking.is_done() {
            checking.step().unwrap();
        }
        std::thread::scope(|scope| {
            // Away from the runtime it is dropped here and now.
            scope.spawn(|| drop(checking));
        });
        std::mem::take(&mut *disturbed.uncached.lock())
    };
    assert_eq!(check(), [], "just written, it is cached");
    let first = fs::File::open(house.entries().remove(0)).unwrap();
    if Files::default().peek_at(&first, &mut [0], 0) == 0 {
        return; // This file system does not tell what it has cached.
    }
    // Of two peeks the first sees nothing: the footer, then the second of three blocks, was cold.
    let blind = [true, false, false, true, false, false];
    *disturbed.blind.lock() = blind.into_iter().collect();
    let footer = (name.length - 4096) / 4096 * 4096;
    assert_eq!(
        check(),
        [(64 * KIB, Some(64 * KIB)), (footer, None)],
        "neighbours stay"
    );
}
