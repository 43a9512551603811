//! A directory, or a part of it, that somebody removed while it was in use.

use super::sick::{Sick, probe, state};
use super::*;
use crate::metrics::DiskFault;
use crate::tiers::disk::Owner;

async fn with_ten_entries() -> House {
    let (house, _) = Sick::house(config(0, 64 * MIB));
    for number in 0..10 {
        let landing = small(&format!("n{number}"), "old");
        house.tiers.publish(landing).await.unwrap();
    }
    house
}

/// What must be so whatever was removed: nothing old is found or counted, and all works.
async fn assert_all_is_gone_and_works(house: &House, what: &str) {
    house.disk().drop_missing();
    for number in 0..10 {
        assert_eq!(house.text(&format!("n{number}")).await, None, "{what}");
    }
    house.tiers.report();
    let gauges = house.metrics.tier(Tier::Disk);
    assert_eq!((gauges.bytes.get(), gauges.entries.get()), (0, 0), "{what}");
    assert_eq!(house.disk().reserved(), 0, "{what}");
    house.tiers.publish(small("n1", "new")).await.unwrap();
    let large = bytes(MIB, 3);
    let landing = house.large("large", &large).await;
    house.tiers.publish(landing).await.unwrap();
    assert_eq!(house.text("n1").await, Some(on(Tier::Disk, "new")));
    assert_eq!(house.lookup("large").await, Some((Tier::Disk, large)));
}

#[tokio::test(start_paused = true)]
async fn a_removed_directory_is_made_anew_and_its_entries_are_forgotten() {
    for what in ["", "v1", "v1/entries", "v1/tmp"] {
        let house = with_ten_entries().await;
        let last = house.name_of("n1").await;
        fs::remove_dir_all(house.dir.path().join(what)).unwrap();
        upkeep::look(house.disk()).await;
        let was_opened_anew = ["", "v1"].contains(&what);
        assert_eq!(state(&house) == "off", was_opened_anew, "{what}");
        if was_opened_anew {
            assert!(house.metrics.disk.faults(DiskFault::Gone) > 0);
        }
        probe(&house).await;
        assert_eq!(state(&house), "working", "{what}");
        if what != "v1/tmp" {
            assert_all_is_gone_and_works(&house, what).await;
            let next = house.name_of("n1").await;
            assert!(next.serial > last.serial, "{what}");
            assert_eq!(next.serial.epoch() > last.serial.epoch(), was_opened_anew);
            let house = house.restart();
            assert_eq!(house.text("n1").await, Some(on(Tier::Disk, "new")));
            continue;
        }
        assert_eq!(house.text("n1").await, Some(on(Tier::Disk, "old")));
        house.tiers.publish(small("n1", "new")).await.unwrap();
        assert_eq!(house.text("n1").await, Some(on(Tier::Disk, "new")));
    }
}

#[tokio::test]
async fn entries_of_a_removed_folder_are_forgotten_and_all_others_kept() {
    let house = with_ten_entries().await;
    let folder = house.entries().remove(0).parent().unwrap().to_owned();
    let gone = fs::read_dir(&folder).unwrap().count();
    fs::remove_dir_all(&folder).unwrap();
    assert_eq!(house.disk().drop_missing(), gone);
    assert_eq!(house.disk().drop_missing(), 0);
    assert_eq!(house.disk().entries(), 10 - gone);
    assert_eq!(house.entries().len(), 10 - gone);
    let bytes = house.metrics.tier(Tier::Disk).bytes.get();
    assert_eq!(bytes, 4096 * i64::try_from(10 - gone).unwrap());
}

#[tokio::test]
async fn a_directory_that_is_away_for_a_moment_costs_no_entry() {
    let house = with_ten_entries().await;
    let (path, away) = (house.dir.path(), tempfile::tempdir().unwrap());
    let away = away.path().join("data");
    fs::rename(path, &away).unwrap();
    assert_eq!(house.disk().drop_missing(), 0);
    fs::rename(&away, path).unwrap();
    upkeep::look(house.disk()).await;
    assert_eq!(state(&house), "working");
    assert_eq!(house.text("n1").await, Some(on(Tier::Disk, "old")));
}

