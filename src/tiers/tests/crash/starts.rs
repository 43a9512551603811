//! A start on what a crash has left, and all that must hold from then on.

use std::collections::BTreeSet;

use super::super::*;
use super::journal::Step;
use super::states::State;
use super::tale::{Story, Version};

/// The part of the capacity that may be stored beyond it before it is known what rests.
const BLIND: u64 = 32;
/// Uploads of one unit that fill a tier up after a crash.
const FILLING: usize = 4;

/// Where states are laid out, one after the other.
pub(super) struct Yard {
    dir: tempfile::TempDir,
    config: config::Tier,
    metrics: Arc<Metrics>,
}

// === impl Yard ===

impl Yard {
    /// A directory, in memory where the system has such.
    pub(super) fn new() -> Self {
        let dir = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir());
        Self {
            dir: dir.unwrap(),
            config: config(0, 64 * MIB),
            metrics: Arc::new(Metrics::new().unwrap()),
        }
    }

    /// Starts the tier on `state`; says what should not be.
    ///
    /// Bodies are read in one piece, or else first checked and then sent frame by frame.
    pub(super) async fn try_out(
        &self,
        story: &Story,
        state: &State,
        in_one_piece: bool,
    ) -> Result<(), String> {
        self.lay_out(state);
        let tiers = self.start()?;
        let disk = tiers.shared.disk.as_ref().unwrap();
        let rights = disk.whole_reads.available_permits();
        let taken = if in_one_piece { 0 } else { rights };
        let taken = disk
            .whole_reads
            .try_acquire_many(u32::try_from(taken).unwrap());
        self.looks_up(&tiers, story, state).await?;
        drop(taken);
        let changed = changed(story);
        for hash in &changed {
            takes_another(&tiers, hash, state).await?;
        }
        drop(tiers);
        let tiers = self.start()?;
        for hash in &changed {
            let another = another(hash);
            let found = version_of(&tiers, hash, std::slice::from_ref(&another)).await?;
            must(found == Some(another.tag), "the upload after it is lost")?;
            tiers.forget(&key(hash).digest).await;
        }
        for hash in story.known.keys() {
            tiers.forget(&key(hash).digest).await;
        }
        must(
            self.files_in("entries").is_empty(),
            "something stays behind",
        )
    }

    /// Starts the tier on `state` as it was, and goes on storing until it has to make room.
    pub(super) async fn try_filling(&self, story: &Story, state: &State) -> Result<(), String> {
        self.lay_out(state);
        let tiers = self.start_as(&story.config)?;
        let capacity = story.config.disk.capacity;
        // What is back is more than was ever stored at once; it goes before anything comes.
        let bound = capacity.max(self.held()) + capacity / BLIND;
        for number in 0..FILLING {
            let landing = small(&format!("f{number}"), "filling");
            let stored = tiers.publish(landing).await;
            stored.map_err(|bypass| format!("upload {number} is refused: {bypass:?}"))?;
            must(self.held() <= bound, "more rests than may")?;
        }
        let disk = tiers.shared.disk.as_ref().unwrap();
        for shard in 0..=u8::MAX {
            let read = disk.read_shard(shard);
            read.map_err(|error| format!("a folder cannot be read: {error}"))?;
        }
        while disk.trim(64) {}
        disk.report();
        let told = self.metrics.tier(Tier::Disk).bytes.get();
        // A torn file is shorter than its name says.
        let held = i64::try_from(self.held()).unwrap();
        must(told >= held, "more rests than is known")?;
        must(self.held() <= capacity, "it does not come down")
    }

    /// Bytes of all entries, in the units of a file system.
    fn held(&self) -> u64 {
        let lengths = self.files_in("entries").into_iter();
        let lengths = lengths.map(|path| fs::metadata(path).unwrap().len());
        lengths.map(|length| length.div_ceil(4096) * 4096).sum()
    }

    fn lay_out(&self, state: &State) {
        let root = self.dir.path();
        if let Err(error) = fs::remove_dir_all(root.join("v1")) {
            assert_eq!(error.kind(), io::ErrorKind::NotFound);
        }
        state.image.write(root).unwrap();
    }

    fn start(&self) -> Result<Tiers, String> {
        self.start_as(&self.config)
    }

    fn start_as(&self, config: &config::Tier) -> Result<Tiers, String> {
        let files = Files::default();
        let shared = Shared::open(config, self.dir.path(), &self.metrics, files);
        let shared = shared.map_err(|error| format!("no start: {error}"))?;
        Ok(Tiers { shared })
    }

    /// Every key has what it may have, and nothing else is there.
    async fn looks_up(&self, tiers: &Tiers, story: &Story, state: &State) -> Result<(), String> {
        let mut hits = 0;
        for (hash, allowed) in state.allowed.iter() {
            let found = version_of(tiers, hash, &story.versions).await?;
            if !allowed.contains(&found) {
                return Err(format!("{hash} is {found:?}, not of {allowed:?}"));
            }
            hits += usize::from(found.is_some());
        }
        let disk = tiers.shared.disk.as_ref().unwrap();
        must(disk.foreign() == 0, "an entry counts as foreign")?;
        must(disk.entries() == hits, "the index knows of more")?;
        must(self.files_in("entries").len() == hits, "other entries stay")?;
        must(self.files_in("tmp").is_empty(), "a draft stays")
    }

    fn files_in(&self, folder: &str) -> Vec<PathBuf> {
        let mut folders = vec![self.dir.path().join("v1").join(folder)];
        let mut files = Vec::new();
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let entry = entry.unwrap();
                let is_folder = entry.file_type().unwrap().is_dir();
                let list = if is_folder { &mut folders } else { &mut files };
                list.push(entry.path());
            }
        }
        files
    }
}

