//! What goes up and comes back: keys, their versions, and whether an answer is one of them.

use std::cell::Cell;

use crate::support::{Dice, Ended, Reply, Request, artifact, assert_bytes, bytes};

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;

/// Keys of each story: few enough to be overwritten often, enough to outgrow a small disk tier.
const ITEMS: u64 = 24;

/// Every key of a story.
#[derive(Debug)]
pub struct Stock(Vec<Item>);

/// One key, and how far its versions have come. All of an artifact follows from key and version.
#[derive(Debug)]
pub struct Item {
    number: u64,
    begun: Cell<u64>,
    accepted: Cell<u64>,
}

/// One version of a key.
#[derive(Debug)]
pub struct Version {
    pub number: u64,
    tag: String,
    duration: String,
    pub body: Vec<u8>,
}

// === impl Stock ===

impl Stock {
    pub fn new() -> Self {
        let item = |number| Item {
            number,
            begun: Cell::new(0),
            accepted: Cell::new(0),
        };
        Self((0..ITEMS).map(item).collect())
    }

    pub fn items(&self) -> &[Item] {
        &self.0
    }

    /// Any key.
    pub fn any(&self, dice: &mut Dice) -> &Item {
        &self.0[usize::try_from(dice.below(ITEMS)).expect("an index")]
    }

    /// A key that this one of `writers` may write: one of its own, or one that is everybody's.
    pub fn of_writer(&self, writer: u64, writers: u64, dice: &mut Dice) -> &Item {
        loop {
            let item = self.any(dice);
            if item.is_contested() || item.number / 4 % writers == writer {
                return item;
            }
        }
    }
}

// === impl Item ===

impl Item {
    /// Whether several writers upload it at once, so that nobody knows whose version is the last.
    pub fn is_contested(&self) -> bool {
        self.number.is_multiple_of(6)
    }

    /// Whether all its bodies are small.
    pub fn is_small(&self) -> bool {
        self.number % 4 > 1
    }

    /// Whether the client has heard of an upload's success.
    pub fn is_accepted(&self) -> bool {
        self.accepted.get() > 0
    }

    /// The oldest version that a reader who asks now may be given.
    pub fn floor(&self) -> u64 {
        let floor = if self.is_contested() {
            1
        } else {
            self.accepted.get()
        };
        floor.max(1)
    }

    /// Begins the next version.
    pub fn begin(&self) -> Version {
        self.begun.set(self.begun.get() + 1);
        self.version(self.begun.get())
    }

    /// Notes that the client has heard of the version's success.
    pub fn accept(&self, version: &Version) {
        self.accepted.set(self.accepted.get().max(version.number));
    }

    pub fn target(&self) -> String {
        artifact(&self.name())
    }

    /// Asserts that an answer is one version whose upload had begun, headers and every byte, and none
    /// older than `floor`. One that `was_killed` may be the beginning of it, as long as that shows.
    #[track_caller]
    pub fn assert_is_a_version(&self, floor: u64, reply: &Reply, was_killed: bool) {
        let tag = reply.header("x-artifact-tag").unwrap_or_default();
        let of_mine = tag.strip_prefix(&self.name());
        let number = of_mine.and_then(|rest| rest.strip_prefix('v')?.parse().ok());
        let number = number.unwrap_or_else(|| panic!("{} has the tag {tag:?}", self.name()));
        let possible = floor..=self.begun.get();
        assert!(possible.contains(&number), "{tag} is not in {possible:?}");
        let version = self.version(number);
        let duration = reply.header("x-artifact-duration");
        assert_eq!(duration, Some(version.duration.as_str()), "{tag}");
        let length = version.body.len().to_string();
        assert_eq!(reply.header("content-length"), Some(length.as_str()));
        match reply.ended {
            Ended::Whole => assert_bytes(&reply.body, &version.body),
            Ended::Cut => {
                assert!(was_killed, "{tag} was cut by nobody");
                let beginning = version.body.get(..reply.body.len());
                assert_bytes(&reply.body, beginning.expect("no more than there is"));
            }
        }
    }

    fn name(&self) -> String {
        format!("artifact{}", self.number)
    }

    fn version(&self, number: u64) -> Version {
        let seed = self.number << 32 | number;
        let mut dice = Dice::new(seed);
        // Bodies that go through memory, through a draft, and through a draft in many pieces.
        let length = match self.number % 4 {
            0 => MIB + dice.below(2 * MIB),
            1 => 64 * KIB + dice.below(448 * KIB),
            _ => dice.below(20 * KIB),
        };
        Version {
            number,
            tag: format!("{}v{number}", self.name()),
            duration: (1 + dice.below(100_000)).to_string(),
            body: bytes(seed, usize::try_from(length).expect("a length")),
        }
    }
}

// === impl Version ===

impl Version {
    /// The upload of this version, without a body yet.
    pub fn request(&self, item: &Item, is_chunked: bool) -> Request {
        let request = Request::new("PUT", &item.target())
            .header("x-artifact-tag", &self.tag)
            .header("x-artifact-duration", &self.duration);
        if is_chunked {
            request.chunked()
        } else {
            request.header("content-length", &self.body.len().to_string())
        }
    }
}
