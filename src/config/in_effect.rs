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

    /// From now on a key has another value, and from there.
    pub fn put(&self, key: &str, value: String, source: &str) {
        let mut values = self.0.lock();
        let mut others = values.to_vec();
        if let Some(row) = others.iter_mut().find(|row| row.key == key) {
            row.value = Some(value);
            source.clone_into(&mut row.source);
        }
        *values = others.into();
    }

    /// From now on these are.
    pub fn set(&self, values: Vec<Effective>) {
        *self.0.lock() = values.into();
    }
}