fn must(holds: bool, what: &str) -> Result<(), String> {
    holds.then_some(()).ok_or_else(|| what.to_owned())
}

/// The keys that something was done to.
fn changed(story: &Story) -> BTreeSet<&'static str> {
    let steps = story.recording.steps.iter();
    steps.filter_map(Step::changed_key).collect()
}

/// What is uploaded after the crash.
fn another(hash: &'static str) -> Version {
    Version {
        hash,
        tag: "another",
        body: bytes(5, 0xaa),
        team: None,
    }
}

/// A new upload is found at once, under a serial above all that may have been left.
async fn takes_another(tiers: &Tiers, hash: &'static str, state: &State) -> Result<(), String> {
    let another = another(hash);
    let published = tiers.publish(another.in_memory()).await;
    published.map_err(|bypass| format!("an upload after it is refused: {bypass:?}"))?;
    let disk = tiers.shared.disk.as_ref().unwrap();
    let name = disk.find(&key(hash).digest).await;
    let name = name.ok_or("an upload after it is not found")?;
    let paths = state.image.names.keys();
    let entries = paths.filter(|path| path.starts_with("v1/entries"));
    let left = entries.filter_map(|path| {
        let name = path.file_name()?.to_str()?;
        disk::EntryName::parse(name)
    });
    let is_above = left
        .filter(|left| left.prefix == name.prefix)
        .all(|left| left.serial < name.serial);
    must(is_above, "an upload after it has a lower serial")
}

/// The version a key is found as, its meta and all of its body compared.
async fn version_of(
    tiers: &Tiers,
    hash: &'static str,
    versions: &[Version],
) -> Result<Option<&'static str>, String> {
    let key = key(hash);
    let is_known = |meta: &crate::artifact::Meta| {
        let mut own = versions.iter().filter(|version| version.hash == hash);
        own.find(|version| version.label() == meta.label)
    };
    let Some(found) = tiers.lookup(&key.digest).await else {
        return Ok(None);
    };
    if let Ok(meta) = found.meta().await {
        is_known(&meta).ok_or_else(|| format!("{hash} has strange meta"))?;
    }
    let Ok(artifact) = found.open().await else {
        return Ok(None);
    };
    let version = is_known(&artifact.meta).ok_or_else(|| format!("{hash} has strange meta"))?;
    let body = match artifact.body {
        ArtifactBody::Whole(body) => body,
        ArtifactBody::File(body) => match body.collect().await {
            Ok(body) => body.to_bytes(),
            Err(Damaged) => return Ok(None),
        },
    };
    must(body == version.body, "a body that was never uploaded")?;
    Ok(Some(version.tag))
}
