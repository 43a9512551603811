//! A fill as a trace shows it. It belongs to nobody, and stands below the request that caused it: upstream it
//! is that one's trace that goes on.

use super::{Ask, Proxy};
use crate::artifact::Failure;
use crate::traces::{Kind, Span, SpanContext};
use crate::transfer::Filled;

/// What it is called.
const NAME: &str = "fill";

impl Proxy {
    /// Begins the span of a fill on account of `ask`, which is asked upstream in its name from here on; none where
    /// that is not traced.
    pub(super) fn trace_fill(&self, ask: &mut Ask) -> Option<Span> {
        let tracer = self.tracer.as_ref()?;
        let mut span = tracer.detour(&mut ask.outgoing.client, Kind::Internal, NAME)?;
        span.text("larder.hash", ask.key.hash.as_str());
        Some(span)
    }

    /// Where the fill that asks this stands in a trace.
    pub(super) fn trace_of(&self, ask: &Ask) -> Option<SpanContext> {
        self.tracer.as_ref()?;
        SpanContext::of(&ask.outgoing.client).filter(|context| context.is_sampled())
    }
}

/// Ends a fill's span.
pub(super) fn conclude(span: Option<Span>, filled: Filled) {
    let Some(mut span) = span else { return };
    span.text("larder.fill", word(filled));
    match filled {
        Filled::Failed(failure) => span.failed(failure.as_str()),
        Filled::Broken => span.failed(Failure::Cut.as_str()),
        Filled::Stored
        | Filled::Unstored
        | Filled::AlreadyHere
        | Filled::Absent
        | Filled::Refused => {}
    }
}

fn word(filled: Filled) -> &'static str {
    match filled {
        Filled::Stored => "stored",
        Filled::Unstored => "unstored",
        Filled::Broken => "broken",
        Filled::AlreadyHere => "already-here",
        Filled::Absent => "absent",
        Filled::Refused => "refused",
        Filled::Failed(_) => "failed",
    }
}
