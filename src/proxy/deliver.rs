//! An upload's way from its spool to the upstream: sent, sent again where that may go better, and nothing
//! left behind that the outcome contradicts.

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::time::{Duration, sleep};

use super::ProxyError;
use super::put::Upload;
use super::settle::refusal;
use crate::access::Right;
use crate::transfer::{Broken, Growth, NoSeat, Reader, Spool};
use crate::upstream::{Again, Backing, Delivered, Source, Standing, Supply};

/// How often an upload is sent: a server that restarts is back by the third time, or it is an outage.
const MOST_TRIES: usize = 3;
/// How many places an upload has one after the other: it gives the first to another where its client pauses, and is whole
/// by the second, or as far ahead as its caller may be who has not proven its right. What pauses there fails.
const MOST_PLACES: usize = 2;

/// The body of an upload that is sent from a spool.
struct Uploading {
    spool: Spool,
    /// It is not sent once more.
    is_last: bool,
}

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
            // It is the client that broke off, and why is known where it is received.
            Delivered::Failed { .. } if spool.reader().is_err_and(|why| why == NoSeat::Broken) => {}
            Delivered::Failed {
                again: Some(Again::OnceHere),
                ..
            } => {
                self.answer(Err(ProxyError::TooSlow));
                spool.abandon();
            }
            Delivered::Failed { .. } if self.keeps() => {}
            Delivered::Failed { failure, .. } => {
                self.answer(Err(ProxyError::Undelivered(*failure)));
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
            let backing = self.backing(spool, length, places + 1 == MOST_PLACES);
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
                    if self.may_write() {
                        // It may have been proven since.
                        spool.set_pace(None);
                    }
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

    fn backing(&self, spool: &Spool, length: Option<u64>, is_last: bool) -> Backing {
        Backing {
            hush: self.proxy.hush(length, &self.word),
            supply: Supply::new(Uploading {
                spool: spool.clone(),
                is_last,
            }),
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

/// Waits until a body is here, or comes no further before it is sent; none where it broke off.
async fn once_here(spool: &Spool) -> Option<Reader> {
    // What it waited for at its last place is past.
    let _past = spool.held_up().now_or_never();
    let mut next = spool.reader().ok()?;
    tokio::select! {
        whole = next.whole() => match whole {
            // What cannot be kept any more is kept for this reader.
            Ok(_) | Err(Broken::Lagged) => Some(next),
            Err(_) => None,
        },
        () = spool.held_up() => Some(next),
    }
}

// === impl Uploading ===

impl Source for Uploading {
    fn standing(&self) -> Standing {
        match self.spool.growth() {
            Growth::Whole => Standing::Here,
            Growth::HeldUp => Standing::HeldUp,
            Growth::Behind => Standing::AtHand,
            Growth::Paused { is_kept } => Standing::Paused {
                is_kept: is_kept && !self.is_last,
            },
            Growth::Broken => Standing::Over,
        }
    }

    fn turned(&self) -> BoxFuture<'_, ()> {
        Box::pin(self.spool.turned())
    }
}
