//! The origin, and how to reach it.
//!
//! Requests go out and answers come back sorted by what a caller can do about them. An upstream that
//! fails is asked again where that may help, and left alone where it does not. Nothing here knows what
//! is stored or who may read.

mod attempt;
mod body;
mod breaker;
mod broken;
mod client;
mod complaints;
mod connector;
mod counted;
mod dial;
mod document;
mod error;
mod gates;
mod hop;
mod http;
mod http2;
mod lanes;
mod line;
mod names;
mod others;
mod outgoing;
mod pace;
mod page;
mod passage;
mod pauses;
mod places;
mod pulse;
mod queue;
mod reach;
mod reads;
mod redirect;
mod reply;
mod retry;
mod sending;
mod setback;
mod supply;
mod target;
mod tls;
mod tunnel;
mod upload;
mod wire;

#[cfg(test)]
mod tests;

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use ::http::uri::PathAndQuery;
use ::http::{HeaderMap, Request, Response, Uri, Version};
use bytes::Bytes;
use http_body::Body;
use tokio::sync::Notify;
use tokio::time::Instant;

pub use body::UpstreamBody;
pub use document::{Document, Unfetched};
pub use error::{BadTarget, UpstreamError};
pub use gates::Breakers;
pub use hop::{artifact_headers, forwarded_headers, is_loop};
pub use outgoing::Outgoing;
pub use supply::{Source, Standing, Supply};
pub use target::{artifact_target, upstream_target};
pub use tls::as_the_system_trusts;

use crate::artifact::{Answer, Failure, OriginId};
use crate::config;
use crate::metrics::{Exchange, Metrics, Operation};
use crate::tasks::Tasks;
use crate::traces::Tracer;
use counted::operation_of;
use gates::Class;
use http::{Http, key_of};
use reads::Purpose;
use setback::Setback;

/// What comes of asking where there is no upstream.
const NOWHERE: Setback = Setback::spared(Failure::Unreachable);

/// The upstream, or none; shared behind an [`Arc`].
#[derive(Debug)]
pub struct Upstream {
    http: Option<Arc<Http>>,
    /// How whatever else is asked is reached; without what Larder shows of itself, which is for the
    /// upstream.
    ways: config::Upstream,
    metrics: Arc<Metrics>,
    tasks: Tasks,
}

/// A request for one artifact.
#[derive(Clone, Debug)]
pub struct ArtifactRequest {
    /// The path below the upstream's base, and the query, verbatim.
    pub path_and_query: PathAndQuery,
    /// As made by [`artifact_headers`].
    pub headers: HeaderMap,
}

/// What is told of an upload while it goes on.
#[derive(Debug, Default)]
pub struct Word {
    /// It stands still; told each time.
    pub stands_still: Notify,
    /// It is upstream now: it does not wait for a place, or for more of its body.
    pub is_out: AtomicBool,
}

/// Who hears of an upload that stands still, while it goes on.
#[derive(Clone, Debug)]
pub struct Hush {
    /// With no byte taken and no answer for so long.
    pub after: Duration,
    /// Who is told.
    pub tell: Arc<Word>,
}

/// What is behind an upload on this side.
#[derive(Clone, Debug)]
pub struct Backing {
    /// Who hears of it where it stands still.
    pub hush: Hush,
    /// Where its body stands.
    pub supply: Supply,
}

/// When an upload without a judgement may fare better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Again {
    /// After so long.
    After(Duration),
    /// Once its body has come as far as it can: it has given its place to one that had.
    OnceHere,
}

/// How a fetch ended.
#[derive(Debug)]
pub enum Fetched {
    /// A 200 whose body can be proven whole.
    Found(Fetch),
    /// A 404.
    Absent(Answer),
    /// Any other 4xx of the upstream itself, but 429.
    Refused(Answer),
    /// It could not say.
    Failed(Failure),
}

/// An artifact on its way from the upstream.
#[derive(Debug)]
pub struct Fetch {
    /// The upstream's, less the hop-by-hop ones.
    pub headers: HeaderMap,
    /// What `Content-Length` says; without one the body is chunked.
    pub length: Option<u64>,
    /// The bytes, without any encoding.
    pub body: UpstreamBody,
}

