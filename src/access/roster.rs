//! Whom the operator knows, as it stands: the list may be replaced while requests run.

use std::sync::Arc;

use parking_lot::RwLock;

use super::evidence::Right;
use super::tokens::{self, Denial};
use crate::caller::Caller;
use crate::config;

/// The operator's list.
#[derive(Debug)]
pub(super) struct Roster {
    listed: RwLock<Arc<config::Roster>>,
}

impl Roster {
    pub(super) fn new(listed: config::Roster) -> Self {
        Self {
            listed: RwLock::new(Arc::new(listed)),
        }
    }

    /// Judges by another list from now on; who was let in before finishes.
    pub(super) fn replace(&self, listed: config::Roster) {
        *self.listed.write() = Arc::new(listed);
    }

    /// Judges a caller by what it presents.
    pub(super) fn admit(&self, caller: &Caller, query: &str, right: Right) -> Result<(), Denial> {
        let listed = Arc::clone(&self.listed.read());
        tokens::judge(&listed.tokens, caller, query, right)
    }
}
