//! What an upload replaces, held against what it brings: the bytes where both are in memory, else the
//! checksums that an entry's footer holds. No body is read for it.
//!
//! The checksums tell accidents apart, not forgeries: whoever wants two bodies with the same can make
//! them.

use std::sync::Arc;

use bytes::Bytes;

use super::Shared;
use super::disk::{Footer, Outgoing, Table};
use super::landing::Ready;
use super::memory::Stored;
use crate::artifact::{KeyDigest, Meta};

/// Footers read at once, on threads of their own: a disk that hangs at them holds nobody up.
pub(super) const READERS: usize = 4;
/// Entries that wait to be read, each an open file; what comes beyond is not compared. Only those wait
/// that the page cache does not have, and landing the uploads takes the disk longer than reading them.
pub(super) const MOST_UNREAD: usize = 64;

/// What an upload replaces, and what it brings.
pub(super) struct Contrast {
    before: Before,
    after: Edition,
}

/// What a key had when an upload landed.
enum Before {
    Memory(Edition),
    Disk(Outgoing),
}

/// One of two artifacts that are compared.
struct Edition {
    meta: Arc<Meta>,
    body: Body,
}

/// What is at hand of a body.
enum Body {
    Whole(Bytes),
    Sums(Table),
}

// === impl Shared ===

impl Shared {
    /// Takes hold of what a landing is about to replace, if anything. Only in the key's section.
    pub(super) fn contrast(&self, key: &KeyDigest, ready: &Ready) -> Option<Contrast> {
        let before = match (self.memory.get(key), &self.disk) {
            (Some(stored), _) => Before::Memory(Edition::of(&stored)),
            (None, Some(disk)) => Before::Disk(disk.outgoing(key)?),
            (None, None) => return None,
        };
        let after = Edition::brought_by(ready)?;
        Some(Contrast { before, after })
    }

    /// Reports a conflict if there is one. Waits for no disk: a footer that has to come from there is
    /// read while others go on.
    pub(super) fn compare(&self, contrast: Contrast) {
        let conflicts = Arc::clone(&self.conflicts);
        let Contrast { before, after } = contrast;
        let report = move |before: Edition| {
            if before.differs(&after) {
                conflicts.note(&before.meta, &after.meta);
            }
        };
        match before {
            Before::Memory(before) => report(before),
            Before::Disk(outgoing) => match outgoing.peek() {
                Some(footer) => report(footer.into()),
                None => self.comparing.run_if_room(move || {
                    if let Some(footer) = outgoing.read() {
                        report(footer.into());
                    }
                }),
            },
        }
    }
}

// === impl Contrast ===

impl Contrast {
    /// Of two artifacts in memory.
    pub(super) fn in_memory(before: &Stored, after: &Stored) -> Self {
        Self {
            before: Before::Memory(Edition::of(before)),
            after: Edition::of(after),
        }
    }
}

// === impl Edition ===

impl Edition {
    fn of(stored: &Stored) -> Self {
        Self {
            meta: Arc::clone(&stored.meta),
            body: Body::Whole(stored.body.clone()),
        }
    }

    fn brought_by(ready: &Ready) -> Option<Self> {
        if let Some(stored) = &ready.memory {
            return Some(Self::of(stored));
        }
        let staged = ready.disk.as_ref().ok()?;
        Some(Self {
            meta: Arc::clone(&ready.meta),
            body: Body::Sums(staged.table().clone()),
        })
    }

    fn differs(&self, other: &Self) -> bool {
        self.meta.size != other.meta.size
            || match (&self.body, &other.body) {
                (Body::Whole(one), Body::Whole(two)) => one != two,
                (Body::Whole(bytes), Body::Sums(table))
                | (Body::Sums(table), Body::Whole(bytes)) => Table::of(bytes) != *table,
                (Body::Sums(one), Body::Sums(two)) => one != two,
            }
    }
}

impl From<Footer> for Edition {
    fn from(footer: Footer) -> Self {
        Self {
            meta: Arc::new(footer.meta),
            body: Body::Sums(footer.table),
        }
    }
}
