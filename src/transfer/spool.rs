//! A spool: bytes arriving from the upstream or from an upload, readable while they grow.
//!
//! Small bodies stay in memory. Larger ones go to a draft's file in batches, and readers take what
//! is no longer in memory from there. A spool that cannot grow becomes a window: it keeps what it
//! has, passes bytes on at the pace of its slowest reader, cannot be joined and cannot land.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::{Mutex, MutexGuard};
use tokio::sync::Notify;
use tokio::time::{Duration, timeout};

use super::Reader;
use super::progress::{Broken, Ending, Progress};
use super::seats::Seats;
use crate::artifact::{ArtifactKey, Bypass, Label};
use crate::tiers::{Draft, DraftReader, Landing, LandingBody, Tiers};

/// Bytes gathered before one write to the draft's file: the batch with the best tail latency of
/// those measured.
const BATCH: u64 = 1024 * 1024;
/// Bytes a window holds for its slowest reader.
const WINDOW: u64 = 1024 * 1024;
/// How long a window waits for its slowest reader to take something.
const LAGGARD_WAIT: Duration = Duration::from_secs(10);

/// The reading side of a spool; clones share it.
#[derive(Clone)]
pub struct Spool {
    pub(super) shared: Arc<Shared>,
}

/// The writing side: one, and dropping it without a word breaks the spool.
pub struct SpoolWriter {
    shared: Arc<Shared>,
    tiers: Arc<Tiers>,
    key: ArtifactKey,
    label: Label,
    in_memory: u64,
    storing: Storing,
}

/// What becomes of the bytes besides being read.
#[derive(Debug)]
pub enum Storing {
    /// Kept in memory, to land.
    Memory,
    /// Written to a draft, to land.
    Draft(Draft),
    /// Not kept: the spool is a window.
    Window(Bypass),
}

/// A spool that was written whole.
#[derive(Debug)]
pub struct Whole {
    /// Its length in bytes.
    pub size: u64,
    /// What the tiers can land, or why they cannot.
    pub landing: Result<Landing, Bypass>,
}

/// Nobody wants what is being written any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("nobody reads this transfer any more")]
pub struct Unwanted;

pub(super) struct Shared {
    state: Mutex<State>,
    /// Told when a reader moves on or leaves.
    room: Notify,
}

#[derive(Default)]
pub(super) struct State {
    pub(super) progress: Progress,
    pub(super) seats: Seats,
    pub(super) file: Option<DraftReader>,
    /// Most bytes written ahead of the slowest reader.
    pace: Option<u64>,
    is_window: bool,
    is_unwanted: bool,
}

// === impl Spool ===

impl Spool {
    /// Opens a spool for `key`, sized by what its source claims.
    ///
    /// Bodies up to `in_memory` bytes stay in memory.
    pub async fn open(
        tiers: &Arc<Tiers>,
        key: ArtifactKey,
        label: Label,
        claimed: Option<u64>,
        in_memory: u64,
    ) -> (SpoolWriter, Self) {
        let shared = Arc::new(Shared {
            state: Mutex::default(),
            room: Notify::new(),
        });
        let mut writer = SpoolWriter {
            shared: Arc::clone(&shared),
            tiers: Arc::clone(tiers),
            key,
            label,
            in_memory,
            storing: Storing::Memory,
        };
        if let Err(bypass) = tiers.admit(claimed) {
            writer.become_window(bypass);
        } else if claimed.is_some_and(|length| length > in_memory) {
            writer.open_draft(claimed).await;
        }
        (writer, Self { shared })
    }

    /// Seats a reader at the first byte; none where it has gone by, or the body broke off.
    pub fn reader(&self) -> Option<Reader> {
        let mut state = self.shared.lock();
        if matches!(state.progress.ending(), Some(Ending::Broken(_))) {
            return None;
        }
        let joinable =
            !state.is_window || (state.progress.written() == 0 && state.seats.slowest().is_none());
        joinable.then(|| Reader::new(Arc::clone(&self.shared), state.seats.take()))
    }

    /// Lets nothing be written more than `bytes` ahead of the slowest reader.
    pub fn set_pace(&self, bytes: Option<u64>) {
        self.shared.lock().pace = bytes;
        self.shared.room.notify_one();
    }

    /// Tells the writer that nobody wants the rest.
    pub fn abandon(&self) {
        self.shared.lock().is_unwanted = true;
        self.shared.room.notify_one();
    }

    /// The length, once written whole.
    pub fn whole_length(&self) -> Option<u64> {
        let state = self.shared.lock();
        (state.progress.ending() == Some(Ending::Complete)).then(|| state.progress.written())
    }

    /// Whether the bytes are in a file rather than in memory.
    pub fn is_filed(&self) -> bool {
        self.shared.lock().progress.filed() > 0
    }
}

impl fmt::Debug for Spool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Spool")
            .field("progress", &self.shared.lock().progress)
            .finish()
    }
}

// === impl SpoolWriter ===

impl SpoolWriter {
    /// Why the bytes are not being kept, where they are not.
    pub fn bypass(&self) -> Option<Bypass> {
        match self.storing {
            Storing::Window(bypass) => Some(bypass),
            Storing::Memory | Storing::Draft(_) => None,
        }
    }

