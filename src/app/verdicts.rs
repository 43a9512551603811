//! Keeps over a restart what the upstream thought of callers.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Mutex;
use tokio::task::spawn_blocking;
use tokio::time::{Duration, sleep, timeout};

use super::secrets::replace;
use crate::access::Access;
use crate::tasks::Tasks;

const FILE: &str = "verdicts";

/// How long changes gather before they are written: a crash loses no more than this.
const GATHER: Duration = Duration::from_secs(1);
/// How long the end of the process waits for the last of them: a disk that hangs may never answer.
const CLOSING: Duration = Duration::from_secs(1);

/// Takes back what the last process left; nothing where it left nothing.
pub(super) fn recall(access: &Access, data_dir: &Path) {
    match fs::read(data_dir.join(FILE)) {
        Ok(bytes) => access.restore(&bytes),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => tracing::warn!(%error, "remembered verdicts cannot be read"),
    }
}

/// What is remembered, and the file it is written to.
#[derive(Debug)]
pub(super) struct Notes {
    access: Arc<Access>,
    path: PathBuf,
    /// Held until the file is written, whoever stops waiting for that: one writer at a time.
    turn: Arc<Mutex<()>>,
    is_failing: AtomicBool,
}

// === impl Notes ===

impl Notes {
    /// Of what `access` remembers, kept in `data_dir`.
    pub(super) fn new(access: Arc<Access>, data_dir: &Path) -> Self {
        Self {
            access,
            path: data_dir.join(FILE),
            turn: Arc::default(),
            is_failing: AtomicBool::new(false),
        }
    }

    /// Writes changes down until the process stops; what is left then is for [`close`](Self::close).
    pub(super) async fn keep(self: Arc<Self>, tasks: Tasks) {
        let written = async {
            loop {
                self.access.changed().await;
                sleep(GATHER).await;
                self.write().await;
            }
        };
        tokio::select! {
            () = written => {}
            () = tasks.stopping() => {}
        }
    }

    /// Writes down what is remembered now, if the disk takes it in a second.
    pub(super) async fn close(&self) {
        if timeout(CLOSING, self.write()).await.is_err() {
            tracing::warn!("verdicts could not be written down in time");
        }
    }

    async fn write(&self) {
        let turn = Arc::clone(&self.turn).lock_owned().await;
        let (bytes, path) = (self.access.to_bytes(), self.path.clone());
        let written = spawn_blocking(move || {
            let written = replace(&path, &bytes);
            drop(turn);
            written
        })
        .await;
        let Ok(written) = written else { return };
        let is_news = self.is_news(written.is_err());
        match written {
            Err(error) if is_news => tracing::warn!(
                %error,
                "verdicts cannot be written down; a restart will ask for them anew"
            ),
            Ok(()) if is_news => tracing::info!("verdicts are written down again"),
            _ => {}
        }
    }

    /// Whether the log has not heard that writing fails, or works again.
    fn is_news(&self, fails: bool) -> bool {
        self.is_failing.swap(fails, Ordering::Relaxed) != fails
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::metrics::Metrics;
    use crate::upstream::Upstream;

    fn notes(dir: &Path) -> Notes {
        let config = Config::built_in(dir);
        let metrics = Arc::new(Metrics::new().unwrap());
        let upstream =
            Arc::new(Upstream::new(&config.upstream, Arc::clone(&metrics), Tasks::new()).unwrap());
        let access = Access::new(&config, None, upstream, metrics, Tasks::new());
        Notes::new(access, dir)
    }

    #[tokio::test]
    async fn a_disk_that_hangs_holds_up_neither_the_stop_nor_the_end() {
        let dir = tempfile::tempdir().unwrap();
        let notes = Arc::new(notes(dir.path()));
        let hung = Arc::clone(&notes.turn).lock_owned().await;
        let tasks = Tasks::new();
        tasks.stop();
        Arc::clone(&notes).keep(tasks).await;
        tokio::time::pause();
        notes.close().await;
        assert!(!dir.path().join(FILE).exists());
        tokio::time::resume();
        drop(hung);
        notes.close().await;
        assert!(dir.path().join(FILE).exists());
    }

    #[tokio::test]
    async fn the_log_hears_once_that_it_fails_and_once_that_it_works_again() {
        let dir = tempfile::tempdir().unwrap();
        let notes = notes(dir.path());
        let news = [false, true, true, false, false].map(|fails| notes.is_news(fails));
        assert_eq!(news, [false, true, false, true, false]);
    }
}