/// What the upstream says of an artifact.
#[derive(Debug)]
pub enum Stated {
    /// It is there: its headers, its length where that is said, and the version in which it was said.
    Present(HeaderMap, Option<u64>, Version),
    /// A 404.
    Absent(Answer),
    /// Any other 4xx of the upstream itself, but 429.
    Refused(Answer),
    /// It could not say.
    Failed(Failure),
}

/// How an upload ended.
#[derive(Debug)]
pub enum Delivered {
    /// A 2xx, after the whole body was sent.
    Accepted(Answer),
    /// A 3xx, without its `Location`, or a 4xx but 429.
    Refused(Answer),
    /// No judgement.
    Failed {
        /// Why.
        failure: Failure,
        /// The whole body had gone out: nobody knows what the origin has made of it.
        sent_whole: bool,
        /// When another try may go better, where it may.
        again: Option<Again>,
    },
}

// === impl Upstream ===

impl Upstream {
    /// Reads the certificate authorities and sets up TLS and the pool; connects to nothing.
    pub fn new(
        config: &config::Upstream,
        metrics: Arc<Metrics>,
        tasks: Tasks,
    ) -> Result<Self, UpstreamError> {
        Self::traced(config, metrics, tasks, None)
    }

    /// The same, where traces show each try.
    pub fn traced(
        config: &config::Upstream,
        metrics: Arc<Metrics>,
        tasks: Tasks,
        tracer: Option<Tracer>,
    ) -> Result<Self, UpstreamError> {
        let open = metrics.upstream.breaker_open.clone();
        let http = match &config.target {
            config::Target::Http(url) => Some(Http::new(url, config, open, tasks.clone(), tracer)?),
            config::Target::None => None,
        };
        let ways = config::Upstream {
            token: None,
            identity: None,
            ..config.clone()
        };
        Ok(Self {
            http: http.map(Arc::new),
            ways,
            metrics,
            tasks,
        })
    }

    /// Whether Larder itself is the cache. Every request fails then, as unreachable.
    pub fn is_none(&self) -> bool {
        self.http.is_none()
    }

    /// Which requests it is not asked for, because it keeps failing.
    pub fn breakers(&self) -> Breakers {
        let http = self.http.as_ref();
        http.map_or_else(Breakers::default, |http| http.gates.open())
    }

    /// The name of this origin in keys.
    pub fn origin_id(&self) -> OriginId {
        match &self.http {
            Some(http) => http.base().origin_id(),
            None => OriginId::new("none"),
        }
    }

    /// The target below the upstream's base for a client's request target.
    pub fn target(&self, client: &Uri) -> Result<PathAndQuery, BadTarget> {
        let base_path = self.http.as_ref().map_or("", |http| http.base().path());
        upstream_target(client, base_path)
    }

    /// Fetches an artifact, following redirects.
    pub async fn fetch(&self, request: &ArtifactRequest) -> Fetched {
        let started = Instant::now();
        let fetched = match &self.http {
            Some(http) => http.fetch(request).await,
            None => Err(NOWHERE),
        };
        let result = fetched.as_ref().map(|fetched| match fetched {
            Fetched::Found(_) => Exchange::Ok,
            Fetched::Absent(_) => Exchange::Absent,
            Fetched::Refused(_) => Exchange::Refused,
            Fetched::Failed(failure) => Exchange::Failed(*failure),
        });
        self.count(Operation::Get, result, started);
        fetched.unwrap_or_else(|setback| Fetched::Failed(setback.failure))
    }

    /// Asks for an artifact's headers, following redirects.
    ///
    /// Where a `HEAD` is not understood, or refused by storage behind a redirect, by a `GET` that is
    /// dropped after its head.
    pub async fn stat(&self, request: ArtifactRequest) -> Stated {
        self.state(request, Purpose::Describe).await
    }

    /// The same within the time of a question about a caller.
    pub async fn probe(&self, request: ArtifactRequest) -> Stated {
        self.state(request, Purpose::Judge).await
    }

    /// How long a question about a caller may take.
    pub fn probe_time(&self) -> Option<Duration> {
        self.http.as_ref().map(|http| http.limits.probe)
    }

