//! What the tiers do while nobody asks: reading folders, evicting ahead of need, expiring, writing
//! down how entries were used.

use std::io;
use std::sync::Arc;

use tokio::time::{Duration, sleep};
use tracing::{info, warn};

use super::Shared;
use super::disk::Disk;
use crate::tasks::Tasks;

/// Between two folders: 256 of them take about two seconds, and requests come first.
const READING_PAUSE: Duration = Duration::from_millis(5);
/// Between two rounds of expiry.
const ROUND: Duration = Duration::from_mins(1);
/// Entries removed in one job, so that a job's thread is not held for long.
const BATCH: usize = 64;
/// How much recency a crash may cost.
const SNAPSHOT: Duration = Duration::from_mins(5);
/// Between two files of a snapshot: 256 of them take about two seconds, and requests come first.
const WRITING_PAUSE: Duration = Duration::from_millis(5);

/// Runs until the process stops.
pub(super) async fn run(shared: Arc<Shared>, tasks: Tasks) {
    tokio::select! {
        () = tasks.stopping() => {}
        ((), ()) = async { tokio::join!(keep_up(&shared), keep_recency(&shared)) } => {}
    }
}

/// Writes down now and then what a restart may know.
async fn keep_recency(shared: &Arc<Shared>) {
    let Some(disk) = &shared.disk else { return };
    let mut is_failing = false;
    loop {
        sleep(SNAPSHOT).await;
        let written = write_recency(shared, disk).await;
        if let Err(error) = &written
            && !is_failing
        {
            warn!(%error, "how entries were used cannot be written down; a restart may forget it");
        }
        is_failing = written.is_err();
    }
}

async fn write_recency(shared: &Shared, disk: &Arc<Disk>) -> io::Result<()> {
    for shard in 0..=u8::MAX {
        if disk.is_changed(shard) {
            let writer = Arc::clone(disk);
            let written = shared.jobs.run(move || writer.write_recency(shard));
            written.await.flatten()?;
            sleep(WRITING_PAUSE).await;
        }
    }
    let writer = Arc::clone(disk);
    shared
        .jobs
        .run(move || writer.write_usage())
        .await
        .flatten()
}

async fn keep_up(shared: &Arc<Shared>) {
    if let Some(disk) = &shared.disk {
        read_all(shared, disk).await;
    }
    loop {
        let settled = Arc::clone(shared);
        // A job that was lost costs one round.
        drop(shared.jobs.run(move || settle(&settled)).await);
        match &shared.disk {
            Some(disk) => {
                let doomed = Arc::clone(disk);
                drop(shared.jobs.run(move || doomed.remove_doomed()).await);
                while removes_more(shared, disk, Disk::expire).await {}
                disk.report();
                trim_until_next_round(shared, disk).await;
            }
            None => sleep(ROUND).await,
        }
    }
}

fn settle(shared: &Shared) {
    shared.memory.settle();
    shared.memory.find_oldest();
}

/// Reads every folder that no look-up has read, at a gentle pace.
async fn read_all(shared: &Shared, disk: &Arc<Disk>) {
    for shard in 0..=u8::MAX {
        let reader = Arc::clone(disk);
        let read = shared.jobs.run(move || reader.read_shard(shard)).await;
        if let Err(error) = read.flatten() {
            warn!(%error, shard, "a folder of the disk tier cannot be read");
        }
        sleep(READING_PAUSE).await;
    }
    let foreign = disk.foreign();
    info!(entries = disk.entries(), foreign, "the disk tier is read");
}

/// Evicts whenever room gets short, for the time of one round.
async fn trim_until_next_round(shared: &Shared, disk: &Arc<Disk>) {
    let next_round = sleep(ROUND);
    tokio::pin!(next_round);
    loop {
        if disk.is_crowded() {
            while removes_more(shared, disk, Disk::trim).await {}
        }
        tokio::select! {
            () = &mut next_round => return,
            () = disk.crowded.notified() => {}
        }
    }
}

async fn removes_more(shared: &Shared, disk: &Arc<Disk>, remove: fn(&Disk, usize) -> bool) -> bool {
    let disk = Arc::clone(disk);
    let more = shared.jobs.run(move || remove(&disk, BATCH)).await;
    more.unwrap_or(false)
}
