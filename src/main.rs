//! Arguments, command, exit code.

use std::process::ExitCode;

use larder::cli;
use larder::config::{self, Environment};

fn main() -> ExitCode {
    let environment = Environment::new(std::env::vars_os());
    let environment = environment.with_memory_limit(config::memory_limit());
    cli::run(std::env::args_os(), &environment)
}
