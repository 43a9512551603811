//! What rests is listed.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::{Condvar, Mutex};
use rustix::io::Errno;

use super::sick::Sick;
use super::*;
use crate::artifact::Uploader;
use crate::metrics::{DiskFault, DiskState};
use crate::tiers::disk::Obstacle;
use crate::tiers::disk::files::Call;
use crate::tiers::disk::files::shim::Watch;

/// Counts files that are opened, and folders that are listed.
#[derive(Default)]
pub(super) struct Counted {
    opened: AtomicUsize,
    pub(super) listed: AtomicUsize,
}

impl Watch for Counted {
    fn before(&self, call: &Call<'_>) -> io::Result<()> {
        match call {
            Call::Open(_) => self.opened.fetch_add(1, Ordering::Relaxed),
            Call::List(_) => self.listed.fetch_add(1, Ordering::Relaxed),
            _ => 0,
        };
        Ok(())
    }
}

impl Counted {
    pub(super) fn house(config: config::Tier) -> (House, Arc<Self>) {
        let counted = Arc::new(Self::default());
        let files = Files::watched(Arc::clone(&counted) as Arc<dyn Watch>);
        (House::watched(config, files), counted)
    }
}

/// A disk of which every file takes a while to open.
#[derive(Default)]
struct Slow {
    is_slow: AtomicBool,
    never: (Mutex<()>, Condvar),
}

impl Watch for Slow {
    fn before(&self, call: &Call<'_>) -> io::Result<()> {
        if matches!(call, Call::Open(_)) && self.is_slow.load(Ordering::Relaxed) {
            let (lock, told) = &self.never;
            told.wait_for(&mut lock.lock(), Duration::from_millis(80));
        }
        Ok(())
    }
}

/// Turns the disk tier off once the first file is opened.
#[derive(Default)]
struct TurnsOff(Mutex<Option<Arc<Disk>>>);

impl Watch for TurnsOff {
    fn before(&self, call: &Call<'_>) -> io::Result<()> {
        if matches!(call, Call::Open(_))
            && let Some(disk) = self.0.lock().take()
        {
            turn(&disk, false);
        }
        Ok(())
    }
}

/// Turns the disk tier on, or off.
pub(super) fn turn(disk: &Disk, on: bool) {
    let obstacle = Obstacle {
        state: DiskState::Off,
        kind: DiskFault::Other,
        what: "a test".to_owned(),
    };
    disk.faults.probed(on.then_some(()).ok_or(obstacle));
}

fn hashes(page: &Page) -> Vec<&str> {
    let labels = page.entries.iter().map(|listed| &listed.meta.label);
    labels.map(|label| label.hash.as_str()).collect()
}

/// Every page of so many entries, from the first to the last.
async fn pages(house: &House, filter: &Filter, limit: usize) -> Vec<Page> {
    let (mut pages, mut from) = (Vec::new(), Place::default());
    loop {
        let page = house.tiers.list(filter, from, limit).await.unwrap();
        let next = page.next;
        pages.push(page);
        match next {
            Some(next) => {
                assert!(next > from, "it goes on");
                from = next;
            }
            None => return pages,
        }
    }
}

pub(super) async fn all(house: &House, filter: &Filter) -> Page {
    house
        .tiers
        .list(filter, Place::default(), 1000)
        .await
        .unwrap()
}

impl House {
    pub(super) async fn stocked(self, number: usize) -> Self {
        for number in 0..number {
            let landing = small(&format!("h{number}"), "body");
            self.tiers.publish(landing).await.unwrap();
        }
        self
    }
}

#[tokio::test]
async fn every_entry_is_on_one_page_in_the_order_of_the_digests() {
    let house = House::new().stocked(50).await;
    let pages = pages(&house, &Filter::default(), 7).await;
    assert!(pages.iter().all(|page| page.entries.len() <= 7));
    let listed: Vec<_> = pages.iter().flat_map(|page| &page.entries).collect();
    assert_eq!(listed.len(), 50);
    assert!(listed.is_sorted_by_key(|listed| listed.key));
    let found: BTreeSet<_> = pages.iter().flat_map(hashes).collect();
    assert_eq!(found.len(), 50);
    for listed in listed {
        assert!(listed.in_memory && listed.is_on_disk() && listed.used.is_some());
    }
}

