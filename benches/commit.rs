//! Prints what landing a small artifact in the disk tier costs, beside a file of the same bytes that
//! is made under another name, written and renamed.
//!
//! `bare` does that and no more, file after file on a thread of its own; `again` is the same once more
//! and tells how much of a difference is chance. `hop` does it on a blocking thread that it goes to for
//! each file, as every program must whose sockets are asynchronous. `larder` lands through the tiers'
//! own door. Every order of the four has its round, and what a sample wrote is removed before the next.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "it prints what it measured, and may fail loudly"
)]

use std::fmt;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

use bytes::Bytes;
use larder::artifact::{ArtifactHash, ArtifactKey, Fields, Label, OriginId, Scope};
use larder::caller::CallerDigest;
use larder::config::Config;
use larder::metrics::Metrics;
use larder::tasks::Tasks;
use larder::tiers::{Landing, LandingBody, Tiers};
use tokio::runtime::Runtime;
use tokio::task::spawn_blocking;
use tokio::time::{Duration, Instant, sleep};

const SIZES: [(&str, usize); 2] = [("1 KiB", 1024), ("64 KiB", 64 * 1024)];
const WRITERS: [usize; 2] = [1, 4];
/// Times that everything is measured: as many as four ways have orders.
const ROUNDS: usize = 24;
/// Files in one sample, shared among its writers.
const FILES: usize = 512;
/// What an entry of one block and no header fields has behind its body, in bytes.
const FOOTER: usize = 121;
/// Every folder is read by then, so that no sample pays for it.
const READ: Duration = Duration::from_secs(3);

/// Microseconds of what the system counts the processors' time in.
const TICK: f64 = 10_000.0;

/// How an artifact gets onto the disk.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Bare,
    Again,
    Hop,
    Larder,
}

const WAYS: [Way; 4] = [Way::Bare, Way::Again, Way::Hop, Way::Larder];

/// A folder for each way, and what lands there.
struct Field {
    root: PathBuf,
    runtime: Runtime,
    tiers: Arc<Tiers>,
    made: u64,
}

/// A file to be: its two names.
struct Names {
    draft: PathBuf,
    entry: PathBuf,
}

/// When a sample began, and how long the process had kept processors busy by then.
struct Moment {
    at: Instant,
    ticks: u32,
}

/// What a sample took, in microseconds.
#[derive(Clone, Copy)]
struct Cost {
    waited: f64,
    busy: f64,
}

/// A median with its quartiles, and what the processors did meanwhile.
struct Spread {
    low: f64,
    median: f64,
    high: f64,
    busy: f64,
}

fn main() {
    // Cargo adds an argument of its own.
    let given = std::env::args().skip(1).find(|text| !text.starts_with('-'));
    let parent = given.map_or_else(|| PathBuf::from(env!("CARGO_TARGET_TMPDIR")), PathBuf::from);
    let dir = tempfile::tempdir_in(&parent).unwrap();
    let mut field = Field::new(dir.path());
    println!("Microseconds a file: median (quartiles) of {ROUNDS} rounds of {FILES} files;");
    println!("after the slash those that processors were busy, whoever waited\n");
    println!(
        "| artifact | writers | bare | again | hop | larder | again / bare | larder / bare | larder / hop |"
    );
    println!("|---|--:|--:|--:|--:|--:|--:|--:|--:|");
    for (label, size) in SIZES {
        for writers in WRITERS {
            let [bare, again, hop, larder] = field.compare(size, writers).map(Spread::of);
            let ratio = |one: &Spread, other: &Spread| one.median / other.median;
            println!(
                "| {label} | {writers} | {bare} | {again} | {hop} | {larder} | {:.2} | {:.2} | {:.2} |",
                ratio(&again, &bare),
                ratio(&larder, &bare),
                ratio(&larder, &hop),
            );
        }
    }
}

// === impl Field ===

