//! The tiers against a map: whatever happened, a look-up finds the very bytes or nothing. Never a
//! wrong byte, never another key's; at worst a miss.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may fail loudly")]

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use http::header::{HeaderName, HeaderValue};
use http_body_util::BodyExt;
use larder::artifact::{ArtifactHash, ArtifactKey, Fields, Label, OriginId, Scope};
use larder::caller::CallerDigest;
use larder::config;
use larder::metrics::Metrics;
use larder::tasks::Tasks;
use larder::tiers::{ArtifactBody, Epoch, Landing, LandingBody, OpenError, Tiers};
use proptest::collection::vec;
use proptest::prelude::*;
use tokio::runtime::Runtime;
use tokio::time::{Duration, sleep, timeout};

const KEYS: u8 = 6;
const DISK: u64 = 512 * 1024;

/// What may happen to a key or a house.
#[derive(Clone, Debug)]
enum Step {
    /// An accepted upload.
    Publish(u8, Artifact),
    /// A fill begins, and notes the epoch.
    Begin(u8),
    /// The fill that began last ends, with what the upstream had when it began.
    Land(u8, Artifact),
    /// A draft that nobody lands.
    Abandon(u8, Artifact),
    Forget(u8),
    Lookup(u8),
    /// A look-up whose artifact is opened only after the next upload of its key.
    LateOpen(u8, Artifact),
    Restart,
    /// A byte flips while nobody looks.
    Flip(prop::sample::Index, prop::sample::Index),
    /// A file loses its end while nobody looks.
    Tear(prop::sample::Index, prop::sample::Index),
}

/// A body, described: the same number is the same bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Artifact {
    seed: u8,
    size: usize,
    is_draft: bool,
}

/// Tiers under test, and what they may answer.
struct House {
    dir: tempfile::TempDir,
    tiers: Option<Arc<Tiers>>,
    tasks: Tasks,
    model: HashMap<u8, Artifact>,
    fills: HashMap<u8, Fill>,
    /// Keys whose folders nobody is known to have read since the start.
    unread: BTreeSet<u8>,
    /// Until every folder is read, and room was made once since, more may rest than should.
    is_counted: bool,
}

/// A fill under way.
#[derive(Clone, Copy)]
struct Fill {
    noted: Epoch,
    is_old: bool,
}

// === impl Artifact ===

impl Artifact {
    fn body(self) -> Bytes {
        (0..self.size)
            .map(|n| u8::try_from(n % 249).unwrap() ^ self.seed)
            .collect::<Vec<_>>()
            .into()
    }

    fn label(self, key: &ArtifactKey) -> Label {
        let tag = HeaderValue::from_str(&format!("{self:?}")).unwrap();
        let pair = (HeaderName::from_static("x-artifact-tag"), tag);
        Label::new(key, Fields::from_pairs([pair]))
    }
}

// === impl House ===

