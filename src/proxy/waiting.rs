//! How long an upload's client waits. The upload itself is nobody's and goes on.

use tokio::sync::oneshot;
use tokio::time::{Duration, Instant, sleep_until};

use super::{Proxy, ProxyError, Served};

/// Bytes a second at which an upload is taken to reach the upstream: half of what a slow line carries.
const RATE: u64 = 128 * 1024;

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

impl Proxy {
    /// Waits for what is to be told, for `upload.timeout` at most; once the body is `whole`, of which
    /// its size tells, no longer than the upstream may need for that.
    pub(super) async fn wait_for(
        &self,
        mut told: oneshot::Receiver<Told>,
        whole: oneshot::Receiver<u64>,
    ) -> Result<Told, Late> {
        let until = Instant::now() + self.config.upload.timeout;
        let size = tokio::select! {
            biased;
            told = &mut told => return Ok(heard(told)),
            size = whole => size.ok(),
            () = sleep_until(until) => return Err(Late::Client),
        };
        let (until, late) = match size {
            // Nobody will say it any more.
            None => (until, Late::Client),
            Some(size) => (until.min(self.deadline(size)), Late::Upstream),
        };
        tokio::select! {
            biased;
            told = told => Ok(heard(told)),
            () = sleep_until(until) => Err(late),
        }
    }

    fn deadline(&self, size: u64) -> Instant {
        let upload = &self.config.upload;
        let patience = if self.upstream.is_none() {
            upload.timeout
        } else {
            upload.patience
        };
        let sending = Duration::from_secs(size / RATE);
        Instant::now() + patience.saturating_add(sending)
    }
}

fn heard(told: Result<Told, oneshot::error::RecvError>) -> Told {
    told.unwrap_or(Err(ProxyError::Cut))
}
