//! An entry's body on its way out: whole where it is small, else frame by frame from its file.
//!
//! Bytes that nobody has checked since the start are checked before they leave.

use std::fmt;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tokio::sync::OwnedSemaphorePermit;

use super::fault::Fault;
use super::reader::Stretch;
use super::resting::Opened;
use super::source::{FRAME, Source};
use super::{Disk, EntryName};
use crate::artifact::{KeyDigest, Meta};
use crate::config::Verify;
use crate::outlet::Outlet;
use crate::tiers::Held;

/// Largest body that is read as one piece whatever the memory tier admits.
const WHOLE: u64 = FRAME;
/// Largest body that is read as one piece although the memory tier admits larger ones.
const LARGEST_WHOLE: u64 = 4 << 20;
/// Bytes of bodies read as one piece that are on their way at once; beyond it bodies go out frame
/// by frame, so that slow readers do not hold all of them in memory.
pub(super) const WHOLE_READS: usize = 64 << 20;
/// Largest body that is checked whole before its first byte; larger ones are checked on the way.
const CHECKED_FIRST: u64 = 16 << 20;

/// Entries of one key tried one after the other, each having replaced the last meanwhile.
const SUCCESSORS: usize = 8;

/// An entry turned out not to be what was written, or not to be readable: the look-up was a miss.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the entry is damaged or cannot be read")]
pub struct Damaged;

/// A body read from its file, which stays open: neither eviction nor quarantine hurts it.
///
/// Ends cleanly only if every byte was there and, where that was still open, intact.
pub struct FileBody {
    disk: Arc<Disk>,
    source: Arc<Source>,
    position: u64,
    ahead: Ahead,
    outlet: Option<Outlet>,
}

/// A body as the disk tier hands it out.
pub(in crate::tiers) enum Body {
    /// All of it.
    Whole(Whole),
    /// From its file.
    File(FileBody),
}

/// A body read as one piece, and the right to hold it.
pub(in crate::tiers) struct Whole {
    /// Its bytes, for a tier that counts them itself.
    pub(in crate::tiers) bytes: Bytes,
    _right: OwnedSemaphorePermit,
    _held: Held,
}

/// The owner of bytes that count as being on their way until nobody has them any more.
struct OnTheWay(Whole);

type Reading = Pin<Box<dyn Future<Output = Result<Stretch, Damaged>> + Send + Sync>>;

/// The frame after the last one that left.
#[derive(Default)]
enum Ahead {
    #[default]
    Unasked,
    Asked(Reading),
    Here(Result<Stretch, Damaged>),
}

// === impl Disk ===

impl Disk {
    /// Reads an entry's meta. Blocks.
    pub(in crate::tiers) fn stat(
        &self,
        name: &EntryName,
        key: &KeyDigest,
    ) -> Result<Arc<Meta>, Damaged> {
        self.or_condemn(name, || {
            let opened = Opened::open(self, name, key)?;
            Ok(opened.meta)
        })
    }

    /// Opens an entry and checks what must be checked before its first byte leaves; a body that the
    /// memory tier admits, being up to `in_memory` bytes, is read at once, and the file of any other
    /// stays open for the next hit. Blocks.
    pub(in crate::tiers) fn open_entry(
        self: &Arc<Self>,
        name: &EntryName,
        key: &KeyDigest,
        in_memory: u64,
    ) -> Result<(Arc<Meta>, Body), Damaged> {
        self.or_condemn(name, || {
            let opened = Opened::open(self, name, key)?;
            let meta = Arc::clone(&opened.meta);
            let whole = self.read_whole(name, &opened, in_memory)?;
            let is_verified = whole.is_some() || self.comes_verified(name, &opened)?;
            let source = Arc::new(Source::new(self, *name, opened, is_verified));
            // What is promoted is not asked for here again.
            if is_verified && meta.size > in_memory.min(LARGEST_WHOLE) {
                self.keep(&source);
            }
            let from_file = || Body::File(FileBody::new(Arc::clone(self), source));
            Ok((meta, whole.map_or_else(from_file, Body::Whole)))
        })
    }

    /// An entry's meta and body without a file call, where its file is kept open.
    pub(in crate::tiers) fn open_kept(
        self: &Arc<Self>,
        name: &EntryName,
        key: &KeyDigest,
    ) -> Option<(Arc<Meta>, FileBody)> {
        let source = self.kept(name, key)?;
        let meta = Arc::clone(&source.meta);
        Some((meta, FileBody::new(Arc::clone(self), source)))
    }

    /// Reads a small body as one piece, unless too many of them are on their way.
    fn read_whole(
        &self,
        name: &EntryName,
        opened: &Opened,
        in_memory: u64,
    ) -> Result<Option<Whole>, Fault> {
        let size = opened.meta.size;
        if size > in_memory.clamp(WHOLE, LARGEST_WHOLE) {
            return Ok(None);
        }
        let (Some(right), Some(held)) = (self.right_to_hold(size), self.budget.try_hold(size))
        else {
            return Ok(None);
        };
        let bytes = opened.read_whole()?;
        self.index.lock().verify(name);
        Ok(Some(Whole {
            bytes,
            _right: right,
            _held: held,
        }))
    }

    /// Whether a body may leave as it is: somebody has checked it, or it is checked now.
    fn comes_verified(&self, name: &EntryName, opened: &Opened) -> Result<bool, Fault> {
        if self.is_verified(name) {
            return Ok(true);
        }
        if opened.meta.size > CHECKED_FIRST {
            return Ok(false);
        }
        opened.check()?;
        self.index.lock().verify(name);
        Ok(true)
    }

