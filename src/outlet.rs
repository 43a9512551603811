//! A connection's way for bytes of files: what a body offers is found again by the socket, which sends
//! it from the file. Sends nothing itself.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;

use crate::mapped::Map;

/// Stretches on their way at once: as many pieces as the HTTP library queues before it sends.
const MOST_OFFERED: usize = 16;

/// What is on its way on one connection; clones share it.
///
/// Body and socket run in the connection's own task: the lock is never contended.
#[derive(Clone, Debug, Default)]
pub struct Outlet(Arc<Mutex<VecDeque<Offered>>>);

/// A stretch that a body has handed out, in the order in which they leave.
#[derive(Debug)]
struct Offered {
    map: Arc<Map>,
    end: usize,
}

/// Where in which file the bytes lie that are to be sent.
#[derive(Debug)]
pub struct Stretch {
    map: Arc<Map>,
    /// The first byte.
    pub offset: usize,
    /// How many there are.
    pub length: usize,
}

// === impl Outlet ===

impl Outlet {
    /// Bytes that stand for a stretch of `map` on this connection; none where too many are on their way.
    pub fn offer(&self, map: &Arc<Map>, stretch: Range<usize>) -> Option<Bytes> {
        let mut offered = self.0.lock();
        if offered.len() >= MOST_OFFERED {
            return None;
        }
        let end = stretch.end;
        let bytes = map.bytes(stretch)?;
        offered.push_back(Offered {
            map: Arc::clone(map),
            end,
        });
        Some(bytes)
    }

    /// What a piece of memory stands for, where it was offered here.
    ///
    /// An address that lies in an offered map cannot be anything else's: the offer keeps the map.
    pub fn find(&self, piece: &[u8]) -> Option<Stretch> {
        let offered = self.0.lock();
        offered.iter().find_map(|offer| {
            let offset = offer.map.offset_of(piece)?;
            Some(Stretch {
                map: Arc::clone(&offer.map),
                offset,
                length: piece.len(),
            })
        })
    }

    /// The first `sent` bytes of a stretch have left: what was offered up to there is over, and so is
    /// whatever should have left before.
    pub fn sent(&self, stretch: &Stretch, sent: usize) {
        let reached = stretch.offset + sent;
        let mut offered = self.0.lock();
        let is_reached =
            |offer: &Offered| Arc::ptr_eq(&offer.map, &stretch.map) && offer.end == reached;
        if let Some(last) = offered.iter().position(is_reached) {
            drop(offered.drain(..=last));
        }
    }

    /// Whether nothing is on its way.
    pub fn is_empty(&self) -> bool {
        self.0.lock().is_empty()
    }
}

// === impl Stretch ===

impl Stretch {
    /// The file.
    pub fn file(&self) -> io::Result<&File> {
        self.map.file()
    }

    /// It could not be sent from there, and not for the client's sake.
    pub fn give_up(&self) {
        self.map.give_up();
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn map() -> Arc<Map> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&[b'x'; 100]).unwrap();
        Arc::new(Map::new(Arc::new(file), 100).unwrap())
    }

    #[test]
    fn what_is_offered_is_found_until_its_last_byte_has_left() {
        let (outlet, map) = (Outlet::default(), map());
        let bytes = outlet.offer(&map, 10..40).unwrap();
        let first = outlet.find(&bytes).unwrap();
        assert_eq!((first.offset, first.length), (10, 30));
        outlet.sent(&first, 12);
        let rest = outlet.find(&bytes.slice(12..)).unwrap();
        assert_eq!((rest.offset, rest.length), (22, 18));
        outlet.sent(&rest, 18);
        assert!(outlet.find(&bytes).is_none());
        assert!(outlet.is_empty());
    }

    #[test]
    fn what_was_not_offered_here_is_not_found() {
        let (outlet, other, map) = (Outlet::default(), Outlet::default(), map());
        let bytes = other.offer(&map, 0..10).unwrap();
        assert!(outlet.find(&bytes).is_none());
        assert!(other.find(b"elsewhere").is_none());
    }

    #[test]
    fn an_outlet_takes_so_much_and_no_more_until_something_has_left() {
        let (outlet, map) = (Outlet::default(), map());
        let offered: Vec<_> = (0..MOST_OFFERED)
            .map(|at| outlet.offer(&map, at..at + 1).unwrap())
            .collect();
        assert!(outlet.offer(&map, 50..60).is_none());
        let first = outlet.find(&offered[0]).unwrap();
        outlet.sent(&first, 1);
        assert!(outlet.offer(&map, 50..60).is_some());
    }

    #[test]
    fn what_never_left_is_given_up_once_something_later_has() {
        let (outlet, lost, map) = (Outlet::default(), map(), map());
        let open = Arc::downgrade(&lost);
        drop(outlet.offer(&lost, 0..10));
        drop(lost);
        assert!(open.upgrade().is_some());
        let bytes = outlet.offer(&map, 0..10).unwrap();
        let stretch = outlet.find(&bytes).unwrap();
        outlet.sent(&stretch, 10);
        assert!(open.upgrade().is_none());
    }
}
