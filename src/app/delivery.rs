//! The delivery of traces: it begins before anything could be told, and ends after everything else has.

use std::sync::Arc;
use std::time::Duration;

use crate::config::Config;
use crate::metrics::Metrics;
use crate::tasks::Tasks;
use crate::traces::{Exporter, Tracer};

/// What the last spans get to be delivered in, where the grace has that much left: a collector that does not answer
/// must not keep the process alive.
const PATIENCE: Duration = Duration::from_secs(5);

/// Delivers spans where that is configured.
#[derive(Debug)]
pub(super) struct Delivery {
    exporter: Option<Exporter>,
    tasks: Tasks,
}

/// A delivery under way.
pub(super) struct Delivering(Option<Tasks>);

impl Delivery {
    /// Where spans begin, and who delivers them; connects to nothing yet.
    pub(super) fn new(
        config: &Config,
        metrics: &Arc<Metrics>,
    ) -> Result<(Option<Tracer>, Self), rustls::Error> {
        let (tracer, exporter) = Tracer::new(&config.traces, metrics)?.unzip();
        let tasks = Tasks::new();
        Ok((tracer, Self { exporter, tasks }))
    }

    /// Delivers from now on, whatever else is told to end.
    pub(super) fn begin(self) -> Delivering {
        let Self { exporter, tasks } = self;
        Delivering(exporter.map(|exporter| {
            tasks.spawn(exporter.run(tasks.clone()));
            tasks
        }))
    }
}

impl Delivering {
    /// Delivers what is left, within `left`.
    pub(super) async fn end(self, left: Duration) {
        let Some(tasks) = self.0 else { return };
        tasks.stop();
        if tasks.drain(left.min(PATIENCE)).await > 0 {
            tracing::warn!("the last spans could not be delivered in time");
        }
        tasks.give_up();
    }
}
