//! Everything at once on a few keys, with tiers too small for them: uploads, forgetting, fills,
//! look-ups and promotions. Nobody may find bytes older than the last change that was over.

use std::sync::atomic::{AtomicU64, Ordering};

use tokio::task::JoinSet;

use super::*;

const KEYS: usize = 5;
const VERSIONS: u64 = 60;
const FILLS: u64 = 60;
const LOOKUPS: u64 = 300;
const READERS: usize = 3;
/// Most may rest in memory, though not together; then they are promoted again and again.
const SIZES: [u64; 5] = [100, 20_000, 60_000, 40_000, 300_000];
/// Look-ups between two uploads of a key, in which what an old promotion left would be seen.
const PAUSE: u64 = 4;

/// One key under stress.
struct Contested {
    tiers: Tiers,
    hash: String,
    /// The version the upstream has.
    upstream: AtomicU64,
    /// The last version whose upload, or forgetting, is over.
    over: AtomicU64,
    hits: AtomicU64,
}

// === impl Contested ===

impl Contested {
    async fn landing(&self, version: u64) -> Option<Landing> {
        let key = key(&self.hash);
        let body = body_of(version);
        let size = body.len() as u64;
        let body = if size > 64 * KIB {
            let expected = version.is_multiple_of(2).then_some(size);
            let mut draft = self.tiers.draft(&key, expected).await.ok()?;
            for chunk in body.chunks(100_000) {
                draft.append(vec![body.slice_ref(chunk)]).await.ok()?;
            }
            LandingBody::Draft(draft)
        } else {
            LandingBody::Memory(vec![body])
        };
        Some(Landing {
            label: label(&key, &version.to_string()),
            size,
            body,
            key,
        })
    }

    async fn upload(self: Arc<Self>) {
        for version in 1..=VERSIONS {
            let landing = self.landing(version).await;
            self.upstream.store(version, Ordering::SeqCst);
            match landing {
                Some(landing) if !version.is_multiple_of(7) => {
                    self.tiers.publish(landing).await.unwrap_or_default();
                }
                _ => self.tiers.forget(&key(&self.hash).digest).await,
            }
            self.over.store(version, Ordering::SeqCst);
            for _ in 0..PAUSE {
                let found = self.found().await;
                assert!(found.is_none_or(|found| found == version), "{}", self.hash);
            }
        }
    }

    async fn fill(self: Arc<Self>) {
        for _ in 0..FILLS {
            let noted = self.tiers.epoch(&key(&self.hash).digest);
            let version = self.upstream.load(Ordering::SeqCst);
            if version > 0
                && let Some(landing) = self.landing(version).await
            {
                let landed = self.tiers.land(landing, noted).await;
                landed.unwrap_or_default();
            }
        }
    }

    async fn read(self: Arc<Self>) {
        for _ in 0..LOOKUPS {
            let over = self.over.load(Ordering::SeqCst);
            if let Some(version) = self.found().await {
                assert!(version >= over, "{}: {version} after {over}", self.hash);
                self.hits.fetch_add(1, Ordering::SeqCst);
            }
            tokio::task::yield_now().await;
        }
    }

    /// The version a look-up finds, every byte of it compared.
    async fn found(&self) -> Option<u64> {
        let key = key(&self.hash);
        let found = self.tiers.lookup(&key.digest).await?;
        let artifact = found.open().await.ok()?;
        let body = match artifact.body {
            ArtifactBody::Whole(body) => body,
            ArtifactBody::File(body) => body.collect().await.ok()?.to_bytes(),
        };
        let version = u64::from_le_bytes(*body.first_chunk().unwrap());
        assert_eq!(body, body_of(version));
        assert_eq!(artifact.meta.label, label(&key, &version.to_string()));
        Some(version)
    }
}

fn body_of(version: u64) -> Bytes {
    let size = SIZES[usize::try_from(version).unwrap() % SIZES.len()];
    let mut body = bytes(size, (version % 251) as u8).to_vec();
    body[..8].copy_from_slice(&version.to_le_bytes());
    body.into()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn whatever_happens_at_once_nobody_finds_what_is_out_of_date() {
    let house = House::with(config(80 * KIB, MIB));
    let contested = |number: usize| {
        Arc::new(Contested {
            tiers: Tiers {
                shared: Arc::clone(&house.tiers.shared),
            },
            hash: format!("k{number}"),
            upstream: AtomicU64::new(0),
            over: AtomicU64::new(0),
            hits: AtomicU64::new(0),
        })
    };
    let keys: Vec<_> = (0..KEYS).map(contested).collect();
    let mut tasks = JoinSet::new();
    for key in &keys {
        tasks.spawn(Arc::clone(key).upload());
        tasks.spawn(Arc::clone(key).fill());
        tasks.spawn(Arc::clone(key).fill());
        for _ in 0..READERS {
            tasks.spawn(Arc::clone(key).read());
        }
    }
    while let Some(ended) = tasks.join_next().await {
        ended.unwrap();
    }
    let hits = |key: &Arc<Contested>| key.hits.load(Ordering::SeqCst);
    assert!(keys.iter().map(hits).sum::<u64>() > LOOKUPS);
    for key in &keys {
        assert!(key.found().await.is_none_or(|version| version == VERSIONS));
    }
    drop(keys);
    let house = house.restart();
    for number in 0..KEYS {
        if let Some((_, body)) = house.lookup(&format!("k{number}")).await {
            assert_eq!(body, body_of(VERSIONS));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_promotion_that_an_upload_overtakes_leaves_nothing_old() {
    let mut config = config(8 * MIB, 64 * MIB);
    config.memory.max_artifact = 2 * MIB;
    let house = House::with(config);
    for round in 0..20 {
        // Reading so much takes longer than landing so little.
        let large = house.large("a", &bytes(2 * MIB, round)).await;
        house.tiers.publish(large).await.unwrap();
        let old = house.tiers.lookup(&key("a").digest).await.unwrap();
        let new = format!("new {round}");
        let upload = house.tiers.publish(small("a", &new));
        let (_, uploaded) = tokio::join!(old.open(), upload);
        uploaded.unwrap();
        let found = house.lookup("a").await;
        assert!(found == Some((Tier::Memory, new.into())), "round {round}");
    }
}
