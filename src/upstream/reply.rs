//! Small answers, read whole so that they can be relayed byte for byte.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use http_body::Body;
use http_body_util::BodyExt;
use tokio::time::timeout;

use super::body::UpstreamBody;
use super::client::Reply;
use super::hop::strip_hop_by_hop;
use crate::artifact::{Answer, Failure};

/// Longest body of a refusal or an absence that is relayed.
const MAX_ANSWER: usize = 64 * 1024;
/// Longest answer to a small request: the existence of a hundred artifacts takes a tenth of it.
const MAX_ASKED: usize = 4 * 1024 * 1024;
/// A small answer's body is whole in this time: clients wait 30 s for everything together.
const ANSWER_TIME: Duration = Duration::from_secs(20);

/// Keeps an answer whose head says it all: a body that is over-long, late or broken is left out.
pub(super) async fn relayed(reply: Reply) -> Answer {
    let (mut head, body) = reply.response.into_parts();
    strip_hop_by_hop(&mut head.headers);
    head.headers.remove(CONTENT_LENGTH);
    let body = read(body, MAX_ANSWER).await.unwrap_or_else(|_| {
        head.headers.remove(CONTENT_TYPE);
        head.headers.remove(CONTENT_ENCODING);
        Bytes::new()
    });
    Answer::new(head, body)
}

/// Keeps an answer whose body is what was asked for.
pub(super) async fn asked(reply: Reply) -> Result<Answer, Failure> {
    let (mut head, body) = reply.response.into_parts();
    strip_hop_by_hop(&mut head.headers);
    head.headers.remove(CONTENT_LENGTH);
    Ok(Answer::new(head, read(body, MAX_ASKED).await?))
}

/// Reads away what is behind a head that leads elsewhere, where that is cheaper than a new
/// connection.
pub(super) async fn discarded(reply: Reply) {
    let body = reply.response.into_body();
    if body
        .size_hint()
        .upper()
        .is_some_and(|size| size <= MAX_ANSWER as u64)
    {
        drop(read(body, MAX_ANSWER).await);
    }
}

async fn read(body: UpstreamBody, limit: usize) -> Result<Bytes, Failure> {
    timeout(ANSWER_TIME, read_up_to(body, limit))
        .await
        .unwrap_or(Err(Failure::Timeout))
}

async fn read_up_to(mut body: UpstreamBody, limit: usize) -> Result<Bytes, Failure> {
    let mut whole = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame?.into_data() else {
            continue;
        };
        if data.len() > limit - whole.len() {
            return Err(Failure::Error);
        }
        whole.extend_from_slice(&data);
    }
    Ok(whole.freeze())
}
