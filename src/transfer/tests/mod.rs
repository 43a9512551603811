//! Spools over real tiers: what every reader gets, and what is left for landing.

use std::sync::Arc;
use std::task::Poll;

use bytes::Bytes;
use futures_util::poll;
use http_body_util::BodyExt;
use tempfile::TempDir;
use tokio::time::{Duration, Instant};

use super::{Broken, NoSeat, Plan, Reader, Spool, SpoolWriter, Unwanted};
use crate::artifact::{
    ArtifactHash, ArtifactKey, Bypass, Fields, KeyDigest, Label, OriginId, Scope,
};
use crate::caller::CallerDigest;
use crate::config::Config;
use crate::metrics::Metrics;
use crate::tasks::Tasks;
use crate::tiers::{LandingBody, Tiers};

mod fills;
mod inspected;

const IN_MEMORY: u64 = 64 * 1024;
const PIECE: usize = 100_000;

/// Tiers in a directory of their own.
struct House {
    tiers: Arc<Tiers>,
    _directory: TempDir,
}

impl House {
    async fn with_disk(capacity: u64) -> Self {
        let directory = TempDir::new().unwrap();
        let mut config = Config::built_in(directory.path()).tier;
        config.disk.capacity = capacity;
        config.disk.min_free = 0;
        let metrics = Arc::new(Metrics::new().unwrap());
        let tiers = Tiers::open(&config, directory.path(), metrics, Tasks::new())
            .await
            .unwrap();
        Self {
            tiers,
            _directory: directory,
        }
    }

    async fn spool(&self, claimed: Option<u64>) -> (SpoolWriter, Spool) {
        let key = key();
        let label = Label::new(&key, Fields::default());
        let plan = Plan {
            is_believed: true,
            claimed,
            in_memory: IN_MEMORY,
            bypass: None,
        };
        Spool::open(&self.tiers, key, label, plan).await
    }

    /// What the tiers hold of the key now.
    async fn resting(&self, key: &KeyDigest) -> Option<u64> {
        let meta = self.tiers.lookup(key).await?.meta().await;
        Some(meta.unwrap().size)
    }
}

fn key() -> ArtifactKey {
    let scope = Scope::new("slug=a", CallerDigest::from_bytes([1; 32]));
    ArtifactKey::new(
        &OriginId::new("none"),
        scope,
        ArtifactHash::parse("aa").unwrap(),
    )
}

/// The `number`th piece of every body here.
fn piece(number: u8) -> Bytes {
    Bytes::from(vec![number; PIECE])
}

fn body(pieces: u8) -> Vec<u8> {
    (0..pieces)
        .flat_map(|number| piece(number).to_vec())
        .collect()
}

async fn rest_of(reader: Reader) -> Result<Vec<u8>, Broken> {
    reader
        .collect()
        .await
        .map(|whole| whole.to_bytes().to_vec())
}

async fn write(writer: &mut SpoolWriter, pieces: std::ops::Range<u8>) {
    for number in pieces {
        writer.push(piece(number)).await.unwrap();
    }
}

#[tokio::test]
async fn where_memory_is_short_a_small_body_goes_to_a_file_and_a_window_holds_little() {
    let house = House::with_disk(1 << 30).await;
    let everything = house.tiers.budget().hold(128 << 20);
    let (mut writer, spool) = house.spool(None).await;
    let reader = spool.reader().unwrap();
    write(&mut writer, 0..2).await;
    assert!(spool.is_filed());
    let whole = writer.complete().await;
    assert!(matches!(whole.landing.unwrap().body, LandingBody::Draft(_)));
    assert_eq!(rest_of(reader).await.unwrap(), body(2));
    drop(everything);
    assert_eq!(house.tiers.budget().held(), 0);
}

#[tokio::test]
async fn crumbs_of_a_body_go_to_a_file_before_they_cost_more_than_it() {
    let house = House::with_disk(1 << 30).await;
    let (mut writer, spool) = house.spool(None).await;
    let reader = spool.reader().unwrap();
    for _ in 0..5000 {
        writer.push(Bytes::from(vec![b'c'])).await.unwrap();
        assert!(house.tiers.budget().held() < 200_000);
    }
    assert!(spool.is_filed());
    writer.complete().await.landing.unwrap();
    assert_eq!(rest_of(reader).await.unwrap().len(), 5000);
}

