//! A disk that does not answer: nobody waits for it for long, nothing piles up, nothing old comes back.

use futures_util::FutureExt;
use futures_util::future::join_all;

use super::sick::{Sick, any, probe, state};
use super::*;
use crate::tiers::disk::files::Call;
use crate::tiers::scrubbing::Scrubber;

/// Runs `asking` while time goes on; paused time stands still while a thread is blocked.
async fn in_time<T>(asking: impl Future<Output = T>) -> T {
    let mut asking = std::pin::pin!(asking);
    for _ in 0..60 {
        if let Some(outcome) = asking.as_mut().now_or_never() {
            return outcome;
        }
        // Threads that do answer get the time to.
        for _ in 0..100 {
            tokio::task::yield_now().await;
            std::thread::yield_now();
        }
        tokio::time::advance(Duration::from_millis(500)).await;
    }
    panic!("somebody waits for a disk that hangs")
}

/// Waits until no job is left.
pub(super) async fn idle(house: &House) {
    while house.tiers.shared.jobs.number() != (0, 0) {
        tokio::task::yield_now().await;
    }
}

pub(super) async fn hang_until_off(house: &House, sick: &Sick) {
    sick.hang(any);
    for number in 0..3 {
        let hash = format!("off{number}");
        assert_eq!(state(house), "working");
        assert_eq!(in_time(house.text(&hash)).await, None);
    }
    assert_eq!(state(house), "off");
}

#[tokio::test(start_paused = true)]
async fn after_a_few_waits_nobody_waits_and_no_job_is_left_behind() {
    let (house, sick) = Sick::house(config(0, 64 * MIB));
    house.tiers.publish(small("a", "one")).await.unwrap();
    hang_until_off(&house, &sick).await;
    // Each hangs once its thread has come, or ends where its asker had given up before.
    while house.tiers.shared.jobs.number().1 > 0 {
        tokio::task::yield_now().await;
    }
    let (before, _) = house.tiers.shared.jobs.number();
    for number in 0..1000 {
        let key = key(&format!("n{number}"));
        assert!(
            house
                .tiers
                .lookup(&key.digest)
                .now_or_never()
                .unwrap()
                .is_none()
        );
        let draft = house.tiers.draft(&key, Some(MIB)).now_or_never();
        assert_eq!(draft.unwrap().unwrap_err(), Bypass::DiskFault);
        let published = house.tiers.publish(small("b", "two")).now_or_never();
        published.unwrap().unwrap_err();
        let forgotten = house.tiers.forget(&key.digest).now_or_never();
        forgotten.unwrap();
    }
    let (running, waiting) = house.tiers.shared.jobs.number();
    assert!(running <= before, "{running} jobs, {before} before");
    assert_eq!(waiting, 0);
    sick.heal();
    idle(&house).await;
    probe(&house).await;
    assert_eq!(state(&house), "working");
    assert_eq!(house.text("a").await, Some(on(Tier::Disk, "one")));
}

#[tokio::test(start_paused = true)]
async fn a_burst_on_a_disk_that_hangs_holds_a_bounded_number_of_threads() {
    let (house, sick) = Sick::house(config(0, 64 * MIB));
    sick.hang(any);
    let hashes: Vec<_> = (0..500).map(|number| format!("n{number}")).collect();
    let found = in_time(join_all(hashes.iter().map(|hash| house.lookup(hash)))).await;
    assert!(found.iter().all(Option::is_none));
    assert_eq!(state(&house), "off");
    assert!(house.tiers.shared.jobs.number().0 <= 32);
    sick.heal();
    idle(&house).await;
}

#[tokio::test(start_paused = true)]
async fn what_was_uploaded_or_forgotten_while_the_disk_hung_is_not_found_as_it_was() {
    for memory in [0, MIB] {
        let (house, sick) = Sick::house(config(0, 64 * MIB));
        for hash in ["up", "gone", "kept"] {
            house.tiers.publish(small(hash, "old")).await.unwrap();
        }
        let mut house = house;
        house.config.memory.capacity = memory;
        let house = house.restart();
        for hash in ["up", "gone", "kept"] {
            house.name_of(hash).await;
        }
        hang_until_off(&house, &sick).await;
        let published = house.tiers.publish(small("up", "new")).await;
        assert_eq!(published.is_ok(), memory > 0);
        house.tiers.forget(&key("gone").digest).await;
        let noted = house.tiers.epoch(&key("kept").digest);
        let fill = house.tiers.land(small("kept", "fill"), noted).await;
        fill.unwrap_err();
        sick.heal();
        idle(&house).await;
        probe(&house).await;
        let new = (memory > 0).then(|| on(Tier::Memory, "new"));
        assert_eq!(house.text("up").await, new);
        assert_eq!(house.text("gone").await, None);
        assert_eq!(house.text("kept").await, Some(on(Tier::Disk, "old")));
        house.disk().remove_doomed();
        assert_eq!(house.text("gone").await, None);
        assert_eq!(house.entries().len(), 1);
        house.tiers.publish(small("gone", "newer")).await.unwrap();
        assert!(house.text("gone").await.is_some());
    }
}

