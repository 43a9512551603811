//! What a directory may have gone through between two starts, and what nobody may notice of it.

use std::os::unix::fs::FileExt;

use rustix::io::Errno;

use super::sick::Sick;
use super::*;
use crate::artifact::Landed;
use crate::tiers::disk::files::Call;

fn flip(path: &Path, offset: u64) {
    let file = fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open(path)
        .unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, offset).unwrap();
    file.write_all_at(&[byte[0] ^ 0x10], offset).unwrap();
}

#[tokio::test]
async fn a_flipped_byte_is_a_miss_and_is_put_aside_and_counted() {
    let house = House::new();
    house.tiers.publish(small("a", "one")).await.unwrap();
    let entries = house.entries();
    let [entry] = entries.as_slice() else {
        panic!("{entries:?}")
    };
    flip(entry, 1);
    let house = house.restart();
    assert_eq!(house.text("a").await, None);
    assert_eq!(house.metrics.tier(Tier::Disk).corrupt.get(), 1);
    assert_eq!(house.files_in("quarantine").len(), 1);
    assert!(house.entries().is_empty());
    house.tiers.publish(small("a", "two")).await.unwrap();
    assert_eq!(house.text("a").await, Some(on(Tier::Memory, "two")));
}

#[tokio::test]
async fn every_truncation_of_an_entry_is_a_miss() {
    let house = House::with(config(0, 64 * MIB));
    house.tiers.publish(small("a", "body")).await.unwrap();
    let entry = house.entries().remove(0);
    let whole = fs::read(&entry).unwrap();
    for cut in 0..whole.len() {
        fs::write(&entry, &whole[..cut]).unwrap();
        house.disk().adopt(&[name_of(&entry)]);
        assert_eq!(house.text("a").await, None, "cut at {cut}");
        assert!(!entry.exists());
    }
    fs::write(&entry, &whole).unwrap();
    house.disk().adopt(&[name_of(&entry)]);
    assert_eq!(house.text("a").await, Some(on(Tier::Disk, "body")));
}

#[tokio::test]
async fn every_flipped_byte_of_an_entry_is_a_miss() {
    let house = House::with(config(0, 64 * MIB));
    house.tiers.publish(small("a", "body")).await.unwrap();
    let entry = house.entries().remove(0);
    let whole = fs::read(&entry).unwrap();
    for position in 0..whole.len() as u64 {
        fs::write(&entry, &whole).unwrap();
        flip(&entry, position);
        house.disk().adopt(&[name_of(&entry)]);
        assert_eq!(house.text("a").await, None, "byte {position}");
    }
    assert_eq!(house.files_in("quarantine").len(), 1, "one name, kept once");
}

#[tokio::test]
async fn quarantine_is_bounded() {
    let house = House::new();
    for number in 0..20 {
        let landing = small(&format!("n{number}"), "body");
        house.tiers.publish(landing).await.unwrap();
    }
    for entry in house.entries() {
        flip(&entry, 0);
    }
    let house = house.restart();
    for number in 0..20 {
        assert_eq!(house.text(&format!("n{number}")).await, None);
    }
    assert_eq!(house.files_in("quarantine").len(), 16);
    assert!(house.entries().is_empty());
}

#[tokio::test]
async fn damage_in_a_large_body_breaks_it_before_the_damaged_bytes_leave() {
    let house = House::new();
    let body = bytes(17 * MIB, 7);
    let large = house.large("a", &body).await;
    house.tiers.publish(large).await.unwrap();
    flip(&house.entries().remove(0), 9 * MIB);
    let house = house.restart();
    let found = house.tiers.lookup(&key("a").digest).await.unwrap();
    let ArtifactBody::File(mut file) = found.open().await.unwrap().body else {
        panic!("too large to be read as one")
    };
    let mut received = Vec::new();
    let ending = loop {
        match file.frame().await {
            Some(Ok(frame)) => received.extend_from_slice(&frame.into_data().unwrap()),
            ending => break ending,
        }
    };
    assert!(matches!(ending, Some(Err(Damaged))));
    assert_eq!(received.len() as u64, 9 * MIB);
    assert_eq!(received, body[..received.len()]);
}

