//! A disk that takes nothing any more: who asks is told at once, what rests is found, and it comes
//! back by itself.

use futures_util::FutureExt;
use rustix::io::Errno;

use super::sick::{Sick, any, changes, probe, state, writes};
use super::*;
use crate::metrics::DiskFault;
use crate::tiers::disk::files::Call;

/// Uploads until the tier takes nothing any more, and fails where it never comes to that.
async fn until_read_only(house: &House) {
    for number in 0..10 {
        if state(house) != "working" {
            return;
        }
        let landing = small(&format!("n{number}"), "lost");
        house.tiers.publish(landing).await.unwrap_err();
    }
    panic!("it goes on and on");
}

#[tokio::test(start_paused = true)]
async fn a_disk_that_takes_nothing_is_read_and_asked_no_more_until_it_works() {
    for (reason, kind, bypass) in [
        (Errno::NOSPC, DiskFault::Full, Bypass::NoRoom),
        (Errno::DQUOT, DiskFault::Quota, Bypass::NoRoom),
        (Errno::IO, DiskFault::Io, Bypass::DiskFault),
        (Errno::MFILE, DiskFault::Files, Bypass::DiskFault),
        (Errno::ROFS, DiskFault::ReadOnly, Bypass::DiskFault),
    ] {
        let (house, sick) = Sick::house(config(0, 64 * MIB));
        house.tiers.publish(small("a", "one")).await.unwrap();
        let is_for_room = matches!(reason, Errno::NOSPC | Errno::DQUOT);
        sick.refuse(if is_for_room { writes } else { changes }, reason);
        until_read_only(&house).await;
        assert_eq!(state(&house), "read-only", "{reason:?}");
        assert!(house.metrics.disk.faults(kind) > 0, "{reason:?}");
        // For want of room it gave way first.
        if !is_for_room {
            assert_eq!(house.text("a").await, Some(on(Tier::Disk, "one")));
        }
        let calls = sick.calls();
        let draft = house.tiers.draft(&key("b"), Some(MIB)).now_or_never();
        assert_eq!(draft.unwrap().unwrap_err(), bypass, "{reason:?}");
        assert_eq!(house.tiers.admit(Some(7)), Err(bypass), "{reason:?}");
        assert_eq!(sick.calls(), calls, "nobody asked the disk");
        probe(&house).await;
        assert_eq!(state(&house), "read-only", "{reason:?}");
        sick.heal();
        probe(&house).await;
        assert_eq!(state(&house), "working", "{reason:?}");
        assert!(house.files_in("tmp").is_empty(), "{reason:?}");
        house.tiers.publish(small("b", "two")).await.unwrap();
        assert_eq!(house.text("b").await, Some(on(Tier::Disk, "two")));
    }
}