#[tokio::test]
async fn a_draft_of_whoever_took_the_directory_is_left_alone() {
    let (robbed, next) = (
        House::with(config(0, 64 * MIB)),
        tempfile::tempdir().unwrap(),
    );
    let body = bytes(MIB, 3);
    let lost = robbed.large("lost", &body).await;
    let path = robbed.dir.path().to_owned();
    fs::rename(&path, next.path().join("old")).unwrap();
    let other = open(&robbed.config, &path, &robbed.metrics, &robbed.files);
    let draft = other.draft(&key("a"), Some(MIB)).await.unwrap();
    let late = robbed.tiers.publish(lost).await;
    late.unwrap_err();
    robbed.tiers.shared.jobs.run(|| ()).await.unwrap();
    assert_eq!(robbed.files_in("tmp").len(), 1);
    drop((draft, other));
}

#[tokio::test(start_paused = true)]
async fn whoever_took_the_directory_in_between_is_left_alone_until_it_goes() {
    let house = with_ten_entries().await;
    let path = house.dir.path().to_owned();
    fs::remove_dir_all(&path).unwrap();
    let other = Owner::take(&path).unwrap();
    fs::create_dir_all(path.join("v1/tmp")).unwrap();
    // Before anybody has looked.
    house.tiers.publish(small("a", "one")).await.unwrap_err();
    assert_eq!(state(&house), "off");
    probe(&house).await;
    assert_eq!(state(&house), "off");
    house.tiers.publish(small("a", "two")).await.unwrap_err();
    assert_eq!(house.text("n1").await, None);
    assert!(house.files_in("tmp").is_empty());
    assert!(!path.join("v1/entries").exists());
    drop(other);
    probe(&house).await;
    assert_eq!(state(&house), "working");
    assert_all_is_gone_and_works(&house, "taken").await;
}

#[tokio::test(start_paused = true)]
async fn a_removed_lock_is_taken_again_and_costs_no_entry() {
    let house = with_ten_entries().await;
    fs::remove_file(house.dir.path().join("lock")).unwrap();
    upkeep::look(house.disk()).await;
    assert_eq!(state(&house), "off");
    probe(&house).await;
    assert_eq!(state(&house), "working");
    assert_eq!(house.text("n1").await, Some(on(Tier::Disk, "old")));
    Owner::take(house.dir.path()).err().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_directory_that_comes_back_brings_nothing_old_with_it() {
    let house = with_ten_entries().await;
    let (path, away) = (house.dir.path().to_owned(), tempfile::tempdir().unwrap());
    let away = away.path().join("data");
    fs::rename(&path, &away).unwrap();
    upkeep::look(house.disk()).await;
    probe(&house).await;
    house.tiers.publish(small("n1", "new")).await.unwrap();
    fs::remove_dir_all(&path).unwrap();
    fs::rename(&away, &path).unwrap();
    upkeep::look(house.disk()).await;
    probe(&house).await;
    assert_eq!(state(&house), "working");
    for number in 0..10 {
        assert_eq!(house.text(&format!("n{number}")).await, None);
    }
}

#[tokio::test]
async fn what_is_none_of_ours_is_counted() {
    let house = with_ten_entries().await;
    let folder = house.entries().remove(0).parent().unwrap().to_owned();
    let house = house.restart();
    fs::write(folder.join("notes"), b"").unwrap();
    fs::create_dir(folder.join("folder")).unwrap();
    std::os::unix::fs::symlink("/nowhere", folder.join("link")).unwrap();
    for shard in 0..=u8::MAX {
        house.disk().read_shard(shard).unwrap();
    }
    assert_eq!(house.metrics.disk.foreign.get(), 3);
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 3 + 1);
}