#[tokio::test]
async fn a_large_body_read_whole_is_checked_only_once() {
    let house = House::new();
    let body = bytes(17 * MIB, 7);
    let large = house.large("a", &body).await;
    house.tiers.publish(large).await.unwrap();
    let house = house.restart();
    let name = name_of(&house.entries().remove(0));
    assert!(house.lookup("missing").await.is_none());
    assert_eq!(house.lookup("a").await, Some((Tier::Disk, body)));
    assert!(!house.disk().is_first_read(&name));
}

#[tokio::test]
async fn a_body_between_is_checked_before_its_first_byte() {
    let house = House::new();
    let large = house.large("a", &bytes(2 * MIB, 7)).await;
    house.tiers.publish(large).await.unwrap();
    flip(&house.entries().remove(0), 2 * MIB - 1);
    let house = house.restart();
    let found = house.tiers.lookup(&key("a").digest).await.unwrap();
    assert_eq!(found.open().await.unwrap_err(), Damaged);
}

#[tokio::test]
async fn always_means_that_what_this_process_wrote_is_checked_too() {
    let mut config = config(0, 64 * MIB);
    config.disk.verify = config::Verify::Always;
    let house = House::with(config);
    let large = house.large("a", &bytes(2 * MIB, 7)).await;
    house.tiers.publish(large).await.unwrap();
    assert!(house.lookup("a").await.is_some());
    flip(&house.entries().remove(0), MIB);
    assert!(house.lookup("a").await.is_none());
}

#[tokio::test]
async fn a_file_under_another_keys_name_is_a_miss() {
    let house = House::with(config(0, 64 * MIB));
    house.tiers.publish(small("a", "body")).await.unwrap();
    let entry = house.entries().remove(0);
    let whole = fs::read(&entry).unwrap();
    house.tiers.publish(small("b", "ydob")).await.unwrap();
    let other = house
        .entries()
        .into_iter()
        .find(|path| *path != entry)
        .unwrap();
    fs::write(&other, whole).unwrap();
    assert_eq!(house.text("b").await, None);
    assert_eq!(house.text("a").await, Some(on(Tier::Disk, "body")));
}

#[tokio::test]
async fn of_two_files_of_a_key_the_newer_wins_and_the_older_goes() {
    let house = House::new();
    house.tiers.publish(small("a", "old")).await.unwrap();
    let old = house.entries().remove(0);
    let saved = fs::read(&old).unwrap();
    house.tiers.publish(small("a", "new")).await.unwrap();
    fs::write(&old, saved).unwrap();
    let house = house.restart();
    assert_eq!(house.text("a").await, Some(on(Tier::Disk, "new")));
    assert_eq!(house.entries().len(), 1);
}

#[tokio::test]
async fn if_the_newest_file_of_a_key_is_damaged_no_older_one_comes_back() {
    let house = House::new();
    house.tiers.publish(small("a", "old")).await.unwrap();
    let old = house.entries().remove(0);
    let saved = fs::read(&old).unwrap();
    house.tiers.publish(small("a", "new")).await.unwrap();
    flip(&house.entries().remove(0), 0);
    let house = house.restart();
    // Comes up after the folder was read, as if its removal had failed.
    assert_eq!(house.text("b").await, None);
    house
        .disk()
        .read_shard(name_of(&old).prefix.shard())
        .unwrap();
    fs::write(&old, saved).unwrap();
    assert_eq!(house.text("a").await, None);
    assert!(house.entries().is_empty());
    assert_eq!(house.restart().text("a").await, None);
}

fn staged(house: &House, text: &str) -> disk::Staged {
    let key = key("a");
    let meta = crate::artifact::Meta {
        label: label(&key, text),
        size: text.len() as u64,
        landed: Landed::now(),
    };
    disk::Staged::write(house.disk(), &key, &meta, text.as_bytes()).unwrap()
}

#[tokio::test]
async fn an_upload_does_not_land_beside_a_higher_serial_that_cannot_be_removed() {
    let (house, sick) = Sick::house(config(0, 64 * MIB));
    let (first, second) = (staged(&house, "first"), staged(&house, "second"));
    house.disk().commit(second).unwrap();
    sick.refuse(|call| matches!(call, Call::Remove(_)), Errno::IO);
    house.disk().commit(first).unwrap_err();
    assert_eq!(
        house.entries().len(),
        1,
        "the next start would find the higher"
    );
}

