//! Where the body of an upload stands on this side, as far as its place upstream depends on that.

use std::fmt;
use std::sync::Arc;

/// Where an upload's body stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// More of it is to come, and all that came can be read again.
    Growing,
    /// It is whole.
    Here,
    /// It comes as it is sent, and no faster; what was read may not be there any more.
    Passing,
    /// It broke off.
    Over,
}

/// Tells where an upload's body stands.
#[derive(Clone)]
pub struct Supply(Arc<dyn Fn() -> Standing + Send + Sync>);

impl Supply {
    /// Asks `standing` whenever that matters.
    pub fn new(standing: impl Fn() -> Standing + Send + Sync + 'static) -> Self {
        Self(Arc::new(standing))
    }

    /// Where it stands now.
    pub(super) fn standing(&self) -> Standing {
        (self.0)()
    }
}

impl fmt::Debug for Supply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Supply").field(&self.standing()).finish()
    }
}
