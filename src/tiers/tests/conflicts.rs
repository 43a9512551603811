//! Uploads that replace another body: which are reported, what is said of them, and who waits for it.

use rustix::io::Errno;

use super::hung::{hang_until_off, idle};
use super::sick::{Sick, state};
use super::*;
use crate::artifact::{Landed, Meta};
use crate::tiers::contrast::{MOST_UNREAD, READERS};
use crate::tiers::disk::files::Call;

/// Longer than a footer without checksums.
const LARGE: u64 = 600 * KIB;

/// Both tiers, the disk alone, memory alone.
fn every_mode() -> [House; 3] {
    [(MIB, 64 * MIB), (0, 64 * MIB), (MIB, 0)]
        .map(|(memory, disk)| House::with(config(memory, disk)))
}

/// Waits until everything that was replaced has been compared.
async fn compared(house: &House) {
    while house.tiers.shared.comparing.number() != (0, 0) {
        tokio::task::yield_now().await;
    }
}

/// The lengths of the two bodies of each conflict, newest first.
async fn reported(house: &House) -> Vec<(u64, u64)> {
    compared(house).await;
    let conflicts = house.tiers.conflicts();
    let newest = conflicts.newest();
    let lengths = newest.iter().map(|it| (it.before.bytes, it.after.bytes));
    assert_eq!(conflicts.total(), newest.len() as u64);
    lengths.collect()
}

/// Uploads both, one after the other, and tells what was reported.
async fn reported_of(house: &House, before: Landing, after: Landing) -> Vec<(u64, u64)> {
    house.tiers.publish(before).await.unwrap();
    house.tiers.publish(after).await.unwrap();
    reported(house).await
}

fn tagged(hash: &str, tag: &str, body: &str) -> Landing {
    let key = key(hash);
    Landing {
        label: label(&key, tag),
        ..small(hash, body)
    }
}

#[tokio::test]
async fn the_same_bytes_are_no_conflict_whatever_comes_with_them() {
    for house in every_mode() {
        let (before, after) = (tagged("a", "one", "body"), tagged("a", "two", "body"));
        assert_eq!(reported_of(&house, before, after).await, []);
    }
}

#[tokio::test]
async fn other_bytes_are_a_conflict_of_whatever_length() {
    for house in every_mode() {
        let found = reported_of(&house, small("a", "one"), small("a", "two")).await;
        assert_eq!(found, [(3, 3)]);
        house.tiers.publish(small("a", "three")).await.unwrap();
        house.tiers.publish(small("b", "first")).await.unwrap();
        assert_eq!(reported(&house).await, [(3, 5), (3, 3)]);
    }
}

#[tokio::test]
async fn bodies_that_are_never_whole_in_memory_are_held_against_each_other() {
    let house = House::new();
    let (one, two) = (bytes(LARGE, 1), bytes(LARGE, 2));
    for (body, expected) in [(&one, 0), (&one, 0), (&two, 1), (&two, 1)] {
        let landing = house.large("a", body).await;
        house.tiers.publish(landing).await.unwrap();
        assert_eq!(reported(&house).await.len(), expected);
    }
}

#[tokio::test]
async fn bytes_in_memory_are_held_against_a_body_that_came_piece_by_piece() {
    for (body, expected) in [("same", vec![]), ("else", vec![(4, 4)])] {
        let house = House::new();
        house.tiers.publish(small("a", "same")).await.unwrap();
        let landing = house.large("a", &Bytes::from(body)).await;
        house.tiers.publish(landing).await.unwrap();
        assert_eq!(reported(&house).await, expected, "and the other way round");
        house.tiers.publish(small("a", body)).await.unwrap();
        assert_eq!(reported(&house).await, expected);
    }
}

#[tokio::test]
async fn what_rests_since_before_the_start_is_compared_too() {
    let house = House::new();
    for hash in ["same", "else"] {
        house.tiers.publish(small(hash, "old")).await.unwrap();
    }
    let house = house.restart();
    house.tiers.publish(small("same", "old")).await.unwrap();
    house.tiers.publish(small("else", "new")).await.unwrap();
    assert_eq!(reported(&house).await, [(3, 3)]);
}

