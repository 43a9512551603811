//! What operators ask, put together from the parts of this process. Answers nothing itself.

use std::sync::Arc;

use tokio::time::Instant;

use super::foundation::Foundation;
use super::listening::{placed, reachable};
use crate::admin::{
    About, Admin, Door, History, Holdings, Look, Readiness, Refresh, SetLevel, Sources, Standing,
};
use crate::artifact::Landed;
use crate::config::{Config, InEffect, Target};
use crate::proxy::Proxy;
use crate::server::Listeners;
use crate::upstream::Upstream;

/// The parts that are asked about.
pub(super) struct Operated<'a> {
    pub(super) config: &'a Config,
    pub(super) data: &'a Listeners,
    pub(super) foundation: &'a Foundation,
    pub(super) upstream: &'a Arc<Upstream>,
    pub(super) proxy: &'a Arc<Proxy>,
}

// === impl Operated ===

impl Operated<'_> {
    /// What answers the admin listener; it begins to keep the history of what is counted.
    pub(super) fn admin(&self, door: Door, (config, set_level): (InEffect, SetLevel)) -> Admin {
        let foundation = self.foundation;
        let (tiers, queue) = (Arc::clone(&foundation.tiers), self.proxy.queue());
        let metrics = Arc::clone(&foundation.metrics);
        let refresh: Refresh = Box::new(move || {
            tiers.report();
            metrics.uploads.show(queue.underway());
        });
        let history = Arc::new(History::new());
        let (counts, tasks) = (Arc::clone(&foundation.metrics), foundation.tasks.clone());
        foundation
            .tasks
            .spawn(Arc::clone(&history).keep(counts, tasks));
        let sources = Sources {
            metrics: Arc::clone(&foundation.metrics),
            refresh: vec![refresh],
            conflicts: foundation.tiers.conflicts(),
            recent: Arc::clone(&foundation.recent),
            held_back: foundation.held.behind(self.proxy),
            config,
            set_level,
            about: self.about(),
            look: self.look(),
            history,
            holdings: Holdings {
                tiers: Arc::clone(&foundation.tiers),
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
        let tiers = Arc::clone(&self.foundation.tiers);
        Box::new(move || Standing {
            breakers: upstream.breakers(),
            uploads: proxy.uploads(),
            is_disk_read: tiers.is_read(),
        })
    }
}
