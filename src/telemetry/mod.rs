//! What is written while running: log lines to standard error, access lines to standard output.
//!
//! What is counted is `metrics`' business.

use std::io::{IsTerminal, stderr};

use tracing_subscriber::filter::LevelFilter;

use crate::config;

mod access;
mod line;
mod words;

pub use access::{ACCESS_PAGE, AccessLog};
pub use line::{AccessLine, Answered, Asked, Ended};

/// Lets log lines flow to standard error, in the format and from the level of `log`.
///
/// The first call of a process decides; a further one changes nothing.
pub fn init(log: &config::Log) {
    let builder = tracing_subscriber::fmt()
        .with_max_level(level(log.level))
        .with_writer(stderr)
        // A closed standard error must not turn a log line into a panic.
        .log_internal_errors(false);
    let set = match log.format {
        config::LogFormat::Json => builder.json().flatten_event(true).try_init(),
        // On a terminal the subscriber still asks NO_COLOR.
        config::LogFormat::Text if stderr().is_terminal() => builder.try_init(),
        config::LogFormat::Text => builder.with_ansi(false).try_init(),
    };
    if let Err(error) = set {
        tracing::debug!(%error, "log lines already flow");
    }
}

fn level(level: config::LogLevel) -> LevelFilter {
    match level {
        config::LogLevel::Error => LevelFilter::ERROR,
        config::LogLevel::Warn => LevelFilter::WARN,
        config::LogLevel::Info => LevelFilter::INFO,
        config::LogLevel::Debug => LevelFilter::DEBUG,
        config::LogLevel::Trace => LevelFilter::TRACE,
    }
}

#[cfg(test)]
mod tests;
