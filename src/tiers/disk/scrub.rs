//! Looking over an entry that nobody asked for: from its name alone, block by block, without a trace
//! in the page cache. The scrubber and `larder fsck` share it.

use std::io::{self, Read};
use std::path::Path;
use std::sync::atomic::Ordering;

use super::course::{Course, LONGEST};
use super::fault::Fault;
use super::files::Files;
use super::jobs::Jobs;
use super::layout::EntryName;
use super::reader::Handle;
use super::recover::list;
use super::resting::Opened;
use super::{Disk, snapshot};
use crate::artifact::{KeyDigest, Meta};
use crate::metrics::{Checked, ScrubMetrics};

/// What the page cache keeps or drops: whole pages of at least this many bytes.
const PAGE: u64 = 4096;

/// An entry being looked over.
///
/// What had to come from the disk leaves the page cache again, at the latest when this is dropped:
/// nobody asked for it, and it would take the place of what somebody did ask for.
pub(in crate::tiers) struct Checking {
    opened: Opened,
    buffer: Vec<u8>,
    checked: u64,
    /// Where the footer began to be cold. It goes last: small bodies lie in the same pages.
    cold_from: Option<u64>,
}

// === impl Checking ===

impl Checking {
    /// Opens the file at `path` and holds its footer against `name`.
    pub(in crate::tiers) fn open(
        files: &Files,
        jobs: Option<&Jobs>,
        path: &Path,
        name: &EntryName,
    ) -> Result<Self, Fault> {
        let mut cold_from: Option<u64> = None;
        let mut read = |handle: &Handle, buffer: &mut [u8], offset: u64| {
            handle.scatter();
            let cold = read_sparing(handle, buffer, offset)?;
            cold_from = cold_from.into_iter().chain(cold).min();
            Ok(())
        };
        let opened = Opened::open_named(files, jobs, path, name, &mut read)?;
        Ok(Self {
            opened,
            buffer: Vec::new(),
            checked: 0,
            cold_from,
        })
    }

    /// Whether every block is checked.
    pub(in crate::tiers) fn is_done(&self) -> bool {
        self.checked >= self.opened.meta.size
    }

    /// Checks the next block; returns its length.
    pub(in crate::tiers) fn step(&mut self) -> Result<u64, Fault> {
        let mut read = |handle: &Handle, buffer: &mut [u8], offset: u64| {
            let end = offset + buffer.len() as u64;
            if let Some(cold) = read_sparing(handle, buffer, offset)? {
                handle.uncache(cold, Some(end - cold));
            }
            Ok(())
        };
        let (offset, buffer) = (self.checked, &mut self.buffer);
        let length = self.opened.check_block(offset, buffer, &mut read)?;
        self.checked += length;
        Ok(length)
    }

    /// The key that the footer names.
    pub(in crate::tiers) fn key(&self) -> KeyDigest {
        self.opened.key
    }

    /// What the footer says of the artifact.
    pub(in crate::tiers) fn meta(&self) -> &Meta {
        &self.opened.meta
    }

    /// Bytes that lie behind the body.
    pub(in crate::tiers) fn footer_length(&self, name: &EntryName) -> u64 {
        name.length.saturating_sub(self.opened.meta.size)
    }
}

impl Drop for Checking {
    fn drop(&mut self) {
        if let Some(offset) = self.cold_from {
            let handle = self.opened.handle.take();
            let drop_pages = move || handle.uncache(offset - offset % PAGE, None);
            self.opened.handle.aside(drop_pages);
        }
    }
}

/// Fills `buffer`; returns from where on that brought something into the page cache.
fn read_sparing(handle: &Handle, buffer: &mut [u8], offset: u64) -> io::Result<Option<u64>> {
    let cached = handle.peek_at(buffer, offset)?;
    let (_, missing) = buffer.split_at_mut(cached);
    if missing.is_empty() {
        return Ok(None);
    }
    let cold = offset + cached as u64;
    handle.read_at(missing, cold)?;
    // Where the system cannot say what is cached everything seems cold, and nothing is dropped.
    let can_say = handle.peek_at(&mut [0], cold)? > 0;
    Ok(can_say.then_some(cold))
}

// === impl Disk ===

impl Disk {
    /// The entries of a shard from the prefix numbered `from` on, in order. Blocks.
    pub(in crate::tiers) fn resting_from(
        &self,
        shard: u8,
        from: u128,
    ) -> io::Result<Vec<EntryName>> {
        self.read_shard(shard)?;
        let mut names = list(
            &self.files,
            &self.layout,
            shard,
            self.epoch.load(Ordering::Acquire),
        )?
        .names;
        names.retain(|name| name.prefix.number() >= from);
        names.sort_unstable_by_key(|name| (name.prefix, name.serial));
        Ok(names)
    }

    /// Begins to look over an entry; `None` where it is not its key's any more. Blocks.
    pub(in crate::tiers) fn begin_check(
        &self,
        name: &EntryName,
    ) -> Result<Option<Checking>, Fault> {
        if !self.rests(name) {
            return Ok(None);
        }
        let path = self.layout.entry(name);
        Checking::open(&self.files, Some(&self.jobs), &path, name).map(Some)
    }

    /// Notes that all of an entry is what was written.
    pub(in crate::tiers) fn passed(&self, name: &EntryName) -> Checked {
        if !self.rests(name) {
            return Checked::Gone;
        }
        self.index.lock().verify(name);
        Checked::Intact
    }

    /// Draws the same consequence as a read does. What its key no longer has is no damage. Blocks.
    pub(in crate::tiers) fn failed(&self, name: &EntryName, fault: &Fault) -> Checked {
        let rests = self.rests(name);
        self.condemn(name, fault);
        match fault {
            _ if !rests => Checked::Gone,
            Fault::Missing => Checked::Gone,
            Fault::Corrupt(_) => Checked::Damaged,
            Fault::Failing(_) => Checked::Unreadable,
        }
    }

    /// Reads how far the scrubber came; a course that was lost, or is none, begins anew. Blocks.
    pub(in crate::tiers) fn read_course(&self) -> Course {
        let course = snapshot::read(&self.files, &self.layout.scrub(), |file| {
            let mut text = Vec::new();
            file.take(LONGEST).read_to_end(&mut text)?;
            let text = std::str::from_utf8(&text).ok();
            Ok(text.and_then(Course::decode))
        });
        course.unwrap_or_default()
    }

    /// Keeps how far the scrubber came. Not synced: losing it costs a pass. Blocks.
    pub(in crate::tiers) fn keep_course(&self, course: &Course) -> io::Result<()> {
        self.replace(&self.layout.scrub(), course.encode().as_bytes())
    }

    /// The metrics of the scrubber.
    pub(in crate::tiers) fn scrub_metrics(&self) -> &ScrubMetrics {
        &self.metrics.scrub
    }

    /// Whether a key has this very entry, and is not to lose it.
    pub(super) fn rests(&self, name: &EntryName) -> bool {
        let index = self.index.lock();
        index.holds(name) && !index.doomed.contains(&name.prefix)
    }
}
