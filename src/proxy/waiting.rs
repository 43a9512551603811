//! How long an upload's client waits. The upload itself is nobody's and goes on.

use std::sync::Arc;

use futures_util::FutureExt;
use tokio::sync::oneshot;
use tokio::time::{Duration, Instant, sleep_until};

use super::{Proxy, ProxyError, Served};
use crate::upstream::{Hush, Word};

/// Bytes that an upstream may need a second longer for, until it has stored what it was sent.
const STORED_IN_A_SECOND: u64 = 8 * 1024 * 1024;

/// What an upload's client is told.
pub(super) type Told = Result<Served, ProxyError>;

/// Nothing is to be told in time, and whose fault that is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Late {
    /// The client has not sent everything.
    Client,
    /// The upstream has not answered.
    Upstream,
}

/// What an upload's client waits for.
pub(super) struct Waiting {
    /// The answer.
    pub(super) told: oneshot::Receiver<Told>,
    /// That every byte has come.
    pub(super) whole: oneshot::Receiver<()>,
    /// That the upload stands still upstream, and whether it is there.
    pub(super) word: Arc<Word>,
}

impl Proxy {
    /// Waits for `upload.timeout` at most; once every byte is here, only as long as the upload moves.
    pub(super) async fn wait_for(&self, waiting: Waiting) -> Result<Told, Late> {
        let Waiting {
            mut told,
            whole,
            word,
        } = waiting;
        let until = Instant::now() + self.config.upload.timeout;
        let is_whole = tokio::select! {
            biased;
            told = &mut told => return Ok(heard(told)),
            whole = whole => whole.is_ok(),
            () = sleep_until(until) => return Err(Late::Client),
        };
        // What stood still before was the client's own doing.
        let _past = word.stands_still.notified().now_or_never();
        tokio::select! {
            biased;
            told = told => Ok(heard(told)),
            () = word.stands_still.notified(), if is_whole => Err(Late::Upstream),
            () = sleep_until(until) => Err(if is_whole { Late::Upstream } else { Late::Client }),
        }
    }

    /// What is to be told of an upload of `length` bytes that stands still.
    pub(super) fn hush(&self, length: Option<u64>, tell: &Arc<Word>) -> Hush {
        let storing = Duration::from_secs(length.unwrap_or_default() / STORED_IN_A_SECOND);
        Hush {
            after: self.config.upload.patience.saturating_add(storing),
            tell: Arc::clone(tell),
        }
    }
}

fn heard(told: Result<Told, oneshot::error::RecvError>) -> Told {
    told.unwrap_or(Err(ProxyError::Cut))
}
