//! `larder check`: the configuration in effect, a line a key, and what other versions left in the data
//! directory.

use std::io::{self, Write};
use std::process::ExitCode;

use bytesize::ByteSize;

use super::{complain, unless_read_enough};
use crate::config::Loaded;
use crate::tiers::{OtherVersion, other_versions};

/// Prints every key in effect to standard output, and the warnings to standard error.
pub(super) fn run(loaded: &Loaded) -> anyhow::Result<ExitCode> {
    let warnings: Vec<String> = loaded
        .warnings
        .iter()
        .map(|warning| format!("warning: {warning}"))
        .collect();
    complain(&warnings);
    unless_read_enough(print(loaded))?;
    Ok(ExitCode::SUCCESS)
}

fn print(loaded: &Loaded) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    for value in &loaded.values {
        writeln!(stdout, "{value}")?;
    }
    for other in other_versions(&loaded.config.data_dir) {
        writeln!(stdout, "{}", line(&other))?;
    }
    stdout.flush()
}

/// A comment to whoever takes the lines for a configuration.
fn line(other: &OtherVersion) -> String {
    format!(
        "# {} (another version's entries): {} in {} files, left alone",
        other.name,
        ByteSize::b(other.bytes),
        other.files
    )
}
