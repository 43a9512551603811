//! Room: who gives way, how much is held, what a full disk costs.

use super::*;

#[tokio::test]
async fn the_least_recently_used_give_way_and_the_bytes_stay_below_the_capacity() {
    let house = House::with(config(0, 128 * KIB));
    let body = "x".repeat(7000);
    for number in 0..40 {
        let hash = format!("n{number}");
        house.tiers.publish(small(&hash, &body)).await.unwrap();
        assert!(house.text("n0").await.is_some(), "in use, so it stays");
        let held: u64 = house
            .entries()
            .iter()
            .map(|path| fs::metadata(path).unwrap().len().div_ceil(4096) * 4096)
            .sum();
        assert!(held <= 128 * KIB, "{held}");
        let gauge = house.metrics.tier(Tier::Disk).bytes.get();
        assert_eq!(u64::try_from(gauge).unwrap(), held);
    }
    assert_eq!(house.text("n1").await, None);
    assert!(house.text("n39").await.is_some());
}

#[tokio::test]
async fn hits_in_memory_keep_an_entry_on_the_disk() {
    let house = House::with(config(MIB, 128 * KIB));
    let body = "x".repeat(7000);
    for number in 0..40 {
        let hash = format!("n{number}");
        house.tiers.publish(small(&hash, &body)).await.unwrap();
        assert_eq!(house.text("n0").await.unwrap().0, Tier::Memory);
    }
    let house = house.restart();
    assert!(house.text("n0").await.is_some());
    assert!(house.text("n1").await.is_none());
}

#[tokio::test]
async fn a_full_file_system_costs_the_disk_tier_only() {
    let mut config = config(MIB, 64 * MIB);
    config.disk.min_free = u64::MAX / 2;
    let house = House::with(config);
    house.tiers.publish(small("a", "one")).await.unwrap();
    assert_eq!(house.text("a").await, Some(on(Tier::Memory, "one")));
    assert!(house.entries().is_empty());
    let draft = house.tiers.draft(&key("b"), Some(MIB)).await;
    assert_eq!(draft.unwrap_err(), Bypass::NoRoom);
}

#[tokio::test(start_paused = true)]
async fn the_task_behind_reads_every_folder_and_trims_to_a_smaller_capacity() {
    let house = House::new();
    let body = "x".repeat(7000);
    for number in 0..40 {
        house
            .tiers
            .publish(small(&format!("n{number}"), &body))
            .await
            .unwrap();
    }
    let House { dir, tiers, .. } = house;
    drop(tiers);
    let (metrics, tasks) = (Arc::new(Metrics::new().unwrap()), Tasks::new());
    let smaller = config(0, 128 * KIB);
    let opened = Tiers::open(&smaller, dir.path(), Arc::clone(&metrics), tasks.clone());
    let tiers = opened.await.unwrap();
    let disk = tiers.shared.disk.as_ref().unwrap();
    while !(0..=u8::MAX).all(|shard| disk.is_read(shard)) || disk.is_crowded() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert!(disk.entries() > 10, "{}", disk.entries());
    assert!(metrics.tier(Tier::Disk).bytes.get() <= 128 * 1024);
    tasks.stop();
    assert_eq!(tasks.drain(Duration::from_mins(1)).await, 0);
}

#[tokio::test]
async fn where_the_file_system_refuses_unforeseen_entries_give_way_to_the_next_writer() {
    let house = House::with(config(0, 64 * MIB));
    for number in 0..100 {
        let landing = small(&format!("n{number}"), "x");
        house.tiers.publish(landing).await.unwrap();
    }
    let full = io::ErrorKind::StorageFull.into();
    assert_eq!(house.disk().fault("write", &full), Bypass::NoRoom);
    house.tiers.publish(small("next", "x")).await.unwrap();
    assert_eq!(house.disk().entries(), 100 - 64 + 1);
    assert!(!house.disk().is_crowded());
    let quota = io::ErrorKind::QuotaExceeded.into();
    assert_eq!(house.disk().fault("write", &quota), Bypass::NoRoom);
    assert!(house.disk().is_crowded(), "the task behind is told as well");
    while house.disk().trim(10) {}
    assert_eq!(house.disk().entries(), 0);
    house.tiers.publish(small("a", "x")).await.unwrap_err();
    house.tiers.publish(small("a", "x")).await.unwrap();
}

#[tokio::test]
async fn promised_bytes_are_not_free_until_they_are_written_or_given_back() {
    let house = House::with(config(0, 64 * MIB));
    // No length is claimed, so nothing is laid out ahead.
    let mut draft = house.tiers.draft(&key("a"), None).await.unwrap();
    draft.append(vec![bytes(MIB / 2, 1)]).await.unwrap();
    assert_eq!(house.disk().reserved(), MIB + MIB / 2);
    assert_eq!(house.disk().unwritten(), MIB);
    draft.append(vec![bytes(MIB / 2, 1)]).await.unwrap();
    assert_eq!(house.disk().unwritten(), MIB / 2);
    let landing = drafted("a", "whole", MIB, draft);
    house.tiers.publish(landing).await.unwrap();
    assert_eq!((house.disk().reserved(), house.disk().unwritten()), (0, 0));
}
