//! `PUT` of an artifact.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, LOCATION};
use http::{HeaderValue, Method, Request};
use http_body::Body;
use tokio::time::timeout;

use super::broken::{Broken, Excuse};
use super::client::{Patience, Reply};
use super::gates::Class;
use super::http::Http;
use super::lanes::UploadPermit;
use super::page::shows_page;
use super::passage::Passage;
use super::places::{Leave, Leaving};
use super::retry::of_upload;
use super::setback::Setback;
use super::{Again, ArtifactRequest, Backing, Delivered, Hush, Standing, Supply, reply};
use crate::artifact::Failure;

/// An upload without a judgement.
pub(super) struct Undelivered {
    pub(super) setback: Setback,
    /// The whole body had gone out: nobody knows what the origin has made of it.
    pub(super) sent_whole: bool,
    /// It was broken off on this side.
    pub(super) is_withdrawn: bool,
    /// When it is worth another try, if it is.
    pub(super) again: Option<Again>,
}

/// An upload that is upstream, as long as it is.
struct Out<'a>(&'a AtomicBool);

impl Http {
    pub(super) async fn store<B>(
        self: &Arc<Self>,
        request: ArtifactRequest,
        length: Option<u64>,
        body: B,
        backing: Backing,
    ) -> Result<Delivered, Undelivered>
    where
        B: Body<Data = Bytes> + Send + Unpin + 'static,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        let (target, headers) = (&request.path_and_query, request.headers.clone());
        let mut passage = self.enter(Class::Uploads, target, &headers).await?;
        self.retries.begin();
        let permit = self.place(&passage, &backing.supply).await?;
        let _out = Out::begin(&backing.hush);
        let patience = Patience {
            stall: self.stall,
            answer: self.limits.answer,
            hush: Some(backing.hush.clone()),
            leave: Some(Leave {
                place: Arc::clone(&permit.place),
                supply: backing.supply.clone(),
            }),
        };
        let sending = self.store_unbounded(request, length, body, &patience);
        let sent = timeout(self.limits.exchange, sending).await;
        // Whether all of it had gone out is not known then.
        let sent = sent.unwrap_or_else(|_| Err(Undelivered::in_doubt(Failure::Timeout)));
        match sent {
            Ok(delivered) => {
                passage.succeeded();
                Ok(delivered)
            }
            Err(mut undelivered) => {
                self.failed(&mut passage, undelivered.setback, &headers);
                if undelivered.again.is_none() {
                    undelivered.again = of_upload(&undelivered.setback).map(Again::After);
                }
                Err(undelivered)
            }
        }
    }

    /// Waits for a place.
    async fn place(&self, passage: &Passage, supply: &Supply) -> Result<UploadPermit, Undelivered> {
        let entering = self.lanes.enter_upload(supply, self.limits.answer);
        let entered = tokio::select! {
            biased;
            entered = entering => entered,
            setback = passage.until_vain() => return Err(setback.into()),
        };
        entered.ok_or_else(|| match supply.standing() {
            Standing::Over => Broken::left(Leaving::Over).into(),
            _ => Setback::crowded().into(),
        })
    }

    async fn store_unbounded<B>(
        &self,
        request: ArtifactRequest,
        length: Option<u64>,
        body: B,
        patience: &Patience,
    ) -> Result<Delivered, Undelivered>
    where
        B: Body<Data = Bytes> + Send + Unpin + 'static,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        let uri = self.uri(&request.path_and_query)?;
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
            let finished = reply.finish_sending(patience).await;
            finished.map_err(|broken| Undelivered {
                // It was accepted, and only a length says that it cannot have been taken.
                sent_whole: length.is_none(),
                ..Undelivered::from(broken)
            })?;
        }
        delivered(reply).await
    }
}

impl<'a> Out<'a> {
    fn begin(hush: &'a Hush) -> Self {
        hush.tell.is_out.store(true, Ordering::Relaxed);
        Self(&hush.tell.is_out)
    }
}

impl Drop for Out<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

async fn delivered(reply: Reply) -> Result<Delivered, Undelivered> {
    let sent_whole = reply.sending.is_whole();
    let failed = |setback, sent_whole| Undelivered {
        sent_whole,
        ..Undelivered::from(setback)
    };
    match reply.response.status().as_u16() {
        200..=299 => {
            let answer = reply::relayed(reply, reply::ANSWER_TIME).await;
            if shows_page(&answer.head().headers, answer.body()) {
                return Err(failed(Setback::useless(Failure::Page), sent_whole));
            }
            Ok(Delivered::Accepted(answer))
        }
        // An early 429 or a late one: the origin has said that it took nothing.
        429 => Err(failed(
            Setback::said(Failure::Limited, reply.response.headers()),
            false,
        )),
        300..=499 => {
            let mut reply = reply;
            // Old clients follow it around us, or take it as stored.
            reply.response.headers_mut().remove(LOCATION);
            Ok(Delivered::Refused(
                reply::relayed(reply, reply::ANSWER_TIME).await,
            ))
        }
        _ => Err(failed(
            Setback::said(Failure::Error, reply.response.headers()),
            sent_whole,
        )),
    }
}

// === impl Undelivered ===

impl Undelivered {
    fn in_doubt(failure: Failure) -> Self {
        Self {
            sent_whole: true,
            ..Self::from(Setback::upstream(failure))
        }
    }
}

impl From<Setback> for Undelivered {
    /// Nothing was sent whole.
    fn from(setback: Setback) -> Self {
        Self {
            setback,
            sent_whole: false,
            is_withdrawn: false,
            again: None,
        }
    }
}

impl From<Broken> for Undelivered {
    fn from(broken: Broken) -> Self {
        let (sent_whole, excuse) = (broken.sent_whole, broken.excuse);
        let again = match excuse {
            Excuse::Idle => Some(Again::After(Duration::ZERO)),
            Excuse::Displaced => Some(Again::OnceHere),
            Excuse::None
            | Excuse::Slow
            | Excuse::Disavowed
            | Excuse::Withdrawn
            | Excuse::Barred => None,
        };
        Self {
            sent_whole,
            is_withdrawn: matches!(excuse, Excuse::Withdrawn | Excuse::Displaced),
            again,
            ..Self::from(Setback::from(broken))
        }
    }
}
