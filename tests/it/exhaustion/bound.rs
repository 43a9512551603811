//! What memory may be while clients take what they can get: a sum, each part of which is said.

use super::{KIB, say};

/// What no formula knows: threads at work, their stacks, and what the allocator keeps for the next time.
const SLACK: u64 = 16 << 20;

/// What one client may take besides the memory for bodies that all share, in bytes.
///
/// `docs/operations.md#limits` has what each really takes; these are what it must stay below.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takes {
    /// A connection in clear text, or the beginning of a head on one.
    Connection,
    /// The same in TLS.
    Secured,
    /// A request of HTTP/2, and its answer's body on the way.
    Stream,
    /// An upload's beginning, which is read ahead of the disk however little memory there is.
    Upload,
    /// A piece of an answer, which is in memory however little there is.
    Piece,
    /// The same on a connection of HTTP/1 in TLS: two pieces wait there, and what is encrypted of one.
    Pieces,
    /// An upload before an upstream that does not read: what lies between the two, and in the allocator.
    Sent,
    /// An upload of HTTP/2 that nobody reads: its window.
    Window,
}

/// A sum of memory.
#[derive(Clone, Debug)]
pub struct Bound {
    pub most: u64,
    said: String,
}

// === impl Takes ===

impl Takes {
    const fn bytes(self) -> u64 {
        match self {
            Self::Connection | Self::Stream => 32 * KIB,
            Self::Secured => 48 * KIB,
            // What the connection reads at a time: into one, and two batches are pieces of others; and what the
            // allocator keeps of those.
            Self::Upload => (3 * 128 + 64) * KIB,
            Self::Piece => 64 * KIB,
            Self::Pieces => 3 * 64 * KIB,
            Self::Sent => 512 * KIB,
            Self::Window => 2048 * KIB,
        }
    }
}

// === impl Bound ===

impl Bound {
    /// Of a process that takes `base` with nobody there, and lets bodies take `in_flight`.
    pub fn new(base: u64, in_flight: u64) -> Self {
        let mebibytes = |bytes: u64| bytes >> 20;
        let (base_said, shared, slack) = (mebibytes(base), mebibytes(in_flight), mebibytes(SLACK));
        Self {
            most: base + in_flight + SLACK,
            said: format!("{base_said} at rest + {shared} for bodies + {slack} of slack"),
        }
    }

    /// And for windows of HTTP/2 besides the least: all connections together have as much of them as there
    /// is for bodies.
    pub fn and_ahead(mut self, in_flight: u64) -> Self {
        self.most += in_flight;
        let said = &self.said;
        self.said = format!("{said} + {} for windows", in_flight >> 20);
        self
    }

    /// And for so many of them.
    pub fn and(mut self, number: usize, takes: Takes) -> Self {
        let each = takes.bytes();
        self.most += number as u64 * each;
        let said = &self.said;
        self.said = format!("{said} + {number} x {} KiB", each / KIB);
        self
    }

    /// Asserts that no more was taken; prints both.
    #[track_caller]
    pub fn holds(&self, what: &str, peak: u64) {
        let (peak_said, most) = (peak >> 20, self.most >> 20);
        let said = &self.said;
        say(&format!("{what}: {peak_said} MiB of {most} ({said} MiB)"));
        assert!(peak <= self.most, "{what}: {peak_said} MiB");
    }
}