    /// Bytes written so far.
    pub fn written(&self) -> u64 {
        self.shared.lock().progress.written()
    }

    /// Adds bytes at the end, waiting for room where there is a window or a pace.
    pub async fn push(&mut self, chunk: Bytes) -> Result<(), Unwanted> {
        self.wait_for_room().await?;
        let unfiled = {
            let mut state = self.shared.lock();
            state.progress.push(chunk);
            state.seats.wake();
            state.progress.in_memory()
        };
        match self.storing {
            Storing::Memory if unfiled > self.in_memory => self.open_draft(None).await,
            Storing::Draft(_) if unfiled >= BATCH => {}
            Storing::Memory | Storing::Draft(_) | Storing::Window(_) => return Ok(()),
        }
        self.file_batch().await;
        Ok(())
    }

    /// States that every byte was written, and hands over what can land.
    ///
    /// Readers are released first: what happens to the copy is not their concern.
    pub async fn complete(mut self) -> Whole {
        let size = self.written();
        self.end(Ending::Complete);
        if matches!(self.storing, Storing::Draft(_)) {
            self.file_batch().await;
        }
        let landing = |body| Landing {
            key: self.key.clone(),
            label: self.label.clone(),
            size,
            body,
        };
        let storing = std::mem::replace(&mut self.storing, Storing::Window(Bypass::NoRoom));
        let landing = match storing {
            Storing::Memory => Ok(landing(LandingBody::Memory(
                self.shared.lock().progress.unfiled(),
            ))),
            Storing::Draft(draft) => Ok(landing(LandingBody::Draft(draft))),
            Storing::Window(bypass) => Err(bypass),
        };
        Whole { size, landing }
    }

    /// States that the rest will never come.
    pub fn break_off(self, broken: Broken) {
        self.end(Ending::Broken(broken));
    }

    fn end(&self, ending: Ending) {
        let mut state = self.shared.lock();
        state.progress.end(ending);
        state.seats.wake();
    }

    async fn open_draft(&mut self, claimed: Option<u64>) {
        match self.tiers.draft(&self.key, claimed).await {
            Ok(draft) => {
                self.shared.lock().file = Some(draft.reader());
                self.storing = Storing::Draft(draft);
            }
            Err(bypass) => self.become_window(bypass),
        }
    }

    /// Moves what is only in memory into the draft's file.
    async fn file_batch(&mut self) {
        let Storing::Draft(draft) = &mut self.storing else {
            return;
        };
        let unfiled = self.shared.lock().progress.unfiled();
        if unfiled.is_empty() {
            return;
        }
        match draft.append(unfiled).await {
            Ok(()) => self.shared.lock().progress.file(draft.written()),
            Err(bypass) => self.become_window(bypass),
        }
    }

    fn become_window(&mut self, bypass: Bypass) {
        self.storing = Storing::Window(bypass);
        self.shared.lock().is_window = true;
    }

    async fn wait_for_room(&self) -> Result<(), Unwanted> {
        let mut stood_at = None;
        loop {
            let told = self.shared.room.notified();
            let slowest = match self.shared.lock().room()? {
                Room::Enough => return Ok(()),
                Room::Behind(slowest) => slowest,
            };
            if timeout(LAGGARD_WAIT, told).await.is_err()
                && stood_at.replace(slowest) == Some(slowest)
            {
                self.shared.lock().end_laggards(slowest);
            }
        }
    }
}

impl Drop for SpoolWriter {
    fn drop(&mut self) {
        self.end(Ending::Broken(Broken::Abandoned));
    }
}

impl fmt::Debug for SpoolWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SpoolWriter")
            .field("storing", &self.storing)
            .finish_non_exhaustive()
    }
}

// === impl Shared ===

impl Shared {
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    /// A reader moved on or left.
    pub(super) fn moved(&self) {
        self.room.notify_one();
    }
}

// === impl State ===

/// Whether more may be written.
enum Room {
    Enough,
    /// Not before the slowest reader has left this position.
    Behind(u64),
}

impl State {
    fn room(&mut self) -> Result<Room, Unwanted> {
        if self.is_unwanted {
            return Err(Unwanted);
        }
        let Some(slowest) = self.seats.slowest() else {
            // Nobody reads: a window has no other purpose, a spool that lands has.
            return if self.is_window {
                Err(Unwanted)
            } else {
                Ok(Room::Enough)
            };
        };
        let most = match (self.is_window, self.pace) {
            (true, _) => WINDOW,
            (false, Some(pace)) => pace,
            (false, None) => return Ok(Room::Enough),
        };
        if self.is_window {
            self.progress.release(slowest);
        }
        let ahead = self
            .progress
            .written()
            .saturating_sub(slowest.max(self.floor()));
        Ok(if ahead < most {
            Room::Enough
        } else {
            Room::Behind(slowest)
        })
    }

    /// In a window, what the file holds costs no memory.
    fn floor(&self) -> u64 {
        if self.is_window {
            self.progress.filed()
        } else {
            0
        }
    }

    fn end_laggards(&mut self, position: u64) {
        if self.is_window {
            self.seats.end_laggards(position);
        }
    }
}
