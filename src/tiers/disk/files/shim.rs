//! What a test may do at a file call: look at it, refuse it, wait.

use std::fmt;
use std::fs::File;
use std::io;
use std::sync::Arc;

use super::{Call, Files};
use crate::tiers::locks::Rank;
use crate::tiers::locks::shim::holds;

/// Stands between the tier and its files.
pub(in crate::tiers) trait Watch: Send + Sync {
    /// Called before each file call; an error is the call's.
    fn before(&self, call: &Call<'_>) -> io::Result<()>;

    /// Called with each file that was made.
    fn made(&self, _call: &Call<'_>, _file: &File) {}
}

/// A watch, shared.
#[derive(Clone)]
pub(super) struct Shim(Arc<dyn Watch>);

// === impl Shim ===

impl fmt::Debug for Shim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Shim")
    }
}

// === impl Files ===

impl Files {
    /// The way to the files past `watch`.
    pub(in crate::tiers) fn watched(watch: Arc<dyn Watch>) -> Self {
        Self {
            shim: Some(Shim(watch)),
        }
    }

    pub(super) fn before(&self, call: &Call<'_>) -> io::Result<()> {
        assert!(!holds(Rank::Index), "{call:?} while the index waits");
        self.shim
            .as_ref()
            .map_or(Ok(()), |shim| shim.0.before(call))
    }

    pub(super) fn made(&self, call: &Call<'_>, file: &File) {
        if let Some(shim) = &self.shim {
            shim.0.made(call, file);
        }
    }
}

mod tests {
    use std::path::Path;

    use super::*;
    use crate::tiers::locks::Lock;

    #[test]
    #[should_panic(expected = "while the index waits")]
    fn a_file_call_under_the_index_fails_the_test_that_makes_it() {
        let index = Lock::new(Rank::Index, ());
        let _index = index.lock();
        drop(Files::default().remove(Path::new("")));
    }
}