#[tokio::test]
async fn an_upload_into_memory_is_held_against_an_entry_in_a_folder_nobody_has_read() {
    let mut house = House::new();
    house.tiers.publish(small("a", "old")).await.unwrap();
    house.config.disk.max_artifact = 1;
    let house = house.restart();
    house.tiers.publish(small("a", "new")).await.unwrap();
    assert_eq!(house.text("a").await, Some(on(Tier::Memory, "new")));
    assert!(house.entries().is_empty());
    assert_eq!(reported(&house).await, [(3, 3)]);
}

#[tokio::test]
async fn fills_and_promotions_are_no_conflict() {
    let house = House::new();
    house.tiers.publish(small("a", "upload")).await.unwrap();
    let noted = house.tiers.epoch(&key("a").digest);
    house.tiers.land(small("a", "fill"), noted).await.unwrap();
    let house = house.restart();
    assert_eq!(house.text("a").await, Some(on(Tier::Disk, "fill")));
    assert_eq!(house.text("a").await, Some(on(Tier::Memory, "fill")));
    assert_eq!(reported(&house).await, []);
}

#[tokio::test]
async fn what_was_not_to_be_found_any_more_contradicts_nothing() {
    let house = House::with(config(0, 64 * MIB));
    house.tiers.publish(small("gone", "old")).await.unwrap();
    house.tiers.forget(&key("gone").digest).await;
    house.tiers.publish(small("doomed", "old")).await.unwrap();
    house.tiers.shared.disown(&key("doomed").digest, None);
    let aged = key("aged");
    let meta = Meta {
        label: label(&aged, "old"),
        size: 3,
        landed: Landed::from_secs(Landed::now().as_secs() - house.config.disk.max_age.as_secs()),
    };
    let staged = disk::Staged::write(house.disk(), &aged, &meta, b"old").unwrap();
    house.disk().commit(staged).unwrap();
    for hash in ["gone", "doomed", "aged"] {
        house.tiers.publish(small(hash, "new")).await.unwrap();
    }
    assert_eq!(reported(&house).await, []);
}

#[tokio::test]
async fn an_upload_that_does_not_land_replaces_nothing() {
    let house = House::new();
    house.tiers.publish(small("a", "one")).await.unwrap();
    let mut lying = small("a", "two");
    lying.size += 1;
    house.tiers.publish(lying).await.unwrap_err();
    assert_eq!(reported(&house).await, []);
}

#[tokio::test]
async fn an_entry_whose_footer_cannot_be_read_is_replaced_without_a_word() {
    let spoil: [fn(&Path); 3] = [
        |entry| fs::remove_file(entry).unwrap(),
        |entry| fs::write(entry, b"cut").unwrap(),
        |entry| {
            let mut whole = fs::read(entry).unwrap();
            *whole.last_mut().unwrap() ^= 1;
            fs::write(entry, whole).unwrap();
        },
    ];
    for spoil in spoil {
        let house = House::with(config(0, 64 * MIB));
        house.tiers.publish(small("a", "old")).await.unwrap();
        spoil(&house.entries().remove(0));
        house.tiers.publish(small("a", "new")).await.unwrap();
        assert_eq!(reported(&house).await, []);
        assert_eq!(house.text("a").await, Some(on(Tier::Disk, "new")));
        assert_eq!(house.metrics.tier(Tier::Disk).corrupt.get(), 0);
    }
}

#[tokio::test]
async fn a_disk_that_does_not_read_costs_the_report_only() {
    let (house, sick) = Sick::house(config(0, 64 * MIB));
    sick.forget_pages();
    for refused in [
        |call: &Call<'_>| matches!(call, Call::Open(_)),
        |call: &Call<'_>| matches!(call, Call::Status(_)),
        |call: &Call<'_>| matches!(call, Call::Read(..)),
    ] {
        house.tiers.publish(small("a", "old")).await.unwrap();
        let before = reported(&house).await;
        for reason in [Errno::IO, Errno::MFILE] {
            sick.refuse(refused, reason);
            house.tiers.publish(small("a", "new")).await.unwrap();
            assert_eq!(reported(&house).await, before);
            sick.heal();
        }
        house.tiers.publish(small("a", "newer")).await.unwrap();
        assert_eq!(reported(&house).await.len(), before.len() + 1);
    }
    assert_eq!(state(&house), "working");
}

