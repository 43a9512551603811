//! Requests that are about no single artifact: small ones, answered whole, and those that are passed
//! on as they are.

use std::error::Error;
use std::future::ready;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use http::uri::PathAndQuery;
use http::{HeaderValue, Request, Response, Uri};
use http_body::Body;
use tokio::time::timeout;

use super::body::UpstreamBody;
use super::gates::Class;
use super::hop::{is_readable, strip_hop_by_hop};
use super::http::{Http, Small, content_length, key_of};
use super::lanes::Lane;
use super::passage::Passage;
use super::reply;
use super::setback::Setback;
use crate::artifact::{Answer, Failure};

impl Http {
    pub(super) async fn ask(self: &Arc<Self>, request: Request<Bytes>) -> Result<Answer, Setback> {
        let target = target_of(request.uri());
        let passage = self.gates.enter(Class::Others, key_of(&target)).await?;
        let Some(why) = passage.tries() else {
            return self.ask_through(passage, request).await;
        };
        let http = Arc::clone(self);
        let asking = async move { http.ask_through(passage, request).await };
        Box::pin(self.venture(asking, why, |_| ready(()))).await
    }

    async fn ask_through(
        &self,
        mut passage: Passage,
        request: Request<Bytes>,
    ) -> Result<Answer, Setback> {
        let asked = self.asked(&passage, request).await;
        match &asked {
            Ok(_) => passage.succeeded(),
            Err(setback) => passage.failed(*setback),
        }
        asked
    }

    async fn asked(&self, passage: &Passage, request: Request<Bytes>) -> Result<Answer, Setback> {
        let turn = self.lanes.enter(Lane::Read);
        let _permit = Self::turn(passage, turn, self.first_byte).await?;
        let (mut head, body) = request.into_parts();
        head.uri = self.uri(&target_of(&head.uri))?;
        head.headers.remove(CONTENT_LENGTH);
        let request = Request::from_parts(head, body);
        let reply = self.send_small(Small::of(&request)).await?;
        let response = &reply.response;
        if let Some(setback) = Setback::in_head(response.status(), response.headers()) {
            return Err(setback);
        }
        reply::asked(reply).await.map_err(|failure| match failure {
            // Too long, or encoded.
            Failure::Error => Setback::useless(failure),
            failure => Setback::upstream(failure),
        })
    }

    pub(super) async fn pass<B>(
        &self,
        request: Request<B>,
    ) -> Result<Response<UpstreamBody>, Setback>
    where
        B: Body<Data = Bytes> + Send + Unpin + 'static,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        let target = target_of(request.uri());
        let mut passage = self.gates.enter(Class::Others, key_of(&target)).await?;
        let passing = timeout(self.limits.exchange, self.passed(&passage, request));
        // A client that never ends its body has no claim to a place.
        let passed = passing.await.unwrap_or(Err(Setback::crowded()));
        // It is relayed whatever it says, and counts all the same.
        let setback = match &passed {
            Ok(response) => Setback::in_head(response.status(), response.headers()),
            Err(setback) => Some(*setback),
        };
        match setback {
            None => passage.succeeded(),
            Some(setback) => passage.failed(setback),
        }
        passed
    }

    async fn passed<B>(
        &self,
        passage: &Passage,
        request: Request<B>,
    ) -> Result<Response<UpstreamBody>, Setback>
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
        let lane = match length {
            Some(0) => Lane::Read,
            _ => Lane::Passed,
        };
        let permit = Self::turn(passage, self.lanes.enter(lane), self.first_byte).await?;
        if length.is_none() {
            // The client takes a GET or a HEAD to have no body unless it is told.
            head.headers.remove(CONTENT_LENGTH);
            head.headers
                .insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
        }
        let request = Request::from_parts(head, body);
        let reply = self.client.send(request, length, &self.patience()).await?;
        let mut response = reply.response;
        if response.status().is_informational() || !is_readable(response.headers()) {
            return Err(Setback::useless(Failure::Error));
        }
        strip_hop_by_hop(response.headers_mut());
        // From here on the client's pace decides: that may cost a socket, not a place.
        if !reply.sending.is_whole() {
            response.body_mut().keep(permit);
        }
        Ok(response)
    }
}

fn target_of(uri: &Uri) -> PathAndQuery {
    uri.path_and_query()
        .cloned()
        .unwrap_or_else(|| PathAndQuery::from_static("/"))
}
