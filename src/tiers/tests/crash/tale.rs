//! Real work of the tier on a real directory, told so that its calls can be replayed in part.

use std::collections::BTreeSet;

use super::super::*;
use super::journal::{Recorder, Recording, Step};
use super::states::Allowed;
use crate::artifact::{Landed, Meta};

/// One of the artifacts that a key had, whole.
#[derive(Clone, Debug)]
pub(super) struct Version {
    pub(super) hash: &'static str,
    pub(super) tag: &'static str,
    pub(super) body: Bytes,
    /// The team's name where it has one of an unusual length, in bytes.
    pub(super) team: Option<usize>,
}

/// A tier at work.
pub(super) struct Tale {
    dir: tempfile::TempDir,
    config: config::Tier,
    recorder: Arc<Recorder>,
    tiers: Option<Tiers>,
    now: Allowed,
    known: Allowed,
    versions: Vec<Version>,
}

/// What was recorded, and what the keys had before and came to have.
pub(super) struct Story {
    pub(super) config: config::Tier,
    pub(super) recording: Recording,
    pub(super) known: Allowed,
    pub(super) versions: Vec<Version>,
}

// === impl Version ===

impl Version {
    pub(super) fn label(&self) -> Label {
        let mut label = label(&key(self.hash), self.tag);
        if let Some(length) = self.team {
            label.team = Some("t".repeat(length));
        }
        label
    }

    pub(super) fn landing(&self, body: LandingBody) -> Landing {
        let key = key(self.hash);
        Landing {
            label: self.label(),
            size: self.body.len() as u64,
            body,
            key,
        }
    }

    pub(super) fn in_memory(&self) -> Landing {
        self.landing(LandingBody::Memory(vec![self.body.clone()]))
    }
}

// === impl Tale ===

