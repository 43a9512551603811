//! `GET` and `HEAD` of an artifact, wherever the origin keeps it.

use std::borrow::Cow;
use std::future::ready;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{CONTENT_ENCODING, LOCATION};
use http::response::Parts;
use http::{HeaderMap, Method, StatusCode, Uri, Version};
use http_body::Body;
use tokio::time::{Instant, sleep, timeout_at};

use super::attempt::traced;
use super::body::UpstreamBody;
use super::client::Reply;
use super::gates::Class;
use super::hop::{is_chunked, is_readable, strip_hop_by_hop};
use super::http::{Http, Small, content_length};
use super::lanes::Lane;
use super::page::is_page;
use super::passage::Passage;
use super::setback::Setback;
use super::target::Origin;
use super::{ArtifactRequest, Fetch, Fetched, Stated, redirect, reply};
use crate::artifact::{Answer, Failure};

/// What a description of an artifact is wanted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// A client asked for it.
    Describe,
    /// It tells whether a caller may have what is here.
    Judge,
}

/// Where a chain of redirects ended.
struct Arrival {
    reply: Reply,
    /// Another origin than the upstream spoke last: its refusals are not the upstream's.
    is_foreign: bool,
}

// === impl Http ===

impl Http {
    pub(super) async fn fetch(
        self: &Arc<Self>,
        request: &ArtifactRequest,
    ) -> Result<Fetched, Setback> {
        let passage = self.enter_read(request).await?;
        let Some(why) = passage.tries() else {
            return self.fetch_through(passage, request).await;
        };
        let (http, request) = (Arc::clone(self), request.clone());
        let fetching = async move { http.fetch_through(passage, &request).await };
        Box::pin(self.venture(fetching, why, proven)).await
    }

    /// Fetches, and says what became of it: of an artifact, its body does.
    async fn fetch_through(
        &self,
        mut passage: Passage,
        request: &ArtifactRequest,
    ) -> Result<Fetched, Setback> {
        let (until, turn) = (
            Instant::now() + self.limits.head,
            self.lanes.enter(Lane::Read),
        );
        let permit = Self::turn(&passage, turn, self.limits.head).await?;
        let fetching = self.fetch_unbounded(request);
        let fetched = timeout_at(until, fetching).await;
        match fetched.unwrap_or(Err(Setback::upstream(Failure::Timeout))) {
            Ok(Fetched::Found(mut fetch)) => {
                fetch.body.keep(permit);
                fetch.body.watch(passage);
                Ok(Fetched::Found(fetch))
            }
            Ok(judged) => {
                passage.succeeded();
                Ok(judged)
            }
            Err(setback) => {
                self.failed(&mut passage, setback, &request.headers);
                Err(setback)
            }
        }
    }

    async fn fetch_unbounded(&self, request: &ArtifactRequest) -> Result<Fetched, Setback> {
        let arrival = self.read(Method::GET, request).await?;
        if arrival.reply.response.status() != StatusCode::OK {
            return arrival.not_found(Fetched::Absent, Fetched::Refused).await;
        }
        let (head, body) = arrival.reply.response.into_parts();
        if is_page(&head.headers) {
            return Err(Setback::useless(Failure::Page));
        }
        if !is_identity(&head.headers) || !is_framed(&head, &body) {
            return Err(Setback::useless(Failure::Error));
        }
        let mut headers = head.headers;
        strip_hop_by_hop(&mut headers);
        Ok(Fetched::Found(Fetch {
            headers,
            length: body.size_hint().exact(),
            body,
        }))
    }

    pub(super) async fn stat(
        self: &Arc<Self>,
        request: ArtifactRequest,
        purpose: Purpose,
    ) -> Result<Stated, Setback> {
        let passage = self.enter_read(&request).await?;
        let Some(why) = passage.tries() else {
            return self.stat_through(passage, &request, purpose).await;
        };
        let http = Arc::clone(self);
        let stating = async move { http.stat_through(passage, &request, purpose).await };
        Box::pin(self.venture(stating, why, |_| ready(()))).await
    }

    async fn stat_through(
        &self,
        mut passage: Passage,
        request: &ArtifactRequest,
        purpose: Purpose,
    ) -> Result<Stated, Setback> {
        let (budget, lane) = match purpose {
            Purpose::Describe => (self.limits.head, Lane::Read),
            Purpose::Judge => (self.limits.probe, Lane::Question),
        };
        let (until, turn) = (Instant::now() + budget, self.lanes.enter(lane));
        let _permit = Self::turn(&passage, turn, budget).await?;
        let stated = timeout_at(until, self.stat_unbounded(request)).await;
        let stated = stated.unwrap_or(Err(Setback::upstream(Failure::Timeout)));
        match &stated {
            Ok(_) => passage.succeeded(),
            Err(setback) => self.failed(&mut passage, *setback, &request.headers),
        }
        stated
    }

    async fn enter_read(&self, request: &ArtifactRequest) -> Result<Passage, Setback> {
        let (target, headers) = (&request.path_and_query, &request.headers);
        let passage = self.enter(Class::Reads, target, headers).await?;
        self.retries.begin();
        Ok(passage)
    }

