//! What the origin stored, in order, and so what a reader may be given.
//!
//! A version that nobody overwrote for sure may be current: those from the last one on of whose
//! success a client had heard when the reader asked.

use parking_lot::Mutex;

use crate::support::{Dice, Ended, Head, Reply, Request, artifact, bytes};

const KIB: u64 = 1 << 10;
/// Few enough to be overwritten often, enough to outgrow both tiers.
pub const KEYS: u64 = 48;

/// Everything stored, and everything found wrong.
#[derive(Debug)]
pub struct Ledger {
    keys: Vec<Mutex<Key>>,
    wrong: Mutex<Vec<String>>,
}

/// What is known of one key.
#[derive(Debug, Default)]
struct Key {
    begun: u64,
    /// Versions in the order in which the origin stored them.
    stored: Vec<u64>,
    /// Where the last one of them stands of whose success a client has heard.
    floor: usize,
}

/// One version of a key; all of it follows from the two numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Version {
    pub key: u64,
    pub number: u64,
}

/// A question under way, and what was known when it was asked.
#[derive(Clone, Copy, Debug)]
pub struct Asked {
    key: u64,
    floor: usize,
    is_stored: bool,
}

// === impl Ledger ===

impl Ledger {
    pub fn new() -> Self {
        Self {
            keys: (0..KEYS).map(|_| Mutex::default()).collect(),
            wrong: Mutex::default(),
        }
    }

    /// Begins the next version of a key.
    pub fn begin(&self, key: u64) -> Version {
        let mut known = self.key(key).lock();
        known.begun += 1;
        Version {
            key,
            number: known.begun,
        }
    }

    /// The origin's side: stores an upload, which must be a version as it was begun.
    pub fn store(&self, head: &Head, body: &[u8]) {
        match Version::told_by(head) {
            Some(version) if version.is_told_by(head) && version.body() == body => {
                self.key(version.key).lock().stored.push(version.number);
            }
            _ => self.complain(format!("upstream came {head:?} with {} bytes", body.len())),
        }
    }

    /// What the origin has of a key.
    pub fn current(&self, key: u64) -> Option<Version> {
        let number = self.key(key).lock().stored.last().copied()?;
        Some(Version { key, number })
    }

    /// A client has heard of the version's success.
    pub fn accept(&self, version: Version) {
        let mut known = self.key(version.key).lock();
        let found = known.stored.iter().rposition(|one| *one == version.number);
        match found {
            Some(place) => known.floor = known.floor.max(place),
            None => self.complain(format!("{version:?} was accepted and is nowhere")),
        }
    }

    /// Notes what is known as a question is put.
    pub fn ask(&self, key: u64) -> Asked {
        let known = self.key(key).lock();
        Asked {
            key,
            floor: known.floor,
            is_stored: !known.stored.is_empty(),
        }
    }

    /// Holds an answer against what may be current: headers, and every byte of the body.
    pub fn check(&self, asked: Asked, reply: &Reply) {
        match reply.status {
            200 => self.check_artifact(asked, reply),
            404 if asked.is_stored && reply.cache_status().contains("fwd-status=404") => {
                self.complain(format!("key {} is said to be absent", asked.key));
            }
            // A miss, whatever its reason; or who was refused as a writer asks to read; or a body
            // that broke before the head had left.
            404 | 403 | 0 => {}
            status => self.complain(format!("{status} to a read: {:?}", reply.head)),
        }
    }

    /// The same for the head alone.
    pub fn check_head(&self, asked: Asked, reply: &Reply) {
        if reply.status == 200 {
            self.version_of(asked, &reply.head);
        }
    }

    pub fn complain(&self, what: String) {
        self.wrong.lock().push(what);
    }

    /// Fails where anything was wrong.
    #[track_caller]
    pub fn assert_nothing_is_wrong(&self) {
        let wrong = self.wrong.lock();
        let first = wrong.iter().take(5).collect::<Vec<_>>();
        assert!(wrong.is_empty(), "{} wrong: {first:#?}", wrong.len());
    }

    fn check_artifact(&self, asked: Asked, reply: &Reply) {
        let Some(version) = self.version_of(asked, &reply.head) else {
            return;
        };
        let (body, came) = (version.body(), &reply.body);
        let is_right = match reply.ended {
            Ended::Whole => body == *came,
            Ended::Cut => came.len() <= body.len() && body.starts_with(came),
        };
        if !is_right {
            let lengths = (came.len(), body.len());
            self.complain(format!("{version:?}: {lengths:?}, {:?}", reply.head));
        }
    }

    /// The version that a head tells of, where it may be that one.
    fn version_of(&self, asked: Asked, head: &Head) -> Option<Version> {
        let version = Version::told_by(head).filter(|told| told.key == asked.key);
        let known = self.key(asked.key).lock();
        let may_be = known.stored.get(asked.floor..).unwrap_or_default();
        match version {
            Some(version) if may_be.contains(&version.number) && version.is_told_by(head) => {
                return Some(version);
            }
            _ => self.complain(format!("none of {may_be:?} of {}: {head:?}", asked.key)),
        }
        None
    }

    fn key(&self, key: u64) -> &Mutex<Key> {
        &self.keys[usize::try_from(key).expect("an index")]
    }
}

// === impl Version ===

impl Version {
    /// The version whose tag stands in a head.
    fn told_by(head: &Head) -> Option<Self> {
        let tag = head.get("x-artifact-tag")?.strip_prefix("key")?;
        let (key, number) = tag.split_once('v')?;
        let (key, number) = (key.parse().ok()?, number.parse().ok()?);
        (key < KEYS).then_some(Self { key, number })
    }

    /// Whether what else the head says fits: of two versions no fields are mixed.
    fn is_told_by(self, head: &Head) -> bool {
        let length = head.get("content-length");
        head.get("x-artifact-duration") == Some(self.duration().as_str())
            && length.is_none_or(|length| length == self.length().to_string())
    }

    pub fn tag(self) -> String {
        format!("key{}v{}", self.key, self.number)
    }

    pub fn duration(self) -> String {
        (1 + self.dice().below(100_000)).to_string()
    }

    pub fn body(self) -> Vec<u8> {
        bytes(self.key << 32 | self.number, self.length())
    }

    /// Bodies that stay in memory, that go through a draft, and through a draft in many pieces.
    fn length(self) -> usize {
        let mut dice = self.dice();
        let length = match self.key % 8 {
            0 => 512 * KIB + dice.below(1024 * KIB),
            1 | 2 => 64 * KIB + dice.below(192 * KIB),
            _ => dice.below(16 * KIB),
        };
        usize::try_from(length).expect("a length")
    }

    fn dice(self) -> Dice {
        Dice::new(self.key << 32 | self.number)
    }

    /// Its upload, with a body where one is sent at once.
    pub fn upload(self) -> Request {
        Request::new("PUT", &target(self.key))
            .header("x-artifact-tag", &self.tag())
            .header("x-artifact-duration", &self.duration())
    }
}

/// Where a key is.
pub fn target(key: u64) -> String {
    artifact(&format!("key{key}"))
}

/// The key of a target.
pub fn key_of(target: &str) -> Option<u64> {
    let (_, rest) = target.split_once("/key")?;
    let key = rest.split('?').next()?.parse().ok()?;
    (key < KEYS).then_some(key)
}
