//! `GET /api/v1/config`: the configuration in effect, as JSON. Secrets are masked before they come here.

use serde::Serialize;

use crate::config::{Effective, InEffect};

/// The whole answer, in the order in which `larder check` prints it.
#[derive(Serialize)]
struct Report<'a> {
    config: Vec<Told<'a>>,
}

/// One key.
#[derive(Serialize)]
struct Told<'a> {
    key: &'a str,
    /// As TOML; null where it is not set.
    value: Option<&'a str>,
    source: &'a str,
}

/// Encodes what is in effect now.
pub(super) fn encode(config: &InEffect) -> serde_json::Result<Vec<u8>> {
    let values = config.get();
    serde_json::to_vec(&Report {
        config: values.iter().map(Told::of).collect(),
    })
}

// === impl Told ===

impl<'a> Told<'a> {
    fn of(effective: &'a Effective) -> Self {
        Self {
            key: &effective.key,
            value: effective.value.as_deref(),
            source: &effective.source,
        }
    }
}