impl Tale {
    /// A tier that was not started yet, on an empty directory.
    pub(super) fn new(config: config::Tier) -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
            config,
            recorder: Arc::default(),
            tiers: None,
            now: Allowed::new(),
            known: Allowed::new(),
            versions: Vec::new(),
        }
    }

    /// Starts the tier, once more where it runs.
    pub(super) fn start(&mut self) {
        self.tiers = None;
        let files = Files::watched(Arc::clone(&self.recorder) as Arc<dyn disk::files::shim::Watch>);
        let metrics = Arc::new(Metrics::new().unwrap());
        self.tiers = Some(open(&self.config, self.dir.path(), &metrics, &files));
    }

    /// All that was done so far is on the disk; from here on everything counts.
    pub(super) fn record(&mut self) {
        // What is written down once all folders are read would be a story of its own.
        if let Some(tiers) = &self.tiers {
            let disk = tiers.shared.disk.as_ref().unwrap();
            (0..=u8::MAX).for_each(|shard| disk.read_shard(shard).unwrap());
        }
        self.known = self.now.clone();
        self.recorder.begin(self.dir.path());
    }

    pub(super) fn end(self) -> Story {
        Story {
            config: self.config,
            recording: self.recorder.end(),
            known: self.known,
            versions: self.versions,
        }
    }

    /// Uploads a body of `size` bytes that is whole in memory.
    pub(super) async fn upload(&mut self, hash: &'static str, tag: &'static str, size: u64) {
        let version = self.version(hash, tag, size);
        self.publish(version).await;
    }

    /// Uploads a body whose team has a name of `team` bytes.
    pub(super) async fn upload_of_team(
        &mut self,
        hash: &'static str,
        tag: &'static str,
        size: u64,
        team: usize,
    ) {
        let version = self.version(hash, tag, size);
        self.versions.pop();
        let version = Version {
            team: Some(team),
            ..version
        };
        self.versions.push(version.clone());
        self.publish(version).await;
    }

    /// Uploads two bodies of which the one that began first lands last.
    pub(super) fn upload_overtaken(
        &mut self,
        hash: &'static str,
        (first, second): (&'static str, &'static str),
        size: u64,
    ) {
        let staged = [first, second].map(|tag| {
            let version = self.version(hash, tag, size);
            let meta = Meta {
                label: version.label(),
                size,
                landed: Landed::now(),
            };
            disk::Staged::write(self.disk(), &key(hash), &meta, &version.body).unwrap()
        });
        let [staged_first, staged_second] = staged;
        self.begin(hash, Some(second));
        self.disk().commit(staged_second).unwrap();
        self.end_with(hash, Some(second));
        self.begin(hash, None);
        self.begin(hash, Some(first));
        self.disk().commit(staged_first).unwrap();
        self.end_with(hash, Some(first));
    }

    /// Uploads a body that comes in pieces of these lengths, more than they are being expected.
    pub(super) async fn upload_in_pieces(
        &mut self,
        hash: &'static str,
        tag: &'static str,
        pieces: &[usize],
    ) {
        let version = self.version(hash, tag, pieces.iter().sum::<usize>() as u64);
        self.begin(hash, Some(tag));
        let mut draft = self.tiers().draft(&key(hash), Some(MIB)).await.unwrap();
        let mut rest = version.body.clone();
        for piece in pieces {
            draft.append(vec![rest.split_to(*piece)]).await.unwrap();
        }
        let landing = version.landing(LandingBody::Draft(draft));
        self.tiers().publish(landing).await.unwrap();
        self.end_with(hash, Some(tag));
    }

    /// Stops it in order: what the next start may know is written down.
    pub(super) async fn close(&mut self) {
        self.tiers().close().await;
    }

    /// Writes down how much rests.
    pub(super) fn leave_word(&self) {
        self.disk().write_usage().unwrap();
    }

    pub(super) async fn forget(&mut self, hash: &'static str) {
        self.begin(hash, None);
        self.tiers().forget(&key(hash).digest).await;
        self.end_with(hash, None);
    }

    /// Looks a key up that has no whole entry.
    pub(super) async fn miss(&mut self, hash: &'static str) {
        if let Some(found) = self.tiers().lookup(&key(hash).digest).await {
            found.open().await.unwrap_err();
        }
    }

    /// A key may come to have this version, or none …
    pub(super) fn begin(&mut self, hash: &'static str, tag: Option<&'static str>) {
        if !self.now.contains_key(hash) {
            self.end_with(hash, None);
        }
        self.recorder.note(Step::Begun(hash, tag));
    }

    /// … and has this one.
    pub(super) fn end_with(&mut self, hash: &'static str, tag: Option<&'static str>) {
        self.recorder.note(Step::Ended(hash, tag));
        self.now.insert(hash, BTreeSet::from([tag]));
    }

    /// The file of the entry that a key has.
    pub(super) async fn entry(&self, hash: &str) -> PathBuf {
        let name = self.disk().find(&key(hash).digest).await.unwrap();
        let shard = format!("v1/entries/{:02x}", name.prefix.shard());
        self.dir.path().join(shard).join(name.to_string())
    }

    pub(super) fn path(&self, path: &str) -> PathBuf {
        self.dir.path().join(path)
    }

    async fn publish(&mut self, version: Version) {
        let (hash, tag) = (version.hash, version.tag);
        self.begin(hash, Some(tag));
        self.tiers().publish(version.in_memory()).await.unwrap();
        self.end_with(hash, Some(tag));
    }

    fn disk(&self) -> &Arc<Disk> {
        self.tiers().shared.disk.as_ref().unwrap()
    }

    fn tiers(&self) -> &Tiers {
        self.tiers.as_ref().unwrap()
    }

    fn version(&mut self, hash: &'static str, tag: &'static str, size: u64) -> Version {
        let seed = u8::try_from(self.versions.len() * 29 + 1).unwrap();
        let version = Version {
            hash,
            tag,
            body: bytes(size, seed),
            team: None,
        };
        self.versions.push(version.clone());
        version
    }
}