    /// Reads an entry, or where it is gone the one that an upload has put in its place: somebody who
    /// overwrites a key must not make it a miss.
    pub(in crate::tiers) fn newest_of<T>(
        &self,
        mut name: EntryName,
        read: impl Fn(&EntryName) -> Result<T, Damaged>,
    ) -> Result<T, Damaged> {
        for _ in 0..SUCCESSORS {
            let outcome = read(&name);
            if outcome.is_ok() {
                return outcome;
            }
            name = self.successor(&name).ok_or(Damaged)?;
        }
        Err(Damaged)
    }

    fn successor(&self, name: &EntryName) -> Option<EntryName> {
        let index = self.index.lock();
        let newest = index.peek(&name.prefix)?.name;
        let is_found = newest.serial > name.serial && !index.doomed.contains(&name.prefix);
        is_found.then_some(newest)
    }

    /// Whether an entry may leave without being checked.
    fn is_verified(&self, name: &EntryName) -> bool {
        let slot = self.index.lock().peek(&name.prefix);
        self.verify == Verify::FirstRead
            && slot.is_some_and(|slot| slot.verified && slot.name == *name)
    }

    /// Whether nobody has checked an entry and the first who does spares the others.
    pub(in crate::tiers) fn is_first_read(&self, name: &EntryName) -> bool {
        self.verify == Verify::FirstRead && !self.is_verified(name)
    }

    fn right_to_hold(&self, bytes: u64) -> Option<OwnedSemaphorePermit> {
        let bytes = u32::try_from(bytes).ok()?;
        let whole_reads = Arc::clone(&self.whole_reads);
        whole_reads.try_acquire_many_owned(bytes).ok()
    }

    fn or_condemn<T>(
        &self,
        name: &EntryName,
        read: impl FnOnce() -> Result<T, Fault>,
    ) -> Result<T, Damaged> {
        read().map_err(|fault| {
            self.condemn(name, &fault);
            Damaged
        })
    }
}

// === impl Whole ===

impl Whole {
    /// The bytes for their reader; they count until the last clone is gone.
    pub(in crate::tiers) fn on_the_way(self) -> Bytes {
        Bytes::from_owner(OnTheWay(self))
    }
}

// === impl OnTheWay ===

impl AsRef<[u8]> for OnTheWay {
    fn as_ref(&self) -> &[u8] {
        &self.0.bytes
    }
}

// === impl FileBody ===

impl FileBody {
    fn new(disk: Arc<Disk>, source: Arc<Source>) -> Self {
        Self {
            disk,
            source,
            position: 0,
            ahead: Ahead::Unasked,
            outlet: None,
        }
    }

    /// Lets what need neither be read nor checked leave by `outlet`, uncopied.
    pub fn leave_by(&mut self, outlet: &Outlet) {
        self.outlet = Some(outlet.clone());
    }

    /// Bytes that have not left yet.
    pub fn left(&self) -> u64 {
        self.source.meta.size - self.position
    }

    /// The next bytes, where none are on their way from the disk and none have to be fetched or checked.
    fn uncopied(&mut self) -> Option<Bytes> {
        let outlet = self.outlet.as_ref()?;
        if !matches!(self.ahead, Ahead::Unasked) {
            return None;
        }
        let bytes = self.source.uncopied_at(self.position, outlet)?;
        self.position += bytes.len() as u64;
        Some(bytes)
    }

    fn ask(&mut self) {
        let (disk, source) = (Arc::clone(&self.disk), Arc::clone(&self.source));
        self.ahead = Ahead::Asked(Box::pin(source.frame_at(self.position, disk)));
    }

    fn advance(&mut self, context: &mut Context<'_>) {
        if let Ahead::Asked(reading) = &mut self.ahead
            && let Poll::Ready(outcome) = reading.as_mut().poll(context)
        {
            self.ahead = Ahead::Here(outcome);
        }
    }

    fn pass_on(&mut self, stretch: Stretch, context: &mut Context<'_>) -> Frame<Bytes> {
        self.position += stretch.bytes.len() as u64;
        if self.left() == 0 {
            self.source.all_left(&self.disk);
        } else if stretch.was_cold {
            // The next frame probably is on the disk too: fetch it while this one is being sent.
            self.ask();
            self.advance(context);
        }
        Frame::data(stretch.bytes)
    }
}

impl http_body::Body for FileBody {
    type Data = Bytes;
    type Error = Damaged;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Damaged>>> {
        let this = self.get_mut();
        if this.left() == 0 {
            return Poll::Ready(None);
        }
        if let Some(bytes) = this.uncopied() {
            return Poll::Ready(Some(Ok(Frame::data(bytes))));
        }
        if matches!(this.ahead, Ahead::Unasked) {
            this.ask();
        }
        this.advance(context);
        match mem::take(&mut this.ahead) {
            Ahead::Here(Ok(stretch)) => Poll::Ready(Some(Ok(this.pass_on(stretch, context)))),
            Ahead::Here(Err(damaged)) => {
                this.position = this.source.meta.size;
                Poll::Ready(Some(Err(damaged)))
            }
            waiting => {
                this.ahead = waiting;
                Poll::Pending
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.left() == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left())
    }
}

impl fmt::Debug for FileBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileBody")
            .field("entry", self.source.name())
            .field("position", &self.position)
            .finish_non_exhaustive()
    }
}
