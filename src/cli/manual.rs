//! `larder completions` and `larder man`: what shells and readers of manuals want to know of the command line.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, Command};
use clap_complete::Shell;

use super::unless_read_enough;

/// Which shell it is for.
#[derive(Args, Debug)]
pub(super) struct CompletionFlags {
    /// The shell that reads it
    shell: Shell,
}

/// Where the pages go.
#[derive(Args, Debug)]
pub(super) struct ManualFlags {
    /// Writes a page for each command into this folder, which is there; without it, the page of
    /// `larder` itself goes to standard output
    folder: Option<PathBuf>,
}

/// Prints what completes `command` line in a shell.
pub(super) fn complete(flags: &CompletionFlags, mut command: Command) -> anyhow::Result<ExitCode> {
    let mut script = Vec::new();
    let name = command.get_name().to_owned();
    clap_complete::generate(flags.shell, &mut command, name, &mut script);
    print(&script)
}

/// Writes the manual of `command`.
pub(super) fn write(flags: &ManualFlags, command: Command) -> anyhow::Result<ExitCode> {
    let Some(folder) = &flags.folder else {
        let mut page = Vec::new();
        clap_mangen::Man::new(command).render(&mut page)?;
        return print(&page);
    };
    let written = clap_mangen::generate_to(command, folder);
    written.with_context(|| format!("writing to {}", folder.display()))?;
    Ok(ExitCode::SUCCESS)
}

fn print(bytes: &[u8]) -> anyhow::Result<ExitCode> {
    let mut stdout = io::stdout().lock();
    unless_read_enough(stdout.write_all(bytes).and_then(|()| stdout.flush()))?;
    Ok(ExitCode::SUCCESS)
}
