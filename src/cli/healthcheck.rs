//! `larder healthcheck`: whether a Larder that runs takes work, as an exit code.

use std::process::ExitCode;

use super::inquiry::Inquiry;
use super::{complain, quick_runtime};
use crate::config::Config;

/// Asks, prints nothing where all is well, and a line to standard error where it is not.
pub(super) fn run(config: &Config) -> anyhow::Result<ExitCode> {
    let inquiry = Inquiry::of(config)?;
    let told = quick_runtime()?.block_on(inquiry.get("/readyz"))?;
    if told.status == 200 {
        return Ok(ExitCode::SUCCESS);
    }
    complain(&[format!("larder: {}: {}", told.status, told.text.trim())]);
    Ok(ExitCode::FAILURE)
}