impl House {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (tiers, tasks) = open(dir.path()).await;
        Self {
            dir,
            tiers: Some(tiers),
            tasks,
            model: HashMap::new(),
            fills: HashMap::new(),
            unread: BTreeSet::new(),
            is_counted: true,
        }
    }

    async fn take(&mut self, step: Step) {
        match step {
            Step::Publish(number, artifact) => self.publish(number, artifact).await,
            Step::Begin(number) => {
                let noted = self.tiers().epoch(&key(number).digest);
                let is_old = false;
                self.fills.insert(number, Fill { noted, is_old });
            }
            Step::Land(number, artifact) => self.land(number, artifact).await,
            Step::Abandon(number, artifact) => {
                drop(self.landing(number, artifact).await);
            }
            Step::Forget(number) => {
                self.tiers().forget(&key(number).digest).await;
                self.outdate(number);
            }
            Step::Lookup(number) => {
                self.check(number).await;
            }
            Step::LateOpen(number, artifact) => self.open_late(number, artifact).await,
            Step::Restart => self.restart(|_| {}).await,
            Step::Flip(file, at) => {
                let flip = |bytes: &mut Vec<u8>| *at.get_mut(bytes) ^= 0x40;
                self.restart(|files| damage(&files, file, flip)).await;
            }
            Step::Tear(file, at) => {
                let tear = |bytes: &mut Vec<u8>| bytes.truncate(at.index(bytes.len()));
                self.restart(|files| damage(&files, file, tear)).await;
            }
        }
    }

    fn tiers(&self) -> &Tiers {
        self.tiers.as_deref().unwrap()
    }

    /// Whatever a fill under way brings is old from now on.
    fn outdate(&mut self, number: u8) {
        self.model.remove(&number);
        if let Some(fill) = self.fills.get_mut(&number) {
            fill.is_old = true;
        }
    }

    async fn landing(&self, number: u8, artifact: Artifact) -> Option<Landing> {
        let key = key(number);
        let body = artifact.body();
        let body = if artifact.is_draft {
            let expected = Some(artifact.size as u64).filter(|size| size % 2 == 0);
            let mut draft = self.tiers().draft(&key, expected).await.ok()?;
            for chunk in body.chunks(50_000) {
                draft.append(vec![body.slice_ref(chunk)]).await.ok()?;
            }
            LandingBody::Draft(draft)
        } else {
            LandingBody::Memory(
                body.chunks(9_000)
                    .map(|chunk| body.slice_ref(chunk))
                    .collect(),
            )
        };
        Some(Landing {
            label: artifact.label(&key),
            size: artifact.size as u64,
            body,
            key,
        })
    }

    /// An upload that does not land is a key that is forgotten.
    async fn publish(&mut self, number: u8, artifact: Artifact) {
        self.outdate(number);
        let landed = match self.landing(number, artifact).await {
            Some(landing) => self.tiers().publish(landing).await.is_ok(),
            None => false,
        };
        if landed {
            self.landed(number, artifact).await;
        } else {
            self.tiers().forget(&key(number).digest).await;
            self.check(number).await;
        }
    }

    async fn land(&mut self, number: u8, artifact: Artifact) {
        let Some(fill) = self.fills.get(&number).copied() else {
            return;
        };
        let Some(landing) = self.landing(number, artifact).await else {
            return;
        };
        if self.tiers().land(landing, fill.noted).await.is_ok() {
            assert!(!fill.is_old, "key {number}: an old fill landed");
            self.landed(number, artifact).await;
        }
    }

    /// What was stored this very moment is found: room was made by what is worth less. In a folder that
    /// is read only then may be more that is worth keeping than there is room for.
    async fn landed(&mut self, number: u8, artifact: Artifact) {
        self.model.insert(number, artifact);
        let is_read = self.unread.is_empty();
        let is_found = self.check(number).await;
        assert!(is_found || !is_read, "key {number} is not found");
        self.is_counted |= self.unread.is_empty();
    }

    async fn open_late(&mut self, number: u8, artifact: Artifact) {
        let before = self.model.get(&number).copied();
        let found = self.tiers().lookup(&key(number).digest).await;
        self.publish(number, artifact).await;
        if let Some(found) = found
            && let Ok(opened) = found.open().await
        {
            let (label, body) = whole(opened).await;
            let old_or_new = [before, self.model.get(&number).copied()]
                .into_iter()
                .flatten()
                .any(|one| one.body() == body && one.label(&key(number)) == label);
            assert!(old_or_new, "key {number}");
        }
        self.check(number).await;
    }

    /// Looks a key up; returns whether it was found.
    async fn check(&mut self, number: u8) -> bool {
        let looked_up = self.tiers().lookup(&key(number).digest).await;
        self.unread.remove(&number);
        let Some(found) = looked_up else {
            return false;
        };
        let Ok(opened) = found.open().await else {
            return false;
        };
        let (label, body) = whole(opened).await;
        let Some(expected) = self.model.get(&number) else {
            panic!("key {number} has nothing, and was found")
        };
        assert!(body == expected.body(), "key {number}: a wrong byte");
        assert_eq!(label, expected.label(&key(number)));
        true
    }

    async fn restart(&mut self, meanwhile: impl FnOnce(Vec<PathBuf>)) {
        self.tasks.stop();
        assert_eq!(self.tasks.drain(Duration::from_mins(1)).await, 0);
        // The lock goes with the last handle.
        self.tiers = None;
        meanwhile(files(&self.dir.path().join("v1/entries")));
        let (tiers, tasks) = open(self.dir.path()).await;
        (self.tiers, self.tasks) = (Some(tiers), tasks);
        self.fills.clear();
        self.unread = (0..KEYS).collect();
        self.is_counted = false;
    }

    fn held(&self) -> u64 {
        files(&self.dir.path().join("v1/entries"))
            .iter()
            .map(|path| fs::metadata(path).unwrap().len().div_ceil(4096) * 4096)
            .sum()
    }
}

