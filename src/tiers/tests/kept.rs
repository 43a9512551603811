//! Files that stay open between hits: what a hit on one costs, and that nothing keeps what is gone.

use futures_util::FutureExt;

use super::hung::idle;
use super::sick::{Sick, state};
use super::*;
use crate::metrics::Eviction;
use crate::tiers::disk::files::Call;
use crate::tiers::disk::{EntryName, Fault};

/// How an entry leaves the tier.
type Way = fn(&House, &str, &EntryName);

const NONE: [PathBuf; 0] = [];
const HASHES: [&str; 2] = ["large", "small"];

/// Both are on the disk only, and their files are open since they were read.
async fn with_open_files() -> (House, Arc<Sick>) {
    let (house, sick) = Sick::house(config(0, 64 * MIB));
    let large = house.large("large", &bytes(3 * MIB, 1)).await;
    house.tiers.publish(large).await.unwrap();
    house.tiers.publish(small("small", "one")).await.unwrap();
    for hash in HASHES {
        assert!(house.lookup(hash).await.is_some());
    }
    idle(&house).await;
    assert_eq!(open_files(&house).len(), 2);
    (house, sick)
}

/// The entries that this process has open, also those that have no name any more.
fn open_files(house: &House) -> Vec<PathBuf> {
    let entries = house.dir.path().join("v1");
    let open = fs::read_dir("/proc/self/fd").unwrap();
    let open = open.filter_map(|open| fs::read_link(open.unwrap().path()).ok());
    open.filter(|path| path.starts_with(&entries)).collect()
}

async fn opened(house: &House, hash: &str) -> Artifact {
    let found = house.tiers.lookup(&key(hash).digest).await.unwrap();
    found.open().await.unwrap()
}

#[tokio::test]
async fn a_hit_on_a_file_that_is_open_waits_for_nothing_and_asks_no_file_system() {
    let (house, sick) = with_open_files().await;
    let before = sick.calls();
    for hash in HASHES {
        let found = house.tiers.lookup(&key(hash).digest).now_or_never();
        let found = found.unwrap().unwrap();
        let meta = found.meta().now_or_never().unwrap().unwrap();
        let artifact = found.open().now_or_never().unwrap().unwrap();
        assert_eq!((artifact.meta.size, artifact.tier), (meta.size, Tier::Disk));
        assert!(matches!(artifact.body, ArtifactBody::File(_)));
    }
    assert_eq!(sick.calls(), before);
    sick.refuse(
        |call| !matches!(call, Call::Peek(..)),
        rustix::io::Errno::IO,
    );
    assert_eq!(house.text("small").await, Some(on(Tier::Disk, "one")));
    let large = house.lookup("large").await;
    assert!(large == Some((Tier::Disk, bytes(3 * MIB, 1))));
}

#[tokio::test]
async fn however_an_entry_goes_its_file_is_closed() {
    let ways: [(&str, Way); 7] = [
        ("for room or age", |house, _, name| {
            assert!(house.disk().evict(name, Eviction::Size).unwrap());
        }),
        ("replaced", |house, hash, _| {
            let (landing, given_up) = (small(hash, "new"), AtomicBool::new(false));
            let landed = house
                .tiers
                .shared
                .land(landing, Entrance::Upload, &given_up);
            landed.unwrap();
        }),
        ("forgotten", |house, hash, _| {
            house.tiers.shared.forget(&key(hash).digest);
        }),
        ("put aside", |house, _, name| {
            house.disk().condemn(name, &Fault::Corrupt("for a test"));
        }),
        ("given up", |house, _, name| {
            let error = rustix::io::Errno::IO.into();
            house.disk().condemn(name, &Fault::Failing(error));
        }),
        ("missing", |house, _, name| {
            house.disk().condemn(name, &Fault::Missing);
        }),
        ("doomed", |house, _, name| house.disk().doom(&name.prefix)),
    ];
    for (what, go) in ways {
        let (house, _) = with_open_files().await;
        for hash in HASHES {
            let name = house.name_of(hash).await;
            go(&house, hash, &name);
        }
        idle(&house).await;
        assert_eq!(open_files(&house), NONE, "{what}");
    }
}

#[tokio::test]
async fn an_entry_that_goes_leaves_its_file_to_its_readers() {
    let (house, _) = with_open_files().await;
    let (first, second) = (opened(&house, "large").await, opened(&house, "large").await);
    house.tiers.forget(&key("large").digest).await;
    assert_eq!(open_files(&house).len(), 2);
    let ArtifactBody::File(file) = first.body else {
        panic!("its file was open")
    };
    assert!(file.collect().await.unwrap().to_bytes() == bytes(3 * MIB, 1));
    assert_eq!(open_files(&house).len(), 2, "there is another reader");
    drop(second);
    idle(&house).await;
    assert_eq!(open_files(&house).len(), 1);
    assert!(house.lookup("large").await.is_none());
}

#[tokio::test]
async fn of_folders_that_are_gone_no_file_stays_open() {
    let (house, _) = with_open_files().await;
    fs::remove_dir_all(house.dir.path().join("v1/entries")).unwrap();
    assert_eq!(house.disk().drop_missing(), 2);
    idle(&house).await;
    assert_eq!(open_files(&house), NONE);
}

#[tokio::test]
async fn a_tier_that_is_off_has_no_file_open() {
    let (house, _) = with_open_files().await;
    let away = tempfile::tempdir().unwrap();
    let (path, away) = (house.dir.path(), away.path().join("data"));
    fs::rename(path, &away).unwrap();
    upkeep::look(house.disk()).await;
    assert_eq!(state(&house), "off");
    // The alarm has it looked at once more.
    upkeep::look(house.disk()).await;
    idle(&house).await;
    assert_eq!(house.disk().names_kept(), []);
    fs::rename(&away, path).unwrap();
}

#[tokio::test]
async fn what_was_removed_by_hand_is_closed_by_the_next_round_or_at_the_end() {
    for ends in [false, true] {
        let (house, _) = with_open_files().await;
        for path in house.entries() {
            fs::remove_file(path).unwrap();
        }
        assert!(house.lookup("small").await.is_some(), "it is still open");
        if ends {
            house.tiers.close().await;
        } else {
            house.disk().let_go_of_all();
            assert!(house.lookup("small").await.is_none());
        }
        idle(&house).await;
        assert_eq!(open_files(&house), NONE);
    }
}

#[tokio::test]
async fn what_is_checked_on_every_read_or_rests_in_memory_stays_open_nowhere() {
    let mut always = config(0, 64 * MIB);
    always.disk.verify = config::Verify::Always;
    for config in [always, config(MIB, 64 * MIB)] {
        let house = House::with(config).restart();
        house.tiers.publish(small("small", "one")).await.unwrap();
        let house = house.restart();
        for _ in 0..3 {
            assert!(house.text("small").await.is_some());
        }
        assert_eq!(open_files(&house), NONE);
    }
}

#[tokio::test]
async fn nothing_stays_open_before_all_of_it_was_seen_intact() {
    let house = House::with(config(0, 64 * MIB));
    // Too large to be checked before its first byte.
    let body = bytes(17 * MIB, 5);
    let large = house.large("large", &body).await;
    house.tiers.publish(large).await.unwrap();
    let house = house.restart();
    drop(opened(&house, "large").await);
    idle(&house).await;
    assert_eq!(open_files(&house), NONE);
    for expected in [0, 1] {
        assert!(house.lookup("large").await == Some((Tier::Disk, body.clone())));
        idle(&house).await;
        assert_eq!(open_files(&house).len(), expected);
    }
}
