//! Where the body of an upload stands on this side, as far as its place upstream depends on that.

use std::fmt;
use std::sync::Arc;

use futures_util::future::BoxFuture;

/// Where an upload's body stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is whole.
    Here,
    /// It comes no further before more of it is sent.
    HeldUp,
    /// Some of it is to be sent, and more to come.
    AtHand,
    /// All that came has been sent, and more is to come.
    Paused {
        /// All that came can be sent once more.
        is_kept: bool,
    },
    /// Nothing will come of it.
    Over,
}

/// Who knows where an upload's body stands.
pub trait Source: Send + Sync + 'static {
    /// Where it stands now.
    fn standing(&self) -> Standing;

    /// Completes when it is whole, held up or over, and was not when this was called.
    fn turned(&self) -> BoxFuture<'_, ()>;
}

/// A [`Source`]; clones share it.
#[derive(Clone)]
pub struct Supply(Arc<dyn Source>);

impl Supply {
    /// Asks `source` whenever that matters.
    pub fn new(source: impl Source) -> Self {
        Self(Arc::new(source))
    }

    /// Where it stands now.
    pub(super) fn standing(&self) -> Standing {
        self.0.standing()
    }

    /// Completes when that has changed in a way that matters to whoever waits for a place.
    pub(super) fn turned(&self) -> BoxFuture<'_, ()> {
        self.0.turned()
    }
}

impl fmt::Debug for Supply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Supply").field(&self.standing()).finish()
    }
}
