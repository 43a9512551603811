//! What operators reach while it runs: the admin listener's answers, and the log's level.

use std::sync::Arc;

use crate::admin::{Admin, Door, Readiness, Refresh, SetLevel, Sources};
use crate::config::{InEffect, LogLevel};
use crate::metrics::Metrics;
use crate::telemetry::{self, AccessLog};
use crate::tiers::Tiers;

/// What answers the admin listener.
pub(super) fn admin(
    door: Door,
    metrics: &Arc<Metrics>,
    tiers: &Arc<Tiers>,
    (config, set_level): (InEffect, SetLevel),
) -> Admin {
    let conflicts = tiers.conflicts();
    let tiers = Arc::clone(tiers);
    let refresh: Refresh = Box::new(move || tiers.report());
    let sources = Sources {
        metrics: Arc::clone(metrics),
        refresh: vec![refresh],
        conflicts,
        config,
        set_level,
    };
    Admin::new(Readiness::new(), door, sources)
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
