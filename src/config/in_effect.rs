//! The configuration in effect, for whoever wants to see it while the process runs.

use std::sync::Arc;

use parking_lot::Mutex;

use super::Effective;

/// Every key in effect, secrets masked; clones share it.
#[derive(Clone, Debug, Default)]
pub struct InEffect(Arc<Mutex<Arc<[Effective]>>>);

impl InEffect {
    /// These are in effect.
    pub fn new(values: Vec<Effective>) -> Self {
        Self(Arc::new(Mutex::new(values.into())))
    }

    /// Those that are.
    pub fn get(&self) -> Arc<[Effective]> {
        Arc::clone(&self.0.lock())
    }

    /// From now on these are.
    pub fn set(&self, values: Vec<Effective>) {
        *self.0.lock() = values.into();
    }
}
