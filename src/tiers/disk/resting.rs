//! An entry opened: its footer read and held against everything else that is known of it.

use std::io;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;

use super::Disk;
use super::checksum::Table;
use super::entry::{Footer, TRAILER, footer_length};
use super::fault::Fault;
use super::files::Files;
use super::jobs::Jobs;
use super::layout::EntryName;
use super::reader::Handle;
use crate::artifact::{KeyDigest, Meta};

/// Most footers are smaller than this, so one read at the file's end usually is enough.
const LIKELY_FOOTER: usize = 4096;

/// Fills a buffer from an offset of an open file.
pub(super) type ReadAt<'a> = dyn FnMut(&Handle, &mut [u8], u64) -> io::Result<()> + 'a;

/// An entry whose footer agrees with its name, the key where one was asked for, and the file's
/// length.
pub(super) struct Opened {
    pub(super) handle: Handle,
    pub(super) key: KeyDigest,
    pub(super) meta: Arc<Meta>,
    pub(super) table: Table,
}

// === impl Opened ===

impl Opened {
    /// Opens the file of an entry, which the index knows as `name` and the request as `key`.
    pub(super) fn open(disk: &Disk, name: &EntryName, key: &KeyDigest) -> Result<Self, Fault> {
        let path = disk.layout.entry(name);
        let opened = Self::open_named(
            &disk.files,
            Some(&disk.jobs),
            &path,
            name,
            &mut Handle::read_at,
        )?;
        if opened.key == *key {
            Ok(opened)
        } else {
            Err(OTHER_FOOTER)
        }
    }

    /// Opens the file at `path`, of which no more is known than its name; `read` reads its footer.
    pub(super) fn open_named(
        files: &Files,
        jobs: Option<&Jobs>,
        path: &Path,
        name: &EntryName,
        read: &mut ReadAt<'_>,
    ) -> Result<Self, Fault> {
        let file = files.open(path)?;
        let handle = Handle::new(files.clone(), file, Some(name.length), jobs.cloned());
        let footer = footer_of(&handle, name, read)?;
        Ok(Self {
            handle,
            key: footer.key,
            meta: Arc::new(footer.meta),
            table: footer.table,
        })
    }

    /// Reads the whole body and checks it.
    pub(super) fn read_whole(&self) -> Result<Bytes, Fault> {
        let length = usize::try_from(self.meta.size).map_err(|_| DAMAGED_BODY)?;
        let mut body = vec![0; length];
        self.handle.read_at(&mut body, 0)?;
        if !self.table.is_intact(0, &body) {
            return Err(DAMAGED_BODY);
        }
        Ok(body.into())
    }

    /// Checks the whole body without keeping it.
    pub(super) fn check(&self) -> Result<(), Fault> {
        let mut buffer = Vec::new();
        let mut offset = 0;
        while offset < self.meta.size {
            offset += self.check_block(offset, &mut buffer, &mut Handle::read_at)?;
        }
        Ok(())
    }

    /// Checks the block at `offset`, read by `read` into `buffer`; returns its length.
    pub(super) fn check_block(
        &self,
        offset: u64,
        buffer: &mut Vec<u8>,
        read: &mut ReadAt<'_>,
    ) -> Result<u64, Fault> {
        let length = self.meta.size.saturating_sub(offset).min(self.table.block);
        buffer.resize(usize::try_from(length).map_err(|_| DAMAGED_BODY)?, 0);
        read(&self.handle, buffer, offset)?;
        if !self.table.is_intact(offset, buffer) {
            return Err(DAMAGED_BODY);
        }
        Ok(length)
    }
}

const DAMAGED_BODY: Fault = Fault::Corrupt("its body is damaged");
const OTHER_FOOTER: Fault = Fault::Corrupt("its footer is another entry's");

/// Reads the footer of a file that was opened as `name`, and holds it against that and the file's
/// length.
pub(super) fn footer_of(
    handle: &Handle,
    name: &EntryName,
    read: &mut ReadAt<'_>,
) -> Result<Footer, Fault> {
    let found = handle.status()?;
    if !found.is_file() {
        return Err(Fault::Missing);
    }
    if found.len() != name.length {
        return Err(Fault::Corrupt("its length is not the one in its name"));
    }
    let footer = read_footer(handle, name.length, read)?;
    let decoded = Footer::decode(&footer).ok_or(Fault::Corrupt("its footer is damaged"))?;
    let body_end = name.length - footer.len() as u64;
    // The name begins with the key's first half.
    if decoded.name(name.length) != *name {
        return Err(OTHER_FOOTER);
    }
    if decoded.meta.size != body_end {
        return Err(Fault::Corrupt("its footer tells another length"));
    }
    Ok(decoded)
}

fn read_footer(handle: &Handle, length: u64, read: &mut ReadAt<'_>) -> Result<Vec<u8>, Fault> {
    let mut tail = |wanted| tail(handle, length, wanted, read);
    let likely = tail(LIKELY_FOOTER)?;
    let trailer = likely.last_chunk::<TRAILER>();
    let wanted = trailer
        .and_then(|trailer| footer_length(trailer))
        .filter(|wanted| *wanted as u64 <= length)
        .ok_or(Fault::Corrupt("it has no footer"))?;
    match likely.len().checked_sub(wanted) {
        Some(before) => Ok(likely.split_at(before).1.to_vec()),
        None => Ok(tail(wanted)?),
    }
}

fn tail(handle: &Handle, length: u64, wanted: usize, read: &mut ReadAt<'_>) -> io::Result<Vec<u8>> {
    let wanted = usize::try_from(length).map_or(wanted, |length| length.min(wanted));
    let mut bytes = vec![0; wanted];
    read(handle, &mut bytes, length - wanted as u64)?;
    Ok(bytes)
}
