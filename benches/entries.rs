//! Fills a data directory with artifacts of 100 bytes, through the tiers' own door: `entries DIR N`.
//! Prints which artifact lies in which folder, for some of the folders that a start reads last.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "it prints what it made, and may fail loudly"
)]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use larder::artifact::{ArtifactHash, ArtifactKey, Fields, Label, OriginId, Scope};
use larder::caller::CallerDigest;
use larder::config::Config;
use larder::metrics::Metrics;
use larder::tasks::Tasks;
use larder::tiers::{Landing, LandingBody, Tiers};
use tokio::runtime::Runtime;
use tokio::time::Duration;

/// Landings under way at once.
const WRITERS: u64 = 16;
/// A body's length in bytes.
const BODY: usize = 100;
/// Folders of which one artifact is told: from this one on.
const FIRST_TOLD: u8 = 0xf0;

fn main() {
    let mut words = std::env::args().skip(1).filter(|word| word != "--bench");
    let (Some(dir), Some(count)) = (words.next(), words.next()) else {
        println!("usage: entries DIR N");
        return;
    };
    let count: u64 = count.parse().unwrap();
    let runtime = Runtime::new().unwrap();
    let tasks = Tasks::new();
    let tiers = runtime.block_on(open(Path::new(&dir), tasks.clone()));
    let writers: Vec<_> = (0..WRITERS)
        .map(|first| runtime.spawn(fill(Arc::clone(&tiers), first, count)))
        .collect();
    let mut told = BTreeMap::new();
    for writer in writers {
        told.extend(runtime.block_on(writer).unwrap());
    }
    tasks.stop();
    runtime.block_on(tasks.drain(Duration::from_mins(1)));
    for (shard, hash) in told.iter().rev() {
        println!("{shard:02x} {hash}");
    }
}

/// Lands every [`WRITERS`]th artifact; returns one for each of the folders to tell of.
async fn fill(tiers: Arc<Tiers>, first: u64, count: u64) -> BTreeMap<u8, String> {
    let body = Bytes::from(vec![b'a'; BODY]);
    let mut told = BTreeMap::new();
    for number in (first..count).step_by(usize::try_from(WRITERS).unwrap()) {
        let key = key(number);
        let shard = key.digest.as_bytes().first().copied().unwrap();
        if shard >= FIRST_TOLD {
            told.insert(shard, key.hash.as_str().to_owned());
        }
        let landing = Landing {
            label: Label::new(&key, Fields::from_pairs([])),
            key,
            size: BODY as u64,
            body: LandingBody::Memory(vec![body.clone()]),
        };
        tiers.publish(landing).await.unwrap();
    }
    told
}

/// What a request for `/v8/artifacts/<number>?slug=bench` asks for where there is no upstream.
fn key(number: u64) -> ArtifactKey {
    let hash = ArtifactHash::parse(&format!("{number:016x}")).unwrap();
    let scope = Scope::new("slug=bench", CallerDigest::from_bytes([0; 32]));
    ArtifactKey::new(&OriginId::new("none"), scope, hash)
}

async fn open(dir: &Path, tasks: Tasks) -> Arc<Tiers> {
    let mut config = Config::built_in(dir).tier;
    config.memory.capacity = 0;
    config.disk.capacity = 1 << 40;
    config.disk.min_free = 1 << 30;
    config.disk.scrub_rate = 0;
    let metrics = Arc::new(Metrics::new().unwrap());
    Tiers::open(&config, dir, metrics, tasks).await.unwrap()
}
