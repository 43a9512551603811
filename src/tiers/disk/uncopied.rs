//! Stretches of an entry that leave uncopied: those that the page cache has, so that whoever sends them
//! does not wait for the disk.

use std::ops::Range;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;

use super::reader::Reader;
use crate::mapped::Map;
use crate::outlet::Outlet;

/// Bytes offered at a time: few enough that they are still in the page cache when a slow client takes
/// the last of them.
const STRETCH: u64 = 1024 * 1024;

/// Fewer bytes than this are sooner copied than looked for and sent by calls of their own.
const SHORTEST: u64 = 64 * 1024;

/// How far apart the bytes are that tell whether all between them are in the page cache. A system short
/// of memory may have dropped some between them; a look at each page would cost as much as sending it.
const SAMPLED: usize = 256 * 1024;

/// The way for one entry's bytes.
#[derive(Debug, Default)]
pub(super) struct Uncopied {
    /// Made for the first stretch; none where the system has no room for it.
    map: OnceLock<Option<Arc<Map>>>,
}

// === impl Uncopied ===

impl Uncopied {
    /// The next bytes behind `offset` of a body of `size` bytes, offered to `outlet`; none where they
    /// have to be read first, or cannot leave so.
    pub(super) fn offer(
        &self,
        reader: &Reader,
        size: u64,
        offset: u64,
        outlet: &Outlet,
    ) -> Option<Bytes> {
        let end = size.min(offset + STRETCH);
        if end - offset < SHORTEST || !is_cached(reader, offset..end) {
            return None;
        }
        let map = self.map.get_or_init(|| reader.map(size).ok().map(Arc::new));
        let stretch = usize::try_from(offset).ok()?..usize::try_from(end).ok()?;
        outlet.offer(map.as_ref()?, stretch)
    }
}

/// Whether a stretch very likely is in the page cache: bytes of it are, and its last.
fn is_cached(reader: &Reader, stretch: Range<u64>) -> bool {
    let last = stretch.end.saturating_sub(1);
    reader.is_cached(last)
        && stretch
            .step_by(SAMPLED)
            .all(|offset| reader.is_cached(offset))
}
