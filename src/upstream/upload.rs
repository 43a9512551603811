//! `PUT` of an artifact.

use std::error::Error;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, LOCATION};
use http::{HeaderValue, Method, Request};
use http_body::Body;
use tokio::time::timeout;

use super::client::{Broken, Patience, Reply};
use super::http::Http;
use super::page::shows_page;
use super::{ArtifactRequest, Delivered, reply, what_fails};
use crate::artifact::Failure;

/// An origin stores what it was sent before it answers, which for a large artifact takes long; the
/// client's own wait is bounded elsewhere. Also the longest an upload waits for its turn.
const UPLOAD_ANSWER_TIME: Duration = Duration::from_mins(2);

impl Http {
    pub(super) async fn store<B>(
        &self,
        request: ArtifactRequest,
        length: Option<u64>,
        body: B,
    ) -> Result<Delivered, Broken>
    where
        B: Body<Data = Bytes> + Send + Unpin + 'static,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        let _permit = timeout(UPLOAD_ANSWER_TIME, self.lanes.upload())
            .await
            .map_err(|_| unsent(Failure::Timeout))?;
        let patience = Patience {
            stall: self.stall,
            answer: UPLOAD_ANSWER_TIME,
        };
        let uri = self.uri(&request.path_and_query).map_err(unsent)?;
        let mut upload = Request::new(body);
        *upload.method_mut() = Method::PUT;
        *upload.uri_mut() = uri;
        *upload.headers_mut() = request.headers;
        if let Some(length) = length {
            upload
                .headers_mut()
                .insert(CONTENT_LENGTH, HeaderValue::from(length));
        }
        let reply = self.client.send(upload, length, patience).await?;
        if reply.response.status().is_success() {
            reply.finish_sending(patience).await.map_err(unsent)?;
        }
        delivered(reply).await
    }
}

async fn delivered(reply: Reply) -> Result<Delivered, Broken> {
    let status = reply.response.status().as_u16();
    let failed = |failure, sent_whole| Broken {
        sent_whole,
        ..unsent(failure)
    };
    match status {
        200..=299 => {
            let sent_whole = reply.sending.is_whole();
            let answer = reply::relayed(reply, reply::ANSWER_TIME).await;
            if shows_page(&answer.head().headers, answer.body()) {
                return Err(failed(Failure::Page, sent_whole));
            }
            Ok(Delivered::Accepted(answer))
        }
        // An early 429 or a late one: the origin has said that it took nothing.
        429 => Err(failed(Failure::Limited, false)),
        300..=499 => {
            let mut reply = reply;
            // Old clients follow it around us, or take it as stored.
            reply.response.headers_mut().remove(LOCATION);
            Ok(Delivered::Refused(
                reply::relayed(reply, reply::ANSWER_TIME).await,
            ))
        }
        _ => Err(failed(Failure::Error, reply.sending.is_whole())),
    }
}

pub(super) fn unsent(failure: Failure) -> Broken {
    Broken {
        failure,
        cause: what_fails(failure).to_owned(),
        sent_whole: false,
        is_stale: false,
        is_withdrawn: false,
    }
}
