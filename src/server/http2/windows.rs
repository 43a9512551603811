//! How far bodies may come ahead of whoever reads them: a little on every connection, and further on those
//! for which there is memory.
//!
//! The library is told when a connection begins and not again: what a connection has, it has to its end.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes of one request's body on any connection. All connections may have as many, and no budget counts
/// them.
const STREAM: u32 = 1 << 20;

/// What a connection has beyond one body: one that stands still leaves room for others.
const BESIDE: u32 = 1 << 20;

/// What one connection may have besides. Room is given back once half of a window was read, so a body
/// fills its line where its window is twice what the line has on its way: with all of this, 1 Gbit/s and 32 ms.
const MOST: u64 = 7 << 20;

/// The part of what is left that one connection has: those that come first do not take all.
const SHARE: u64 = 16;

/// What all connections have besides the least; clones share it.
#[derive(Clone, Debug, Default)]
pub(in crate::server) struct Advances(Arc<AtomicU64>);

/// What one has, until this is dropped.
#[derive(Debug)]
pub(in crate::server) struct Windows {
    advances: Advances,
    besides: u32,
}

// === impl Advances ===

impl Advances {
    /// Windows for one more connection, where all may have so many bytes besides the least.
    pub(in crate::server) fn open(&self, all: u64) -> Windows {
        let share = |given: u64| MOST.min(all.saturating_sub(given) / SHARE);
        let more = |given| Some(given + share(given));
        let before = self
            .0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, more)
            .unwrap_or_else(|given| given);
        Windows {
            advances: self.clone(),
            besides: u32::try_from(share(before)).unwrap_or_default(),
        }
    }
}

// === impl Windows ===

impl Windows {
    /// Of each body.
    pub(super) fn stream(&self) -> u32 {
        STREAM + self.besides
    }

    /// Of all bodies together.
    pub(super) fn connection(&self) -> u32 {
        self.stream() + BESIDE
    }
}

impl Drop for Windows {
    fn drop(&mut self) {
        let given = &self.advances.0;
        given.fetch_sub(self.besides.into(), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: u64 = 128 << 20;

    #[test]
    fn the_first_connections_have_what_a_fast_line_needs_and_none_has_less_than_the_least() {
        let advances = Advances::default();
        let windows: Vec<Windows> = (0..1000).map(|_| advances.open(ALL)).collect();
        for first in &windows[..8] {
            assert!(first.stream() > 5 << 20, "{}", first.stream());
        }
        for each in &windows {
            assert!(each.stream() >= STREAM);
            assert_eq!(each.connection(), each.stream() + BESIDE);
        }
    }

    #[test]
    fn however_many_there_are_they_have_no_more_than_all_may_and_give_it_back() {
        let advances = Advances::default();
        let given = || advances.0.load(Ordering::Relaxed);
        let windows: Vec<Windows> = (0..10_000).map(|_| advances.open(ALL)).collect();
        let besides = windows.iter().map(|it| u64::from(it.stream() - STREAM));
        assert_eq!(besides.sum::<u64>(), given());
        assert!(given() <= ALL);
        // There may be less than was given before.
        assert_eq!(advances.open(ALL / 2).stream(), STREAM);
        drop(windows);
        assert_eq!(given(), 0);
        assert_eq!(u64::from(advances.open(ALL).stream() - STREAM), MOST);
        assert_eq!(advances.open(0).stream(), STREAM);
    }
}
