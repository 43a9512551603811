//! The origin, and how to reach it.
//!
//! Requests go out and answers come back sorted by what a caller can do about them; nothing here
//! knows what is stored, who may read, or whether an upstream that fails should be asked again.

mod body;
mod client;
mod complaints;
mod connector;
mod document;
mod error;
mod hop;
mod http;
mod lanes;
mod pace;
mod page;
mod reach;
mod reads;
mod redirect;
mod reply;
mod sending;
mod target;
mod tls;
mod upload;
mod wire;

#[cfg(test)]
mod tests;

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use ::http::uri::PathAndQuery;
use ::http::{HeaderMap, Method, Request, Response, Uri};
use bytes::Bytes;
use http_body::Body;
use tokio::time::Instant;

pub use body::UpstreamBody;
pub use document::{Document, Unfetched};
pub use error::{BadTarget, UpstreamError};
pub use hop::{artifact_headers, forwarded_headers, is_loop};
pub use target::{artifact_target, upstream_target};

use crate::artifact::{Answer, Failure, OriginId};
use crate::config;
use crate::metrics::Metrics;
use http::Http;

/// The upstream, or none; shared behind an [`Arc`].
#[derive(Debug)]
pub struct Upstream {
    http: Option<Http>,
    /// How whatever else is asked is reached; without the credential, which is for the upstream.
    ways: config::Upstream,
    metrics: Arc<Metrics>,
}

/// A request for one artifact.
#[derive(Clone, Debug)]
pub struct ArtifactRequest {
    /// The path below the upstream's base, and the query, verbatim.
    pub path_and_query: PathAndQuery,
    /// As made by [`artifact_headers`].
    pub headers: HeaderMap,
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
    /// It is there: its headers, and its length where that is said.
    Present(HeaderMap, Option<u64>),
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
    },
}

// === impl Upstream ===

impl Upstream {
    /// Reads the certificate authorities and sets up TLS and the pool; connects to nothing.
    pub fn new(config: &config::Upstream, metrics: Arc<Metrics>) -> Result<Self, UpstreamError> {
        let http = match &config.target {
            config::Target::Http(url) => Some(Http::new(url, config)?),
            config::Target::None => None,
        };
        let ways = config::Upstream {
            token: None,
            ..config.clone()
        };
        Ok(Self {
            http,
            ways,
            metrics,
        })
    }

    /// Whether Larder itself is the cache. Every request fails then, as unreachable.
    pub fn is_none(&self) -> bool {
        self.http.is_none()
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
    pub async fn fetch(&self, request: ArtifactRequest) -> Fetched {
        let started = Instant::now();
        let fetched = match &self.http {
            Some(http) => http.fetch(request).await,
            None => Err(Failure::Unreachable),
        }
        .unwrap_or_else(Fetched::Failed);
        let result = match &fetched {
            Fetched::Found(_) => "ok",
            Fetched::Absent(_) => "absent",
            Fetched::Refused(_) => "refused",
            Fetched::Failed(failure) => result_of(*failure),
        };
        self.count("get", result, started);
        fetched
    }

    /// Asks for an artifact's headers, within `budget`, following redirects.
    ///
    /// Where a `HEAD` is not understood, or refused by storage behind a redirect, by a `GET` that is
    /// dropped after its head.
    pub async fn stat(&self, request: ArtifactRequest, budget: Duration) -> Stated {
        let started = Instant::now();
        let statement = match &self.http {
            Some(http) => http.stat(request, budget).await,
            None => Err(Failure::Unreachable),
        }
        .unwrap_or_else(Stated::Failed);
        let result = match &statement {
            Stated::Present(..) => "ok",
            Stated::Absent(_) => "absent",
            Stated::Refused(_) => "refused",
            Stated::Failed(failure) => result_of(*failure),
        };
        self.count("head", result, started);
        statement
    }

    /// Uploads an artifact of `length` bytes; chunked, where that is not known.
    ///
    /// A refusal that comes before the body has been sent is read and returned at once; the body is
    /// dropped and the connection closed.
    pub async fn store<B>(
        &self,
        request: ArtifactRequest,
        length: Option<u64>,
        body: B,
    ) -> Delivered
    where
        B: Body<Data = Bytes> + Send + Unpin + 'static,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        let started = Instant::now();
        let stored = match &self.http {
            Some(http) => http.store(request, length, body).await,
            None => Err(upload::unsent(Failure::Unreachable)),
        };
        let result = match &stored {
            Ok(Delivered::Accepted(_)) => "ok",
            Ok(Delivered::Refused(_)) => "refused",
            Ok(Delivered::Failed { failure, .. }) => result_of(*failure),
            Err(broken) if broken.is_withdrawn => "withdrawn",
            Err(broken) => result_of(broken.failure),
        };
        let delivered = stored.unwrap_or_else(|broken| Delivered::Failed {
            failure: broken.failure,
            sent_whole: broken.sent_whole,
        });
        self.count("put", result, started);
        delivered
    }