#[tokio::test]
async fn what_a_spool_holds_counts_until_it_is_read() {
    let house = House::with_disk(1 << 30).await;
    let (mut writer, spool) = house.spool(Some(5)).await;
    let reader = spool.reader().unwrap();
    writer.push(Bytes::from_static(b"hello")).await.unwrap();
    assert_eq!(house.tiers.budget().held(), 5 + 64);
    drop(writer);
    drop((reader, spool));
    assert_eq!(house.tiers.budget().held(), 0);
}

#[tokio::test]
async fn a_small_body_stays_in_memory_and_lands_whole() {
    let house = House::with_disk(1 << 30).await;
    let (mut writer, spool) = house.spool(Some(5)).await;
    let reader = spool.reader().unwrap();
    writer.push(Bytes::from_static(b"hello")).await.unwrap();
    let whole = writer.complete().await;
    assert_eq!(rest_of(reader).await.unwrap(), b"hello");
    let landing = whole.landing.unwrap();
    assert!(matches!(landing.body, LandingBody::Memory(_)));
    house.tiers.publish(landing).await.unwrap();
    assert_eq!(house.resting(&key().digest).await, Some(5));
}

#[tokio::test]
async fn a_large_body_goes_to_a_file_and_every_reader_gets_all_of_it() {
    let house = House::with_disk(1 << 30).await;
    for claimed in [None, Some(40 * PIECE as u64)] {
        let (mut writer, spool) = house.spool(claimed).await;
        let early = spool.reader().unwrap();
        write(&mut writer, 0..25).await;
        assert!(spool.is_filed());
        let late = spool.reader().unwrap();
        write(&mut writer, 25..40).await;
        let whole = writer.complete().await;
        let last = spool.reader().unwrap();
        for reader in [early, late, last] {
            assert!(rest_of(reader).await.unwrap() == body(40));
        }
        let landing = whole.landing.unwrap();
        assert!(matches!(landing.body, LandingBody::Draft(_)));
        house.tiers.publish(landing).await.unwrap();
        assert_eq!(house.resting(&key().digest).await, Some(40 * PIECE as u64));
    }
}

#[tokio::test]
async fn a_body_that_broke_off_is_an_error_for_those_who_read_and_for_those_who_come() {
    let house = House::with_disk(1 << 30).await;
    for drop_it in [true, false] {
        let (mut writer, spool) = house.spool(None).await;
        let reader = spool.reader().unwrap();
        write(&mut writer, 0..3).await;
        let expected = if drop_it {
            drop(writer);
            Broken::Abandoned
        } else {
            writer.break_off(Broken::Source);
            Broken::Source
        };
        assert_eq!(rest_of(reader).await, Err(expected));
        assert_eq!(spool.reader().err(), Some(NoSeat::Broken));
    }
}

#[tokio::test]
async fn a_spool_without_room_is_a_window_at_the_pace_of_its_reader() {
    let house = House::with_disk(0).await;
    let (mut writer, spool) = house.spool(None).await;
    let mut reader = spool.reader().unwrap();
    write(&mut writer, 0..11).await;
    assert_eq!(writer.bypass(), Some(Bypass::NoRoom));
    // A window's worth is ahead of the reader: there is no more until it takes something.
    let mut next = Box::pin(writer.push(piece(11)));
    assert!(matches!(poll!(&mut next), Poll::Pending));
    let first = reader.frame().await.unwrap().unwrap().into_data().unwrap();
    next.await.unwrap();
    // What went by is kept for nobody.
    assert_eq!(spool.reader().err(), Some(NoSeat::GoneBy));
    let whole = writer.complete().await;
    assert_eq!(whole.landing.unwrap_err(), Bypass::NoRoom);
    let read = [first.to_vec(), rest_of(reader).await.unwrap()].concat();
    assert!(read == body(12));
}

