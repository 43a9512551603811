//! How an upload leaves the tiers: as it ended, and before anybody hears of it.

use super::put::Upload;
use super::{Here, Proxy, ProxyError, Reply, Served};
use crate::artifact::{Answer, KeyDigest, Outcome};
use crate::transfer::{Order, Received, Whole};
use crate::upstream::Delivered;

/// How delivering to the upstream went, and what was received meanwhile.
pub(super) struct Ending {
    pub(super) delivered: Delivered,
    pub(super) received: Received,
}

impl Proxy {
    /// Forgets a key, for nobody knows what the upstream has of it.
    pub(super) async fn forget(&self, key: &KeyDigest) {
        self.tiers.forget(key).await;
        self.flights.supersede(key);
    }

    /// Forgets the keys of uploads that the upstream may hold and that will not end any more.
    pub async fn forget_uploads_in_doubt(&self) {
        if self.upstream.is_none() {
            return;
        }
        for key in self.uploads.in_doubt() {
            self.forget(&key).await;
        }
    }
}

impl Upload {
    /// Leaves the tiers as the upload ended, and then answers.
    pub(super) async fn settle(mut self, ending: Ending) {
        let Ending {
            delivered,
            received,
        } = ending;
        match (delivered, received) {
            (Delivered::Accepted(answer), Received::Whole(whole)) => {
                let outcome = self.publish_in_order(*whole).await;
                self.answer(Ok(Served {
                    outcome,
                    reply: Reply::Relayed(answer),
                }));
            }
            // Accepted what never came whole: whatever the upstream holds now, it is not ours to say.
            (Delivered::Accepted(answer), _) => {
                self.forget_in_doubt().await;
                self.answer(Ok(Served {
                    outcome: Outcome::Passed,
                    reply: Reply::Relayed(answer),
                }));
            }
            (Delivered::Refused(answer), _) => self.answer(refusal(answer)),
            // Not where the upstream may hold it after all: then the key is forgotten by now.
            (
                Delivered::Failed {
                    failure,
                    sent_whole: false,
                    ..
                },
                Received::Whole(whole),
            ) if self.keeps() => {
                let kept = self.keep(*whole).await;
                self.answer(kept.ok_or(ProxyError::Undelivered(failure)));
            }
            (
                Delivered::Failed { .. },
                received @ (Received::TooLarge | Received::Cut | Received::Doubtful(_)),
            ) => self.answer(Err(ProxyError::of_received(&received, self.limit()))),
            (Delivered::Failed { failure, .. }, _) => {
                self.answer(Err(ProxyError::Undelivered(failure)));
            }
        }
    }

    /// The same without an upstream: the last to land wins.
    pub(super) async fn settle_here(mut self, received: Received) {
        let Received::Whole(whole) = received else {
            let limit = self.limit();
            return self.answer(Err(ProxyError::of_received(&received, limit)));
        };
        let served = match self.publish(*whole).await {
            outcome @ Outcome::Stored => {
                self.heal();
                Ok(Served {
                    outcome,
                    reply: Reply::Here(self.uploaded()),
                })
            }
            _ => Err(ProxyError::NoRoom),
        };
        self.answer(served);
    }

    /// Keeps what could not be delivered, unless another upload took effect upstream while this one
    /// ran: what its client was told was stored must not give way to what nobody else has.
    async fn keep(&self, whole: Whole) -> Option<Served> {
        let _settling = self.turn.settling().await;
        if self.turn.order() == Order::Contested {
            return None;
        }
        let outcome = self.publish(whole).await;
        (outcome == Outcome::Stored).then(|| Served {
            outcome,
            reply: Reply::Here(self.uploaded()),
        })
    }

    /// Makes an upload that the upstream accepted visible, unless another one took effect there while
    /// it ran: then the key is forgotten, for nobody knows which of the two the upstream kept.
    async fn publish_in_order(&self, whole: Whole) -> Outcome {
        let _settling = self.turn.settling().await;
        match self.turn.take_effect() {
            Order::Certain => {
                let outcome = self.publish(whole).await;
                self.heal();
                outcome
            }
            Order::Contested => {
                self.forget().await;
                Outcome::Passed
            }
        }
    }

    /// Makes the upload visible, or the key forgotten, before anybody hears of it.
    async fn publish(&self, whole: Whole) -> Outcome {
        let landing = match whole.landing {
            Ok(landing) => landing,
            Err(bypass) => {
                self.forget().await;
                return Outcome::Bypassed(bypass);
            }
        };
        let published = self.proxy.tiers.publish(landing).await;
        self.proxy.flights.supersede(&self.ask.key.digest);
        published.map_or_else(Outcome::Bypassed, |()| Outcome::Stored)
    }

    /// Forgets the key, for nobody knows what the upstream made of this upload.
    pub(super) async fn forget_in_doubt(&self) {
        let _settling = self.turn.settling().await;
        self.turn.take_effect();
        self.forget().await;
    }

    async fn forget(&self) {
        self.proxy.forget(&self.ask.key.digest).await;
    }

    fn uploaded(&self) -> Here {
        Here::Uploaded(format!("/v8/artifacts/{}", self.ask.key.hash))
    }
}

/// The upstream's own words, but for a redirect: whoever does not follow it takes it for stored.
pub(super) fn refusal(answer: Answer) -> Result<Served, ProxyError> {
    if (300..400).contains(&answer.code()) {
        return Err(ProxyError::Redirected);
    }
    Ok(Served {
        outcome: Outcome::UploadRefused,
        reply: Reply::Relayed(answer),
    })
}
