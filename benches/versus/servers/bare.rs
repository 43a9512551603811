//! Programs without this shell's settings: a proxy or a `LARDER_` of somebody's is no part of a measurement.

use std::ffi::OsStr;
use std::process::Command;

/// A program that is told nothing but where programs are.
pub(crate) fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.env_clear();
    if let Some(path) = std::env::var_os("PATH") {
        command.env("PATH", path);
    }
    command
}