#[tokio::test]
async fn after_a_restart_folders_that_nobody_read_are_read() {
    let house = House::new().stocked(20).await.restart();
    let page = all(&house, &Filter::default()).await;
    assert_eq!((page.entries.len(), page.looked_at), (20, 20));
    assert!(
        page.entries
            .iter()
            .all(|it| !it.in_memory && it.is_on_disk())
    );
}

#[tokio::test]
async fn what_is_in_memory_only_is_listed_too() {
    let house = House::with(config(MIB, 0)).stocked(20).await;
    let pages = pages(&house, &Filter::default(), 6).await;
    let listed: Vec<_> = pages.iter().flat_map(|page| &page.entries).collect();
    assert_eq!(listed.len(), 20);
    let is_known =
        |listed: &&Listed| listed.in_memory && !listed.is_on_disk() && listed.used.is_none();
    assert!(listed.iter().all(is_known));
    assert!(house.tiers.can_list_all());
}

#[tokio::test]
async fn a_page_is_bounded_however_little_is_found() {
    let house = House::with(config(0, 64 * MIB));
    let number = MOST_LOOKED_AT + 20;
    let house = house.stocked(number).await;
    let filter = Filter {
        hash: Some(ArtifactHash::parse("none").unwrap()),
        ..Filter::default()
    };
    let pages = pages(&house, &filter, 1000).await;
    let looked_at: u64 = pages.iter().map(|page| page.looked_at).sum();
    assert_eq!(looked_at, number as u64);
    assert!(pages.len() > 1);
    for page in pages {
        assert!(page.entries.is_empty() && page.looked_at <= MOST_LOOKED_AT as u64);
    }
}

#[tokio::test]
async fn what_the_index_rules_out_is_not_opened() {
    let (house, counted) = Counted::house(config(0, 64 * MIB));
    let house = house.stocked(20).await;
    let opened = &counted.opened;
    let large = house.large("large", &bytes(MIB, 1)).await;
    house.tiers.publish(large).await.unwrap();
    let filter = Filter {
        min_size: Some(MIB),
        ..Filter::default()
    };
    // Folders are read once, whatever is looked for.
    assert_eq!(all(&house, &Filter::default()).await.looked_at, 21);
    let before = opened.load(Ordering::Relaxed);
    assert_eq!(hashes(&all(&house, &filter).await), ["large"]);
    assert_eq!(opened.load(Ordering::Relaxed) - before, 1);
    let old = Filter {
        older_than: Some(Duration::from_mins(1)),
        ..Filter::default()
    };
    assert_eq!(all(&house, &old).await.looked_at, 0);
    assert_eq!(opened.load(Ordering::Relaxed) - before, 1);
}

#[tokio::test]
async fn a_damaged_footer_is_passed_over() {
    let house = House::with(config(0, 64 * MIB)).stocked(3).await;
    let damaged = house.name_of("h1").await;
    let is_it = |path: &PathBuf| path.ends_with(damaged.to_string());
    let path = house.entries().into_iter().find(is_it).unwrap();
    let mut content = fs::read(&path).unwrap();
    *content.last_mut().unwrap() ^= 1;
    fs::write(&path, content).unwrap();
    let page = all(&house, &Filter::default()).await;
    let found: BTreeSet<_> = hashes(&page).into_iter().collect();
    assert_eq!(found, BTreeSet::from(["h0", "h2"]));
    assert!(path.exists(), "the scrubber deals with it");
}

