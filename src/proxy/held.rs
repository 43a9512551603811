//! What is held back: told as absent to whoever might read it, never fetched, and healed by an upload.
//!
//! What is held is `holds`' business, and why the operator's.

use std::ops::ControlFlow;
use std::sync::Arc;

use super::put::Upload;
use super::{Ask, Proxy, ProxyError, Served};
use crate::artifact::Failure;
use crate::transfer::Source;
use crate::upstream::UpstreamBody;

impl Proxy {
    /// Lets nothing that is under way land, or be joined: it may be what is held back from now on. Those who
    /// read it already finish.
    pub fn outdate(&self) {
        self.tiers.outdate();
        self.flights.supersede_all();
    }

    pub(super) fn is_held(&self, ask: &Ask) -> bool {
        self.holds.cover(&ask.key)
    }

    /// Tells of a hold whom the artifact might be given; others are told what they would be without.
    pub(super) async fn tell_of_hold(self: &Arc<Self>, ask: &Ask) -> Result<Served, ProxyError> {
        match self.judge(ask).await {
            ControlFlow::Continue(_) => Err(ProxyError::Held),
            ControlFlow::Break(told) => told,
        }
    }

    /// Asks the upstream for what is to land, unless that was held back since its fill began: nobody who follows
    /// it is told anything but that.
    pub(super) async fn fetch_unless_held(self: Arc<Self>, ask: Ask) -> Source<UpstreamBody> {
        if self.is_held(&ask) {
            return Source::Failed(Failure::Cut);
        }
        self.fetch(ask).await
    }
}

impl Upload {
    /// Ends what was held back before this upload began: it was accepted, and what it replaces is gone.
    pub(super) fn heal(&self) {
        self.proxy.holds.heal(&self.ask.key, self.mark);
    }
}
