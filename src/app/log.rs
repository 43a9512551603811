//! The log and its access lines: where they go, and from which level on.

use std::sync::Arc;

use super::StartError;
use crate::admin::SetLevel;
use crate::config::{Config, LogLevel};
use crate::metrics::Metrics;
use crate::telemetry::{self, AccessLog};

/// Where access lines go.
pub(super) fn access_log(
    config: &Config,
    metrics: &Arc<Metrics>,
) -> Result<Arc<AccessLog>, StartError> {
    let log = AccessLog::new(&config.log, Arc::clone(metrics));
    log.map(Arc::new).map_err(StartError::AccessLog)
}

/// Lets the log and its access lines begin at another level.
pub(super) fn set_level(access_log: &Arc<AccessLog>) -> SetLevel {
    let access_log = Arc::clone(access_log);
    Box::new(move |level| begin_log_at(level, &access_log))
}

pub(super) fn begin_log_at(level: LogLevel, access_log: &AccessLog) {
    telemetry::set_level(level);
    access_log.follow(level);
}