#[tokio::test]
async fn the_uploader_is_known_in_memory_and_after_a_restart() {
    let house = House::new();
    let uploader = Uploader {
        address: Some([10, 0, 0, 7].into()),
        ..Uploader::default()
    };
    let uploader = uploader.named("ci").with_agent(b"turbo 2.11");
    let mut landing = small("a", "one");
    landing.label = landing.label.from(uploader.clone());
    house.tiers.publish(landing).await.unwrap();
    let fill = house.tiers.epoch(&key("b").digest);
    house.tiers.land(small("b", "two"), fill).await.unwrap();
    let check = async |house: &House| {
        let page = all(house, &Filter::default()).await;
        for listed in &page.entries {
            let label = &listed.meta.label;
            let expected = (label.hash.as_str() == "a").then_some(&uploader);
            assert_eq!(label.uploader.as_deref(), expected);
        }
        assert_eq!(page.entries.len(), 2);
    };
    check(&house).await;
    let house = house.restart();
    check(&house).await;
    let found = house.tiers.lookup(&key("a").digest).await.unwrap();
    let replayed = found.meta().await.unwrap().label.fields.as_map().len();
    assert_eq!(replayed, 1, "the tag alone");
}

#[tokio::test]
async fn whose_footer_cannot_be_read_is_counted() {
    let (house, sick) = Sick::house(config(0, 64 * MIB));
    let house = house.stocked(5).await;
    sick.refuse(|call| matches!(call, Call::Open(_)), Errno::MFILE);
    let page = all(&house, &Filter::default()).await;
    assert_eq!((page.entries.len(), page.unreadable), (0, 5));
    sick.heal();
    let page = all(&house, &Filter::default()).await;
    assert_eq!((page.entries.len(), page.unreadable), (5, 0));
}

#[tokio::test]
async fn a_list_says_that_the_disk_tier_was_off_for_some_of_it() {
    let turns_off = Arc::new(TurnsOff::default());
    let files = Files::watched(Arc::clone(&turns_off) as Arc<dyn Watch>);
    let house = House::watched(config(MIB, 64 * MIB), files)
        .stocked(20)
        .await;
    house.tiers.publish(small("one", "body")).await.unwrap();
    let house = house.restart();
    assert!(!all(&house, &Filter::default()).await.without_disk);
    *turns_off.0.lock() = Some(Arc::clone(house.disk()));
    assert!(all(&house, &Filter::default()).await.without_disk);
    turn(house.disk(), true);
    assert!(!all(&house, &Filter::default()).await.without_disk);
}

#[tokio::test]
async fn while_the_disk_hangs_and_is_off_what_is_in_memory_is_listed() {
    let house = House::new().stocked(5).await;
    let _held = house.tiers.shared.jobs.hold();
    turn(house.disk(), false);
    let page = all(&house, &Filter::default()).await;
    assert_eq!((page.entries.len(), page.without_disk), (5, true));
    assert!(
        page.entries
            .iter()
            .all(|it| it.in_memory && !it.is_on_disk())
    );
}

#[tokio::test]
async fn a_disk_that_is_slow_is_listed_a_little_at_a_time() {
    let slow = Arc::new(Slow::default());
    let files = Files::watched(Arc::clone(&slow) as Arc<dyn Watch>);
    let house = House::watched(config(0, 64 * MIB), files).stocked(60).await;
    slow.is_slow.store(true, Ordering::Relaxed);
    let page = all(&house, &Filter::default()).await;
    assert!((1..60).contains(&page.looked_at), "{}", page.looked_at);
    assert!(page.next.is_some());
}

#[test]
fn a_place_is_what_a_page_gave_and_nothing_else() {
    let place: Place = "0f0000000000000000000000000000ff".parse().unwrap();
    assert_eq!(place.to_string(), "0f0000000000000000000000000000ff");
    for text in [
        "",
        "ff",
        "0F0000000000000000000000000000ff",
        "+f0000000000000000000000000000ff",
    ] {
        assert_eq!(text.parse::<Place>(), Err(NoPlace), "{text}");
    }
}
