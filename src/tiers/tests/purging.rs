//! What an operator wants gone is gone, and nothing else.

use std::sync::atomic::Ordering;

use rustix::io::Errno;

use super::listing::{Counted, all, turn};
use super::sick::Sick;
use super::*;
use crate::tiers::disk::files::Call;

#[tokio::test]
async fn what_is_removed_is_gone_from_both_tiers_and_the_directory() {
    let house = House::new().stocked(100).await;
    let filter = Filter {
        hash: Some(key("h7").hash),
        ..Filter::default()
    };
    let page = all(&house, &filter).await;
    assert_eq!(house.tiers.remove(&page.entries).await, [key("h7").digest]);
    assert_eq!(house.text("h7").await, None);
    assert_eq!(house.entries().len(), 99);
    let rest = all(&house, &Filter::default()).await.entries;
    assert_eq!(house.tiers.remove(&rest).await.len(), 99);
    assert!(house.entries().is_empty());
    let house = house.restart();
    assert!(all(&house, &Filter::default()).await.entries.is_empty());
    assert_eq!(house.text("h8").await, None);
}

#[tokio::test]
async fn a_fill_from_before_a_purge_does_not_land() {
    let house = House::new().stocked(1).await;
    let of_entry = house.tiers.epoch(&key("h0").digest);
    let of_other = house.tiers.epoch(&key("other").digest);
    let page = all(&house, &Filter::default()).await;
    house.tiers.remove(&page.entries).await;
    let late = house.tiers.land(small("h0", "old"), of_entry).await;
    assert_eq!(late, Err(NotLanded::Overtaken));
    house.tiers.outdate_all().await.unwrap();
    let late = house.tiers.land(small("other", "old"), of_other).await;
    assert_eq!(late, Err(NotLanded::Overtaken));
    let now = house.tiers.epoch(&key("other").digest);
    house.tiers.land(small("other", "new"), now).await.unwrap();
    assert_eq!(house.text("other").await, Some(on(Tier::Memory, "new")));
    assert_eq!(house.text("h0").await, None);
}

#[tokio::test]
async fn what_replaced_a_listed_entry_is_spared_though_it_came_in_the_same_second() {
    for config in [config(MIB, 64 * MIB), config(0, 64 * MIB), config(MIB, 0)] {
        let house = House::with(config).stocked(2).await;
        let page = all(&house, &Filter::default()).await;
        house.tiers.publish(small("h0", "new")).await.unwrap();
        assert_eq!(house.tiers.remove(&page.entries).await, [key("h1").digest]);
        let (_, text) = house.text("h0").await.unwrap();
        assert_eq!(text, "new");
    }
}

#[tokio::test]
async fn what_was_promoted_since_it_was_listed_is_removed() {
    let house = House::new().stocked(1).await.restart();
    let page = all(&house, &Filter::default()).await;
    for tier in [Tier::Disk, Tier::Memory] {
        assert_eq!(house.text("h0").await, Some(on(tier, "body")));
    }
    assert_eq!(house.tiers.remove(&page.entries).await.len(), 1);
    assert_eq!(house.text("h0").await, None);
}

#[tokio::test]
async fn whoever_removes_much_lists_no_folder_for_each() {
    let (house, counted) = Counted::house(config(0, 64 * MIB));
    let house = house.stocked(100).await;
    let page = all(&house, &Filter::default()).await;
    let before = counted.listed.load(Ordering::Relaxed);
    assert_eq!(house.tiers.remove(&page.entries).await.len(), 100);
    assert_eq!(counted.listed.load(Ordering::Relaxed), before);
    assert!(house.entries().is_empty());
}

#[tokio::test]
async fn what_cannot_be_removed_is_gone_all_the_same() {
    for is_off in [false, true] {
        let (house, sick) = Sick::house(config(MIB, 64 * MIB));
        let house = house.stocked(3).await;
        let page = all(&house, &Filter::default()).await;
        sick.refuse(|call| matches!(call, Call::Remove(_)), Errno::ACCESS);
        if is_off {
            turn(house.disk(), false);
        }
        assert_eq!(house.tiers.remove(&page.entries).await.len(), 3);
        assert_eq!(house.entries().len(), 3);
        sick.heal();
        turn(house.disk(), true);
        assert_eq!(house.text("h0").await, None);
        house.disk().remove_doomed();
        assert!(house.entries().is_empty());
    }
}
