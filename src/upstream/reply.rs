//! Small answers, read whole so that they can be relayed byte for byte.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use http_body::Body;
use http_body_util::BodyExt;
use tokio::time::timeout;

use super::body::UpstreamBody;
use super::client::Reply;
use super::hop::{is_readable, strip_hop_by_hop};
use crate::artifact::{Answer, Failure};

/// Longest body of a refusal or an absence that is relayed.
const MAX_ANSWER: usize = 64 * 1024;
/// Longest answer to a small request: the existence of a hundred artifacts takes a tenth of it.
const MAX_ASKED: usize = 4 * 1024 * 1024;
/// A small answer's body is whole in this time: clients wait 30 s for everything together.
pub(super) const ANSWER_TIME: Duration = Duration::from_secs(20);
/// The same for an absence or a refusal that a reader waits for: its head has said it all.
pub(super) const READ_TIME: Duration = Duration::from_secs(2);
/// Reading away a body saves a new connection; waiting for it any longer would not.
const DISCARD_TIME: Duration = Duration::from_millis(100);

/// Keeps an answer whose head says it all: a body that is over-long, broken, in a coding we cannot
/// undo or not whole `within` that time is left out.
pub(super) async fn relayed(reply: Reply, within: Duration) -> Answer {
    let (mut head, body) = reply.response.into_parts();
    let is_readable = is_readable(&head.headers);
    strip_hop_by_hop(&mut head.headers);
    head.headers.remove(CONTENT_LENGTH);
    let body = read(body, MAX_ANSWER, within).await;
    let body = body.ok().filter(|_| is_readable).unwrap_or_else(|| {
        head.headers.remove(CONTENT_TYPE);
        head.headers.remove(CONTENT_ENCODING);
        Bytes::new()
    });
    Answer::new(head, body)
}

/// Keeps an answer whose body is what was asked for.
pub(super) async fn asked(reply: Reply) -> Result<Answer, Failure> {
    let (mut head, body) = reply.response.into_parts();
    if !is_readable(&head.headers) {
        return Err(Failure::Error);
    }
    strip_hop_by_hop(&mut head.headers);
    head.headers.remove(CONTENT_LENGTH);
    let body = read(body, MAX_ASKED, ANSWER_TIME).await?;
    Ok(Answer::new(head, body))
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
        drop(read(body, MAX_ANSWER, DISCARD_TIME).await);
    }
}

/// Reads a body of at most `limit` bytes; a longer one is an error.
pub(super) async fn read(
    body: UpstreamBody,
    limit: usize,
    within: Duration,
) -> Result<Bytes, Failure> {
    timeout(within, read_up_to(body, limit))
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
