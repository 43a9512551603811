//! An entry opened: its footer read and held against everything else that is known of it.

use std::io;
use std::sync::Arc;

use bytes::Bytes;

use super::Disk;
use super::checksum::Table;
use super::entry::{Footer, TRAILER, footer_length};
use super::fault::Fault;
use super::layout::EntryName;
use super::reader::Handle;
use crate::artifact::{KeyDigest, Meta};

/// Most footers are smaller than this, so one read at the file's end usually is enough.
const LIKELY_FOOTER: usize = 4096;

/// An entry whose footer agrees with its name, the key that was asked for and the file's length.
pub(super) struct Opened {
    pub(super) handle: Handle,
    pub(super) meta: Arc<Meta>,
    pub(super) table: Table,
}

// === impl Opened ===

impl Opened {
    /// Opens the file of an entry, which the index knows as `name` and the request as `key`.
    pub(super) fn open(disk: &Disk, name: &EntryName, key: &KeyDigest) -> Result<Self, Fault> {
        let files = &disk.files;
        let file = files.open(&disk.layout.entry(name))?;
        let found = files.status(&file)?;
        if !found.is_file() {
            return Err(Fault::Missing);
        }
        if found.len() != name.length {
            return Err(Fault::Corrupt("its length is not the one in its name"));
        }
        let handle = Handle::new(files.clone(), file, Some(name.length), disk.jobs.clone());
        let footer = read_footer(&handle, name.length)?;
        let decoded = Footer::decode(&footer).ok_or(Fault::Corrupt("its footer is damaged"))?;
        let body_end = name.length - footer.len() as u64;
        if decoded.key != *key || decoded.name(name.length) != *name {
            return Err(Fault::Corrupt("its footer is another entry's"));
        }
        if decoded.meta.size != body_end {
            return Err(Fault::Corrupt("its footer tells another length"));
        }
        Ok(Self {
            handle,
            meta: Arc::new(decoded.meta),
            table: decoded.table,
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
        let block = usize::try_from(self.table.block).map_err(|_| DAMAGED_BODY)?;
        let mut buffer = vec![0; block];
        let mut offset = 0;
        while offset < self.meta.size {
            let left = usize::try_from(self.meta.size - offset).unwrap_or(usize::MAX);
            let (now, _) = buffer.split_at_mut(left.min(block));
            self.handle.read_at(now, offset)?;
            if !self.table.is_intact(offset, now) {
                return Err(DAMAGED_BODY);
            }
            offset += now.len() as u64;
        }
        Ok(())
    }
}

const DAMAGED_BODY: Fault = Fault::Corrupt("its body is damaged");

fn read_footer(handle: &Handle, length: u64) -> Result<Vec<u8>, Fault> {
    let likely = tail(handle, length, LIKELY_FOOTER)?;
    let trailer = likely.last_chunk::<TRAILER>();
    let wanted = trailer
        .and_then(|trailer| footer_length(trailer))
        .filter(|wanted| *wanted as u64 <= length)
        .ok_or(Fault::Corrupt("it has no footer"))?;
    match likely.len().checked_sub(wanted) {
        Some(before) => Ok(likely.split_at(before).1.to_vec()),
        None => Ok(tail(handle, length, wanted)?),
    }
}

fn tail(handle: &Handle, length: u64, wanted: usize) -> io::Result<Vec<u8>> {
    let wanted = usize::try_from(length).map_or(wanted, |length| length.min(wanted));
    let mut bytes = vec![0; wanted];
    handle.read_at(&mut bytes, length - wanted as u64)?;
    Ok(bytes)
}