    async fn stat_unbounded(&self, request: &ArtifactRequest) -> Result<Stated, Setback> {
        let mut arrival = self.read(Method::HEAD, request).await?;
        if arrival.wants_a_get() {
            arrival = self.read(Method::GET, request).await?;
        }
        if !arrival.reply.response.status().is_success() {
            return arrival.not_found(Stated::Absent, Stated::Refused).await;
        }
        let (head, _) = arrival.reply.response.into_parts();
        let mut headers = head.headers;
        if is_page(&headers) {
            return Err(Setback::useless(Failure::Page));
        }
        strip_hop_by_hop(&mut headers);
        let length = content_length(&headers);
        Ok(Stated::Present(headers, length, head.version))
    }

    /// `GET` or `HEAD`, and once more where that may go better: no byte has gone out to a client.
    async fn read(&self, method: Method, request: &ArtifactRequest) -> Result<Arrival, Setback> {
        let begun = Instant::now();
        let first = self.read_once(&method, request).await;
        let setback = match first.and_then(Arrival::unless_failed) {
            Ok(arrival) => return Ok(arrival),
            Err(setback) => setback,
        };
        let Some(pause) = self.retries.of_read(&setback, begun.elapsed()) else {
            return Err(setback);
        };
        sleep(pause).await;
        let again = self.read_once(&method, request).await;
        again.and_then(Arrival::unless_failed)
    }

    /// The same once, redirects followed.
    async fn read_once(
        &self,
        method: &Method,
        request: &ArtifactRequest,
    ) -> Result<Arrival, Setback> {
        let mut uri = self.uri(&request.path_and_query)?;
        let mut headers = Cow::Borrowed(&request.headers);
        let mut is_foreign = false;
        for _ in 0..=redirect::MAX_HOPS {
            let small = Small {
                method,
                uri: &uri,
                headers: &headers,
                body: &Bytes::new(),
                on_account_of: is_foreign.then(|| traced(&request.headers)).flatten(),
            };
            let sent = self.send_small(small).await.map_err(Setback::from);
            let reply = sent.map_err(|setback| setback.of_server(is_foreign))?;
            if !redirect::is_redirect(reply.response.status()) {
                return Ok(Arrival { reply, is_foreign });
            }
            let next = next_hop(&uri, reply.response.headers())?;
            if Origin::of(&next) != Origin::of(&uri) {
                // For the rest of the chain, even where it leads back: who sends us there is a
                // stranger.
                headers = Cow::Owned(redirect::for_a_stranger(&headers));
                is_foreign = true;
            }
            uri = next;
            reply::discarded(reply).await;
        }
        tracing::debug!("the upstream redirects in a circle");
        Err(Setback::useless(Failure::Error))
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

    /// Whether the server says that it cannot answer, as against an answer.
    fn unless_failed(self) -> Result<Self, Setback> {
        let response = &self.reply.response;
        match Setback::in_head(response.status(), response.headers()) {
            // It knows no such method: what is to be done then is decided where that is known.
            Some(_) if response.status() == StatusCode::NOT_IMPLEMENTED => Ok(self),
            Some(setback) => Err(setback.of_server(self.is_foreign)),
            None => Ok(self),
        }
    }

    /// Sorts every status that is not a success.
    async fn not_found<T>(
        self,
        absent: impl FnOnce(Answer) -> T,
        refused: impl FnOnce(Answer) -> T,
    ) -> Result<T, Setback> {
        match self.reply.response.status().as_u16() {
            404 => Ok(absent(reply::relayed(self.reply, reply::READ_TIME).await)),
            400..=499 if !self.is_foreign => {
                Ok(refused(reply::relayed(self.reply, reply::READ_TIME).await))
            }
            _ => Err(Setback::useless(Failure::Error)),
        }
    }
}

/// Reads on where an artifact came too late for whoever asked, until it is known whether the upstream
/// delivers it.
async fn proven(fetched: Fetched) {
    if let Fetched::Found(fetch) = fetched {
        fetch.body.prove().await;
    }
}

fn next_hop(current: &Uri, headers: &HeaderMap) -> Result<Uri, Setback> {
    let useless = Setback::useless(Failure::Error);
    let location = headers.get(LOCATION).ok_or(useless)?;
    redirect::next(current, location).map_err(|error| {
        tracing::debug!(%error, "a redirect is not followed");
        useless
    })
}

pub(super) fn is_identity(headers: &HeaderMap) -> bool {
    headers
        .get_all(CONTENT_ENCODING)
        .iter()
        .all(|value| value.as_bytes().eq_ignore_ascii_case(b"identity"))
}

/// Whether the body is as it was sent, and its end can be told from a break: it is as long as was
/// said, or chunked, or comes in a stream of HTTP/2, which has an end of its own.
fn is_framed(head: &Parts, body: &UpstreamBody) -> bool {
    let has_end = head.version == Version::HTTP_2 || is_chunked(&head.headers);
    is_readable(&head.headers) && (has_end || body.size_hint().exact().is_some())
}
