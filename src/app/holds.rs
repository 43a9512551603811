//! Keeps over a restart what is held back.
//!
//! A change that the operator makes is on the disk before it is answered. That an upload has healed something may
//! be lost in a crash: it is held again then, until the next one.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::task::spawn_blocking;
use tokio::time::{Duration, sleep, timeout};

use super::secrets::{SecretError, replace};
use crate::admin::HeldBack;
use crate::holds::{Damaged, Holds};
use crate::proxy::Proxy;
use crate::tasks::Tasks;

const FILE: &str = "holds";

/// How long what uploads healed gathers before it is written.
const GATHER: Duration = Duration::from_secs(1);
/// How long the end of the process waits for the last of it: a disk that hangs may never answer.
const CLOSING: Duration = Duration::from_secs(1);

/// What is held back cannot be known, or not be written down.
#[derive(Debug, thiserror::Error)]
pub enum HoldsError {
    /// A file system fault.
    #[error("cannot use {path}: {source}", path = .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file that holds something else. Read as empty it would let out what the operator holds back.
    #[error("{path} lists the artifacts that are held back, and {damaged}: hold them anew once it is removed", path = .path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        damaged: Damaged,
    },
    /// The file cannot be replaced.
    #[error(transparent)]
    Written(#[from] SecretError),
}

/// What is held back, and the file it is written to.
#[derive(Debug)]
pub(super) struct HeldNotes {
    holds: Arc<Holds>,
    path: PathBuf,
    /// One writer at a time, and each writes what is so by its turn.
    turn: Mutex<()>,
}

// === impl HeldNotes ===

impl HeldNotes {
    /// Takes back what the last process left.
    ///
    /// # Errors
    ///
    /// When what it left cannot be read, to the last hold.
    pub(super) fn recall(data_dir: &Path) -> Result<Arc<Self>, HoldsError> {
        let path = data_dir.join(FILE);
        let holds = match fs::read(&path) {
            Ok(bytes) => Holds::from_bytes(&bytes).map_err(|damaged| HoldsError::Damaged {
                path: path.clone(),
                damaged,
            })?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Holds::new(),
            Err(source) => return Err(HoldsError::File { path, source }),
        };
        Ok(Arc::new(Self {
            holds: Arc::new(holds),
            path,
            turn: Mutex::new(()),
        }))
    }

    pub(super) fn holds(&self) -> Arc<Holds> {
        Arc::clone(&self.holds)
    }

    /// What is held back, and what makes a change of it so: nothing under way in `proxy` lands, and a restart
    /// knows of it.
    pub(super) fn behind(self: &Arc<Self>, proxy: &Arc<Proxy>) -> HeldBack {
        let (notes, proxy) = (Arc::clone(self), Arc::clone(proxy));
        let settle = Box::new(move || {
            proxy.outdate();
            notes.write().map_err(|error| error.to_string())
        });
        HeldBack {
            holds: self.holds(),
            settle,
        }
    }

    /// Writes down what is held now; once this returns it outlasts a loss of power. Blocks.
    pub(super) fn write(&self) -> Result<(), HoldsError> {
        let _turn = self.turn.lock();
        replace(&self.path, &self.holds.to_bytes())?;
        let folder = self.path.parent().unwrap_or(&self.path);
        let synced = File::open(folder).and_then(|folder| folder.sync_all());
        synced.map_err(|source| HoldsError::File {
            path: folder.to_owned(),
            source,
        })
    }

    /// Writes down what uploads heal until the process stops; the last of it is for [`close`](Self::close).
    pub(super) async fn keep(self: Arc<Self>, tasks: Tasks) {
        let written = async {
            loop {
                self.holds.changed().await;
                sleep(GATHER).await;
                self.write_healed().await;
            }
        };
        tokio::select! {
            () = written => {}
            () = tasks.stopping() => {}
        }
    }

    /// Writes down what is held now, if the disk takes it in a second, and if anything ever was.
    pub(super) async fn close(self: &Arc<Self>) {
        if timeout(CLOSING, self.write_healed()).await.is_err() {
            tracing::warn!("what uploads healed could not be written down in time");
        }
    }

    async fn write_healed(self: &Arc<Self>) {
        let notes = Arc::clone(self);
        let write = move || {
            // Nothing was ever held.
            let is_plain = notes.holds.list().is_empty() && !notes.path.exists();
            if is_plain { Ok(()) } else { notes.write() }
        };
        if let Ok(Err(error)) = spawn_blocking(write).await {
            tracing::warn!(
                %error,
                "what uploads healed cannot be written down; a restart holds it back again"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::artifact::ArtifactHash;

    #[test]
    fn what_is_held_is_in_a_file_for_this_user_alone_and_comes_back() {
        let dir = tempfile::tempdir().unwrap();
        let notes = HeldNotes::recall(dir.path()).unwrap();
        let hash = ArtifactHash::parse("aa").unwrap();
        notes.holds.hold(hash, Some("acme".to_owned())).unwrap();
        notes.write().unwrap();
        let mode = fs::metadata(dir.path().join(FILE))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
        let again = HeldNotes::recall(dir.path()).unwrap();
        assert_eq!(again.holds.list(), notes.holds.list());
    }

    #[test]
    fn a_list_that_is_damaged_is_not_read_as_an_empty_one_and_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FILE);
        fs::write(&path, b"larder-holds 1\n").unwrap();
        let error = HeldNotes::recall(dir.path()).unwrap_err().to_string();
        assert!(
            error.contains("holds") && error.contains("removed"),
            "{error}"
        );
        assert_eq!(fs::read(&path).unwrap(), b"larder-holds 1\n");
    }
}
