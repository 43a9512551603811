//! Arguments, command, exit code.

use std::process::ExitCode;

use larder::cli;
use larder::config::Environment;

fn main() -> ExitCode {
    let environment = Environment::new(std::env::vars_os());
    cli::run(std::env::args_os(), &environment)
}
