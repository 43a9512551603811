//! An upload's way into its spool, and who else is uploading the same key.

use std::collections::HashMap;
use std::pin::{Pin, pin};
use std::sync::Arc;

use bytes::Bytes;
use http_body::Body;
use http_body_util::BodyExt;
use parking_lot::Mutex;
use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};
use tokio::time::{Duration, timeout};

use super::inspection::{Doubt, Inspection};
use super::progress::Broken;
use super::spool::{SpoolWriter, Whole};
use crate::artifact::KeyDigest;

/// Bytes still read from a client whose upload was answered early, so that it finds the answer
/// before it finds the connection closed.
const DRAIN_BYTES: usize = 16 * 1024 * 1024;
/// Time spent on the same.
const DRAIN_TIME: Duration = Duration::from_secs(5);

/// The uploads under way, by key.
#[derive(Debug, Default)]
pub struct Uploads {
    table: Mutex<HashMap<KeyDigest, Running>>,
}

/// One upload's turn at its key; given back when dropped.
#[derive(Debug)]
pub struct Turn {
    uploads: Arc<Uploads>,
    key: KeyDigest,
    began: Moment,
    settling: Arc<AsyncMutex<()>>,
}

/// Held while an upload leaves the tiers as it ended: of two that end together, one comes after the
/// other.
#[derive(Debug)]
pub struct Settling {
    _held: OwnedMutexGuard<()>,
}

/// Whether the upstream may contradict the order in which uploads were accepted here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// No other upload took effect while this one ran.
    Certain,
    /// Another one took effect upstream while this one ran: which of the two came last is not known.
    Contested,
}

/// How receiving an upload ended.
#[derive(Debug)]
pub enum Received {
    /// Every byte is in the spool.
    Whole(Box<Whole>),
    /// The client broke off.
    Cut,
    /// It is larger than an upload may be.
    TooLarge,
    /// Whom it was for had enough.
    Unwanted,
    /// It came whole and did not pass its inspection: its last piece went nowhere.
    Doubtful(Doubt),
}

/// A point in the order of what happened to one key while uploads of it ran.
type Moment = u64;

/// The uploads of one key that run.
#[derive(Debug, Default)]
struct Running {
    uploads: usize,
    now: Moment,
    /// When one of them last took effect upstream, or may have.
    effect: Moment,
    /// Every byte of one of them has come.
    is_whole: bool,
    settling: Arc<AsyncMutex<()>>,
}

// === impl Uploads ===

impl Uploads {
    /// Begins an upload of `key`.
    pub fn begin(self: &Arc<Self>, key: KeyDigest) -> Turn {
        let mut table = self.table.lock();
        let running = table.entry(key).or_default();
        running.uploads += 1;
        Turn {
            uploads: Arc::clone(self),
            key,
            began: running.tick(),
            settling: Arc::clone(&running.settling),
        }
    }

    /// Takes note that every byte of an upload of `key` has come: the upstream may soon hold it.
    pub fn note_whole(&self, key: &KeyDigest) {
        if let Some(running) = self.table.lock().get_mut(key) {
            running.is_whole = true;
        }
    }

    /// How many run.
    pub fn number(&self) -> usize {
        let table = self.table.lock();
        table.values().map(|running| running.uploads).sum()
    }

    /// The keys of which an upload runs that the upstream may hold.
    pub fn in_doubt(&self) -> Vec<KeyDigest> {
        let table = self.table.lock();
        let whole = table.iter().filter(|(_, running)| running.is_whole);
        whole.map(|(key, _)| *key).collect()
    }
}

// === impl Running ===

impl Running {
    fn order_since(&self, began: Moment) -> Order {
        if self.effect > began {
            Order::Contested
        } else {
            Order::Certain
        }
    }

    fn tick(&mut self) -> Moment {
        self.now += 1;
        self.now
    }
}

// === impl Turn ===

impl Turn {
    /// Waits until no other upload of the key is just leaving the tiers as it ended.
    pub async fn settling(&self) -> Settling {
        Settling {
            _held: Arc::clone(&self.settling).lock_owned().await,
        }
    }