impl Field {
    fn new(root: &Path) -> Self {
        let runtime = Runtime::new().unwrap();
        let tiers = runtime.block_on(open(&root.join("larder")));
        let field = Self {
            root: root.to_owned(),
            runtime,
            tiers,
            made: 0,
        };
        for way in WAYS {
            fs::create_dir_all(field.folder(way).join("tmp")).unwrap();
            for shard in 0..=u8::MAX {
                let shard = field.folder(way).join(format!("entries/{shard:02x}"));
                fs::create_dir_all(shard).unwrap();
            }
        }
        field.runtime.block_on(async { sleep(READ).await });
        field
    }

    fn compare(&mut self, size: usize, writers: usize) -> [Vec<Cost>; 4] {
        let mut figures = WAYS.map(|_| Vec::new());
        for round in 0..ROUNDS {
            for at in order(round) {
                if let (Some(way), Some(kept)) = (WAYS.get(at), figures.get_mut(at)) {
                    kept.push(self.sample(*way, size, writers));
                }
            }
        }
        figures
    }

    fn sample(&mut self, way: Way, size: usize, writers: usize) -> Cost {
        let each = FILES / writers;
        let mut cost = match way {
            Way::Bare | Way::Again | Way::Hop => {
                let names = (0..writers).map(|_| self.names(way, size, each)).collect();
                // An entry's footer is behind its body.
                let bytes = Bytes::from(vec![7; size + FOOTER]);
                if way == Way::Hop {
                    self.hop(names, &bytes)
                } else {
                    bare(names, &bytes)
                }
            }
            Way::Larder => {
                let landings = (0..writers).map(|_| self.landings(size, each)).collect();
                self.land(landings)
            }
        };
        self.clear(way);
        let files = f64::from(u32::try_from(each * writers).unwrap());
        cost.waited /= files;
        cost.busy /= files;
        cost
    }

    fn hop(&self, names: Vec<Vec<Names>>, bytes: &Bytes) -> Cost {
        let writers = names.into_iter().map(|names| {
            let bytes = bytes.clone();
            async move {
                for names in names {
                    let bytes = bytes.clone();
                    spawn_blocking(move || names.put(&bytes)).await.unwrap();
                }
            }
        });
        self.run(writers.collect())
    }

    fn land(&self, landings: Vec<Vec<Landing>>) -> Cost {
        let writers = landings.into_iter().map(|landings| {
            let tiers = Arc::clone(&self.tiers);
            async move {
                for landing in landings {
                    tiers.publish(landing).await.unwrap();
                }
            }
        });
        self.run(writers.collect())
    }

    /// Runs every writer as a task of its own, as a request would be.
    fn run<F>(&self, writers: Vec<F>) -> Cost
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let begun = Moment::now();
        let tasks: Vec<_> = writers
            .into_iter()
            .map(|writer| self.runtime.spawn(writer))
            .collect();
        for task in tasks {
            self.runtime.block_on(task).unwrap();
        }
        begun.cost()
    }

    fn names(&mut self, way: Way, size: usize, count: usize) -> Vec<Names> {
        let folder = self.folder(way);
        let keys = self.keys(count);
        let name = |(number, key): (usize, &ArtifactKey)| {
            let digest = format!("{:?}", key.digest);
            let (shard, prefix) = (&digest[..2], &digest[..32]);
            let length = size + FOOTER;
            Names {
                draft: folder.join(format!("tmp/{prefix}.draft")),
                entry: folder.join(format!(
                    "entries/{shard}/{prefix}-{number:016x}-{length:x}-68a00000-0"
                )),
            }
        };
        keys.iter().enumerate().map(name).collect()
    }

    fn landings(&mut self, size: usize, count: usize) -> Vec<Landing> {
        let body = Bytes::from(vec![7; size]);
        let landing = |key: ArtifactKey| Landing {
            label: Label::new(&key, Fields::from_pairs([])),
            key,
            size: body.len() as u64,
            body: LandingBody::Memory(vec![body.clone()]),
        };
        self.keys(count).into_iter().map(landing).collect()
    }

    /// Keys that nobody has used.
    fn keys(&mut self, count: usize) -> Vec<ArtifactKey> {
        let first = self.made;
        self.made += count as u64;
        let key = |number: u64| {
            let hash = ArtifactHash::parse(&format!("{number:016x}")).unwrap();
            let scope = Scope::new("slug=bench", CallerDigest::from_bytes([0; 32]));
            ArtifactKey::new(&OriginId::new("none"), scope, hash)
        };
        (first..self.made).map(key).collect()
    }

    fn folder(&self, way: Way) -> PathBuf {
        self.root.join(match way {
            Way::Bare => "bare",
            Way::Again => "again",
            Way::Hop => "hop",
            Way::Larder => "larder/v1",
        })
    }

    /// Removes what was written, so that little of it reaches the disk under the next sample.
    fn clear(&self, way: Way) {
        for shard in fs::read_dir(self.folder(way).join("entries")).unwrap() {
            for file in fs::read_dir(shard.unwrap().path()).unwrap() {
                fs::remove_file(file.unwrap().path()).unwrap();
            }
        }
    }
}

