//! What is opened and on its way: held, bounded, waited for.

use super::*;

#[tokio::test]
async fn bodies_on_their_way_to_slow_readers_are_held_in_memory_only_up_to_a_bound() {
    let house = House::with(config(0, 64 * MIB));
    let body = bytes(100 * KIB, 1);
    let large = house.large("a", &body).await;
    house.tiers.publish(large).await.unwrap();
    let open = async || {
        // With no file open from before.
        house.disk().let_go_of_all();
        let found = house.tiers.lookup(&key("a").digest).await.unwrap();
        found.open().await.unwrap().body
    };
    let rights = &house.disk().whole_reads;
    let all = rights.available_permits();
    let held = open().await;
    assert!(matches!(held, ArtifactBody::Whole(_)));
    assert_eq!(rights.available_permits(), all - 100 * 1024);
    let others = rights.forget_permits(all - 100 * 1024);
    let ArtifactBody::File(file) = open().await else {
        panic!("nothing more may be held")
    };
    assert_eq!(file.collect().await.unwrap().to_bytes(), body);
    drop(held);
    assert_eq!(rights.available_permits(), 100 * 1024);
    rights.add_permits(others);
    assert!(matches!(open().await, ArtifactBody::Whole(_)));
}

#[tokio::test]
async fn while_bodies_on_their_way_hold_too_much_nothing_new_is_held_that_need_not_be() {
    let house = House::with(config(64 * MIB, 64 * MIB));
    house.tiers.publish(small("before", "one")).await.unwrap();
    let body = bytes(MIB, 1);
    let large = house.large("a", &body).await;
    house.tiers.publish(large).await.unwrap();
    let budget = house.tiers.budget();
    let everything = budget.hold(128 << 20);
    house
        .tiers
        .publish(small("meanwhile", "two"))
        .await
        .unwrap();
    assert_eq!(house.lookup("before").await.unwrap().0, Tier::Memory);
    assert_eq!(house.lookup("meanwhile").await.unwrap().0, Tier::Disk);
    let found = house.tiers.lookup(&key("a").digest).await.unwrap();
    let ArtifactBody::File(mut file) = found.open().await.unwrap().body else {
        panic!("nothing more may be held")
    };
    let frame = file.frame().await.unwrap().unwrap().into_data().unwrap();
    assert_eq!(frame.len(), 64 * 1024);
    assert_eq!(
        budget.held(),
        (128 << 20) + 64 * 1024,
        "what must be, counts"
    );
    drop((frame, everything));
    assert_eq!(budget.held(), 0);
    assert_eq!(file.collect().await.unwrap().to_bytes(), body[64 * 1024..]);
    house.tiers.publish(small("after", "three")).await.unwrap();
    assert_eq!(house.lookup("after").await.unwrap().0, Tier::Memory);
}

#[tokio::test]
async fn a_large_memory_tier_does_not_make_whole_reads_larger() {
    let mut config = config(64 * MIB, 64 * MIB);
    config.memory.max_artifact = 32 * MIB;
    let house = House::with(config);
    for (hash, size) in [("a", 4 * MIB), ("b", 4 * MIB + 1)] {
        let large = house.large(hash, &bytes(size, 1)).await;
        house.tiers.publish(large).await.unwrap();
        assert!(house.lookup(hash).await.is_some());
    }
    assert_eq!(house.lookup("a").await.unwrap().0, Tier::Memory);
    assert_eq!(house.lookup("b").await.unwrap().0, Tier::Disk);
}

#[tokio::test(start_paused = true)]
async fn a_disk_that_hangs_costs_a_hit_and_never_an_answer() {
    let house = House::with(config(0, 64 * MIB));
    house.tiers.publish(small("a", "one")).await.unwrap();
    let found = house.tiers.lookup(&key("a").digest).await.unwrap();
    let mut draft = house.tiers.draft(&key("b"), None).await.unwrap();
    let _hung = house.tiers.shared.jobs.hold();
    assert_eq!(found.meta().await.unwrap_err(), Damaged);
    assert_eq!(found.open().await.unwrap_err(), Damaged);
    assert_eq!(house.text("unread").await, None);
    let appended = draft.append(vec![bytes(1, 1)]).await;
    assert_eq!(appended, Err(Bypass::DiskFault));
    let begun = house.tiers.draft(&key("c"), None).await;
    assert_eq!(begun.unwrap_err(), Bypass::DiskFault);
}

#[tokio::test]
async fn eviction_does_not_hurt_who_reads() {
    let house = House::new();
    let body = bytes(3 * MIB, 9);
    let large = house.large("a", &body).await;
    house.tiers.publish(large).await.unwrap();
    let found = house.tiers.lookup(&key("a").digest).await.unwrap();
    let artifact = found.open().await.unwrap();
    house.tiers.forget(&key("a").digest).await;
    assert!(house.entries().is_empty());
    let ArtifactBody::File(file) = artifact.body else {
        panic!("too large to be read as one")
    };
    assert_eq!(http_body::Body::size_hint(&file).exact(), Some(3 * MIB));
    assert_eq!(file.collect().await.unwrap().to_bytes(), body);
}

#[tokio::test]
async fn of_an_entry_replaced_between_look_up_and_opening_the_newer_is_read() {
    let house = House::new();
    house.tiers.publish(small("a", "one")).await.unwrap();
    let house = house.restart();
    let found = house.tiers.lookup(&key("a").digest).await.unwrap();
    let body = bytes(MIB, 1);
    let large = house.large("a", &body).await;
    house.tiers.publish(large).await.unwrap();
    assert_eq!(found.meta().await.unwrap().size, MIB);
    let artifact = found.open().await.unwrap();
    let ArtifactBody::File(file) = artifact.body else {
        panic!("too large to be read as one")
    };
    assert_eq!(artifact.meta.label, label(&key("a"), "large"));
    assert_eq!(file.collect().await.unwrap().to_bytes(), body);
    let found = house.tiers.lookup(&key("a").digest).await.unwrap();
    house.tiers.forget(&key("a").digest).await;
    assert_eq!(found.open().await.unwrap_err(), Damaged);
}
