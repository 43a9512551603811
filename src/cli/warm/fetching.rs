//! Asks a Larder for one artifact after the other, a few at once, within a budget of bytes.

use bytes::Bytes;
use http::header::CONTENT_LENGTH;
use http::{HeaderMap, Method, Request, Response};
use http_body_util::BodyExt;
use parking_lot::Mutex;

use super::ending::{Ending, of_head};
use super::tally::{Stop, Tally};
use crate::artifact::{ArtifactHash, Failure};
use crate::cli::credential::Credential;
use crate::cli::progress::Progress;
use crate::upstream::{UpstreamBody, Way};

/// So many that come to nothing with nothing else in between, and the rest would too.
const HOPELESS: usize = 50;
/// What is here already is read away when it is no longer, for the sake of its connection.
const READ_AWAY: u64 = 64 * 1024;

/// What is fetched, from where, and what has become of it.
pub(super) struct Fetching<'a> {
    way: &'a Way,
    credential: &'a Credential,
    hashes: &'a [ArtifactHash],
    /// Bytes that may be fetched.
    budget: Option<u64>,
    progress: Option<Progress>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// How many have been begun.
    begun: usize,
    /// Bytes that are fetched or promised to be.
    spent: u64,
    tally: Tally,
}

/// A part of the budget for one artifact.
struct Share(u64);

// === impl Fetching ===

impl<'a> Fetching<'a> {
    pub(super) fn new(
        (way, credential): (&'a Way, &'a Credential),
        hashes: &'a [ArtifactHash],
        budget: Option<u64>,
        progress: Option<Progress>,
    ) -> Self {
        Self {
            way,
            credential,
            hashes,
            budget,
            progress,
            state: Mutex::default(),
        }
    }

    /// Fetches until there is nothing left or something stops it; several may do so at once.
    pub(super) async fn run(&self) {
        while let Some(hash) = self.next() {
            let Some(ending) = self.warm(hash).await else {
                // Whatever stopped it has left this one untried.
                return;
            };
            let mut state = self.state.lock();
            state.tally.note(hash.as_str(), ending);
            if state.tally.in_a_row >= HOPELESS {
                state.tally.stopped.get_or_insert(Stop::Hopeless);
            }
            drop(state);
            if let Some(progress) = &self.progress {
                progress.advance(1);
            }
        }
    }

    /// Leaves the rest.
    pub(super) fn stop(&self, why: Stop) {
        self.state.lock().tally.stopped.get_or_insert(why);
    }

    /// What has become of all of them.
    pub(super) fn tally(&self) -> Tally {
        let tally = self.state.lock().tally.clone();
        Tally {
            not_tried: self.hashes.len() - tally.ended(),
            ..tally
        }
    }

    fn next(&self) -> Option<&'a ArtifactHash> {
        let mut state = self.state.lock();
        if state.tally.stopped.is_some() {
            return None;
        }
        let next = self.hashes.get(state.begun)?;
        state.begun += 1;
        Some(next)
    }

    /// What becomes of one; nothing where it is not tried.
    async fn warm(&self, hash: &ArtifactHash) -> Option<Ending> {
        let share = match self.budget {
            None => Share(0),
            Some(budget) => match self.share(hash, budget).await? {
                Ok(share) => share,
                Err(ending) => return Some(ending),
            },
        };
        let response = match self.ask(Method::GET, hash).await? {
            Ok(response) => response,
            Err(ending) => return Some(self.fetched(Ok(0), share, ending)),
        };
        let ending = of_head(response.status().as_u16(), response.headers());
        let length = length(response.headers());
        let is_wanted = ending == Ending::Fetched;
        if !is_wanted && length.is_none_or(|length| length > READ_AWAY) {
            return Some(self.fetched(Ok(0), share, ending));
        }
        let read = drain(response.into_body()).await;
        Some(self.fetched(read, share, ending))
    }

    /// Asks what the artifact would cost before anybody fetches it, and takes that from the budget.
    async fn share(&self, hash: &ArtifactHash, budget: u64) -> Option<Result<Share, Ending>> {
        let response = match self.ask(Method::HEAD, hash).await? {
            Ok(response) => response,
            Err(ending) => return Some(Err(ending)),
        };
        let ending = of_head(response.status().as_u16(), response.headers());
        if ending != Ending::Fetched {
            return Some(Err(ending));
        }
        // Where the upstream says no length, what has been fetched is what counts.
        let cost = length(response.headers()).unwrap_or(0);
        let mut state = self.state.lock();
        let after = state.spent.saturating_add(cost);
        if after > budget {
            state.tally.stopped.get_or_insert(Stop::Budget);
            return None;
        }
        state.spent = after;
        Some(Ok(Share(cost)))
    }

    /// Takes note of a body that was read, or that there was none to read, and gives back what it did not take.
    fn fetched(&self, read: Result<u64, Failure>, Share(cost): Share, ending: Ending) -> Ending {
        let is_wanted = ending == Ending::Fetched;
        let bytes = read.as_ref().map_or(0, |bytes| *bytes);
        let mut state = self.state.lock();
        state.spent = state.spent.saturating_sub(cost);
        if is_wanted {
            state.spent = state.spent.saturating_add(bytes);
            state.tally.bytes = state.tally.bytes.saturating_add(bytes);
        }
        if self.budget.is_some_and(|budget| state.spent > budget) {
            state.tally.stopped.get_or_insert(Stop::Budget);
        }
        match read {
            Err(failure) if is_wanted => Ending::Failed(format!("broken off: {failure}")),
            _ => ending,
        }
    }

    /// An answer's head, or what becomes of an artifact without one; nothing where nobody is there.
    async fn ask(
        &self,
        method: Method,
        hash: &ArtifactHash,
    ) -> Option<Result<Response<UpstreamBody>, Ending>> {
        let mut request = Request::new(Bytes::new());
        *request.method_mut() = method;
        *request.headers_mut() = self.credential.headers(&HeaderMap::new());
        let target = self.credential.target(&format!("/v8/artifacts/{hash}"));
        *request.uri_mut() = target.parse().unwrap_or_default();
        let error = match self.way.send(&request).await {
            Ok(response) => return Some(Ok(response)),
            Err(error) => error,
        };
        if error.failure == Failure::Unreachable {
            let mut state = self.state.lock();
            state.tally.stopped.get_or_insert(Stop::Unreachable);
            state.tally.reasons.push(error.cause);
            return None;
        }
        Some(Err(Ending::Failed(error.cause)))
    }
}

/// Reads a body to its end and keeps nothing.
async fn drain(mut body: UpstreamBody) -> Result<u64, Failure> {
    let mut bytes = 0;
    while let Some(frame) = body.frame().await {
        if let Some(data) = frame?.data_ref() {
            bytes += data.len() as u64;
        }
    }
    Ok(bytes)
}

fn length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}