#[tokio::test(start_paused = true)]
async fn while_the_disk_takes_nothing_memory_does() {
    let (house, sick) = Sick::house(config(MIB, 64 * MIB));
    house.tiers.publish(small("a", "one")).await.unwrap();
    sick.refuse(changes, Errno::ROFS);
    house.tiers.publish(small("a", "two")).await.unwrap();
    assert_eq!(state(&house), "read-only");
    assert_eq!(house.text("a").await, Some(on(Tier::Memory, "two")));
    house.tiers.forget(&key("a").digest).await;
    assert_eq!(house.text("a").await, None);
    sick.heal();
    probe(&house).await;
    assert_eq!(house.text("a").await, None, "the old file is still there");
    house.disk().remove_doomed();
    assert!(house.entries().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_passing_shortage_or_a_read_only_disk_gives_up_no_entry() {
    for reason in [Errno::MFILE, Errno::NFILE, Errno::NOMEM, Errno::ROFS] {
        let (house, sick) = Sick::house(config(0, 64 * MIB));
        house.tiers.publish(small("a", "one")).await.unwrap();
        sick.refuse(any, reason);
        for _ in 0..20 {
            assert_eq!(house.text("a").await, None);
        }
        sick.heal();
        assert_eq!(house.text("a").await, Some(on(Tier::Disk, "one")));
    }
}

#[tokio::test(start_paused = true)]
async fn a_device_that_reads_nothing_takes_only_a_few_entries_with_it() {
    let (house, sick) = Sick::house(config(0, 64 * MIB));
    for number in 0..30 {
        let landing = small(&format!("n{number}"), "one");
        house.tiers.publish(landing).await.unwrap();
    }
    sick.refuse(any, Errno::IO);
    for number in 0..30 {
        assert_eq!(house.text(&format!("n{number}")).await, None);
    }
    assert_eq!(state(&house), "off");
    sick.heal();
    probe(&house).await;
    house.disk().remove_doomed();
    assert_eq!(house.disk().entries(), 30 - 8);
    assert_eq!(house.text("n29").await, Some(on(Tier::Disk, "one")));
}

#[tokio::test(start_paused = true)]
async fn a_disk_too_full_to_count_the_start_costs_its_tier_until_there_is_room() {
    let (house, sick) = Sick::house(config(MIB, 64 * MIB));
    house.tiers.publish(small("a", "one")).await.unwrap();
    sick.refuse(writes, Errno::NOSPC);
    let house = house.restart();
    assert_eq!(state(&house), "off");
    assert_eq!(house.text("a").await, None);
    let noted = house.tiers.epoch(&key("b").digest);
    house.tiers.land(small("b", "fill"), noted).await.unwrap();
    house.tiers.publish(small("c", "two")).await.unwrap();
    assert_eq!(house.text("b").await, Some(on(Tier::Memory, "fill")));
    assert_eq!(house.text("c").await, Some(on(Tier::Memory, "two")));
    let draft = house.tiers.draft(&key("d"), Some(MIB)).await;
    assert_eq!(draft.unwrap_err(), Bypass::NoRoom);
    probe(&house).await;
    assert_eq!(state(&house), "off");
    sick.heal();
    probe(&house).await;
    assert_eq!(state(&house), "working");
    assert_eq!(house.text("a").await, Some(on(Tier::Disk, "one")));
    house.disk().remove_doomed();
    house.tiers.publish(small("d", "three")).await.unwrap();
    let house = house.restart();
    assert_eq!(house.text("d").await, Some(on(Tier::Disk, "three")));
    assert_eq!(house.text("c").await, None, "it was in memory only");
}

#[tokio::test]
async fn a_disk_that_may_not_be_written_does_not_start() {
    let sick = Arc::new(Sick::default());
    let files = Files::watched(Arc::clone(&sick) as Arc<dyn disk::files::shim::Watch>);
    sick.refuse(changes, Errno::ACCESS);
    let (dir, metrics) = (tempfile::tempdir().unwrap(), Metrics::new().unwrap());
    let opened = Shared::open(&config(0, MIB), dir.path(), &Arc::new(metrics), files);
    assert!(matches!(opened.err(), Some(OpenError::Unusable { .. })));
}

#[tokio::test]
async fn where_too_many_keys_are_doomed_everything_goes_and_the_tier_goes_on() {
    let house = House::with(config(0, 64 * MIB));
    house.tiers.publish(small("a", "one")).await.unwrap();
    for number in 0..=1_u32 << 16 {
        let mut digest = [7; 32];
        digest[..4].copy_from_slice(&number.to_be_bytes());
        let prefix = disk::Prefix::of(&KeyDigest::from_bytes(digest));
        house.disk().doom(&prefix);
    }
    assert_eq!(house.text("a").await, None);
    house.tiers.publish(small("b", "two")).await.unwrap_err();
    house.disk().remove_everything();
    assert!(house.entries().is_empty());
    assert_eq!(house.disk().entries(), 0);
    house.tiers.publish(small("b", "two")).await.unwrap();
    assert_eq!(house.text("b").await, Some(on(Tier::Disk, "two")));
}

#[tokio::test]
async fn where_replaced_files_stay_behind_again_and_again_nothing_more_is_stored() {
    let (house, sick) = Sick::house(config(0, MIB));
    house.tiers.publish(small("a", "zero")).await.unwrap();
    sick.refuse(|call| matches!(call, Call::Remove(_)), Errno::ACCESS);
    for text in ["one", "two", "three"] {
        house.tiers.publish(small("a", text)).await.unwrap();
        assert_eq!(house.text("a").await, Some(on(Tier::Disk, text)));
    }
    let refused = house.tiers.publish(small("b", "four")).await;
    assert_eq!(refused, Err(Bypass::DiskFault));
    assert!(house.entries().len() <= 4, "what stays behind is bounded");
}
