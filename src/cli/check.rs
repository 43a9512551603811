//! `larder check`: the configuration in effect, a line a key, and what other versions left in the data
//! directory.

use std::io::{self, ErrorKind, Write};
use std::process::ExitCode;

use super::complain;
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
        human(other.bytes),
        other.files
    )
}

/// Bytes in the largest unit they fill, with one decimal.
fn human(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    let (mut tenths, mut unit) = (bytes.saturating_mul(10), "B");
    for next in UNITS {
        if tenths < 10 * 1024 {
            break;
        }
        (tenths, unit) = (tenths / 1024, next);
    }
    match unit {
        "B" => format!("{bytes} B"),
        unit => format!("{}.{} {unit}", tenths / 10, tenths % 10),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_said_in_the_unit_that_fits() {
        let said = [0, 1023, 1024, 3_435_973_837, 5 << 40].map(human);
        assert_eq!(said, ["0 B", "1023 B", "1.0 KiB", "3.2 GiB", "5.0 TiB"]);
    }
}
