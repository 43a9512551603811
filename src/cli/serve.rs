//! `larder serve`: runs the proxy.

use std::process::ExitCode;

use crate::config::Loaded;

/// Serves until it is told to stop.
pub(super) fn run(_loaded: Loaded) -> anyhow::Result<ExitCode> {
    anyhow::bail!("this build cannot serve")
}
