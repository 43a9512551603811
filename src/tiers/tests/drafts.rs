//! Drafts: growing, read along, landed or dropped.

use futures_util::FutureExt;

use super::*;

#[tokio::test]
async fn a_draft_is_read_while_it_grows_and_after_it_is_gone() {
    let house = House::new();
    let mut draft = house.tiers.draft(&key("a"), None).await.unwrap();
    let reader = draft.reader();
    assert!(reader.read_at(0, 100).await.unwrap().is_empty());
    let chunks = vec![Bytes::from_static(b"first "), Bytes::from_static(b"second")];
    draft.append(chunks).await.unwrap();
    assert_eq!(draft.written(), 12);
    assert_eq!(reader.read_at(6, 100).await.unwrap(), "second");
    draft
        .append(vec![Bytes::from_static(b" third")])
        .await
        .unwrap();
    drop(draft);
    assert_eq!(reader.read_at(6, 9).await.unwrap(), "second th");
    assert!(reader.read_at(18, 9).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_landed_draft_is_still_read_and_its_footer_is_not() {
    let house = House::new();
    let body = bytes(MIB, 5);
    let landing = house.large("a", &body).await;
    let LandingBody::Draft(draft) = &landing.body else {
        panic!("a draft was landed")
    };
    let reader = draft.reader();
    house.tiers.publish(landing).await.unwrap();
    house.tiers.forget(&key("a").digest).await;
    let tail = reader.read_at(MIB - 4, 100).await.unwrap();
    assert_eq!(tail, body.slice(1024 * 1024 - 4..));
}

#[test]
fn a_dropped_draft_leaves_no_file_and_no_reservation() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let house = House::new();
    let draft = runtime.block_on(async {
        let mut draft = house.tiers.draft(&key("a"), Some(8 * MIB)).await.unwrap();
        draft.append(vec![bytes(MIB, 1)]).await.unwrap();
        draft
    });
    assert_eq!(house.disk().reserved(), 8 * MIB);
    assert_eq!(house.files_in("tmp").len(), 1);
    drop(draft);
    assert_eq!(house.disk().reserved(), 0);
    assert!(house.files_in("tmp").is_empty());
}

#[tokio::test]
async fn a_claimed_length_reserves_no_more_than_a_step() {
    let house = House::with(config(0, 1024 * MIB));
    let _draft = house
        .tiers
        .draft(&key("a"), Some(1000 * MIB))
        .await
        .unwrap();
    assert_eq!(house.disk().reserved(), 64 * MIB);
}

#[tokio::test]
async fn a_draft_without_room_keeps_what_it_has_and_does_not_land() {
    let house = House::with(config(0, 2 * MIB));
    let mut draft = house.tiers.draft(&key("a"), None).await.unwrap();
    draft.append(vec![bytes(MIB, 1)]).await.unwrap();
    let other = house.tiers.draft(&key("b"), Some(MIB)).await;
    assert_eq!(other.unwrap_err(), Bypass::NoRoom, "one alone may have all");
    let over = draft.append(vec![bytes(MIB + 1, 1)]).await;
    assert_eq!(over, Err(Bypass::TooLarge));
    assert_eq!(draft.reader().read_at(0, 4).await.unwrap(), bytes(4, 1));
    let landing = drafted("a", "cut", MIB, draft);
    house.tiers.publish(landing).await.unwrap_err();
    assert!(house.entries().is_empty());
}

#[tokio::test]
async fn a_draft_lands_only_whole_and_only_for_its_key() {
    let house = House::new();
    let body = bytes(MIB, 5);
    let mut short = house.large("a", &body).await;
    short.size += 1;
    assert!(house.tiers.publish(short).await.is_err());
    let mut foreign = house.large("a", &body).await;
    foreign.key = key("b");
    assert!(house.tiers.publish(foreign).await.is_err());
    assert!(house.entries().is_empty());
}

#[tokio::test]
async fn an_append_that_was_dropped_ends_the_draft() {
    let house = House::new();
    let mut draft = house.tiers.draft(&key("a"), None).await.unwrap();
    let held = house.tiers.shared.jobs.hold();
    let append = draft.append(vec![bytes(MIB, 1)]);
    assert!(append.now_or_never().is_none(), "it waits for its turn");
    drop(held);
    let after = draft.append(vec![bytes(1, 1)]).await;
    assert_eq!(after, Err(Bypass::DiskFault));
}
