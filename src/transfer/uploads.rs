//! An upload's way into its spool, and who else is uploading the same key.

use std::collections::HashMap;
use std::pin::{Pin, pin};
use std::sync::Arc;

use bytes::Bytes;
use http_body::Body;
use http_body_util::BodyExt;
use parking_lot::Mutex;
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
    table: Mutex<HashMap<KeyDigest, Overlap>>,
}

/// One upload's turn at its key; given back when dropped.
#[derive(Debug)]
pub struct Turn {
    uploads: Arc<Uploads>,
    key: KeyDigest,
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

#[derive(Debug, Default)]
struct Overlap {
    running: usize,
    happened: bool,
}

// === impl Uploads ===

impl Uploads {
    /// Begins an upload of `key`.
    pub fn begin(self: &Arc<Self>, key: KeyDigest) -> Turn {
        let mut table = self.table.lock();
        let overlap = table.entry(key).or_default();
        overlap.running += 1;
        overlap.happened |= overlap.running > 1;
        Turn {
            uploads: Arc::clone(self),
            key,
        }
    }
}

// === impl Turn ===

impl Turn {
    /// Whether no other upload of the key ran at any moment of this one.
    pub fn was_alone(&self) -> bool {
        self.uploads
            .table
            .lock()
            .get(&self.key)
            .is_some_and(|overlap| !overlap.happened)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut table = self.uploads.table.lock();
        let Some(overlap) = table.get_mut(&self.key) else {
            return;
        };
        overlap.running -= 1;
        if overlap.running == 0 {
            table.remove(&self.key);
        }
    }
}

/// Reads an upload into its spool, at most `limit` bytes. The last piece follows once the upload has
/// passed its inspection: whoever reads the spool never has all of one that has not.
///
/// Where nobody wants the rest it is read on for a bounded while, so that the client finds its
/// answer.
pub async fn receive<B>(
    body: B,
    mut writer: SpoolWriter,
    limit: u64,
    mut inspection: Inspection,
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

    #[test]
    fn uploads_that_overlap_at_any_moment_are_not_alone() {
        let uploads = Arc::new(Uploads::default());
        let key = KeyDigest::from_bytes([1; 32]);
        let first = uploads.begin(key);
        assert!(first.was_alone());
        let second = uploads.begin(key);
        drop(first);
        let third = uploads.begin(key);
        drop(second);
        assert!(!third.was_alone());
        drop(third);
        assert!(uploads.begin(key).was_alone());
        assert!(uploads.begin(KeyDigest::from_bytes([2; 32])).was_alone());
        assert!(uploads.table.lock().is_empty());
    }
}
