//! `larder check`: the configuration in effect, a line a key.

use std::io::{self, ErrorKind, Write};
use std::process::ExitCode;

use super::complain;
use crate::config::Loaded;

/// Prints every key in effect to standard output, and the warnings to standard error.
pub(super) fn run(loaded: &Loaded) -> anyhow::Result<ExitCode> {
    let warnings: Vec<String> = loaded
        .warnings
        .iter()
        .map(|warning| format!("warning: {warning}"))
        .collect();
    complain(&warnings);
    match print(loaded) {
        // Whoever reads has read enough, as in `larder check | head`.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(ExitCode::SUCCESS),
        result => Ok(result.map(|()| ExitCode::SUCCESS)?),
    }
}

fn print(loaded: &Loaded) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    for value in &loaded.values {
        writeln!(stdout, "{value}")?;
    }
    stdout.flush()
}
