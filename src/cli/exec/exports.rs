//! What leads other processes to a Larder that runs beside nobody: lines for a shell, and GitHub's file of
//! variables for the steps to come.

use std::ffi::OsString;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::Path;

use rustix::stdio::dup2_stdout;

use super::super::shell::Shell;
use super::super::{complain, unless_read_enough};

/// Adds the variables to `file` where there is one, prints them, and then closes standard output: a
/// shell that evaluates what it reads there, of a process in the background, goes on.
pub(super) fn tell(changes: &[(&'static str, OsString)], file: Option<&Path>) -> io::Result<()> {
    let pairs: Vec<(&str, String)> = changes
        .iter()
        .map(|(name, value)| (*name, value.to_string_lossy().into_owned()))
        .collect();
    if let Some(file) = file
        && let Err(error) = append(file, &for_github(&pairs))
    {
        let file = file.display();
        complain(&[format!("larder: {file} does not say where it is: {error}")]);
    }
    let lines = pairs
        .iter()
        .map(|(name, value)| Shell::Sh.line(name, value));
    unless_read_enough(print(&lines.collect::<String>()))?;
    let nowhere = OpenOptions::new().write(true).open("/dev/null")?;
    dup2_stdout(nowhere)?;
    Ok(())
}

/// Adds `text` to the end of a file.
pub(super) fn append(file: &Path, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().append(true).create(true).open(file)?;
    file.write_all(text.as_bytes())
}

/// A line each, as it is; what has several lines would be another variable.
fn for_github(pairs: &[(&str, String)]) -> String {
    let pairs = pairs
        .iter()
        .filter(|(_, value)| !value.contains(['\n', '\r']));
    let lines: Vec<_> = pairs
        .map(|(name, value)| format!("{name}={value}\n"))
        .collect();
    lines.concat()
}

fn print(lines: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(lines.as_bytes())?;
    stdout.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_of_several_lines_sets_nothing_else() {
        let pairs = [
            ("TURBO_API", "http://127.0.0.1:1".to_owned()),
            ("NO_PROXY", "a\nPATH=/evil".to_owned()),
        ];
        assert_eq!(for_github(&pairs), "TURBO_API=http://127.0.0.1:1\n");
    }
}
