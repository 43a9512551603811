//! One exchange with one server: a request out, a head back, both within their bounds.
//!
//! It follows nothing and judges no status.

use std::error::Error;
use std::fmt;
use std::future::pending;
use std::time::Duration;

use bytes::Bytes;
use http::header::PROXY_AUTHORIZATION;
use http::{Extensions, Request, Response, StatusCode};
use http_body::Body;
use http_body_util::BodyExt;
use http_body_util::combinators::UnsyncBoxBody;
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::{CaptureConnection, capture_connection};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::time::{Instant, sleep_until};

use super::Hush;
use super::attempt::Attempt;
use super::body::{Flight, UpstreamBody};
use super::broken::{Broken, Excuse};
use super::complaints::Complaints;
use super::connector::Connector;
use super::error::{failure_of, in_full, is_barred, is_slow, is_unprocessed, is_withdrawn};
use super::http2;
use super::pace::Pace;
use super::places::{Leave, Leaving};
use super::sending::{End, Outbound, Piece, Sending};
use super::tunnel::NoTunnel;
use super::wire::Wire;
use crate::artifact::Failure;
use crate::traces::Tracer;

/// Origins and load balancers commonly close idle connections after 60 s; we are first, so that no
/// request meets a closing one.
const POOL_IDLE: Duration = Duration::from_secs(45);

type Outgoing = UnsyncBoxBody<Piece, Box<dyn Error + Send + Sync>>;

/// The HTTP client and its pool.
pub(super) struct Client {
    http: legacy::Client<Connector, Outgoing>,
    connector: Connector,
    pace: BodyPace,
    complaints: Complaints,
    /// Who is told of each try; nobody where nothing is traced.
    tracer: Option<Tracer>,
}

/// How slow a body may be.
#[derive(Clone, Copy, Debug)]
pub(super) struct BodyPace {
    /// The silence after which it is ended.
    pub(super) idle: Duration,
    /// Bytes a second below which it is.
    pub(super) min_rate: u64,
    /// The longest it may take, whatever its pace.
    pub(super) limit: Duration,
}

/// How long an exchange may stand still.
#[derive(Clone, Debug)]
pub(super) struct Patience {
    /// While the request body is sent: with no byte taken by the upstream.
    pub(super) stall: Duration,
    /// From the request's end to the answer's head.
    pub(super) answer: Duration,
    /// Who is to hear of less.
    pub(super) hush: Option<Hush>,
    /// When it gives its place to another, if it may.
    pub(super) leave: Option<Leave>,
}

/// A head from the upstream, and the body behind it.
pub(super) struct Reply {
    pub(super) response: Response<UpstreamBody>,
    pub(super) sending: Sending,
    wire: Option<Wire>,
}

// === impl Client ===

impl Client {
    pub(super) fn new(
        connector: Connector,
        max_idle: usize,
        pace: BodyPace,
        tracer: Option<Tracer>,
    ) -> Self {
        let mut builder = legacy::Client::builder(TokioExecutor::new());
        builder
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(POOL_IDLE)
            .pool_max_idle_per_host(max_idle);
        let http = http2::tune(&mut builder, max_idle).build(connector.clone());
        Self {
            http,
            connector,
            pace,
            complaints: Complaints::default(),
            tracer,
        }
    }

    /// Where failures are told to people.
    pub(super) fn complaints(&self) -> &Complaints {
        &self.complaints
    }

