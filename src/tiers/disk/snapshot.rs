//! What a restart may know of the last process: how entries were used and how much folders hold.
//! Small files, written whole beside and renamed; losing any of them costs recency, or a wait until
//! the folders are read.
//!
//! They count in no capacity: 21 bytes an entry, and one page.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, IoSlice};
use std::path::Path;
use std::sync::atomic::Ordering;

use tokio::time::{Duration, Instant};
use tracing::debug;

use super::Disk;
use super::draft::retry_in_folder;
use super::files::Files;
use super::index::Remembered;
use super::layout::{EntryName, Layout, Prefix};
use super::recency;
use super::usage::{self, Word};

/// What is remembered of a folder's entries, each with its place in the order of last uses.
#[derive(Debug, Default)]
pub(super) struct Memories(HashMap<Prefix, (usize, Remembered)>);

// === impl Memories ===

impl Memories {
    /// Reads what the last process remembered of a folder; nothing where that cannot be known.
    pub(super) fn read(files: &Files, layout: &Layout, shard: u8) -> Self {
        let path = layout.recency(shard);
        let read = read(files, &path, |file| read_recency(files, file, shard));
        let entries = read.unwrap_or_default().into_iter().enumerate();
        Self(
            entries
                .map(|(place, entry)| (entry.prefix, (place, entry)))
                .collect(),
        )
    }

    /// How an entry was used.
    pub(super) fn of(&self, name: &EntryName) -> Option<&Remembered> {
        self.0.get(&name.prefix).map(|(_, entry)| entry)
    }

    /// Puts names in the order of their last use: their landing, where nothing else is known.
    pub(super) fn sort(&self, names: &mut [EntryName]) {
        names.sort_by_key(|name| match self.0.get(&name.prefix) {
            Some((place, entry)) => (entry.used, *place),
            None => (name.landed, 0),
        });
    }
}

// === impl Disk ===

impl Disk {
    /// Writes down how the entries of a folder were used, if it was read and they were.
    pub(in crate::tiers) fn write_recency(&self, number: u8) -> io::Result<()> {
        self.tell_touches();
        let Some(shard) = self.shards.get(usize::from(number)) else {
            return Ok(());
        };
        // Of a folder that was not read the file that is there says more.
        if !self.is_read(number) || !shard.is_changed.swap(false, Ordering::Relaxed) {
            return Ok(());
        }
        let entries = self.index.lock().remembered(number);
        let path = self.layout.recency(number);
        let written = self.replace(&path, &recency::encode(number, &entries));
        written.inspect_err(|_| shard.is_changed.store(true, Ordering::Relaxed))
    }

    /// Writes down how much the folders hold, unless that is what was written last.
    pub(in crate::tiers) fn write_usage(&self) -> io::Result<()> {
        let epoch = self.epoch.load(Ordering::Acquire);
        let word = self.index.lock().word(epoch);
        self.write_word(word)
    }

    /// Promises no room any more and writes down what the next process may know, as far as that is
    /// done within `limit`.
    pub(in crate::tiers) fn close(&self, limit: Duration) -> io::Result<()> {
        let until = Instant::now() + limit;
        let epoch = self.epoch.load(Ordering::Acquire);
        self.let_go_of_all();
        let word = {
            let mut index = self.index.lock();
            index.close();
            index.word(epoch)
        };
        self.write_word(word)?;
        for number in 0..=u8::MAX {
            if Instant::now() >= until {
                return Err(io::ErrorKind::TimedOut.into());
            }
            self.write_recency(number)?;
        }
        Ok(())
    }

    fn write_word(&self, word: Word) -> io::Result<()> {
        let mut last = self.last_word.lock();
        if last.as_ref() != Some(&word) {
            self.replace(&self.layout.usage(), &word.encode())?;
            *last = Some(word);
        }
        Ok(())
    }

    /// Puts a file in the place of another, as a whole. What a crash leaves of it is a draft like
    /// others, gone at the next start.
    pub(super) fn replace(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        // Whoever has the path by now has files of these names, too.
        self.look_at_lock()?;
        let (files, draft) = (&self.files, self.layout.draft(self.next_draft()));
        let file = retry_in_folder(files, &draft, || files.create(&draft))?;
        let written = files
            .write_at(&file, &mut [IoSlice::new(bytes)], 0)
            .and_then(|()| retry_in_folder(files, path, || files.rename(&draft, path)));
        if written.is_err() {
            drop(files.remove(&draft));
        }
        written
    }
}

/// Whether no entry was ever stored here: there are no folders to be read.
pub(super) fn is_fresh(files: &Files, layout: &Layout) -> bool {
    let folders = files.list(&layout.entries());
    folders.is_ok_and(|mut folders| folders.next().is_none())
}

/// What the last process said of the folders; `None` where that cannot be known.
pub(super) fn read_word(files: &Files, layout: &Layout) -> Option<Word> {
    read(files, &layout.usage(), |file| {
        let bytes = whole(files, file, usage::LENGTH)?;
        Ok(bytes.and_then(|bytes| Word::decode(&bytes)))
    })
}

/// Reads a file that may be missing, unreadable or none of ours: all of that is nothing.
pub(super) fn read<T>(
    files: &Files,
    path: &Path,
    content: impl FnOnce(&File) -> io::Result<Option<T>>,
) -> Option<T> {
    match files.open(path).and_then(|file| content(&file)) {
        Ok(Some(content)) => Some(content),
        Ok(None) => {
            debug!(path = %path.display(), "a snapshot is not what was written; it is left out");
            None
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => {
            debug!(path = %path.display(), %error, "a snapshot cannot be read; it is left out");
            None
        }
    }
}

fn read_recency(files: &Files, file: &File, shard: u8) -> io::Result<Option<Vec<Remembered>>> {
    let mut head = [0; recency::HEAD];
    files.read_at(file, &mut head, 0)?;
    let Some(length) = recency::length(shard, &head) else {
        return Ok(None);
    };
    let bytes = whole(files, file, length)?;
    Ok(bytes.and_then(|bytes| recency::decode(shard, &bytes)))
}

/// All of a file, if it is exactly so long: a head that lies costs no memory.
fn whole(files: &Files, file: &File, length: usize) -> io::Result<Option<Vec<u8>>> {
    if files.status(file)?.len() != length as u64 {
        return Ok(None);
    }
    let mut bytes = vec![0; length];
    files.read_at(file, &mut bytes, 0)?;
    Ok(Some(bytes))
}
