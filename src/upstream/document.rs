//! A small document at an address of its own, apart from the upstream's.
//!
//! It is reached as the upstream is: same authorities, same proxies but for clear text, same budgets. No
//! credential goes there, and no redirect is followed.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{ACCEPT, ACCEPT_ENCODING, HeaderMap, HeaderValue, USER_AGENT};
use http::uri::{PathAndQuery, Scheme};
use http::{Request, StatusCode, Uri};
use tokio::sync::OnceCell;
use tokio::time::Instant;

use super::broken::Broken;
use super::client::Reply;
use super::counted::what_fails;
use super::hop::is_readable;
use super::http::{Http, Small};
use super::reads::is_identity;
use super::reply::{ANSWER_TIME, read};
use crate::artifact::Failure;
use crate::config;
use crate::metrics::{Exchange, Gauge, Metrics, Operation};
use crate::tasks::Tasks;

/// Who asks: some servers refuse whoever does not say.
const AGENT: &str = concat!("larder/", env!("CARGO_PKG_VERSION"));

/// The address of a document, and the way there.
pub struct Document {
    url: Uri,
    ways: config::Upstream,
    http: OnceCell<Http>,
    metrics: Arc<Metrics>,
    tasks: Tasks,
}

/// The document could not be had; says why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{cause}")]
pub struct Unfetched {
    /// The metric's label.
    exchange: Exchange,
    cause: String,
}

// === impl Document ===

impl Document {
    /// Goes to `url` by the `ways` to the upstream; connects to nothing yet.
    pub(super) fn new(
        url: Uri,
        ways: config::Upstream,
        metrics: Arc<Metrics>,
        tasks: Tasks,
    ) -> Self {
        Self {
            url,
            ways,
            http: OnceCell::new(),
            metrics,
            tasks,
        }
    }

    /// Fetches it whole, if it has no more than `limit` bytes.
    pub async fn fetch(&self, limit: usize) -> Result<Bytes, Unfetched> {
        let started = Instant::now();
        let fetched = self.fetch_uncounted(limit).await;
        let exchange = fetched
            .as_ref()
            .map_or_else(|error| error.exchange, |_| Exchange::Ok);
        let seconds = started.elapsed().as_secs_f64();
        self.metrics
            .upstream
            .count(Operation::Keys, exchange, seconds);
        fetched
    }

    async fn fetch_uncounted(&self, limit: usize) -> Result<Bytes, Unfetched> {
        let http = self.http.get_or_try_init(async || self.way()).await?;
        let mut request = Request::new(Bytes::new());
        *request.uri_mut() = self.url.clone();
        *request.headers_mut() = headers();
        let reply = http.send_small(Small::of(&request)).await?;
        check(&reply)?;
        let body = read(reply.response.into_body(), limit, ANSWER_TIME).await;
        body.map_err(|failure| match failure {
            Failure::Error => Unfetched::error(format!("it is longer than {limit} bytes")),
            failure => Unfetched {
                exchange: Exchange::Failed(failure),
                cause: what_fails(failure).to_owned(),
            },
        })
    }

    /// The client for the document's origin. Authorities are read when they are first needed, which
    /// is not while somebody waits for the start.
    fn way(&self) -> Result<Http, Unfetched> {
        let mut parts = self.url.clone().into_parts();
        parts.path_and_query = Some(PathAndQuery::from_static("/"));
        let root = Uri::from_parts(parts).map_err(Unfetched::error)?;
        let mut ways = self.ways.clone();
        if root.scheme() == Some(&Scheme::HTTP) {
            // In clear text it is for this machine alone: a proxy would see it, and could change it.
            ways.proxy = config::Proxy::default();
        }
        // Whoever renews keys has an order of its own for failures.
        let unseen = Gauge::new("unseen", "Of no breaker.").map_err(Unfetched::error)?;
        let http = Http::new(&root, &ways, unseen, self.tasks.clone(), None);
        let http = http.map_err(Unfetched::error)?;
        // Whoever wants the document hears why it cannot be had.
        http.complaints().mute();
        Ok(http)
    }
}

impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Document").field(&self.url).finish()
    }
}

// === impl Unfetched ===

impl Unfetched {
    fn error(cause: impl fmt::Display) -> Self {
        Self {
            exchange: Exchange::Failed(Failure::Error),
            cause: cause.to_string(),
        }
    }
}

impl From<Broken> for Unfetched {
    fn from(broken: Broken) -> Self {
        Self {
            exchange: Exchange::Failed(broken.failure),
            cause: broken.cause,
        }
    }
}

fn headers() -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    headers.insert(USER_AGENT, HeaderValue::from_static(AGENT));
    headers
}

/// Whether what comes is the document: anything but a plain 200 is about something else.
fn check(reply: &Reply) -> Result<(), Unfetched> {
    let (status, headers) = (reply.response.status(), reply.response.headers());
    if status != StatusCode::OK {
        let exchange = match Exchange::of_status(status.as_u16()) {
            Exchange::Ok => Exchange::Failed(Failure::Error),
            other => other,
        };
        let cause = format!("status {}", status.as_u16());
        return Err(Unfetched { exchange, cause });
    }
    if !is_identity(headers) || !is_readable(headers) {
        return Err(Unfetched::error("it is encoded"));
    }
    Ok(())
}