#[tokio::test]
async fn a_disk_that_hangs_at_what_was_replaced_holds_nobody_up() {
    let (house, sick) = Sick::house(config(0, 64 * MIB));
    let hashes: Vec<_> = (0..READERS + MOST_UNREAD + 10)
        .map(|number| format!("n{number}"))
        .collect();
    for hash in &hashes {
        house.tiers.publish(small(hash, "old")).await.unwrap();
    }
    sick.forget_pages();
    sick.hang(|call| matches!(call, Call::Read(..)));
    for hash in &hashes {
        house.tiers.publish(small(hash, "new")).await.unwrap();
    }
    idle(&house).await;
    assert_eq!(house.tiers.shared.comparing.number().0, READERS);
    assert_eq!(state(&house), "working");
    sick.heal();
    let known = reported(&house).await.len();
    assert!(
        (MOST_UNREAD..=MOST_UNREAD + READERS).contains(&known),
        "{known}"
    );
}

#[tokio::test(start_paused = true)]
async fn while_the_disk_is_off_bytes_in_memory_are_compared() {
    let (house, sick) = Sick::house(config(MIB, 64 * MIB));
    hang_until_off(&house, &sick).await;
    for body in ["one", "one", "two"] {
        house.tiers.publish(small("a", body)).await.unwrap();
    }
    let lengths: Vec<_> = house.tiers.conflicts().newest();
    assert_eq!(lengths.len(), 1);
    sick.heal();
    idle(&house).await;
}

#[tokio::test]
async fn a_report_says_which_artifact_when_and_from_which_commits() {
    let house = House::new();
    let landing = |body: &str, fields: &[(&'static str, &str)]| {
        let pairs = fields.iter().map(|(name, value)| {
            let value = HeaderValue::from_str(value).unwrap();
            (HeaderName::from_static(name), value)
        });
        let key = key("a");
        Landing {
            label: Label::new(&key, Fields::from_pairs(pairs)),
            ..small("a", body)
        }
    };
    let long = "c".repeat(1000);
    house.tiers.publish(landing("one", &[])).await.unwrap();
    let second = landing(
        "two",
        &[("x-artifact-sha", "beef"), ("x-artifact-tag", "t")],
    );
    house.tiers.publish(second).await.unwrap();
    let third = landing("six", &[("x-artifact-sha", &long)]);
    house.tiers.publish(third).await.unwrap();
    let newest = house.tiers.conflicts().newest();
    let [second, first] = newest.as_slice() else {
        panic!("{newest:?}")
    };
    assert_eq!(
        (first.hash.as_str(), first.team.as_deref()),
        ("a", Some("acme"))
    );
    assert_eq!(first.before.sha, None);
    assert_eq!(first.after.sha.as_deref(), Some("beef"));
    assert_eq!(second.before, first.after);
    assert_eq!(second.after.sha.as_deref(), Some(&long[..256]));
    assert!(first.before.landed <= first.after.landed && first.after.landed <= first.time);
    assert!(first.time.age() < Duration::from_mins(1));
}

#[tokio::test]
async fn only_the_newest_conflicts_are_listed_and_all_are_counted() {
    let house = House::with(config(MIB, 0));
    for length in 0..300 {
        let body = "x".repeat(length);
        house.tiers.publish(small("a", &body)).await.unwrap();
    }
    let conflicts = house.tiers.conflicts();
    let lengths: Vec<_> = conflicts.newest().iter().map(|it| it.after.bytes).collect();
    assert_eq!(lengths, (44..300).rev().collect::<Vec<_>>());
    assert_eq!(conflicts.total(), 299);
}
