//! A whole artifact entering its tiers, or a key leaving them: what happens in one section.
//!
//! Both tiers change together, meta and body as one unit. Everything here blocks.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;

use super::Shared;
use super::contrast::Contrast;
use super::disk::{Draft, Prefix, Staged};
use super::epochs::{Epoch, Section};
use super::memory::Stored;
use crate::artifact::{ArtifactKey, Bypass, KeyDigest, Label, Landed, Meta};
use crate::metrics::Eviction;

/// A whole artifact on its way into the tiers.
#[derive(Debug)]
pub struct Landing {
    /// Which artifact.
    pub key: ArtifactKey,
    /// What travels with it.
    pub label: Label,
    /// The body's length in bytes; a body of another length does not land.
    pub size: u64,
    /// The body.
    pub body: LandingBody,
}

/// The body of a landing.
#[derive(Debug)]
pub enum LandingBody {
    /// Small, and whole in memory.
    Memory(Vec<Bytes>),
    /// Whole in a draft.
    Draft(Draft),
}

/// Why a fill did not land.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotLanded {
    /// The key changed while the fill was under way: what it brings may be old.
    Overtaken,
    /// No tier takes it.
    Bypassed(Bypass),
}

/// Who brings the artifact, and what gives way to whom.
#[derive(Clone, Copy, Debug)]
pub(super) enum Entrance {
    /// A fill that noted this epoch at its start gives way to everything since.
    Fill(Epoch),
    /// An accepted upload replaces everything.
    Upload,
}

/// An artifact ready to enter each tier that takes it.
pub(super) struct Ready {
    pub(super) meta: Arc<Meta>,
    pub(super) disk: Result<Staged, Bypass>,
    pub(super) memory: Option<Arc<Stored>>,
}

// === impl Shared ===

impl Shared {
    /// Lands an artifact, or leaves what the rules of its entrance say.
    ///
    /// Nothing lands once it is `given_up`: whoever did so has settled what is found of the key.
    pub(super) fn land(
        &self,
        landing: Landing,
        entrance: Entrance,
        given_up: &AtomicBool,
    ) -> Result<(), NotLanded> {
        let key = landing.key.digest;
        let ready = self.prepare(landing);
        let section = self.epochs.enter(key.as_bytes());
        if given_up.load(Ordering::Acquire) {
            return Err(NotLanded::Overtaken);
        }
        match entrance {
            Entrance::Fill(noted) if !section.is_still(noted) => Err(NotLanded::Overtaken),
            Entrance::Fill(_) => ready
                .and_then(|ready| self.enter(&section, &key, ready))
                .map_err(NotLanded::Bypassed),
            Entrance::Upload => {
                let landed = ready.and_then(|ready| self.replace(&section, &key, ready));
                if landed.is_err() {
                    self.clear(&section, &key);
                }
                section.bump();
                if let Some(contrast) = landed.map_err(NotLanded::Bypassed)? {
                    self.compare(contrast);
                }
                Ok(())
            }
        }
    }

    /// Takes a key out of both tiers, with every file it has.
    pub(super) fn forget(&self, key: &KeyDigest) {
        let section = self.epochs.enter(key.as_bytes());
        self.clear(&section, key);
        section.bump();
    }

    /// Everything that takes time, before the section; an error where neither tier takes it.
    fn prepare(&self, landing: Landing) -> Result<Ready, Bypass> {
        let Landing {
            key,
            label,
            size,
            body,
        } = landing;
        let meta = Arc::new(Meta {
            label,
            size,
            landed: Landed::now(),
        });
        let ready = match body {
            LandingBody::Draft(draft) => Ready {
                disk: draft.stage(&key, &meta),
                memory: None,
                meta,
            },
            LandingBody::Memory(chunks) => {
                let body = joined(&chunks, size)?;
                let disk = self.stage(&key, &meta, &body);
                let stored = Stored::new(Arc::clone(&meta), body);
                let memory = self.admits_to_memory(size).then(|| Arc::new(stored));
                Ready { meta, disk, memory }
            }
        };
        match (&ready.disk, &ready.memory) {
            (Err(bypass), None) => Err(*bypass),
            _ => Ok(ready),
        }
    }

    fn stage(&self, key: &ArtifactKey, meta: &Meta, body: &[u8]) -> Result<Staged, Bypass> {
        self.admission.disk(meta.size)?;
        let disk = self.disk.as_ref().ok_or(Bypass::NoRoom)?;
        disk.faults.may_store()?;
        Staged::write(disk, key, meta, body)
    }

    /// Enters an upload, and has at hand what it replaced.
    fn replace(
        &self,
        section: &Section<'_>,
        key: &KeyDigest,
        ready: Ready,
    ) -> Result<Option<Contrast>, Bypass> {
        let contrast = self.contrast(key, &ready);
        self.enter(section, key, ready)?;
        Ok(contrast)
    }

    /// Replaces what both tiers have of a key. Where the disk cannot take the new entry it must not
    /// keep the old one.
    fn enter(&self, section: &Section<'_>, key: &KeyDigest, ready: Ready) -> Result<(), Bypass> {
        let on_disk = match (ready.disk, &self.disk) {
            (Ok(staged), Some(disk)) => disk.commit(staged),
            (Ok(_), None) => Err(Bypass::NoRoom),
            (Err(bypass), _) => Err(bypass),
        };
        if on_disk.is_err() {
            self.clear(section, key);
        }
        let moment = self.epochs.stop(key.as_bytes());
        if !moment.is_undisturbed() {
            // It took so long that somebody else settled what is found of the key.
            self.memory.replace(key, None);
            return Err(Bypass::DiskFault);
        }
        let in_memory = self.memory.replace(key, ready.memory);
        if in_memory { Ok(()) } else { on_disk }
    }

    pub(super) fn clear(&self, _section: &Section<'_>, key: &KeyDigest) {
        if let Some(disk) = &self.disk {
            // Where it fails the disk tier remembers that the key must not be found.
            disk.remove_all(&Prefix::of(key), Eviction::Replaced)
                .unwrap_or_default();
        }
        self.memory.replace(key, None);
    }
}

/// One buffer of exactly the body: a piece of a larger one would keep all of it alive.
pub(super) fn joined(chunks: &[Bytes], size: u64) -> Result<Bytes, Bypass> {
    let body = chunks.concat();
    if body.len() as u64 == size {
        Ok(body.into())
    } else {
        Err(Bypass::DiskFault)
    }
}
