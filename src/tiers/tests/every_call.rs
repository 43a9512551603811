//! Each file call refused in turn, for each reason a disk has: what an upload leaves behind.

use std::sync::atomic::{AtomicU64, Ordering};

use rustix::io::Errno;

use super::*;
use crate::tiers::disk::files::Call;
use crate::tiers::disk::files::shim::Watch;

const REASONS: [Errno; 6] = [
    Errno::IO,
    Errno::NOSPC,
    Errno::DQUOT,
    Errno::ROFS,
    Errno::MFILE,
    Errno::NOENT,
];

/// Refuses `refused` calls after the first `granted`.
struct Refusal {
    reason: Errno,
    calls: AtomicU64,
    granted: AtomicU64,
    refused: u64,
}

// === impl Refusal ===

impl Refusal {
    fn new(reason: Errno, refused: u64) -> Arc<Self> {
        Arc::new(Self {
            reason,
            calls: AtomicU64::new(0),
            granted: AtomicU64::new(u64::MAX),
            refused,
        })
    }

    fn begin_after(&self, granted: u64) {
        self.calls.store(0, Ordering::Relaxed);
        self.granted.store(granted, Ordering::Relaxed);
    }

    fn end(&self) {
        self.granted.store(u64::MAX, Ordering::Relaxed);
    }
}

impl Watch for Refusal {
    fn before(&self, _: &Call<'_>) -> io::Result<()> {
        let number = self.calls.fetch_add(1, Ordering::Relaxed);
        let granted = self.granted.load(Ordering::Relaxed);
        if number >= granted && number - granted < self.refused {
            return Err(self.reason.into());
        }
        Ok(())
    }
}

/// Uploads over an old entry while calls are refused, then looks twice; returns whether any call
/// was refused at all.
async fn upload_refused_after(granted: u64, reason: Errno, refused: u64, is_large: bool) -> bool {
    let refusal = Refusal::new(reason, refused);
    let watched = Files::watched(Arc::clone(&refusal) as Arc<dyn Watch>);
    let house = House::watched(config(0, 64 * MIB), watched);
    house.tiers.publish(small("a", "old")).await.unwrap();
    let new = bytes(if is_large { 600 * KIB } else { 3 }, 7);
    let landing = if is_large {
        house.large("a", &new).await
    } else {
        Landing {
            size: 3,
            body: LandingBody::Memory(vec![new.clone()]),
            ..small("a", "new")
        }
    };
    refusal.begin_after(granted);
    let published = house.tiers.publish(landing).await;
    refusal.end();
    let was_refused = refusal.calls.load(Ordering::Relaxed) > granted;
    let case = format!("{reason:?} after {granted} calls, {refused} refused, {is_large}");
    let found = house.lookup("a").await.map(|(_, body)| body);
    match published {
        Ok(()) => assert_eq!(found.as_ref(), Some(&new), "{case}"),
        Err(_) => assert_eq!(found, None, "an upload was accepted: {case}"),
    }
    let house = house.restart();
    let found = house.lookup("a").await.map(|(_, body)| body);
    let old = Bytes::from_static(b"old");
    assert!(
        found.is_none_or(|found| found == new || (found == old && published.is_err())),
        "{case}"
    );
    assert!(house.files_in("tmp").is_empty(), "{case}");
    was_refused
}

#[tokio::test]
async fn whatever_call_is_refused_an_upload_leaves_the_new_entry_or_none() {
    for reason in REASONS {
        for refused in [1, u64::MAX] {
            for is_large in [false, true] {
                let mut granted = 0;
                while upload_refused_after(granted, reason, refused, is_large).await {
                    granted += 1;
                }
                assert!(granted >= 3, "an upload takes some calls, not {granted}");
            }
        }
    }
}
