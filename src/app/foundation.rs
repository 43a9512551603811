//! What everything else of a process stands on, made once and in order.

use std::sync::Arc;

use super::StartError;
use super::delivery::Delivery;
use super::holds::HeldNotes;
use super::log::access_log;
use crate::access::Access;
use crate::caller::Sealer;
use crate::config::Config;
use crate::metrics::Metrics;
use crate::proxy::Stations;
use crate::recent::Recent;
use crate::router::Observer;
use crate::tasks::Tasks;
use crate::telemetry::AccessLog;
use crate::tiers::Tiers;
use crate::traces::Tracer;
use crate::upstream::Upstream;

/// The parts that know no other.
pub(super) struct Foundation {
    pub(super) tasks: Tasks,
    pub(super) metrics: Arc<Metrics>,
    pub(super) tiers: Arc<Tiers>,
    pub(super) held: Arc<HeldNotes>,
    pub(super) recent: Arc<Recent>,
    pub(super) access_log: Arc<AccessLog>,
    pub(super) tracer: Option<Tracer>,
    pub(super) delivery: Delivery,
}

impl Foundation {
    /// Takes the data directory, and opens what is in it.
    pub(super) async fn open(config: &Config) -> Result<Self, StartError> {
        let tasks = Tasks::new();
        let metrics = Metrics::new().map_err(|error| StartError::Metrics(error.to_string()))?;
        let metrics = Arc::new(metrics);
        let (counts, doing) = (Arc::clone(&metrics), tasks.clone());
        let tiers = Tiers::open(&config.tier, &config.data_dir, counts, doing).await?;
        let held = HeldNotes::recall(&config.data_dir)?;
        let (tracer, delivery) = Delivery::new(config, &metrics)?;
        Ok(Self {
            access_log: access_log(config, &metrics)?,
            recent: Arc::new(Recent::new()),
            tasks,
            metrics,
            tiers,
            held,
            tracer,
            delivery,
        })
    }

    /// What the proxy decides with.
    pub(super) fn stations(
        &self,
        sealer: &Arc<Sealer>,
        upstream: &Arc<Upstream>,
        access: &Arc<Access>,
    ) -> Stations {
        Stations {
            sealer: Arc::clone(sealer),
            tiers: Arc::clone(&self.tiers),
            upstream: Arc::clone(upstream),
            access: Arc::clone(access),
            holds: self.held.holds(),
            metrics: Arc::clone(&self.metrics),
            tasks: self.tasks.clone(),
            tracer: self.tracer.clone(),
        }
    }

    /// Who is told what became of requests.
    pub(super) fn observer(&self) -> Observer {
        Observer {
            metrics: Arc::clone(&self.metrics),
            log: Arc::clone(&self.access_log),
            recent: Arc::clone(&self.recent),
            tracer: self.tracer.clone(),
        }
    }
}
