//! What leaves uncopied, and what does not.

use super::*;
use crate::outlet::{Outlet, Stretch};
use crate::tiers::disk::files::Call;
use crate::tiers::disk::files::shim::Watch;

/// More than is checked before its first byte, and a last stretch that is short but not too short.
const LONG: u64 = 17 * MIB + 64 * KIB;

/// A disk of whose files one byte is never in the page cache.
struct Cold(u64);

impl Watch for Cold {
    fn before(&self, call: &Call<'_>) -> io::Result<()> {
        match call {
            Call::Peek(_, offset, length)
                if (*offset..offset + *length as u64).contains(&self.0) =>
            {
                Err(io::ErrorKind::WouldBlock.into())
            }
            _ => Ok(()),
        }
    }
}

/// Takes a body as a socket does; returns it, and how many of its bytes left uncopied.
async fn take(body: FileBody) -> (Bytes, u64) {
    take_by(body, Outlet::sent).await
}

/// The same with a socket that does this once a stretch has come.
async fn take_by(mut body: FileBody, then: fn(&Outlet, &Stretch, usize)) -> (Bytes, u64) {
    let outlet = Outlet::default();
    body.leave_by(&outlet);
    let (mut taken, mut uncopied) = (Vec::new(), 0);
    while let Some(frame) = body.frame().await {
        let bytes = frame.unwrap().into_data().unwrap();
        if let Some(stretch) = outlet.find(&bytes) {
            uncopied += bytes.len() as u64;
            then(&outlet, &stretch, bytes.len());
        }
        taken.extend_from_slice(&bytes);
    }
    (taken.into(), uncopied)
}

async fn open_file(house: &House) -> FileBody {
    let found = house.tiers.lookup(&key("a").digest).await.unwrap();
    let ArtifactBody::File(file) = found.open().await.unwrap().body else {
        panic!("too large to be read as one")
    };
    file
}

async fn publish(house: &House) -> Bytes {
    let body = bytes(LONG, 9);
    let large = house.large("a", &body).await;
    house.tiers.publish(large).await.unwrap();
    body
}

#[tokio::test]
async fn what_has_been_checked_and_is_in_the_page_cache_leaves_uncopied_evicted_or_not() {
    let house = House::new();
    let body = publish(&house).await;
    assert_eq!(take(open_file(&house).await).await, (body.clone(), LONG));
    let file = open_file(&house).await;
    house.tiers.forget(&key("a").digest).await;
    assert!(house.entries().is_empty());
    assert_eq!(take(file).await, (body, LONG));
}

#[tokio::test]
async fn what_nobody_has_checked_is_read_before_it_leaves_and_uncopied_the_next_time() {
    let house = House::new();
    let body = publish(&house).await;
    let house = house.restart();
    assert_eq!(take(open_file(&house).await).await, (body.clone(), 0));
    assert_eq!(take(open_file(&house).await).await, (body, LONG));
}

#[tokio::test]
async fn what_is_not_in_the_page_cache_is_read_before_it_leaves() {
    // Whichever it is of the bytes that are asked for. A stretch is read, and a frame ahead.
    for cold in [0, 256 * KIB, 9 * MIB + 768 * KIB, 2 * MIB - 1, LONG - 1] {
        let house = House::watched(config(0, 64 * MIB), Files::watched(Arc::new(Cold(cold))));
        let body = publish(&house).await;
        let (taken, uncopied) = take(open_file(&house).await).await;
        assert_eq!(taken, body, "{cold}");
        let read = LONG - uncopied;
        assert!(
            (1..=MIB + 256 * KIB).contains(&read),
            "{read} were read for {cold}"
        );
    }
}

#[tokio::test]
async fn where_too_much_is_on_its_way_already_bytes_leave_as_copies() {
    let house = House::new();
    let body = publish(&house).await;
    // Nothing of it leaves.
    let taken = take_by(open_file(&house).await, |_, _, _| {}).await;
    assert_eq!(taken, (body, 16 * MIB));
}

#[tokio::test]
async fn what_could_not_be_sent_from_its_file_is_read_by_whoever_comes_next() {
    let house = House::new();
    let body = publish(&house).await;
    let mut file = open_file(&house).await;
    let outlet = Outlet::default();
    file.leave_by(&outlet);
    let first = file.frame().await.unwrap().unwrap().into_data().unwrap();
    outlet.find(&first).unwrap().give_up();
    assert_eq!(take(open_file(&house).await).await, (body, 0));
}

#[tokio::test]
async fn a_short_body_is_copied() {
    let house = House::with(config(0, 64 * MIB));
    let body = bytes(64 * KIB - 1, 9);
    let large = house.large("a", &body).await;
    house.tiers.publish(large).await.unwrap();
    // The first read opens it, and reads it whole.
    assert!(house.lookup("a").await.is_some());
    assert_eq!(take(open_file(&house).await).await, (body, 0));
}