async fn open(dir: &Path) -> (Arc<Tiers>, Tasks) {
    let config = config::Tier {
        in_flight: 128 << 20,
        memory: config::MemoryTier {
            capacity: 100_000,
            max_artifact: 30_000,
        },
        disk: config::DiskTier {
            capacity: DISK,
            max_artifact: DISK,
            verify: config::Verify::FirstRead,
            max_age: Duration::from_hours(1),
            min_free: 0,
            scrub_rate: 0,
        },
    };
    // A draft dropped last may still be on its way out, by a thread that holds on to the lock.
    let opening = async {
        loop {
            let (metrics, tasks) = (Arc::new(Metrics::new().unwrap()), Tasks::new());
            match Tiers::open(&config, dir, metrics, tasks.clone()).await {
                Err(OpenError::AlreadyOwned { .. }) => sleep(Duration::from_millis(1)).await,
                opened => break (opened.unwrap(), tasks),
            }
        }
    };
    timeout(Duration::from_secs(30), opening).await.unwrap()
}

/// Every other key is the same hash under another scope.
fn key(number: u8) -> ArtifactKey {
    let query = if number.is_multiple_of(2) {
        "slug=a"
    } else {
        "slug=b"
    };
    let scope = Scope::new(query, CallerDigest::from_bytes([1; 32]));
    let hash = ArtifactHash::parse(&format!("hash{}", number / 2)).unwrap();
    ArtifactKey::new(&OriginId::new("none"), scope, hash)
}

async fn whole(artifact: larder::tiers::Artifact) -> (Label, Bytes) {
    let body = match artifact.body {
        ArtifactBody::Whole(body) => body,
        ArtifactBody::File(body) => body.collect().await.unwrap().to_bytes(),
    };
    assert_eq!(artifact.meta.size, body.len() as u64);
    (artifact.meta.label.clone(), body)
}

fn files(entries: &Path) -> Vec<PathBuf> {
    let children = |path: &Path| {
        let read = fs::read_dir(path).unwrap();
        read.map(|entry| entry.unwrap().path()).collect::<Vec<_>>()
    };
    let mut files: Vec<_> = children(entries)
        .iter()
        .flat_map(|shard| children(shard))
        .collect();
    files.sort();
    files
}

fn damage(files: &[PathBuf], which: prop::sample::Index, how: impl FnOnce(&mut Vec<u8>)) {
    if files.is_empty() {
        return;
    }
    let path = which.get(files);
    let mut bytes = fs::read(path).unwrap();
    if !bytes.is_empty() {
        how(&mut bytes);
        fs::write(path, bytes).unwrap();
    }
}

fn artifact() -> impl Strategy<Value = Artifact> {
    let size = prop_oneof![0..200_usize, 20_000..40_000_usize, 100_000..400_000_usize];
    (any::<u8>(), size, any::<bool>()).prop_map(|(seed, size, is_draft)| Artifact {
        seed,
        size,
        is_draft,
    })
}

fn step() -> impl Strategy<Value = Step> {
    use prop::sample::Index;
    let key = || 0..KEYS;
    prop_oneof![
        4 => (key(), artifact()).prop_map(|(key, artifact)| Step::Publish(key, artifact)),
        2 => key().prop_map(Step::Begin),
        3 => (key(), artifact()).prop_map(|(key, artifact)| Step::Land(key, artifact)),
        1 => (key(), artifact()).prop_map(|(key, artifact)| Step::Abandon(key, artifact)),
        1 => key().prop_map(Step::Forget),
        6 => key().prop_map(Step::Lookup),
        2 => (key(), artifact()).prop_map(|(key, artifact)| Step::LateOpen(key, artifact)),
        1 => Just(Step::Restart),
        1 => any::<(Index, Index)>().prop_map(|(file, at)| Step::Flip(file, at)),
        1 => any::<(Index, Index)>().prop_map(|(file, at)| Step::Tear(file, at)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn a_look_up_finds_the_very_bytes_or_nothing(steps in vec(step(), 1..40)) {
        let runtime = Runtime::new().unwrap();
        runtime.block_on(async {
            let mut house = House::new().await;
            for step in steps {
                house.take(step).await;
                assert!(!house.is_counted || house.held() <= DISK);
            }
            for number in 0..KEYS {
                house.check(number).await;
            }
            // Every folder is read by now: who comes next makes room for all that was found. What drafts
            // that were dropped had reserved comes back a moment later.
            let last = Artifact { seed: 1, size: 100_000, is_draft: true };
            let making_room = async {
                house.publish(0, last).await;
                while !house.is_counted {
                    sleep(Duration::from_millis(1)).await;
                    house.publish(0, last).await;
                }
            };
            timeout(Duration::from_secs(30), making_room).await.unwrap();
            assert!(house.held() <= DISK);
        });
    }
}