#[tokio::test(start_paused = true)]
async fn an_upload_that_hangs_is_answered_and_never_overwrites_a_later_one() {
    type Step = fn(&Call<'_>) -> bool;
    let steps: [Step; 4] = [
        |call| matches!(call, Call::Create(_)),
        |call| matches!(call, Call::Write(..)),
        |call| matches!(call, Call::Rename(..)),
        |call| matches!(call, Call::Remove(_)),
    ];
    for (number, step) in steps.into_iter().enumerate() {
        for memory in [0, MIB] {
            let (house, sick) = Sick::house(config(memory, 64 * MIB));
            house.tiers.publish(small("a", "old")).await.unwrap();
            sick.hang(step);
            in_time(house.tiers.publish(small("a", "first")))
                .await
                .unwrap_err();
            assert_eq!(house.text("a").await, None, "{number} {memory}");
            // Accepted later, and waits behind the one that hangs, or passes it.
            in_time(house.tiers.publish(small("a", "second")))
                .await
                .unwrap_err();
            sick.heal();
            idle(&house).await;
            assert_eq!(house.text("a").await, None, "{number} {memory}");
            house.disk().remove_doomed();
            let found = house.text("a").await;
            assert_eq!(found, None, "{number} {memory}");
            assert!(house.entries().is_empty(), "{number} {memory}");
            house.tiers.publish(small("a", "third")).await.unwrap();
            assert!(house.text("a").await.is_some(), "{number} {memory}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_forgotten_key_is_gone_although_the_disk_hangs_at_its_removal() {
    let (house, sick) = Sick::house(config(MIB, 64 * MIB));
    house.tiers.publish(small("a", "old")).await.unwrap();
    sick.hang(|call| matches!(call, Call::Remove(_)));
    let noted = house.tiers.epoch(&key("a").digest);
    in_time(house.tiers.forget(&key("a").digest)).await;
    assert_eq!(house.text("a").await, None);
    let late = in_time(house.tiers.land(small("a", "fill"), noted)).await;
    assert_eq!(late, Err(NotLanded::Overtaken));
    sick.heal();
    idle(&house).await;
    assert_eq!(house.text("a").await, None);
}

#[tokio::test(start_paused = true)]
async fn a_body_on_its_way_breaks_where_the_disk_hangs() {
    let (house, sick) = Sick::house(config(0, 64 * MIB));
    let body = bytes(3 * MIB, 7);
    let landing = house.large("a", &body).await;
    house.tiers.publish(landing).await.unwrap();
    let found = house.tiers.lookup(&key("a").digest).await.unwrap();
    let ArtifactBody::File(mut file) = found.open().await.unwrap().body else {
        panic!("too large to be read at once")
    };
    file.frame().await.unwrap().unwrap();
    // The page cache has it all; without it the disk is asked.
    sick.forget_pages();
    let draft = house.large("b", &body).await;
    let LandingBody::Draft(draft) = draft.body else {
        panic!("it is a draft")
    };
    sick.hang(|call| matches!(call, Call::Read(..)));
    in_time(file.frame()).await.unwrap().unwrap_err();
    in_time(draft.reader().read_at(0, 7)).await.unwrap_err();
    sick.heal();
    idle(&house).await;
    assert_eq!(state(&house), "working");
    let found = house.lookup("a").await;
    assert!(found == Some((Tier::Disk, body)), "a passing fault");
}

#[tokio::test(start_paused = true)]
async fn a_scrubber_that_stops_waits_for_no_disk_that_hangs() {
    let (house, sick) = Sick::house(config(0, 64 * MIB));
    let mut scrubber = Scrubber::resume(&house.tiers.shared, MIB).await.unwrap();
    scrubber.pass().await;
    tokio::time::advance(Duration::from_secs(2)).await;
    scrubber.forget_what_is_kept();
    sick.hang(any);
    in_time(scrubber.keep()).await;
    sick.heal();
    idle(&house).await;
}

#[tokio::test]
async fn what_could_not_be_removed_in_time_is_removed_before_the_next_start() {
    let (house, sick) = Sick::house(config(0, 64 * MIB));
    house.tiers.publish(small("a", "old")).await.unwrap();
    sick.refuse(
        |call| matches!(call, Call::Remove(_)),
        rustix::io::Errno::IO,
    );
    house.tiers.forget(&key("a").digest).await;
    sick.heal();
    house.tiers.close().await;
    let house = house.restart();
    assert_eq!(house.text("a").await, None);
}