    /// Sends `request`, whose body is `length` bytes where that is known.
    pub(super) async fn send<B>(
        &self,
        mut request: Request<B>,
        length: Option<u64>,
        patience: &Patience,
    ) -> Result<Reply, Broken>
    where
        B: Body<Data = Bytes> + Send + Unpin + 'static,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        let begun = Instant::now();
        let sending = Sending::new(length);
        let mut attempt = Attempt::begin(self.tracer.as_ref(), &mut request);
        let mut request = request.map(|body| Outbound::new(body, sending.clone()).boxed_unsync());
        if let Some(credential) = self.connector.proxy_authorization(request.uri()) {
            request
                .headers_mut()
                .insert(PROXY_AUTHORIZATION, credential);
        }
        let is_by_proxy = self.connector.is_answered_by_proxy(request.uri());
        let mut captured = capture_connection(&mut request);
        let response = self.http.request(request);
        let result = tokio::select! {
            biased;
            result = response => {
                result.map_err(|error| self.explain(&error, wire_of(&captured).as_ref()))
            }
            () = no_answer(&mut captured, &sending, patience) => Err(Broken::silence()),
            leaving = left(patience.leave.as_ref(), &sending) => Err(Broken::left(leaving)),
        };
        let wire = wire_of(&captured);
        match result {
            Ok(response)
                if is_by_proxy
                    && response.status() == StatusCode::PROXY_AUTHENTICATION_REQUIRED =>
            {
                let broken = self.turned_away();
                attempt.failed(broken.failure);
                Err(broken.on(wire.as_ref(), &sending, begun))
            }
            Ok(response) => {
                attempt.answered(response.status(), response.version());
                Ok(self.reply(response, Flight::new(sending, wire, attempt)))
            }
            Err(broken) => {
                attempt.failed(broken.failure);
                if broken.failure == Failure::Timeout {
                    leave_dead(&captured, begun);
                }
                Err(broken.on(wire.as_ref(), &sending, begun))
            }
        }
    }

    /// What a proxy's refusal is, whoever asked: it is not the upstream's, and the upstream has seen nothing.
    fn turned_away(&self) -> Broken {
        let (failure, cause) = (Failure::Unreachable, NoTunnel::Credential.to_string());
        self.complaints.say(failure, &cause);
        Broken {
            excuse: Excuse::Barred,
            ..Broken::new(failure, cause)
        }
    }

    /// Why there is no answer, which people are told, unless the request was withdrawn, which is
    /// nothing to tell.
    fn explain(&self, error: &legacy::Error, wire: Option<&Wire>) -> Broken {
        let (failure, cause) = match (failure_of(error), wire.and_then(Wire::refusal)) {
            // It was said before anybody had asked, and is all that there is to say.
            (Failure::Cut, Some(why)) => {
                let cause = format!("{}: {why}", in_full(error));
                (Failure::Unreachable, cause)
            }
            (failure, _) => (failure, in_full(error)),
        };
        let excuse = if is_withdrawn(error) {
            tracing::debug!(cause, "a request was withdrawn");
            Excuse::Withdrawn
        } else {
            self.complaints.say(failure, &cause);
            match error {
                error if is_barred(error) => Excuse::Barred,
                error if is_unprocessed(error) => Excuse::Disavowed,
                error if is_slow(error) => Excuse::Slow,
                _ => Excuse::None,
            }
        };
        Broken {
            excuse,
            ..Broken::new(failure, cause)
        }
    }

    fn reply(&self, response: Response<hyper::body::Incoming>, flight: Flight) -> Reply {
        let (sending, wire) = flight.exchange();
        if let Some(wire) = &wire {
            wire.mark_used();
        }
        let BodyPace {
            idle,
            min_rate,
            limit,
        } = self.pace;
        let pace = Pace::new(idle, min_rate);
        Reply {
            response: response.map(|body| UpstreamBody::new(body, pace, limit, flight)),
            sending,
            wire,
        }
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").finish_non_exhaustive()
    }
}

// === impl Reply ===

impl Reply {
    /// After an early answer: waits until the request body has gone out whole after all.
    pub(super) async fn finish_sending(&self, patience: &Patience) -> Result<(), Broken> {
        let wire = || self.wire.clone();
        tokio::select! {
            end = self.sending.ended() => match end {
                End::Whole => Ok(()),
                End::Broken => Err(Broken::new(Failure::Cut, "not all of it was taken".to_owned())),
            },
            () = overdue(wire, &self.sending, patience) => Err(Broken::silence()),
            leaving = left(patience.leave.as_ref(), &self.sending) => Err(Broken::left(leaving)),
        }
    }
}

/// Sends no more requests to a shared connection that was silent for as long as one of them waited:
/// it may have died, and is found out too late for those who would join.
fn leave_dead(captured: &CaptureConnection, begun: Instant) {
    let is_dead =
        wire_of(captured).is_some_and(|wire| wire.is_shared() && wire.is_silent_since(begun));
    if let (true, Some(connection)) = (is_dead, captured.connection_metadata().as_ref()) {
        connection.poison();
    }
}

/// Completes when an exchange has stood still for too long; connecting has its own bound.
async fn no_answer(captured: &mut CaptureConnection, sending: &Sending, patience: &Patience) {
    drop(captured.wait_for_connection_metadata().await);
    let captured = &*captured;
    overdue(|| wire_of(captured), sending, patience).await;
}

/// Completes when an exchange is to give its place to another.
async fn left(leave: Option<&Leave>, sending: &Sending) -> Leaving {
    match leave {
        Some(leave) => leave.due(sending).await,
        None => pending().await,
    }
}

async fn overdue(wire: impl Fn() -> Option<Wire>, sending: &Sending, patience: &Patience) {
    let begun = Instant::now();
    let mut told = None;
    loop {
        let progress = sending.progress();
        // What others write to a shared connection is no progress of this exchange.
        let wire = wire().filter(|wire| !wire.is_shared());
        let written = wire.map_or(begun, |wire| wire.last_write());
        let moved = begun.max(written).max(progress.moved);
        let is_going = progress.end.is_none();
        let limit = if is_going {
            patience.stall
        } else {
            patience.answer
        };
        let now = Instant::now();
        let since = if is_going && progress.is_starved {
            now
        } else {
            moved
        };
        let due = since + limit;
        if now >= due {
            return;
        }
        let hush = patience.hush.as_ref().filter(|_| told != Some(since));
        let hushed = hush.map(|hush| since + hush.after);
        if let Some(hush) = hush.filter(|_| hushed.is_some_and(|at| now >= at)) {
            hush.tell.stands_still.notify_one();
            told = Some(since);
            continue;
        }
        let due = hushed.map_or(due, |at| at.min(due));
        tokio::select! {
            () = sleep_until(due) => {}
            _ = sending.ended(), if is_going => {}
        }
    }
}

fn wire_of(captured: &CaptureConnection) -> Option<Wire> {
    let mut extras = Extensions::new();
    captured
        .connection_metadata()
        .as_ref()?
        .get_extras(&mut extras);
    extras.remove()
}
