//! An upload's way from its spool to the upstream: sent, sent again where that may go better, and nothing
//! left behind that the outcome contradicts.

use futures_util::FutureExt;
use tokio::time::{Duration, sleep};

use super::ProxyError;
use super::put::Upload;
use super::settle::refusal;
use crate::access::Right;
use crate::transfer::{Growth, NoSeat, Reader, Spool};
use crate::upstream::{Again, Backing, Delivered, Standing, Supply};

/// How often an upload is sent: a server that restarts is back by the third time, or it is an outage.
const MOST_TRIES: usize = 3;
/// How often an upload may give its place to another: whatever is whole keeps the second one. One whose caller
/// has not proven its right may lose that too, and is not sent a third time.
const MOST_PLACES: usize = 2;

impl Upload {
    pub(super) async fn deliver(
        &mut self,
        spool: &Spool,
        reader: Reader,
        length: Option<u64>,
    ) -> Delivered {
        let delivered = self.store(spool, reader, length).await;
        match &delivered {
            Delivered::Accepted(_) => {}
            Delivered::Refused(answer) => {
                // The client is told at once, also in the middle of its body.
                self.answer(refusal(answer.clone()));
                spool.abandon();
            }
            Delivered::Failed { .. } if self.keeps() => {}
            // It is the client that broke off, and why is known where it is received.
            Delivered::Failed { .. } if spool.reader().is_err_and(|why| why == NoSeat::Broken) => {}
            Delivered::Failed { failure, again, .. } => {
                let why = match again {
                    Some(Again::OnceHere) => ProxyError::TooSlow,
                    Some(Again::After(_)) | None => ProxyError::Undelivered(*failure),
                };
                self.answer(Err(why));
                spool.abandon();
            }
        }
        delivered
    }

    /// Sends what the spool holds, and leaves nothing behind that the outcome contradicts: whoever
    /// is told of it afterwards finds it so.
    pub(super) async fn store(
        &self,
        spool: &Spool,
        reader: Reader,
        length: Option<u64>,
    ) -> Delivered {
        let (delivered, is_unknown) = self.send(spool, reader, length).await;
        let delivered = match delivered {
            Delivered::Failed { failure, again, .. } => Delivered::Failed {
                failure,
                sent_whole: is_unknown,
                again,
            },
            judged => judged,
        };
        if is_unknown && !matches!(delivered, Delivered::Accepted(_)) {
            self.forget_in_doubt().await;
        }
        if let Delivered::Accepted(answer) | Delivered::Refused(answer) = &delivered {
            let access = &self.proxy.access;
            access.learn(&self.ask.question(), Right::Write, answer);
            if matches!(delivered, Delivered::Accepted(_)) {
                access.prove_read(&self.ask.question());
            }
        }
        delivered
    }

    /// Sends, and again where that may go better a moment later: the same bytes twice are the same
    /// artifact. Says too whether the upstream may hold the body without having said so.
    async fn send(
        &self,
        spool: &Spool,
        mut reader: Reader,
        length: Option<u64>,
    ) -> (Delivered, bool) {
        let (upstream, request) = (&self.proxy.upstream, self.ask.outgoing.request());
        let mut is_unknown = false;
        let (mut tries, mut places) = (0, 0);
        loop {
            let backing = self.backing(spool, length);
            let delivered = upstream
                .store(request.clone(), length, reader, backing)
                .await;
            let delivered = self.unless_misfortune(delivered);
            let Delivered::Failed {
                sent_whole, again, ..
            } = delivered
            else {
                return (delivered, is_unknown);
            };
            is_unknown |= sent_whole;
            let next = match again {
                Some(Again::After(pause)) if tries + 1 < MOST_TRIES => {
                    tries += 1;
                    self.next_try(spool, pause).await
                }
                Some(Again::OnceHere) if places + 1 < MOST_PLACES => {
                    places += 1;
                    once_here(spool).await
                }
                Some(_) | None => None,
            };
            match next {
                Some(next) => reader = next.with_length(length),
                None => return (delivered, is_unknown),
            }
        }
    }

    fn backing(&self, spool: &Spool, length: Option<u64>) -> Backing {
        let spool = spool.clone();
        Backing {
            hush: self.proxy.hush(length, &self.hush),
            supply: Supply::new(move || standing(spool.growth())),
        }
    }

    /// Waits until another try may go better; none where the spool no longer has everything, or
    /// where it would come too late for the client.
    async fn next_try(&self, spool: &Spool, pause: Duration) -> Option<Reader> {
        spool.reader().ok()?;
        let is_too_late = self.ask.since.elapsed() + pause > self.proxy.config.upload.timeout;
        // What met a connection that was closed while idle costs nobody anything.
        let is_free = pause.is_zero();
        if is_too_late || !(is_free || self.proxy.upstream.may_repeat()) {
            return None;
        }
        sleep(pause).await;
        spool.reader().ok()
    }

    /// A refusal of Larder's own credential is no judgement of this upload.
    fn unless_misfortune(&self, delivered: Delivered) -> Delivered {
        let (Delivered::Accepted(answer) | Delivered::Refused(answer)) = &delivered else {
            return delivered;
        };
        match self.ask.admitted.misfortune(answer) {
            Some(failure) => Delivered::Failed {
                failure,
                sent_whole: false,
                again: None,
            },
            None => delivered,
        }
    }
}

/// Waits until a body is here, or does not go on before it is sent; none where it cannot be sent again.
async fn once_here(spool: &Spool) -> Option<Reader> {
    // What it waited for at its last place is past.
    let _past = spool.held_up().now_or_never();
    let mut next = spool.reader().ok()?;
    tokio::select! {
        whole = next.whole() => whole.is_ok().then_some(next),
        () = spool.held_up() => Some(next),
    }
}

fn standing(growth: Growth) -> Standing {
    match growth {
        Growth::Growing => Standing::Growing,
        Growth::HeldUp | Growth::Passing => Standing::Passing,
        Growth::Whole => Standing::Here,
        Growth::Broken => Standing::Over,
    }
}
