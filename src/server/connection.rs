//! One connection, until the client leaves, takes too long, or the process stops: what is spoken on it
//! is found out, and the rest is up to that.

use std::error::Error;
use std::future::{Future, poll_fn};
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::{Arc, LazyLock};

use futures_util::FutureExt;
use http::{Request, Response};
use tokio::io::{AsyncRead, AsyncWrite};
use tracing::{debug, error};

use super::chooser::{Agreed, Chooser, Version};
use super::clock::{Clock, Cuts};
use super::crowd::Guest;
use super::guard::{Guarded, Watch};
use super::http2::Advances;
use super::phase::Bound;
use super::ration::{Ration, Rationed};
use super::shown::Shown;
use super::{Limits, Peer, RequestBody, Serve, http1, http2};
use crate::metrics::Limit;
use crate::outlet::Outlet;
use crate::seldom::Seldom;
use crate::tasks::Tasks;

/// What was said of requests that panicked, whichever listener they came by.
static PANICS: LazyLock<Seldom<()>> = LazyLock::new(Seldom::default);

/// A connection just accepted.
#[derive(Debug)]
pub(super) struct Accepted<I> {
    /// Its bytes.
    pub(super) io: I,
    /// Its other end.
    pub(super) peer: Peer,
    /// The way for stretches of files, if `io` knows one.
    pub(super) outlet: Option<Outlet>,
    /// What is known of it.
    pub(super) watch: Watch,
    /// What its client shows of itself.
    pub(super) shown: Shown,
    /// Its place among the others.
    pub(super) guest: Option<Guest>,
    /// Who counts what bounds do.
    pub(super) cuts: Cuts,
    /// What connections have besides the least of windows.
    pub(super) advances: Advances,
}

/// The client of one connection, and who answers it.
pub(super) struct Client<S: Serve> {
    pub(super) service: Arc<S>,
    pub(super) peer: Peer,
    pub(super) shown: Shown,
    pub(super) outlet: Option<Outlet>,
    pub(super) acquaintance: S::Acquaintance,
}

/// What it takes to serve a connection, once it is known what is spoken on it.
pub(super) struct Session<S: Serve> {
    pub(super) client: Arc<Client<S>>,
    pub(super) watch: Watch,
    pub(super) ration: Ration,
    pub(super) clock: Clock,
    pub(super) limits: Arc<Limits>,
    pub(super) tasks: Tasks,
}

// === impl Accepted ===

impl Accepted<()> {
    /// The same, and its bytes.
    pub(super) fn over<I>(self, io: I) -> Accepted<I> {
        let Self {
            io: (),
            peer,
            shown,
            outlet,
            watch,
            guest,
            cuts,
            advances,
        } = self;
        Accepted {
            io,
            peer,
            outlet,
            watch,
            shown,
            guest,
            cuts,
            advances,
        }
    }
}

// === impl Client ===

impl<S: Serve> Client<S> {
    /// What the service makes of a request. It is some kilobytes: to be pinned where it is called, not moved.
    pub(super) fn serve(
        &self,
        mut request: Request<RequestBody>,
    ) -> impl Future<Output = Response<S::Body>> + Send {
        self.shown.accompany(request.extensions_mut());
        let (acquaintance, outlet) = (&self.acquaintance, self.outlet.as_ref());
        self.service.serve(request, self.peer, acquaintance, outlet)
    }

    /// The answer, whatever becomes of the service.
    pub(super) async fn answer(
        &self,
        serving: Pin<&mut (impl Future<Output = Response<S::Body>> + Send)>,
    ) -> Response<S::Body> {
        let served = AssertUnwindSafe(serving).catch_unwind().await;
        served.unwrap_or_else(|_| {
            // A client may know how to make one, and send nothing else.
            if let Some(unsaid) = PANICS.due(()) {
                error!(unsaid, "answering a request panicked (said once a minute)");
            }
            self.service.fault()
        })
    }
}

