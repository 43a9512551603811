//! A disk that refuses: what cannot be removed or read is not found, and hurts nothing else.

use std::io::ErrorKind;
use std::os::unix::fs::symlink;

use super::*;
use crate::artifact::{Landed, Meta};
use crate::metrics::Eviction;

/// The folder of the only entry, out of the way: no call in it succeeds while this lives.
struct Refusing {
    folder: PathBuf,
    away: PathBuf,
}

// === impl Refusing ===

impl Refusing {
    fn folder_of_the_only_entry(house: &House) -> Self {
        let folder = house.entries().remove(0).parent().unwrap().to_owned();
        let away = house.dir.path().join("away");
        fs::rename(&folder, &away).unwrap();
        symlink("/nowhere", &folder).unwrap();
        Self { folder, away }
    }
}

impl Drop for Refusing {
    fn drop(&mut self) {
        fs::remove_file(&self.folder).unwrap();
        fs::rename(&self.away, &self.folder).unwrap();
    }
}

#[tokio::test]
async fn what_could_not_be_forgotten_in_an_unread_folder_is_not_found_when_it_can_be_read() {
    let house = House::with(config(0, 64 * MIB));
    house.tiers.publish(small("a", "old")).await.unwrap();
    let house = house.restart();
    let refusing = Refusing::folder_of_the_only_entry(&house);
    house.tiers.publish(small("a", "new")).await.unwrap_err();
    house.tiers.forget(&key("a").digest).await;
    drop(refusing);
    assert_eq!(house.text("a").await, None, "an upload was accepted since");
    assert!(house.entries().is_empty());
    house.disk().remove_doomed();
    house.tiers.publish(small("a", "newer")).await.unwrap();
    assert_eq!(house.text("a").await, Some(on(Tier::Disk, "newer")));
}

#[tokio::test]
async fn what_could_not_be_forgotten_stays_counted_and_unfound_until_it_is_removed() {
    let house = House::with(config(0, 64 * MIB));
    house.tiers.publish(small("a", "old")).await.unwrap();
    let refusing = Refusing::folder_of_the_only_entry(&house);
    house.tiers.forget(&key("a").digest).await;
    drop(refusing);
    assert_eq!(house.text("a").await, None);
    assert_eq!((house.entries().len(), house.disk().entries()), (1, 1));
    house.disk().remove_doomed();
    assert_eq!((house.entries().len(), house.disk().entries()), (0, 0));
}

#[tokio::test]
async fn an_upload_of_a_key_that_could_not_be_forgotten_removes_the_old_entry_first() {
    let house = House::with(config(0, 64 * MIB));
    house.tiers.publish(small("a", "old")).await.unwrap();
    let refusing = Refusing::folder_of_the_only_entry(&house);
    house.tiers.forget(&key("a").digest).await;
    drop(refusing);
    house.tiers.publish(small("a", "new")).await.unwrap();
    assert_eq!(house.text("a").await, Some(on(Tier::Disk, "new")));
    assert_eq!(house.entries().len(), 1);
}

#[tokio::test]
async fn an_entry_the_disk_cannot_read_is_found_once() {
    let house = House::with(config(0, 64 * MIB));
    house.tiers.publish(small("a", "one")).await.unwrap();
    let name = house.name_of("a").await;
    let error = rustix::io::Errno::IO.into();
    house.disk().condemn(&name, &disk::Fault::Failing(error));
    assert_eq!(house.text("a").await, None);
    assert!(house.entries().is_empty());
    assert!(house.files_in("quarantine").is_empty());
}

#[tokio::test]
async fn a_shortage_of_the_process_condemns_no_entry() {
    use rustix::io::Errno;
    let house = House::with(config(0, 64 * MIB));
    house.tiers.publish(small("a", "one")).await.unwrap();
    let name = house.name_of("a").await;
    let shortages = [Errno::MFILE, Errno::NFILE, Errno::NOMEM].map(Into::into);
    for error in shortages.into_iter().chain([ErrorKind::TimedOut.into()]) {
        house.disk().condemn(&name, &disk::Fault::Failing(error));
    }
    assert_eq!(house.text("a").await, Some(on(Tier::Disk, "one")));
}

#[tokio::test]
async fn an_old_read_error_does_not_take_a_newer_entry() {
    let house = House::with(config(0, 64 * MIB));
    house.tiers.publish(small("a", "one")).await.unwrap();
    let name = house.name_of("a").await;
    house.tiers.publish(small("a", "two")).await.unwrap();
    let error = rustix::io::Errno::IO.into();
    house.disk().condemn(&name, &disk::Fault::Failing(error));
    assert_eq!(house.text("a").await, Some(on(Tier::Disk, "two")));
}

#[tokio::test]
async fn entries_that_cannot_be_removed_do_not_keep_others_from_expiring() {
    const STUCK: usize = 3;
    let house = House::with(config(0, 64 * MIB));
    let old = Landed::now().as_secs() - house.config.disk.max_age.as_secs() - 100;
    for number in 0..10 {
        let key = key(&format!("n{number}"));
        let meta = Meta {
            label: label(&key, "old"),
            size: 4,
            landed: Landed::from_secs(old + number),
        };
        let staged = disk::Staged::write(house.disk(), &key, &meta, b"body").unwrap();
        house.disk().commit(staged).unwrap();
        if house.entries().len() <= STUCK {
            let is_new = |path: &PathBuf| !path.ends_with("inside");
            let new = house.entries().into_iter().find(is_new).unwrap();
            // A folder is not removed as a file is.
            fs::remove_file(&new).unwrap();
            fs::create_dir(&new).unwrap();
            fs::write(new.join("inside"), b"").unwrap();
        }
    }
    for _ in 0..10 {
        house.disk().expire(2);
    }
    assert_eq!(house.disk().entries(), STUCK);
}

#[tokio::test]
async fn an_entry_that_was_evicted_and_filled_anew_is_not_promoted() {
    let house = House::new();
    house.tiers.publish(small("a", "one")).await.unwrap();
    let house = house.restart();
    let Some(Found::Disk(old)) = house.tiers.lookup(&key("a").digest).await else {
        panic!("it rests on the disk")
    };
    let name = house.name_of("a").await;
    house.disk().evict(&name, Eviction::Size).unwrap();
    let noted = house.tiers.epoch(&key("a").digest);
    house.tiers.land(small("a", "two"), noted).await.unwrap();
    let meta = Meta {
        label: label(&key("a"), "one"),
        size: 3,
        landed: Landed::now(),
    };
    old.promote(&Arc::new(meta), &Bytes::from_static(b"one"));
    assert_eq!(house.text("a").await, Some(on(Tier::Memory, "two")));
}
