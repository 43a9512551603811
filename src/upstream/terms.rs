//! What is asked of the upstream, and how each question can end. Asks nothing.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use ::http::uri::PathAndQuery;
use ::http::{HeaderMap, Version};
use tokio::sync::Notify;

use super::{Supply, UpstreamBody};
use crate::artifact::{Answer, Failure};

/// A request for one artifact.
#[derive(Clone, Debug)]
pub struct ArtifactRequest {
    /// The path below the upstream's base, and the query, verbatim.
    pub path_and_query: PathAndQuery,
    /// As made by [`artifact_headers`](super::artifact_headers).
    pub headers: HeaderMap,
}

/// What is told of an upload while it goes on.
#[derive(Debug, Default)]
pub struct Word {
    /// It stands still; told each time.
    pub stands_still: Notify,
    /// It is upstream now: it does not wait for a place, or for more of its body.
    pub is_out: AtomicBool,
}

/// Who hears of an upload that stands still, while it goes on.
#[derive(Clone, Debug)]
pub struct Hush {
    /// With no byte taken and no answer for so long.
    pub after: Duration,
    /// Who is told.
    pub tell: Arc<Word>,
}

/// What is behind an upload on this side.
#[derive(Clone, Debug)]
pub struct Backing {
    /// Who hears of it where it stands still.
    pub hush: Hush,
    /// Where its body stands.
    pub supply: Supply,
}

/// When an upload without a judgement may fare better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Again {
    /// After so long.
    After(Duration),
    /// Once its body has come as far as it can: it has given its place to one that had.
    OnceHere,
}

/// How a fetch ended.
#[derive(Debug)]
pub enum Fetched {
    /// A 200 whose body can be proven whole.
    Found(Fetch),
    /// A 404.
    Absent(Answer),
    /// Any other 4xx of the upstream itself, but 429.
    Refused(Answer),
    /// It could not say.
    Failed(Failure),
}

/// An artifact on its way from the upstream.
#[derive(Debug)]
pub struct Fetch {
    /// The upstream's, less the hop-by-hop ones.
    pub headers: HeaderMap,
    /// What `Content-Length` says; without one the body is chunked.
    pub length: Option<u64>,
    /// The bytes, without any encoding.
    pub body: UpstreamBody,
}

/// What the upstream says of an artifact.
#[derive(Debug)]
pub enum Stated {
    /// It is there: its headers, its length where that is said, and the version in which it was said.
    Present(HeaderMap, Option<u64>, Version),
    /// A 404.
    Absent(Answer),
    /// Any other 4xx of the upstream itself, but 429.
    Refused(Answer),
    /// It could not say.
    Failed(Failure),
}

/// How an upload ended.
#[derive(Debug)]
pub enum Delivered {
    /// A 2xx, after the whole body was sent.
    Accepted(Answer),
    /// A 3xx, without its `Location`, or a 4xx but 429.
    Refused(Answer),
    /// No judgement.
    Failed {
        /// Why.
        failure: Failure,
        /// The whole body had gone out: nobody knows what the origin has made of it.
        sent_whole: bool,
        /// When another try may go better, where it may.
        again: Option<Again>,
    },
}
