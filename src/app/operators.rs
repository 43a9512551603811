//! What operators ask, put together from the parts of this process. Answers nothing itself.

use std::sync::Arc;

use tokio::time::Instant;

use super::listening::{placed, reachable};
use crate::admin::{
    About, Admin, Door, History, Holdings, Look, Readiness, Refresh, SetLevel, Sources, Standing,
};
use crate::artifact::Landed;
use crate::config::{Config, InEffect, Target};
use crate::metrics::Metrics;
use crate::proxy::Proxy;
use crate::recent::Recent;
use crate::server::Listeners;
use crate::tasks::Tasks;
use crate::tiers::Tiers;
use crate::upstream::Upstream;

/// The parts that are asked about.
pub(super) struct Operated<'a> {
    pub(super) config: &'a Config,
    pub(super) data: &'a Listeners,
    pub(super) metrics: &'a Arc<Metrics>,
    pub(super) tiers: &'a Arc<Tiers>,
    pub(super) upstream: &'a Arc<Upstream>,
    pub(super) proxy: &'a Arc<Proxy>,
    pub(super) recent: &'a Arc<Recent>,
    pub(super) tasks: &'a Tasks,
}

// === impl Operated ===

impl Operated<'_> {
    /// What answers the admin listener; it begins to keep the history of what is counted.
    pub(super) fn admin(&self, door: Door, (config, set_level): (InEffect, SetLevel)) -> Admin {
        let (tiers, queue) = (Arc::clone(self.tiers), self.proxy.queue());
        let metrics = Arc::clone(self.metrics);
        let refresh: Refresh = Box::new(move || {
            tiers.report();
            metrics.uploads.show(queue.underway());
        });
        let history = Arc::new(History::new());
        let keeping = Arc::clone(&history).keep(Arc::clone(self.metrics), self.tasks.clone());
        self.tasks.spawn(keeping);
        let sources = Sources {
            metrics: Arc::clone(self.metrics),
            refresh: vec![refresh],
            conflicts: self.tiers.conflicts(),
            recent: Arc::clone(self.recent),
            config,
            set_level,
            about: self.about(),
            look: self.look(),
            history,
            holdings: Holdings {
                tiers: Arc::clone(self.tiers),
                flights: self.proxy.flights(),
            },
        };
        Admin::new(Readiness::new(), door, sources)
    }

    fn about(&self) -> About {
        let listeners = placed(self.config, self.data);
        let upstream = match &self.config.upstream.target {
            Target::Http(url) => Some(url.to_string().trim_end_matches('/').to_owned()),
            Target::None => None,
        };
        About {
            started: Landed::now(),
            began: Instant::now(),
            access: self.config.access.mode,
            api: listeners.iter().find_map(reachable),
            upstream,
        }
    }

    fn look(&self) -> Look {
        let (upstream, proxy) = (Arc::clone(self.upstream), Arc::clone(self.proxy));
        let tiers = Arc::clone(self.tiers);
        Box::new(move || Standing {
            breakers: upstream.breakers(),
            uploads: proxy.uploads(),
            is_disk_read: tiers.is_read(),
        })
    }
}
