//! What is written while running: log lines to standard error, access lines to standard output.
//!
//! What is counted is `metrics`' business.

use std::io::{IsTerminal, stderr};
use std::sync::OnceLock;

use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::reload::{self, Handle};
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Registry, fmt};

use crate::config;

mod access;
mod line;
mod words;

pub use access::{ACCESS_PAGE, AccessLog};
pub use line::{AccessLine, Answered, Asked, Ended, detail};

/// From which level on lines flow; decided anew while the process runs.
static LEVEL: OnceLock<Handle<LevelFilter, Registry>> = OnceLock::new();

/// Lets log lines flow to standard error, in the format and from the level of `log`.
///
/// The first call of a process decides; a further one changes nothing.
pub fn init(log: &config::Log) {
    let lines = fmt::layer()
        .with_writer(stderr)
        // A closed standard error must not turn a log line into a panic.
        .log_internal_errors(false);
    let lines = match log.format {
        config::LogFormat::Json => lines.json().flatten_event(true).boxed(),
        // On a terminal the subscriber still asks NO_COLOR.
        config::LogFormat::Text if stderr().is_terminal() => lines.boxed(),
        config::LogFormat::Text => lines.with_ansi(false).boxed(),
    };
    let (filter, handle) = reload::Layer::new(level(log.level));
    let set = tracing_subscriber::registry()
        .with(filter)
        .with(lines)
        .try_init();
    match set {
        Ok(()) => drop(LEVEL.set(handle)),
        Err(error) => tracing::debug!(%error, "log lines already flow"),
    }
}

/// Lets log lines flow from another level on, where [`init`] has let them.
pub fn set_level(least: config::LogLevel) {
    if let Some(handle) = LEVEL.get()
        && let Err(error) = handle.reload(level(least))
    {
        tracing::error!(%error, "the log keeps its level");
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
