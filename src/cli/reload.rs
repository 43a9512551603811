//! `SIGHUP`: the configuration is read once more, and what can be applied while requests run is.
//!
//! With a mistake in it, all of the old one stays. What each key means is not known here.

use std::sync::Arc;

use crate::app::Live;
use crate::config::{Effective, InEffect, Loaded, Problems};

/// Reads the configuration as at the start: same file, same flags, same environment.
pub(super) type Read = Arc<dyn Fn() -> Result<Loaded, Problems> + Send + Sync>;

/// What it takes to read the configuration once more and to apply it.
pub(super) struct Reload {
    read: Read,
    live: Arc<Live>,
    in_effect: InEffect,
}

impl Reload {
    /// Applies to `live` what `read` reads, and says so in what is `in_effect`.
    pub(super) fn new(read: Read, live: Live, in_effect: InEffect) -> Self {
        Self {
            read,
            live: Arc::new(live),
            in_effect,
        }
    }

    /// Reads and applies, and says what became of it.
    pub(super) async fn run(&self) {
        let (read, live) = (Arc::clone(&self.read), Arc::clone(&self.live));
        // Files are read, which may take a while.
        let done = tokio::task::spawn_blocking(move || {
            let loaded = read().map_err(|problems| problems.to_string())?;
            let applied = live.apply(loaded.config.clone());
            applied.map_err(|error| error.to_string())?;
            Ok::<_, String>(loaded)
        });
        match done.await {
            Ok(Ok(loaded)) => self.tell(&loaded),
            Ok(Err(problems)) => {
                tracing::error!("{problems}\nthe configuration stays as it was");
            }
            Err(error) => tracing::error!("{error}: the configuration stays as it was"),
        }
    }

    fn tell(&self, loaded: &Loaded) {
        for warning in &loaded.warnings {
            tracing::warn!("{warning}");
        }
        let old = self.in_effect.get();
        for (key, until_then) in unapplied(&old, &loaded.values) {
            tracing::warn!("{key} takes effect at the next start; until then {until_then}");
        }
        self.in_effect.set(applied(&old, &loaded.values));
        tracing::info!(
            "the configuration was read once more, and applied where that can be done live"
        );
    }
}

/// What is in effect once all of `new` was applied that can be: a key that is not keeps what it had.
fn applied(old: &[Effective], new: &[Effective]) -> Vec<Effective> {
    let kept = old.iter().map(|old| match of_key(new, &old.key) {
        Some(new) if Live::applies(&old.key, old.value.as_ref(), new.value.as_ref()) => new,
        _ => old,
    });
    kept.cloned().collect()
}

fn of_key<'a>(values: &'a [Effective], key: &str) -> Option<&'a Effective> {
    values.iter().find(|value| value.key == key)
}

/// The keys that changed and were not applied, each with what holds until the next start: the two
/// configurations may name different listeners.
fn unapplied(old: &[Effective], new: &[Effective]) -> Vec<(String, String)> {
    let changed = old.iter().filter(|old| {
        let value = of_key(new, &old.key).and_then(|new| new.value.as_ref());
        !Live::applies(&old.key, old.value.as_ref(), value)
    });
    let changed = changed.map(|old| (old.key.clone(), old.to_string()));
    let added = new.iter().filter(|new| of_key(old, &new.key).is_none());
    let added = added.map(|new| (new.key.clone(), format!("# {} is not set", new.key)));
    changed.chain(added).collect()
}
