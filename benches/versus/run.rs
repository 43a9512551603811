//! A run: rows one after the other, where one that fails does not lose the others.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use rustix::process::{Resource, getrlimit, setrlimit};
use rustix::thread::{CpuSet, sched_setaffinity};

use crate::rows::{Effort, ROWS, Row};
use crate::servers::{LOAD_CORE, Place, leftovers, pause};
use crate::{FOLDER, Run, programs, report, results, wrk};

/// Measures the rows that were picked.
pub(crate) fn rows(run: &Run) -> Result<()> {
    let known = |name: &String| ROWS.iter().any(|row| row.name == *name);
    if let Some(name) = run.rows.iter().find(|name| !known(name)) {
        anyhow::bail!("no row is called {name}; `list` names them");
    }
    programs::find()?;
    open_many_files()?;
    stay_on_core(LOAD_CORE)?;
    let place = Place {
        folder: PathBuf::from(FOLDER).join("run"),
        larder: run.larder.clone(),
        port: run.port,
    };
    leftovers::clear(&place.folder)?;
    let picked = |row: &&Row| run.rows.is_empty() || run.rows.iter().any(|it| it == row.name);
    let mut failed = Vec::new();
    for row in ROWS.iter().filter(picked) {
        if let Err(error) = one(row, &place, run) {
            eprintln!("{}: {error:#}", row.name);
            failed.push(row.name);
        }
    }
    leftovers::clear(&place.folder)?;
    if run.write && !run.quick {
        report::write()?;
    }
    ensure!(failed.is_empty(), "failed: {}", failed.join(", "));
    Ok(())
}

fn one(row: &Row, place: &Place, run: &Run) -> Result<()> {
    if row.work.wants_wrk() && !wrk::is_installed() {
        eprintln!("{}: left out, wrk is not installed", row.name);
        return Ok(());
    }
    if row.work.makes_files() && !run.quick {
        wait_for_calm(row, &place.folder);
    }
    let rounds = row.run(place, Effort::new(run.rounds, run.quick))?;
    println!("{}", report::table(row, &rounds));
    if !run.quick {
        results::keep(row, rounds)?;
    }
    Ok(())
}

fn wait_for_calm(row: &Row, folder: &Path) {
    if let Some(time) = leftovers::calm(folder) {
        let seconds = time.as_secs();
        eprintln!(
            "{}: in {seconds} s, when the files that the last run removed slow nobody down",
            row.name
        );
        pause(time);
    }
}

/// As many files as are allowed, for the servers as well: a connection is one.
pub(crate) fn open_many_files() -> Result<()> {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).context("the limit of open files")
}

/// Keeps this process, and what it starts, to one core.
pub(crate) fn stay_on_core(core: usize) -> Result<()> {
    let cores = std::thread::available_parallelism()?;
    ensure!(
        cores.get() > core,
        "the servers and the load want a core each"
    );
    let mut set = CpuSet::new();
    set.set(core);
    sched_setaffinity(None, &set)?;
    Ok(())
}