#[tokio::test]
async fn the_upload_that_lands_last_wins_whatever_its_serial() {
    let house = House::new();
    let (first, second) = (staged(&house, "first"), staged(&house, "second"));
    house.disk().commit(second).unwrap();
    house.disk().commit(first).unwrap();
    assert_eq!(house.entries().len(), 1);
    let house = house.restart();
    assert_eq!(house.text("a").await, Some(on(Tier::Disk, "first")));
}

#[tokio::test]
async fn a_lost_count_of_starts_brings_nothing_old_back() {
    let mut house = House::new();
    for _ in 0..3 {
        house = house.restart();
    }
    house.tiers.publish(small("a", "old")).await.unwrap();
    let old = house.entries().remove(0);
    let saved = fs::read(&old).unwrap();
    fs::remove_file(house.dir.path().join("v1/epoch")).unwrap();
    let house = house.restart();
    house.tiers.publish(small("a", "new")).await.unwrap();
    // As if the old file's removal had been lost with the power.
    fs::write(&old, saved).unwrap();
    let house = house.restart();
    assert_eq!(house.text("a").await, Some(on(Tier::Disk, "new")));
}

#[tokio::test]
async fn a_look_up_after_a_start_reads_one_folder() {
    let house = House::new();
    for number in 0..20 {
        let landing = small(&format!("n{number}"), "body");
        house.tiers.publish(landing).await.unwrap();
    }
    let house = house.restart();
    assert_eq!(house.disk().entries(), 0);
    assert_eq!(house.text("n7").await, Some(on(Tier::Disk, "body")));
    let read = (0..=u8::MAX).filter(|shard| house.disk().is_read(*shard));
    assert_eq!(read.count(), 1);
}

#[tokio::test]
async fn what_is_too_old_is_not_found_and_is_swept() {
    let house = House::new();
    let (key, body) = (key("a"), b"body");
    let age = house.config.disk.max_age.as_secs();
    let meta = crate::artifact::Meta {
        label: label(&key, "old"),
        size: 4,
        landed: Landed::from_secs(Landed::now().as_secs() - age),
    };
    let staged = disk::Staged::write(house.disk(), &key, &meta, body).unwrap();
    house.disk().commit(staged).unwrap();
    assert!(house.tiers.lookup(&key.digest).await.is_none());
    assert_eq!(house.entries().len(), 1);
    assert!(!house.disk().expire(10));
    assert!(house.entries().is_empty());
}

#[tokio::test]
async fn a_missing_file_is_a_miss_and_leaves_the_index() {
    let house = House::with(config(0, 64 * MIB));
    house.tiers.publish(small("a", "one")).await.unwrap();
    fs::remove_file(house.entries().remove(0)).unwrap();
    assert_eq!(house.text("a").await, None);
    assert_eq!(house.metrics.tier(Tier::Disk).entries.get(), 0);
    assert_eq!(house.metrics.tier(Tier::Disk).corrupt.get(), 0);
}

#[tokio::test]
async fn a_link_in_the_place_of_an_entry_is_not_followed() {
    let house = House::with(config(0, 64 * MIB));
    house.tiers.publish(small("a", "one")).await.unwrap();
    let entry = house.entries().remove(0);
    let elsewhere = house.dir.path().join("elsewhere");
    fs::rename(&entry, &elsewhere).unwrap();
    std::os::unix::fs::symlink(&elsewhere, &entry).unwrap();
    assert_eq!(house.text("a").await, None);
    assert!(elsewhere.exists());
}

#[tokio::test]
async fn folders_removed_while_running_are_made_again() {
    let house = House::new();
    fs::remove_dir_all(house.dir.path().join("v1")).unwrap();
    house.tiers.publish(small("a", "one")).await.unwrap();
    assert_eq!(house.entries().len(), 1);
    let house = house.restart();
    assert_eq!(house.text("a").await, Some(on(Tier::Disk, "one")));
}

#[tokio::test]
async fn a_second_owner_is_refused_while_the_first_lives() {
    let house = House::new();
    let second = Tiers::open(
        &house.config,
        house.dir.path(),
        Arc::clone(&house.metrics),
        Tasks::new(),
    );
    let refused = second.await.unwrap_err();
    let OpenError::AlreadyOwned { owner, .. } = refused else {
        panic!("{refused}")
    };
    assert_eq!(owner, Some(std::process::id()));
}

fn name_of(path: &Path) -> disk::EntryName {
    let name = path.file_name().unwrap().to_str().unwrap();
    disk::EntryName::parse(name).unwrap()
}
