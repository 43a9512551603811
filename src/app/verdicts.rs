//! Keeps over a restart what the upstream thought of callers.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::task::spawn_blocking;
use tokio::time::{Duration, sleep};

use super::secrets::replace;
use crate::access::Access;
use crate::tasks::Tasks;

const FILE: &str = "verdicts";

/// How long changes gather before they are written: a crash loses no more than this.
const GATHER: Duration = Duration::from_secs(1);

/// Takes back what the last process left; nothing where it left nothing.
pub(super) fn recall(access: &Access, data_dir: &Path) {
    match fs::read(data_dir.join(FILE)) {
        Ok(bytes) => access.restore(&bytes),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => tracing::warn!(%error, "remembered verdicts cannot be read"),
    }
}

/// Writes changes down until the process stops; what is left then is written at its end.
pub(super) async fn keep(access: Arc<Access>, data_dir: PathBuf, tasks: Tasks) {
    loop {
        tokio::select! {
            () = access.changed() => {}
            () = tasks.stopping() => return,
        }
        tokio::select! {
            () = sleep(GATHER) => {}
            () = tasks.stopping() => return,
        }
        write(&access, &data_dir).await;
    }
}

/// Writes down what is remembered now.
pub(super) async fn write(access: &Access, data_dir: &Path) {
    let (bytes, path) = (access.to_bytes(), data_dir.join(FILE));
    let written = spawn_blocking(move || replace(&path, &bytes)).await;
    if let Ok(Err(error)) = written {
        tracing::warn!(%error, "verdicts cannot be written down; a restart will ask for them anew");
    }
}