#[tokio::test]
async fn a_window_that_nobody_reads_has_no_purpose() {
    let house = House::with_disk(0).await;
    let (mut writer, spool) = house.spool(None).await;
    let reader = spool.reader().unwrap();
    write(&mut writer, 0..2).await;
    drop(reader);
    assert_eq!(writer.push(piece(2)).await, Err(Unwanted));
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_takes_nothing_from_a_window_is_ended_and_the_others_go_on() {
    let house = House::with_disk(0).await;
    let (mut writer, spool) = house.spool(None).await;
    let (stuck, brisk) = (spool.reader().unwrap(), spool.reader().unwrap());
    let began = Instant::now();
    let writing = async {
        write(&mut writer, 0..30).await;
        writer.complete().await;
    };
    let (read, ()) = tokio::join!(rest_of(brisk), writing);
    assert!(read.unwrap() == body(30));
    assert_eq!(rest_of(stuck).await, Err(Broken::Lagged));
    assert!(
        began.elapsed() < Duration::from_secs(30),
        "{:?}",
        began.elapsed()
    );
}

#[tokio::test]
async fn a_pace_keeps_the_writer_near_its_reader() {
    let house = House::with_disk(1 << 30).await;
    let (mut writer, spool) = house.spool(None).await;
    let mut reader = spool.reader().unwrap();
    spool.set_pace(Some(3 * PIECE as u64));
    write(&mut writer, 0..3).await;
    let mut next = Box::pin(writer.push(piece(3)));
    assert!(matches!(poll!(&mut next), Poll::Pending));
    reader.frame().await.unwrap().unwrap();
    next.await.unwrap();
    // Whoever has left sets no pace.
    drop(reader);
    write(&mut writer, 4..20).await;
}

#[tokio::test]
async fn an_abandoned_spool_takes_no_more() {
    let house = House::with_disk(1 << 30).await;
    let (mut writer, spool) = house.spool(None).await;
    write(&mut writer, 0..1).await;
    spool.abandon();
    assert_eq!(writer.push(piece(1)).await, Err(Unwanted));
}

/// A reader that takes 30 KB/s, in pieces of 360 KB: far above 1 KiB a second.
#[tokio::test(start_paused = true)]
async fn a_lone_slow_reader_of_a_window_gets_all_of_it() {
    let house = House::with_disk(0).await;
    let (mut writer, spool) = house.spool(None).await;
    let mut reader = spool.reader().unwrap();
    let big = Bytes::from(vec![1; 360_000]);
    let writing = async {
        for _ in 0..10 {
            if writer.push(big.clone()).await.is_err() {
                break;
            }
        }
    };
    let reading = async {
        let mut got = 0;
        while got < 3_600_000 {
            tokio::time::sleep(Duration::from_secs(12)).await;
            match reader.frame().await {
                Some(Ok(frame)) => got += frame.into_data().unwrap().len(),
                other => return Err(format!("{other:?} after {got}")),
            }
        }
        Ok(got)
    };
    let (read, ()) = tokio::join!(reading, writing);
    assert_eq!(read, Ok(3_600_000));
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_waits_for_its_turn_is_no_laggard_where_the_spool_is_patient() {
    let house = House::with_disk(0).await;
    let (mut writer, spool) = house.spool(None).await;
    spool.be_patient();
    let reader = spool.reader().unwrap();
    let writing = async {
        write(&mut writer, 0..20).await;
        writer.complete().await;
    };
    let reading = async {
        tokio::time::sleep(Duration::from_mins(2)).await;
        rest_of(reader).await
    };
    let (read, ()) = tokio::join!(reading, writing);
    assert!(read.unwrap() == body(20));
}

/// An upload whose first attempt broke, under the pace of the unproven.
#[tokio::test(start_paused = true)]
async fn a_second_reader_may_begin_behind_the_first() {
    let house = House::with_disk(1 << 30).await;
    let (mut writer, spool) = house.spool(None).await;
    spool.set_pace(Some(3 * PIECE as u64));
    let mut reader = spool.reader().unwrap();
    write(&mut writer, 0..3).await;
    let reading = async {
        for _ in 0..2 {
            reader.frame().await.unwrap().unwrap();
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
        // The connection broke: a new reader from the first byte.
        let mut again = spool.reader().unwrap();
        drop(reader);
        for _ in 0..8 {
            tokio::time::sleep(Duration::from_secs(11)).await;
            again.frame().await.unwrap().unwrap();
        }
    };
    let writing = write(&mut writer, 3..8);
    tokio::join!(reading, writing);
}
