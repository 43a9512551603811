//! What the tiers do while nobody asks: reading folders, evicting ahead of need, expiring, writing
//! down how entries were used, and looking after the directory.
//!
//! Nothing here waits for a disk that hangs but the one look that finds out when it no longer does.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::time::{Duration, sleep};
use tracing::{info, warn};

use super::Shared;
use super::disk::{Disk, Obstacle, OtherVersion, other_versions, run_alone};
use super::memory::Memory;
use crate::metrics::{DiskFault, DiskState};
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
/// Between two looks at a directory that works: two file calls.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// Between two questions whether it is time to probe a tier that does not.
const TICK: Duration = Duration::from_secs(1);

/// Runs until the process stops.
pub(super) async fn run(shared: Arc<Shared>, data_dir: PathBuf, tasks: Tasks) {
    tokio::select! {
        () = tasks.stopping() => {}
        () = keep_up(&shared) => {}
        () = keep_recency(&shared) => {}
        () = watch(&shared) => {}
        () = tell_of_others(&shared, data_dir) => {}
    }
}

/// Writes down now and then what a restart may know.
async fn keep_recency(shared: &Arc<Shared>) {
    let Some(disk) = &shared.disk else {
        return std::future::pending().await;
    };
    let mut is_failing = false;
    loop {
        sleep(SNAPSHOT).await;
        if !disk.faults.is_working() {
            continue;
        }
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
            let written = shared.jobs.run_within(move || writer.write_recency(shard));
            written.await.flatten()?;
            sleep(WRITING_PAUSE).await;
        }
    }
    let writer = Arc::clone(disk);
    shared
        .jobs
        .run_within(move || writer.write_usage())
        .await
        .flatten()
}

async fn keep_up(shared: &Arc<Shared>) {
    let mut was_read = false;
    loop {
        let settled = Arc::clone(&shared.memory);
        // A job that was lost costs one round.
        drop(shared.jobs.run_within(move || settle(&settled)).await);
        let Some(disk) = &shared.disk else {
            sleep(ROUND).await;
            continue;
        };
        if !disk.faults.is_off() {
            was_read |= read_all(shared, disk, was_read).await;
            round(shared, disk).await;
        }
        disk.faults.tell();
        disk.report();
        trim_until_next_round(shared, disk).await;
    }
}

/// Says once what other versions left in the directory: nobody else would.
async fn tell_of_others(shared: &Shared, data_dir: PathBuf) {
    // A walk through many files is long without any fault.
    let found = shared.jobs.run(move || other_versions(&data_dir)).await;
    for other in found.unwrap_or_default() {
        let OtherVersion { name, bytes, files } = other;
        info!(
            folder = name,
            bytes, files, "another version's entries are left alone"
        );
    }
    std::future::pending::<()>().await;
}

fn settle(memory: &Memory) {
    memory.settle();
    memory.find_oldest();
}

async fn round(shared: &Shared, disk: &Arc<Disk>) {
    let tidied = Arc::clone(disk);
    let tidying = shared.jobs.run_within(move || {
        tidied.let_go_of_all();
        tidied.drop_missing();
        tidied.remove_doomed();
    });
    drop(tidying.await);
    while removes_more(shared, disk, Disk::expire).await {}
}

/// Reads every folder that was not read, at a gentle pace; returns whether all are.
async fn read_all(shared: &Shared, disk: &Arc<Disk>, was_read: bool) -> bool {
    for shard in 0..=u8::MAX {
        if disk.is_read(shard) {
            continue;
        }
        if disk.faults.is_off() {
            return false;
        }
        let reader = Arc::clone(disk);
        let read = shared.jobs.run_within(move || reader.read_shard(shard));
        if let Ok(Err(error)) = read.await {
            disk.cannot_list(&error);
        }
        sleep(READING_PAUSE).await;
    }
    let is_read = disk.is_all_read();
    if is_read && !was_read {
        let foreign = disk.foreign();
        info!(entries = disk.entries(), foreign, "the disk tier is read");
    }
    is_read
}

/// Evicts whenever room gets short, for the time of one round, or until the tier came back.
async fn trim_until_next_round(shared: &Shared, disk: &Arc<Disk>) {
    let next_round = sleep(ROUND);
    tokio::pin!(next_round);
    loop {
        if disk.is_crowded() && !disk.faults.is_off() {
            while removes_more(shared, disk, Disk::trim).await {}
        }
        tokio::select! {
            () = &mut next_round => return,
            () = disk.came_back.notified() => return,
            () = disk.crowded.notified() => {}
        }
    }
}

async fn removes_more(shared: &Shared, disk: &Arc<Disk>, remove: fn(&Disk, usize) -> bool) -> bool {
    let disk = Arc::clone(disk);
    let more = shared.jobs.run_within(move || remove(&disk, BATCH)).await;
    more.unwrap_or(false)
}

/// Looks whether the directory is still there while the tier works, and whether the tier works again
/// while it does not.
async fn watch(shared: &Arc<Shared>) {
    let Some(disk) = &shared.disk else {
        return std::future::pending().await;
    };
    loop {
        let pause = if disk.faults.is_working() {
            LOOK_EVERY
        } else {
            TICK
        };
        tokio::select! {
            () = sleep(pause) => {}
            () = disk.faults.alarm.notified() => {}
        }
        look(disk).await;
    }
}

pub(super) async fn look(disk: &Arc<Disk>) {
    let looking = Arc::clone(disk);
    if disk.faults.is_off() {
        disk.let_go_of_all();
    }
    if disk.faults.is_working() {
        let looked = run_alone(&disk.faults, move || looking.look_after());
        if let Ok(Err(error)) = looked.await {
            disk.is_lost(&error);
        }
    } else if disk.faults.is_probe_due() {
        let found = run_alone(&disk.faults, move || looking.probe()).await;
        disk.faults.probed(found.unwrap_or_else(|error| {
            Err(Obstacle {
                state: DiskState::Off,
                kind: DiskFault::Slow,
                what: error.to_string(),
            })
        }));
        if disk.faults.is_working() {
            disk.came_back.notify_one();
        }
    }
}
