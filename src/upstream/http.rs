//! An origin that speaks HTTP: what every verb needs of it, and requests that are no artifact's.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Method, Request, Response, Uri};
use http_body::Body;
use http_body_util::Full;
use tokio::time::timeout;

use super::body::UpstreamBody;
use super::client::{Broken, Client, Patience, Reply};
use super::complaints::Complaints;
use super::connector::Connector;
use super::hop::{is_readable, strip_hop_by_hop};
use super::lanes::Lanes;
use super::target::Base;
use super::{UpstreamError, tls};
use crate::artifact::Failure;
use crate::config;

/// Idle time-outs without a byte taken, after which an upload has stalled. More than one: the
/// kernel's send buffer empties in steps that a slow line needs long for.
const STALL_FACTOR: u32 = 3;

/// A fetch has its head in this time, waiting for its turn, redirects and an absence's body
/// included: a client that gives up after 30 s must hear of a miss before. Longer only where one
/// exchange alone is allowed more.
const FETCH_HEAD_TIME: Duration = Duration::from_secs(15);

/// The origin and the pool of connections to it.
pub(super) struct Http {
    base: Base,
    pub(super) client: Client,
    pub(super) lanes: Lanes,
    first_byte: Duration,
    pub(super) stall: Duration,
    pub(super) fetch_head: Duration,
}

// === impl Http ===

impl Http {
    pub(super) fn new(url: &Uri, config: &config::Upstream) -> Result<Self, UpstreamError> {
        let base = Base::new(url)?;
        let tls = tls::connector(config.ca_file.as_deref())?;
        let connector = Connector::new(&base, &config.proxy, tls, config.connect_timeout)?;
        let pace = (config.idle_timeout, config.min_rate);
        let exchange = config
            .connect_timeout
            .saturating_add(config.first_byte_timeout);
        Ok(Self {
            base,
            client: Client::new(connector, config.max_concurrent, pace),
            lanes: Lanes::new(config.max_concurrent),
            first_byte: config.first_byte_timeout,
            stall: config.idle_timeout.saturating_mul(STALL_FACTOR),
            fetch_head: FETCH_HEAD_TIME.max(exchange),
        })
    }

    pub(super) fn complaints(&self) -> &Complaints {
        self.client.complaints()
    }

    pub(super) fn base(&self) -> &Base {
        &self.base
    }

    pub(super) async fn ask(&self, request: Request<Bytes>) -> Result<Reply, Failure> {
        let permit = self.soon(self.lanes.read()).await?;
        let (mut head, body) = request.into_parts();
        head.uri = self.uri(&target_of(&head.uri))?;
        head.headers.remove(CONTENT_LENGTH);
        let mut reply = self.send_small(&Request::from_parts(head, body)).await?;
        reply.response.body_mut().keep(permit);
        Ok(reply)
    }

    pub(super) async fn pass<B>(
        &self,
        request: Request<B>,
    ) -> Result<Response<UpstreamBody>, Failure>
    where
        B: Body<Data = Bytes> + Send + Unpin + 'static,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        let (mut head, body) = request.into_parts();
        head.uri = self.uri(&target_of(&head.uri))?;
        let length = if body.is_end_stream() {
            Some(0)
        } else {
            content_length(&head.headers).or(body.size_hint().exact())
        };
        let permit = match length {
            Some(0) => self.soon(self.lanes.read()).await?,
            _ => self.soon(self.lanes.passed()).await?,
        };
        if length.is_none() {
            // The client takes a GET or a HEAD to have no body unless it is told.
            head.headers.remove(CONTENT_LENGTH);
            head.headers
                .insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
        }
        let request = Request::from_parts(head, body);
        let reply = self.client.send(request, length, self.patience()).await?;
        let mut response = reply.response;
        if response.status().is_informational() || !is_readable(response.headers()) {
            return Err(Failure::Error);
        }
        strip_hop_by_hop(response.headers_mut());
        // From here on the client's pace decides: that may cost a socket, not a place.
        if !reply.sending.is_whole() {
            response.body_mut().keep(permit);
        }
        Ok(response)
    }

    /// Sends a request whose body is at hand; a safe one again, once, where it met a connection
    /// that the origin had closed while it was idle.
    pub(super) async fn send_small(&self, request: &Request<Bytes>) -> Result<Reply, Broken> {
        let is_safe = matches!(*request.method(), Method::GET | Method::HEAD);
        match self.send_once(request).await {
            Err(broken) if broken.is_stale && is_safe => self.send_once(request).await,
            result => result,
        }
    }

    async fn send_once(&self, request: &Request<Bytes>) -> Result<Reply, Broken> {
        let length = Some(request.body().len() as u64);
        let request = request.clone().map(Full::new);
        self.client.send(request, length, self.patience()).await
    }

    pub(super) fn uri(&self, target: &PathAndQuery) -> Result<Uri, Failure> {
        self.base.uri(target).map_err(|_| Failure::Error)
    }

    fn patience(&self) -> Patience {
        Patience {
            stall: self.stall,
            answer: self.first_byte,
        }
    }

    pub(super) async fn soon<T>(&self, turn: impl Future<Output = T>) -> Result<T, Failure> {
        timeout(self.first_byte, turn)
            .await
            .map_err(|_| Failure::Timeout)
    }
}

impl fmt::Debug for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Http")
            .field("base", &self.base)
            .finish_non_exhaustive()
    }
}

fn target_of(uri: &Uri) -> PathAndQuery {
    uri.path_and_query()
        .cloned()
        .unwrap_or_else(|| PathAndQuery::from_static("/"))
}

pub(super) fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}