    /// Sends a small request and keeps its small answer, whatever its status: batch, events, status.
    ///
    /// Only the path and query of the request's URI count. Redirects are not followed.
    pub async fn ask(&self, request: Request<Bytes>) -> Result<Answer, Failure> {
        let started = Instant::now();
        let operation = operation_of(request.method(), request.uri());
        let replied = match &self.http {
            Some(http) => http.ask(request).await,
            None => Err(Failure::Unreachable),
        };
        let answer = match replied {
            Ok(reply) => reply::asked(reply).await,
            Err(failure) => Err(failure),
        };
        let result = result_of_status(&answer, Answer::code);
        self.count(operation, result, started);
        answer
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
            None => Err(Failure::Unreachable),
        };
        let result = result_of_status(&passed, |response| response.status().as_u16());
        self.count("pass", result, started);
        passed
    }

    /// A small document at an address of its own, reached as the upstream is.
    pub fn document(&self, url: Uri) -> Document {
        Document::new(url, self.ways.clone(), Arc::clone(&self.metrics))
    }

    fn count(&self, operation: &'static str, result: &'static str, started: Instant) {
        let seconds = started.elapsed().as_secs_f64();
        self.metrics.upstream(operation, result, seconds);
        let failure = Failure::ALL
            .into_iter()
            .find(|failure| result_of(*failure) == result);
        if let (Some(failure), Some(http)) = (failure, &self.http) {
            http.complaints().say(failure, what_fails(failure));
        }
    }
}

fn operation_of(method: &Method, uri: &Uri) -> &'static str {
    match *method {
        Method::POST if uri.path().ends_with("/events") => "events",
        Method::POST => "batch",
        _ => "status",
    }
}

/// Said of a failure that no connection explains.
fn what_fails(failure: Failure) -> &'static str {
    match failure {
        Failure::Timeout => "no answer in time",
        Failure::Unreachable => "no connection",
        Failure::Error => {
            "a 5xx, a redirect that is not followed, or a 200 that cannot be kept: encoded, or with \
             neither a length nor chunks"
        }
        Failure::Cut => "the connection broke",
        Failure::Limited => "429",
        Failure::Credential => "a refusal of Larder's own credential",
        Failure::Page => "a web page where the API should be: is that the login of a gateway?",
    }
}

fn result_of(failure: Failure) -> &'static str {
    let name = failure.as_str();
    name.strip_prefix("upstream-").unwrap_or(name)
}

fn result_of_status<T>(result: &Result<T, Failure>, code: impl FnOnce(&T) -> u16) -> &'static str {
    match result {
        Ok(answer) => result_of_code(code(answer)),
        Err(failure) => result_of(*failure),
    }
}

fn result_of_code(code: u16) -> &'static str {
    match code {
        404 => "absent",
        429 => result_of(Failure::Limited),
        400..=499 => "refused",
        500.. => result_of(Failure::Error),
        _ => "ok",
    }
}