    async fn state(&self, request: ArtifactRequest, purpose: Purpose) -> Stated {
        let started = Instant::now();
        let told = match &self.http {
            Some(http) => http.stat(request, purpose).await,
            None => Err(NOWHERE),
        };
        let result = told.as_ref().map(|told| match told {
            Stated::Present(..) => Exchange::Ok,
            Stated::Absent(_) => Exchange::Absent,
            Stated::Refused(_) => Exchange::Refused,
            Stated::Failed(failure) => Exchange::Failed(*failure),
        });
        self.count(Operation::Head, result, started);
        told.unwrap_or_else(|setback| Stated::Failed(setback.failure))
    }

    /// Uploads an artifact of `length` bytes; chunked, where that is not known.
    ///
    /// The hush of `backing` hears of it where that stands still. A refusal that comes before the body has been sent is
    /// read and returned at once; the body is dropped and the connection closed; with HTTP/2 only the
    /// stream is.
    pub async fn store<B>(
        &self,
        request: ArtifactRequest,
        length: Option<u64>,
        body: B,
        backing: Backing,
    ) -> Delivered
    where
        B: Body<Data = Bytes> + Send + Unpin + 'static,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        let started = Instant::now();
        let stored = match &self.http {
            Some(http) => http.store(request, length, body, backing).await,
            None => Err(NOWHERE.into()),
        };
        let result = match &stored {
            Ok(Delivered::Accepted(_)) => Ok(Exchange::Ok),
            Ok(Delivered::Refused(_)) => Ok(Exchange::Refused),
            Ok(Delivered::Failed { failure, .. }) => Ok(Exchange::Failed(*failure)),
            Err(undelivered) if undelivered.is_withdrawn => Ok(Exchange::Withdrawn),
            Err(undelivered) => Err(&undelivered.setback),
        };
        self.count(Operation::Put, result, started);
        stored.unwrap_or_else(|undelivered| Delivered::Failed {
            failure: undelivered.setback.failure,
            sent_whole: undelivered.sent_whole,
            again: undelivered.again,
        })
    }

    /// Whether a request may be repeated that could not be known to be unseen: within the budget.
    pub fn may_repeat(&self) -> bool {
        self.http.as_ref().is_some_and(|http| http.retries.spend())
    }

    /// Takes note that an upload waits for its answer for longer than it should, though it goes on.
    pub fn is_silent_to(&self, upload: &PathAndQuery) {
        if let Some(http) = &self.http {
            http.gates.silence(Class::Uploads, key_of(upload));
        }
    }

    /// Sends a small request and keeps its small answer: batch, events, status. A 429 or a 5xx is a
    /// failure.
    ///
    /// Only the path and query of the request's URI count. Redirects are not followed.
    pub async fn ask(&self, request: Request<Bytes>) -> Result<Answer, Failure> {
        let started = Instant::now();
        let operation = operation_of(request.method(), request.uri());
        let asked = match &self.http {
            Some(http) => http.ask(request).await,
            None => Err(NOWHERE),
        };
        let result = asked
            .as_ref()
            .map(|answer| Exchange::of_status(answer.code()));
        self.count(operation, result, started);
        asked.map_err(|setback| setback.failure)
    }

    /// Passes a request on, streaming both ways, whatever the answer's status.
    ///
    /// Only the path and query of the request's URI count. Redirects are not followed.
    pub async fn pass<B>(&self, request: Request<B>) -> Result<Response<UpstreamBody>, Failure>
    where
        B: Body<Data = Bytes> + Send + Unpin + 'static,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        let started = Instant::now();
        let passed = match &self.http {
            Some(http) => http.pass(request).await,
            None => Err(NOWHERE),
        };
        let status = |response: &Response<UpstreamBody>| response.status().as_u16();
        let result = passed
            .as_ref()
            .map(|response| Exchange::of_status(status(response)));
        self.count(Operation::Pass, result, started);
        passed.map_err(|setback| setback.failure)
    }

    /// A small document at an address of its own, reached as the upstream is.
    pub fn document(&self, url: Uri) -> Document {
        let (metrics, tasks) = (Arc::clone(&self.metrics), self.tasks.clone());
        Document::new(url, self.ways.clone(), metrics, tasks)
    }
}
