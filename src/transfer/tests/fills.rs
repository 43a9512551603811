//! Fills: the order they keep.

use std::pin::pin;

use http_body_util::Full;

use super::*;
use crate::transfer::{
    Filling, Flights, Follower, Head, Inspector, Joined, Lead, LookAgain, Source, SourceHead, fill,
};

/// A fill of the key under way, and whoever waits for it.
fn led(flights: &Arc<Flights>) -> Option<(Lead, Follower)> {
    match flights.join(key().digest, CallerDigest::from_bytes([1; 32])) {
        Joined::Lead(lead, follower) => Some((lead, follower)),
        Joined::Follow(_) => None,
    }
}

fn filling(house: &House) -> Filling {
    let metrics = Arc::new(Metrics::new().unwrap());
    Filling {
        tiers: Arc::clone(&house.tiers),
        inspector: Inspector::new(None, Arc::clone(&metrics)),
        metrics,
        in_memory: IN_MEMORY,
        look_again: LookAgain::Yes,
    }
}

fn source(body: &'static [u8]) -> Source<Full<Bytes>> {
    let head = SourceHead {
        label: Label::new(&key(), Fields::default()),
        length: Some(body.len() as u64),
        cache_status: Vec::new(),
        bypass: None,
        trace: None,
    };
    Source::Found(head, Full::new(Bytes::from_static(body)))
}

async fn publish(house: &House, body: &'static [u8]) {
    let (mut writer, _spool) = house.spool(Some(body.len() as u64)).await;
    writer.push(Bytes::from_static(body)).await.unwrap();
    let landing = writer.complete().await.landing.unwrap();
    house.tiers.publish(landing).await.unwrap();
}

#[tokio::test]
async fn what_landed_before_the_lead_is_not_fetched() {
    let (house, flights) = (
        House::with_disk(1 << 30).await,
        Arc::new(Flights::default()),
    );
    publish(&house, b"there").await;
    let (lead, follower) = led(&flights).unwrap();
    let mut fetched = false;
    let fetch = async {
        fetched = true;
        source(b"again")
    };
    fill(filling(&house), lead, key(), fetch).await;
    assert!(matches!(follower.head().await, Head::LookAgain));
    assert!(!fetched);
}

#[tokio::test]
async fn an_upload_accepted_while_the_upstream_is_asked_wins() {
    let (house, flights) = (
        House::with_disk(1 << 30).await,
        Arc::new(Flights::default()),
    );
    let (lead, _follower) = led(&flights).unwrap();
    let fetch = async {
        publish(&house, b"newer and longer").await;
        source(b"older")
    };
    fill(filling(&house), lead, key(), fetch).await;
    assert_eq!(house.resting(&key().digest).await, Some(16));
}

#[tokio::test]
async fn whoever_finds_nobody_filling_finds_the_artifact() {
    let (house, flights) = (
        House::with_disk(1 << 30).await,
        Arc::new(Flights::default()),
    );
    let (lead, _follower) = led(&flights).unwrap();
    let fetch = async { source(b"hello") };
    let mut filling = Box::pin(fill(filling(&house), lead, key(), fetch));
    let mut has_ended = false;
    while !has_ended {
        has_ended = poll!(&mut filling).is_ready();
        if led(&flights).is_some() {
            // Looked at and not awaited: by the time of an answer it would have landed anyway.
            let key = key().digest;
            assert!(matches!(
                poll!(pin!(house.tiers.lookup(&key))),
                Poll::Ready(Some(_))
            ));
        }
        tokio::task::yield_now().await;
    }
    assert!(led(&flights).is_some());
}
