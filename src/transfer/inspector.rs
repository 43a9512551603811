//! What looks at signatures where a key is configured: begins an artifact's inspection, counts what
//! does not pass, and says so.
//!
//! What makes a tag fit is `artifact`'s business.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::time::{Duration, Instant};

use super::inspection::Inspection;
use crate::artifact::{
    ArtifactKey, Fields, SignatureCheck, SignatureFault, SignatureKey, SignatureVerdict,
};
use crate::metrics::{Arrival, Metrics};

/// How long one word about a kind of refusal is enough: a client with a wrong key uploads hundreds.
const ENOUGH: Duration = Duration::from_mins(1);
/// Most bytes of a team's name in the log: several times those of real ones.
const TEAM_SHOWN: usize = 100;

/// Begins inspections.
pub struct Inspector {
    key: Option<SignatureKey>,
    metrics: Arc<Metrics>,
    said: Mutex<HashMap<(Arrival, SignatureFault), Instant>>,
}

// === impl Inspector ===

impl Inspector {
    /// Holds tags against `key`; without one everything passes.
    pub fn new(key: Option<SignatureKey>, metrics: Arc<Metrics>) -> Arc<Self> {
        Arc::new(Self {
            key,
            metrics,
            said: Mutex::default(),
        })
    }

    /// Begins to inspect the artifact that `key` names, of `length` bytes where that is known.
    ///
    /// # Errors
    ///
    /// The artifact is not to be taken in, whatever its body will be.
    pub fn begin(
        self: &Arc<Self>,
        arrival: Arrival,
        key: &ArtifactKey,
        fields: &Fields,
        length: Option<u64>,
    ) -> Result<Inspection, SignatureFault> {
        let Some(secret) = &self.key else {
            return Ok(Inspection::default());
        };
        let begun = secret.begin(key, fields, length).and_then(|check| {
            if length == Some(0) {
                empty(check).map(|()| Inspection::default())
            } else {
                let inspector = Arc::clone(self);
                Ok(Inspection::new(inspector, arrival, key.clone(), check))
            }
        });
        begun.inspect_err(|fault| self.refused(arrival, key, *fault))
    }

    /// Counts a refusal, and says what was refused: each kind once a minute.
    pub(super) fn refused(&self, arrival: Arrival, key: &ArtifactKey, fault: SignatureFault) {
        self.metrics.signatures.refused(arrival).inc();
        let (arrival_name, hash) = (arrival.as_str(), &key.hash);
        let team = shown(key.scope.team().unwrap_or("-"));
        if self.is_due((arrival, fault)) {
            tracing::warn!(
                arrival = arrival_name,
                %hash,
                team,
                "{fault} (said once a minute)"
            );
        } else {
            tracing::debug!(arrival = arrival_name, %hash, team, "{fault}");
        }
    }

    fn is_due(&self, kind: (Arrival, SignatureFault)) -> bool {
        let mut said = self.said.lock();
        let now = Instant::now();
        let is_due = said
            .get(&kind)
            .is_none_or(|at| now.duration_since(*at) >= ENOUGH);
        if is_due {
            said.insert(kind, now);
        }
        is_due
    }
}

impl fmt::Debug for Inspector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inspector")
            .field("key", &self.key)
            .finish_non_exhaustive()
    }
}

/// Decides about an empty body at its head: there is no last piece of it that could wait.
fn empty(check: SignatureCheck) -> Result<(), SignatureFault> {
    match check.verdict() {
        SignatureVerdict::Fits => Ok(()),
        SignatureVerdict::Refuted | SignatureVerdict::OnceMore(_) => Err(SignatureFault::Mismatch),
    }
}

fn shown(team: &str) -> &str {
    team.get(..team.floor_char_boundary(TEAM_SHOWN))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn each_kind_of_refusal_is_said_once_a_minute() {
        let metrics = Arc::new(Metrics::new().unwrap());
        let inspector = Inspector::new(None, metrics);
        let upload = (Arrival::Put, SignatureFault::Mismatch);
        assert!(inspector.is_due(upload));
        assert!(!inspector.is_due(upload));
        assert!(inspector.is_due((Arrival::Put, SignatureFault::Missing)));
        assert!(inspector.is_due((Arrival::Fill, SignatureFault::Mismatch)));
        advance(ENOUGH).await;
        assert!(inspector.is_due(upload));
    }
}
