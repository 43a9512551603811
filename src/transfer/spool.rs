//! A spool: bytes arriving from the upstream or from an upload, readable while they grow.
//!
//! Small bodies stay in memory. Larger ones go to a draft's file in batches, and readers take what
//! is no longer in memory from there. A spool that cannot grow becomes a window: it keeps what it
//! has, passes bytes on at the pace of its slowest reader, cannot be joined and cannot land.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use tokio::time::{Duration, Instant, timeout};

use super::Reader;
use super::progress::{Broken, Ending};
use super::shared::{Room, Shared};
use crate::artifact::{ArtifactKey, Bypass, Label};
use crate::tiers::{Draft, Expected, Landing, LandingBody, Tiers};

/// Bytes gathered before one write to the draft's file. Fewer cost a change of threads more often; more
/// have left the processor's caches by then.
const BATCH: u64 = 512 * 1024;
/// The same where memory for bodies is short, and what then stays in memory of a body that need not go to a
/// file.
const SMALL_BATCH: u64 = 64 * 1024;
/// How long a window measures a reader that it waits for.
const LAGGARD_WAIT: Duration = Duration::from_secs(10);
/// The same where it holds up nobody else: as long as a client may take no byte of an answer, since
/// a socket's buffer empties in steps.
const LONE_LAGGARD_WAIT: Duration = Duration::from_mins(1);
/// Bytes a reader must take in that time, or be ended: 1 KiB a second.
const LAGGARD_TAKES: u64 = 10 * 1024;

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
    /// Where the slowest reader stood, and when, since the writer began to wait for it.
    measured: Option<(Instant, u64)>,
}

/// How a spool begins.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// The length that its source claims.
    pub claimed: Option<u64>,
    /// Whether room for that is set aside before it comes.
    pub is_believed: bool,
    /// Largest body that stays in memory.
    pub in_memory: u64,
    /// Why it is not to be kept, if it is not.
    pub bypass: Option<Bypass>,
}

/// Why there is no seat for one more reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoSeat {
    /// The first bytes are kept no more.
    GoneBy,
    /// The body broke off.
    Broken,
}

/// Where the body in a spool stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Growth {
    /// Every byte was written.
    Whole,
    /// More is to come once a reader has come further.
    HeldUp,
    /// More is to come, and a reader has not come to the end of what was written.
    Behind,
    /// More is to come, and all that was written has been read.
    Paused {
        /// A reader that takes a seat now gets all of it.
        is_kept: bool,
    },
    /// The rest will never come.
    Broken,
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

// === impl Spool ===

impl Spool {
    /// Opens a spool for `key` as planned.
    pub async fn open(
        tiers: &Arc<Tiers>,
        key: ArtifactKey,
        label: Label,
        plan: Plan,
    ) -> (SpoolWriter, Self) {
        let Plan {
            claimed,
            is_believed,
            in_memory,
            bypass,
        } = plan;
        let shared = Arc::new(Shared::new(tiers.budget().clone()));
        let mut writer = SpoolWriter {
            shared: Arc::clone(&shared),
            tiers: Arc::clone(tiers),
            key,
            label,
            in_memory,
            storing: Storing::Memory,
            measured: None,
        };
        if let Some(bypass) = bypass.or_else(|| tiers.admit(claimed).err()) {
            writer.become_window(bypass);
        } else if claimed.is_some_and(|length| length > in_memory) {
            let expected = Expected {
                length: claimed,
                is_believed,
            };
            writer.open_draft(expected).await;
        }
        (writer, Self { shared })
    }

    /// Seats a reader at the first byte.
    pub fn reader(&self) -> Result<Reader, NoSeat> {
        let mut state = self.shared.lock();
        if matches!(state.progress.ending(), Some(Ending::Broken(_))) {
            return Err(NoSeat::Broken);
        }
        if state.is_window && (state.progress.written() > 0 || state.seats.slowest().is_some()) {
            return Err(NoSeat::GoneBy);
        }
        Ok(Reader::new(Arc::clone(&self.shared), state.seats.take()))
    }

    /// Completes when the writer waits for its slowest reader.
    ///
    /// Cancel-safe.
    pub async fn held_up(&self) {
        self.shared.held_up.notified().await;
    }

