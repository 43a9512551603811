//! What looks at signatures where a key is configured: begins an artifact's inspection, counts what
//! does not pass, and says so.
//!
//! What makes a tag fit is `artifact`'s business.

use std::fmt;
use std::sync::Arc;

use super::inspection::Inspection;
use crate::artifact::{
    ArtifactKey, Fields, SignatureCheck, SignatureFault, SignatureKey, SignatureVerdict,
};
use crate::metrics::{Arrival, Metrics};
use crate::seldom::Seldom;

/// Most bytes of a team's name in the log: several times those of real ones.
const TEAM_SHOWN: usize = 100;

/// Begins inspections.
pub struct Inspector {
    key: Option<SignatureKey>,
    metrics: Arc<Metrics>,
    /// A client with a wrong key uploads hundreds.
    said: Seldom<(Arrival, SignatureFault)>,
}

// === impl Inspector ===

impl Inspector {
    /// Holds tags against `key`; without one everything passes.
    pub fn new(key: Option<SignatureKey>, metrics: Arc<Metrics>) -> Arc<Self> {
        Arc::new(Self {
            key,
            metrics,
            said: Seldom::default(),
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
        if let Some(unsaid) = self.said.due((arrival, fault)) {
            tracing::warn!(
                arrival = arrival_name,
                %hash,
                team,
                unsaid,
                "{fault} (said once a minute)"
            );
        } else {
            tracing::debug!(arrival = arrival_name, %hash, team, "{fault}");
        }
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
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn each_kind_of_refusal_is_said_by_itself() {
        let inspector = Inspector::new(None, Arc::new(Metrics::new().unwrap()));
        let upload = (Arrival::Put, SignatureFault::Mismatch);
        assert!(inspector.said.is_due(upload));
        assert!(!inspector.said.is_due(upload));
        let others = [
            (Arrival::Put, SignatureFault::Missing),
            (Arrival::Fill, SignatureFault::Mismatch),
        ];
        assert!(others.iter().all(|other| inspector.said.is_due(*other)));
    }
}
