//! Requests on a [`Way`], each sent once, and what is told of the answers: everything. What they mean is left to
//! whoever asks.

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, LOCATION};
use http::{HeaderMap, Method, Request, Response, Uri, Version};

use super::body::UpstreamBody;
use super::client::Reply;
use super::http::Small;
use super::redirect::{MAX_HOPS, for_a_stranger, is_redirect, next};
use super::reply::{ANSWER_TIME, discarded, read};
use super::target::Origin;
use super::way::Way;
use crate::artifact::Failure;

/// Bytes of an answer that are read: what is sent and asked for here is small.
const MAX_TOLD: usize = 1024 * 1024;

/// No answer, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{cause}")]
pub struct Unanswered {
    /// Its kind.
    pub failure: Failure,
    /// The same for people.
    pub cause: String,
}

/// A small answer, whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// Its status.
    pub status: u16,
    /// The version of HTTP that it came in.
    pub version: Version,
    /// All its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
    /// What `Content-Length` says.
    pub length: Option<u64>,
    /// The hosts that redirects led to, in their order.
    pub hops: Vec<String>,
}

// === impl Way ===

impl Way {
    /// Sends a request below the upstream's base and returns the answer's head with the body behind it. No
    /// redirect is followed.
    pub async fn send(
        &self,
        request: &Request<Bytes>,
    ) -> Result<Response<UpstreamBody>, Unanswered> {
        let uri = self.uri(request.uri())?;
        let reply = self.send_to(&uri, request.headers(), request).await?;
        Ok(reply.response)
    }

    /// The same with the whole of a small answer. Redirects of a `GET` or `HEAD` are followed as they are for an
    /// artifact: to another origin without the credential.
    pub async fn ask(&self, request: &Request<Bytes>) -> Result<Told, Unanswered> {
        let mut uri = self.uri(request.uri())?;
        let mut headers = request.headers().clone();
        let is_led = matches!(*request.method(), Method::GET | Method::HEAD);
        let mut hops = Vec::new();
        loop {
            let reply = self.send_to(&uri, &headers, request).await?;
            if !is_led || !is_redirect(reply.response.status()) {
                return told(reply, hops).await;
            }
            let led = next_hop(&uri, reply.response.headers())?;
            if hops.len() == MAX_HOPS {
                return Err(Unanswered::error("it redirects in a circle"));
            }
            if Origin::of(&led) != Origin::of(&uri) {
                headers = for_a_stranger(&headers);
            }
            hops.push(led.authority().map(ToString::to_string).unwrap_or_default());
            uri = led;
            discarded(reply).await;
        }
    }

    async fn send_to(
        &self,
        uri: &Uri,
        headers: &HeaderMap,
        request: &Request<Bytes>,
    ) -> Result<Reply, Unanswered> {
        let small = Small {
            method: request.method(),
            uri,
            headers,
            body: request.body(),
            on_account_of: None,
        };
        let sent = self.http.send_small(small).await;
        sent.map_err(|broken| Unanswered {
            failure: broken.failure,
            cause: broken.cause,
        })
    }

    fn uri(&self, target: &Uri) -> Result<Uri, Unanswered> {
        let target = target.path_and_query();
        let target = target.ok_or_else(|| Unanswered::error("the target is no path"))?;
        let uri = self.http.base().uri(target);
        uri.map_err(|error| Unanswered::error(&error.to_string()))
    }
}

fn next_hop(current: &Uri, headers: &HeaderMap) -> Result<Uri, Unanswered> {
    let nowhere = || Unanswered::error("it redirects, and names no place");
    let location = headers.get(LOCATION).ok_or_else(nowhere)?;
    next(current, location).map_err(|error| {
        Unanswered::error(&format!("it redirects, which is not followed: {error}"))
    })
}

async fn told(reply: Reply, hops: Vec<String>) -> Result<Told, Unanswered> {
    let (head, body) = reply.response.into_parts();
    let length = head.headers.get(CONTENT_LENGTH);
    let body = read(body, MAX_TOLD, ANSWER_TIME).await;
    Ok(Told {
        status: head.status.as_u16(),
        version: head.version,
        length: length.and_then(|text| text.to_str().ok()?.parse().ok()),
        headers: head.headers,
        body: body.map_err(|failure| Unanswered {
            failure,
            cause: format!("its answer: {failure}"),
        })?,
        hops,
    })
}

// === impl Unanswered ===

impl Unanswered {
    fn error(cause: &str) -> Self {
        Self {
            failure: Failure::Error,
            cause: cause.to_owned(),
        }
    }
}