    /// Notes that this upload took effect upstream, or that nobody can tell whether it did; says how
    /// sure its place among the others is.
    ///
    /// One that is refused, or never came whole, has no effect: whoever may not write cannot spoil
    /// what others upload.
    pub fn take_effect(&self) -> Order {
        let mut table = self.uploads.table.lock();
        let Some(running) = table.get_mut(&self.key) else {
            return Order::Contested;
        };
        let order = running.order_since(self.began);
        running.effect = running.tick();
        order
    }

    /// How sure the place of this upload among the others is, so far.
    pub fn order(&self) -> Order {
        let table = self.uploads.table.lock();
        let running = table.get(&self.key);
        running.map_or(Order::Contested, |running| running.order_since(self.began))
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut table = self.uploads.table.lock();
        let Some(running) = table.get_mut(&self.key) else {
            return;
        };
        running.uploads -= 1;
        if running.uploads == 0 {
            table.remove(&self.key);
        }
    }
}

/// Reads an upload into its spool, at most `limit` bytes. The last piece follows once the upload has
/// passed its inspection: whoever reads the spool never has all of one that has not. `whole` is called
/// before that.
///
/// Where nobody wants the rest it is read on for a bounded while, so that the client finds its
/// answer.
pub async fn receive<B>(
    body: B,
    mut writer: SpoolWriter,
    limit: u64,
    mut inspection: Inspection,
    whole: impl FnOnce(),
) -> Received
where
    B: Body<Data = Bytes> + Send,
{
    let mut body = pin!(body);
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else {
            writer.break_off(Broken::Source);
            return Received::Cut;
        };
        let Ok(chunk) = frame.into_data() else {
            continue;
        };
        if writer.written() + inspection.held() + chunk.len() as u64 > limit {
            writer.break_off(Broken::Abandoned);
            drain(body).await;
            return Received::TooLarge;
        }
        if writer.push(inspection.hold(chunk)).await.is_err() {
            writer.break_off(Broken::Abandoned);
            drain(body).await;
            return Received::Unwanted;
        }
    }
    let held = match inspection.conclude(|| writer.reader()).await {
        Ok(held) => held,
        Err(doubt) => {
            writer.break_off(Broken::Source);
            return Received::Doubtful(doubt);
        }
    };
    // From here on whoever reads the spool may have all of it.
    whole();
    if writer.push(held).await.is_err() {
        writer.break_off(Broken::Abandoned);
        return Received::Unwanted;
    }
    Received::Whole(Box::new(writer.complete().await))
}

async fn drain<B: Body<Data = Bytes>>(mut body: Pin<&mut B>) {
    let reading = async {
        let mut drained = 0;
        while let Some(Ok(frame)) = body.frame().await {
            drained += frame.data_ref().map_or(0, Bytes::len);
            if drained > DRAIN_BYTES {
                return;
            }
        }
    };
    if timeout(DRAIN_TIME, reading).await.is_err() {
        tracing::debug!("an upload answered early kept coming");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> KeyDigest {
        KeyDigest::from_bytes([1; 32])
    }

    #[test]
    fn of_two_uploads_that_overlap_the_later_accepted_is_contested() {
        let uploads = Arc::new(Uploads::default());
        let (first, second) = (uploads.begin(key()), uploads.begin(key()));
        assert_eq!(second.take_effect(), Order::Certain);
        assert_eq!(first.take_effect(), Order::Contested);
        drop(first);
        // It began when both had been accepted.
        let third = uploads.begin(key());
        assert_eq!(third.take_effect(), Order::Certain);
    }

    #[test]
    fn one_that_has_no_effect_contests_nothing() {
        let uploads = Arc::new(Uploads::default());
        let strangers = [uploads.begin(key()), uploads.begin(key())];
        let member = uploads.begin(key());
        drop(strangers);
        assert_eq!(member.take_effect(), Order::Certain);
        let stranger = uploads.begin(key());
        drop(member);
        let other = uploads.begin(key());
        assert_eq!(other.take_effect(), Order::Certain);
        drop((stranger, other));
        assert!(uploads.table.lock().is_empty());
    }

    #[test]
    fn every_key_has_an_order_of_its_own() {
        let uploads = Arc::new(Uploads::default());
        let one = uploads.begin(key());
        let other = uploads.begin(KeyDigest::from_bytes([2; 32]));
        assert_eq!(other.take_effect(), Order::Certain);
        assert_eq!(one.take_effect(), Order::Certain);
    }
}
