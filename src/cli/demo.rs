//! `larder demo`: the main job on this machine with nothing else installed.

use std::process::ExitCode;

/// Runs the demonstration.
pub(super) fn run() -> anyhow::Result<ExitCode> {
    anyhow::bail!("this build has no demonstration")
}