    /// Lets nothing be written more than `bytes` ahead of the slowest reader.
    pub fn set_pace(&self, bytes: Option<u64>) {
        self.shared.lock().pace = bytes;
        self.shared.room.notify_one();
    }

    /// Ends no reader for being slow: it has bounds of its own.
    pub fn be_patient(&self) {
        self.shared.lock().is_patient = true;
    }

    /// Tells the writer that nobody wants the rest.
    pub fn abandon(&self) {
        self.shared.lock().is_unwanted = true;
        self.shared.room.notify_one();
        self.shared.turned.notify_waiters();
    }

    /// The length, once written whole.
    pub fn whole_length(&self) -> Option<u64> {
        let state = self.shared.lock();
        (state.progress.ending() == Some(Ending::Complete)).then(|| state.progress.written())
    }

    /// Where the body stands.
    pub fn growth(&self) -> Growth {
        self.shared.lock().growth()
    }

    /// Completes when it is whole, held up or broken, and was not when this was called.
    pub fn turned(&self) -> impl Future<Output = ()> + Send + '_ {
        self.shared.turned.notified()
    }

    /// Bytes written so far.
    pub fn written(&self) -> u64 {
        self.shared.lock().progress.written()
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

    /// Seats a reader at the first byte, as [`Spool::reader`] does.
    pub(super) fn reader(&self) -> Result<Reader, NoSeat> {
        let shared = Arc::clone(&self.shared);
        Spool { shared }.reader()
    }

    /// Adds bytes at the end, waiting for room where there is a window or a pace.
    pub async fn push(&mut self, chunk: Bytes) -> Result<(), Unwanted> {
        if chunk.is_empty() {
            return Ok(());
        }
        self.wait_for_room().await?;
        let (unfiled, is_crumbled) = {
            let mut state = self.shared.lock();
            state.push(chunk);
            (state.progress.unfiled_bytes(), state.progress.is_crumbled())
        };
        let batch = if unfiled >= SMALL_BATCH {
            self.shared.budget.share(BATCH, SMALL_BATCH)
        } else {
            BATCH
        };
        let is_short = is_crumbled || batch < BATCH && unfiled >= batch;
        match self.storing {
            Storing::Memory if is_short || unfiled > self.in_memory => {
                self.open_draft(Expected::default()).await;
            }
            Storing::Draft(_) if is_short || unfiled >= BATCH => {}
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
        self.shared.lock().end(ending);
        self.shared.turned.notify_waiters();
    }

    async fn open_draft(&mut self, expected: Expected) {
        match self.tiers.draft(&self.key, expected).await {
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
            Ok(()) => self.shared.lock().file(draft.written()),
            Err(bypass) => self.become_window(bypass),
        }
    }

    fn become_window(&mut self, bypass: Bypass) {
        self.storing = Storing::Window(bypass);
        let mut state = self.shared.lock();
        state.is_window = true;
        // Whoever waits for the whole waits in vain.
        state.seats.wake();
    }

    async fn wait_for_room(&mut self) -> Result<(), Unwanted> {
        let mut waited = false;
        loop {
            let told = self.shared.room.notified();
            let (slowest, wait) = match self.shared.lock().room()? {
                Room::Enough if waited => return Ok(()),
                Room::Enough => {
                    self.measured = None;
                    return Ok(());
                }
                Room::Behind {
                    slowest,
                    is_alone: true,
                } => (slowest, LONE_LAGGARD_WAIT),
                Room::Behind {
                    slowest,
                    is_alone: false,
                } => (slowest, LAGGARD_WAIT),
            };
            waited = true;
            self.shared.held_up.notify_one();
            self.shared.turned.notify_waiters();
            // A reader that was seated since may stand further back.
            let measured = self.measured.filter(|(_, from)| *from <= slowest);
            let (since, from) = *self
                .measured
                .insert(measured.unwrap_or_else(|| (Instant::now(), slowest)));
            let left = wait.saturating_sub(since.elapsed());
            if left.is_zero() {
                self.measured = None;
                if slowest - from < LAGGARD_TAKES {
                    self.shared.lock().end_laggards(slowest);
                }
            } else if timeout(left, told).await.is_err() {
                // The next turn looks at the clock.
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
