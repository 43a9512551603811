//! `GET` and `HEAD` of an artifact, wherever the origin keeps it.

use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_ENCODING, LOCATION};
use http::{HeaderMap, Method, Request, StatusCode, Uri};
use http_body::Body;
use tokio::time::timeout;

use super::body::UpstreamBody;
use super::client::Reply;
use super::hop::{is_chunked, is_readable, strip_hop_by_hop};
use super::http::{Http, content_length};
use super::page::is_page;
use super::target::Origin;
use super::{ArtifactRequest, Fetch, Fetched, Stated, redirect, reply};
use crate::artifact::{Answer, Failure};

/// Where a chain of redirects ended.
struct Arrival {
    reply: Reply,
    /// Another origin than the upstream spoke last: its refusals are not the upstream's.
    is_foreign: bool,
}

// === impl Http ===

impl Http {
    pub(super) async fn fetch(&self, request: ArtifactRequest) -> Result<Fetched, Failure> {
        timeout(self.fetch_head, self.fetch_unbounded(request))
            .await
            .unwrap_or(Err(Failure::Timeout))
    }

    async fn fetch_unbounded(&self, request: ArtifactRequest) -> Result<Fetched, Failure> {
        let permit = self.soon(self.lanes.read()).await?;
        let arrival = self.read(Method::GET, &request).await?;
        if arrival.reply.response.status() != StatusCode::OK {
            return arrival.not_found(Fetched::Absent, Fetched::Refused).await;
        }
        let (head, mut body) = arrival.reply.response.into_parts();
        if is_page(&head.headers) {
            return Err(Failure::Page);
        }
        if !is_identity(&head.headers) || !is_framed(&head.headers, &body) {
            return Err(Failure::Error);
        }
        body.keep(permit);
        let mut headers = head.headers;
        strip_hop_by_hop(&mut headers);
        Ok(Fetched::Found(Fetch {
            headers,
            length: body.size_hint().exact(),
            body,
        }))
    }

    pub(super) async fn stat(
        &self,
        request: ArtifactRequest,
        budget: Duration,
    ) -> Result<Stated, Failure> {
        timeout(budget, self.stat_unbounded(&request))
            .await
            .unwrap_or(Err(Failure::Timeout))
    }

    async fn stat_unbounded(&self, request: &ArtifactRequest) -> Result<Stated, Failure> {
        let _permit = self.soon(self.lanes.read()).await?;
        let mut arrival = self.read(Method::HEAD, request).await?;
        if arrival.wants_a_get() {
            arrival = self.read(Method::GET, request).await?;
        }
        if !arrival.reply.response.status().is_success() {
            return arrival.not_found(Stated::Absent, Stated::Refused).await;
        }
        let mut headers = arrival.reply.response.into_parts().0.headers;
        if is_page(&headers) {
            return Err(Failure::Page);
        }
        strip_hop_by_hop(&mut headers);
        let length = content_length(&headers);
        Ok(Stated::Present(headers, length))
    }

    /// `GET` or `HEAD`, redirects followed.
    async fn read(&self, method: Method, request: &ArtifactRequest) -> Result<Arrival, Failure> {
        let mut uri = self.uri(&request.path_and_query)?;
        let mut headers = request.headers.clone();
        let mut is_foreign = false;
        for _ in 0..=redirect::MAX_HOPS {
            let mut request = Request::new(Bytes::new());
            *request.method_mut() = method.clone();
            *request.uri_mut() = uri.clone();
            *request.headers_mut() = headers.clone();
            let reply = self.send_small(&request).await?;
            if !redirect::is_redirect(reply.response.status()) {
                return Ok(Arrival { reply, is_foreign });
            }
            let next = next_hop(&uri, reply.response.headers())?;
            if Origin::of(&next) != Origin::of(&uri) {
                // For the rest of the chain, even where it leads back: who sends us there is a
                // stranger.
                headers = redirect::for_a_stranger(&headers);
                is_foreign = true;
            }
            uri = next;
            reply::discarded(reply).await;
        }
        tracing::debug!("the upstream redirects in a circle");
        Err(Failure::Error)
    }
}

// === impl Arrival ===

impl Arrival {
    /// Whether it may be the question that was refused, not the asker: an origin that knows no
    /// `HEAD`, or storage behind a redirect, whose address is signed for `GET` alone.
    fn wants_a_get(&self) -> bool {
        match self.reply.response.status().as_u16() {
            405 | 501 => true,
            400 | 401 | 403 => self.is_foreign,
            _ => false,
        }
    }

    /// Sorts every status that is not a success.
    async fn not_found<T>(
        self,
        absent: impl FnOnce(Answer) -> T,
        refused: impl FnOnce(Answer) -> T,
    ) -> Result<T, Failure> {
        match self.reply.response.status().as_u16() {
            404 => Ok(absent(reply::relayed(self.reply, reply::READ_TIME).await)),
            429 => Err(Failure::Limited),
            400..=499 if !self.is_foreign => {
                Ok(refused(reply::relayed(self.reply, reply::READ_TIME).await))
            }
            _ => Err(Failure::Error),
        }
    }
}

fn next_hop(current: &Uri, headers: &HeaderMap) -> Result<Uri, Failure> {
    let location = headers.get(LOCATION).ok_or(Failure::Error)?;
    redirect::next(current, location).map_err(|error| {
        tracing::debug!(%error, "a redirect is not followed");
        Failure::Error
    })
}

pub(super) fn is_identity(headers: &HeaderMap) -> bool {
    headers
        .get_all(CONTENT_ENCODING)
        .iter()
        .all(|value| value.as_bytes().eq_ignore_ascii_case(b"identity"))
}

/// Whether the body is as it was sent, and its end can be told from a break: it is as long as was
/// said, or chunked.
fn is_framed(headers: &HeaderMap, body: &UpstreamBody) -> bool {
    is_readable(headers) && (is_chunked(headers) || body.size_hint().exact().is_some())
}
