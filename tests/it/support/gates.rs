//! Points in an answer where the origin waits until the test says go on.

use std::collections::HashMap;

use tokio::sync::watch;

use super::within;

/// Named gates; one is made by its first mention, shut.
#[derive(Debug, Default)]
pub struct Gates(watch::Sender<HashMap<String, Gate>>);

#[derive(Debug, Default)]
struct Gate {
    reached: bool,
    open: bool,
}

impl Gates {
    /// The origin's side: says that it is here, and waits until the gate is open.
    pub async fn pass(&self, name: &str) {
        self.0
            .send_modify(|gates| gates.entry(name.to_owned()).or_default().reached = true);
        let open = |gates: &HashMap<String, Gate>| gates.get(name).is_some_and(|gate| gate.open);
        // A wait that fails means that the origin is gone, and nobody is left to tell.
        drop(self.0.subscribe().wait_for(open).await);
    }

    /// The test's side: waits until the origin stands at the gate.
    pub async fn reached(&self, name: &str) {
        let mut gates = self.0.subscribe();
        let reached =
            |gates: &HashMap<String, Gate>| gates.get(name).is_some_and(|gate| gate.reached);
        within(name, gates.wait_for(reached))
            .await
            .expect("the origin lives");
    }

    /// Opens the gate, for good.
    pub fn open(&self, name: &str) {
        self.0
            .send_modify(|gates| gates.entry(name.to_owned()).or_default().open = true);
    }
}
