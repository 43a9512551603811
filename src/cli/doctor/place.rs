//! What this machine gives Larder: a directory, room, a disk's speed, memory, open files.
//!
//! Looks, and writes one file that nobody ever sees: it has no name by the time it is written to.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::{Resource, getrlimit};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, timeout};

use super::finding::{Check, Finding};
use super::fitness::{self, Rates, Room};
use super::report::Report;
use crate::app::announced;
use crate::config::{Config, memory_limit};
use crate::tiers::{held, used_by};

/// A disk that does not answer in this time hangs.
const PATIENCE: Duration = Duration::from_secs(10);
/// Most of what is written and read to see how fast the disk is.
const TRIAL: usize = 64 << 20;
/// Bytes that are written and made to rest at once.
const PIECE: usize = 4 << 20;
/// The longest that writing may take, and reading again.
const TRIAL_TIME: Duration = Duration::from_secs(1);

/// Examines the machine. What hangs is left behind.
pub(super) async fn examine(report: &mut Report, config: &Config) {
    let data_dir = &config.data_dir;
    let place = existing(data_dir);
    let (tried, took) = look(&place, |place| try_out(place).map(drop)).await;
    let is_there = place == *data_dir;
    let writable = fitness::directory(data_dir, is_there, tried.as_ref());
    report.add(Check::DataDirectory, writable, Some(took));
    let (owner, _) = look(data_dir, |dir| Ok(used_by(dir))).await;
    let owner = owner.ok().flatten();
    let admin = announced(data_dir).ok().map(|announced| announced.address);
    report.add(Check::Process, fitness::process(owner, admin), None);
    let room = room(config, &place).await;
    report.add(Check::Room, fitness::room(&room), None);
    let (speed, took) = speed(&room, &place, tried.is_ok()).await;
    report.add(Check::Speed, speed, took);
    let tiers = &config.tier;
    let bodies = tiers
        .memory
        .capacity
        .saturating_add(tiers.in_flight.saturating_mul(2));
    report.add(Check::Memory, fitness::memory(bodies, memory_limit()), None);
    let files = getrlimit(Resource::Nofile).maximum;
    let finding = fitness::open_files(files, config.server.max_connections);
    report.add(Check::OpenFiles, finding, None);
}

/// The data directory, or what it will be made in.
fn existing(data_dir: &Path) -> PathBuf {
    let found = data_dir.ancestors().find(|path| path.is_dir());
    found.unwrap_or_else(|| Path::new(".")).to_owned()
}

/// Asks the system something that may hang with its disk.
async fn look<T: Send + 'static>(
    path: &Path,
    ask: impl FnOnce(&Path) -> io::Result<T> + Send + 'static,
) -> (io::Result<T>, Duration) {
    look_for(PATIENCE, path, ask).await
}

async fn look_for<T: Send + 'static>(
    patience: Duration,
    path: &Path,
    ask: impl FnOnce(&Path) -> io::Result<T> + Send + 'static,
) -> (io::Result<T>, Duration) {
    let (path, begun) = (path.to_owned(), Instant::now());
    let asked = timeout(patience, spawn_blocking(move || ask(&path))).await;
    let hangs = || {
        io::Error::new(
            io::ErrorKind::TimedOut,
            format!("no answer in {patience:?}"),
        )
    };
    let asked = match asked {
        Ok(Ok(asked)) => asked,
        Ok(Err(error)) => Err(error.into()),
        Err(_) => Err(hangs()),
    };
    (asked, begun.elapsed())
}

/// A file without a name: it is gone when this process is, however that ends.
fn try_out(folder: &Path) -> io::Result<File> {
    let path = folder.join(format!(".larder-doctor-{}", std::process::id()));
    let mut options = OpenOptions::new();
    let file = options
        .read(true)
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&path)?;
    fs::remove_file(&path)?;
    Ok(file)
}

async fn room(config: &Config, place: &Path) -> Room {
    let (system, _) = look(place, |place| Ok(rustix::fs::statvfs(place)?)).await;
    let (held, _) = look(&config.data_dir, |dir| Ok(held(dir))).await;
    Room {
        available: system
            .ok()
            .map(|it| it.f_frsize.saturating_mul(it.f_bavail)),
        held: held.unwrap_or(0),
        capacity: config.tier.disk.capacity,
        min_free: config.tier.disk.min_free,
    }
}

async fn speed(room: &Room, place: &Path, is_writable: bool) -> (Finding, Option<Duration>) {
    if room.capacity == 0 {
        return (Finding::not_tried("the disk tier is off"), None);
    }
    let spare = usize::try_from(room.spare()).unwrap_or(usize::MAX);
    if !is_writable || spare < PIECE {
        let why = "the directory cannot be written to, or has no room above tier.disk.min_free";
        return (Finding::not_tried(why), None);
    }
    let (rates, took) = look(place, move |place| measure(place, spare.min(TRIAL))).await;
    (fitness::speed(rates.as_ref()), Some(took))
}

/// Writes at most so many bytes and reads them again, each for a while.
fn measure(folder: &Path, most: usize) -> io::Result<Rates> {
    let mut file = try_out(folder)?;
    let mut piece = vec![0; PIECE];
    // Zeros are no bytes to some file systems.
    getrandom::fill(&mut piece).map_err(io::Error::other)?;
    let (mut written, begun) = (0, Instant::now());
    while written + PIECE <= most && begun.elapsed() < TRIAL_TIME {
        file.write_all(&piece)?;
        file.sync_data()?;
        written += PIECE;
    }
    let writing = begun.elapsed();
    // Else it is the memory that is read.
    #[cfg(target_os = "linux")]
    rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed)?;
    file.rewind()?;
    let (mut read, begun) = (0, Instant::now());
    while read < written && begun.elapsed() < TRIAL_TIME {
        file.read_exact(&mut piece)?;
        read += PIECE;
    }
    Ok(Rates {
        written: written as u64,
        writing,
        read: read as u64,
        reading: begun.elapsed(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trial_of_the_disk_leaves_nothing_and_measures_something() {
        let dir = tempfile::tempdir().unwrap();
        let rates = measure(dir.path(), 2 * PIECE).unwrap();
        assert!(rates.written >= PIECE as u64 && rates.read >= PIECE as u64);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
        assert_eq!(existing(&dir.path().join("a/b")), dir.path());
        try_out(&dir.path().join("nowhere")).unwrap_err();
    }

    #[tokio::test]
    async fn a_disk_that_hangs_is_not_waited_for() {
        let (release, gate) = std::sync::mpsc::channel::<()>();
        let moment = Duration::from_millis(10);
        let hangs = look_for(moment, Path::new("/"), move |_| Ok(gate.recv().ok()));
        let (asked, _) = hangs.await;
        assert_eq!(asked.unwrap_err().kind(), io::ErrorKind::TimedOut);
        drop(release);
    }
}