async fn open(data: &Path) -> Arc<Tiers> {
    let mut config = Config::built_in(data).tier;
    config.memory.capacity = 0;
    config.disk.capacity = 1 << 40;
    config.disk.min_free = 0;
    config.disk.scrub_rate = 0;
    let metrics = Arc::new(Metrics::new().unwrap());
    Tiers::open(&config, data, metrics, Tasks::new())
        .await
        .unwrap()
}

/// The places of the ways in one round.
fn order(mut round: usize) -> Vec<usize> {
    let mut left: Vec<usize> = (0..WAYS.len()).collect();
    let mut order = Vec::new();
    while !left.is_empty() {
        let next = round % left.len();
        round /= left.len();
        order.push(left.remove(next));
    }
    order
}

fn bare(names: Vec<Vec<Names>>, bytes: &[u8]) -> Cost {
    let begun = Moment::now();
    thread::scope(|scope| {
        for names in names {
            scope.spawn(move || names.iter().for_each(|names| names.put(bytes)));
        }
    });
    begun.cost()
}

// === impl Names ===

impl Names {
    fn put(&self, bytes: &[u8]) {
        let mut options = OpenOptions::new();
        let options = options.read(true).write(true).create_new(true).mode(0o600);
        let mut file = options.open(&self.draft).unwrap();
        file.write_all(bytes).unwrap();
        drop(file);
        fs::rename(&self.draft, &self.entry).unwrap();
    }
}

// === impl Moment ===

impl Moment {
    fn now() -> Self {
        // Behind the program's name stand, after eleven others, the ticks spent in it and for it.
        let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
        let fields = stat.rsplit(')').next().unwrap_or_default();
        let ticks = fields.split_whitespace().skip(11).take(2);
        Self {
            at: Instant::now(),
            ticks: ticks.filter_map(|field| field.parse::<u32>().ok()).sum(),
        }
    }

    fn cost(&self) -> Cost {
        let now = Self::now();
        Cost {
            waited: (now.at - self.at).as_secs_f64() * 1e6,
            busy: f64::from(now.ticks - self.ticks) * TICK,
        }
    }
}

// === impl Spread ===

impl Spread {
    fn of(mut costs: Vec<Cost>) -> Self {
        costs.sort_by(|one, other| one.waited.total_cmp(&other.waited));
        let at = |quarter: usize| costs.get(costs.len() * quarter / 4).unwrap().waited;
        let rounds = f64::from(u32::try_from(costs.len()).unwrap());
        Self {
            low: at(1),
            median: at(2),
            high: at(3),
            // A tick is longer than many a sample takes: only their sum says something.
            busy: costs.iter().map(|cost| cost.busy).sum::<f64>() / rounds,
        }
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            low,
            median,
            high,
            busy,
        } = self;
        write!(f, "{median:.1} ({low:.1}-{high:.1}) / {busy:.0}")
    }
}