/// Serves a connection to its end.
pub(super) async fn run<S, I>(
    accepted: Accepted<I>,
    service: Arc<S>,
    limits: impl Into<Arc<Limits>>,
    tasks: &Tasks,
) where
    S: Serve,
    I: Agreed + AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let Accepted {
        io,
        peer,
        outlet,
        watch,
        shown,
        guest,
        cuts,
        advances,
    } = accepted;
    let limits = limits.into();
    let mut clock = Clock::new(Arc::clone(&limits), watch.clone(), cuts.clone());
    let mut io = Chooser::new(Guarded::new(io, watch.clone()));
    let shaking = guest.as_ref().filter(|_| peer.is_secure);
    if let Some(guest) = shaking {
        guest.shakes_hands(limits.most());
    }
    let opened = open(&mut io, &mut clock, tasks).await;
    if let Some(guest) = shaking {
        guest.has_shaken_hands();
    }
    let Some(version) = opened else {
        return;
    };
    let session = |outlet| Session {
        client: Arc::new(Client {
            acquaintance: service.acquaint(&peer),
            service,
            peer,
            shown,
            outlet,
        }),
        watch,
        ration: Ration::new(),
        clock,
        limits,
        tasks: tasks.clone(),
    };
    match version {
        Version::Http1 => {
            let session = session(outlet);
            // Whoever has used up its ration is not stalled: the guard does not hear of it.
            let io = Rationed::new(io, session.ration.clone());
            http1::serve(io, session).await;
        }
        Version::Http2 => {
            let with_preface = io.is_silent();
            io.below().count_frames(with_preface, cuts);
            // What stands for a stretch of a file would be framed as if it were bytes.
            let session = session(None);
            let io = Rationed::new(io, session.ration.clone());
            let windows = advances.open(session.limits.ahead);
            Box::pin(http2::serve(io, session, windows)).await;
        }
    }
}

/// Finds out what is spoken; nothing where the client has left, takes too long, or has said nothing
/// when the process stops.
async fn open<I>(io: &mut Chooser<Guarded<I>>, clock: &mut Clock, tasks: &Tasks) -> Option<Version>
where
    I: Agreed + AsyncRead + AsyncWrite + Unpin,
{
    tokio::select! {
        biased;
        opened = attend_first(io, clock) => return opened,
        () = tasks.stopping() => {}
    }
    if io.is_silent() {
        return None;
    }
    clock.hurry();
    attend_first(io, clock).await
}

async fn attend_first<I>(io: &mut Chooser<Guarded<I>>, clock: &mut Clock) -> Option<Version>
where
    I: Agreed + AsyncRead + AsyncWrite + Unpin,
{
    tokio::select! {
        biased;
        opened = io.version() => opened
            .inspect_err(|error| debug!(%error, "a connection broke before its first request"))
            .ok(),
        bound = clock.expired() => {
            debug!(bound = bound.as_str(), "a client took too long");
            None
        }
    }
}

/// Drives a connection to its end, or to what its client took too long for.
pub(super) async fn attend<C>(
    mut connection: Pin<&mut C>,
    ration: &Ration,
    clock: &mut Clock,
) -> Option<Bound>
where
    C: Future<Output = Result<(), hyper::Error>>,
{
    let turns = poll_fn(|cx| {
        ration.renew();
        connection.as_mut().poll(cx)
    });
    tokio::select! {
        biased;
        ended = turns => {
            if let Err(error) = ended {
                if error.is_parse_too_large() {
                    clock.cuts().note(Limit::HeadSize);
                } else if clock.watch().is_flooded() || is_flood(&error) {
                    clock.cuts().note(Limit::Frames);
                }
                debug!(%error, "a connection broke");
            }
            None
        }
        bound = clock.expired() => {
            debug!(bound = bound.as_str(), "a client took too long");
            Some(bound)
        }
    }
}

/// Whether the library has met one of the floods that it knows itself.
fn is_flood(error: &hyper::Error) -> bool {
    let cause = error
        .source()
        .and_then(|cause| cause.downcast_ref::<h2::Error>());
    cause.is_some_and(|cause| {
        cause.is_library() && cause.reason() == Some(h2::Reason::ENHANCE_YOUR_CALM)
    })
}
