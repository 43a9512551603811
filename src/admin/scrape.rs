//! Every metric as Prometheus text: the registry's, then the process's own.

use prometheus::{Encoder, Registry, TextEncoder};

use super::process;

/// The exposition format's type.
pub(super) const CONTENT_TYPE: &str = "text/plain; version=0.0.4";

/// Encodes `registry` and what the system knows of this process. Makes file calls: not for a runtime
/// worker.
pub(super) fn encode(registry: &Registry) -> Result<Vec<u8>, prometheus::Error> {
    let mut out = Vec::new();
    TextEncoder::new().encode(&registry.gather(), &mut out)?;
    for figure in process::read() {
        let kind = if figure.name.ends_with("_total") {
            "counter"
        } else {
            "gauge"
        };
        let line = format!(
            "# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}\n",
            name = figure.name,
            help = figure.help,
            value = figure.value,
        );
        out.extend_from_slice(line.as_bytes());
    }
    Ok(out)
}
