//! The same work for Larder, nginx and Varnish, on one core of this machine, while the load has the other:
//! `just versus`. Writes the figures of docs/performance.md.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    clippy::disallowed_types,
    clippy::indexing_slicing,
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "a measurement reads a clock, counts in floats, and may fail loudly"
)]

mod body;
mod certificate;
mod figures;
mod load;
mod machine;
mod noise;
mod origin;
mod plot;
mod programs;
mod report;
mod results;
mod rows;
mod servers;
mod usage;
mod wrk;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clap::{Parser, Subcommand};
use rustix::thread::{CpuSet, sched_setaffinity};

use figures::Rounds;
use load::{Ask, Expect, Group, Load};
use rows::{Effort, ROWS, Row};
use servers::{LOAD_CORE, Place};
use usage::Processes;

/// Where servers run and figures wait for the document.
const FOLDER: &str = "target/versus";

#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    job: Job,
}

#[derive(Subcommand)]
enum Job {
    /// Measure rows, all where none is named.
    Run(Run),
    /// Write what was measured last into docs/performance.md.
    Write,
    /// Name the rows.
    List,
    /// Be the origin.
    Origin {
        #[arg(long)]
        port: u16,
        /// Bytes a second of a body.
        #[arg(long)]
        pace: Option<u64>,
    },
    /// Be the load on whatever listens at the port, and print what it came to.
    Load(Single),
}

#[derive(clap::Args)]
struct Run {
    rows: Vec<String>,
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Fewer rounds, shorter turns: shows that it works, measures little, keeps nothing.
    #[arg(long)]
    quick: bool,
    /// Write the document as well.
    #[arg(long)]
    write: bool,
    #[arg(long, default_value = "target/release/larder")]
    larder: PathBuf,
    /// The first of ten ports.
    #[arg(long, default_value_t = 9300)]
    port: u16,
}

#[derive(clap::Args)]
struct Single {
    #[arg(long)]
    port: u16,
    #[arg(long, default_value_t = 1024)]
    size: u64,
    #[arg(long, default_value_t = 64)]
    connections: usize,
    #[arg(long, default_value_t = 2.0)]
    seconds: f64,
    /// Every request is for an artifact of its own.
    #[arg(long, conflicts_with = "upload")]
    unseen: bool,
    /// Every request is an upload of its own.
    #[arg(long)]
    upload: bool,
    /// The server, for its time of processors.
    #[arg(long)]
    process: Option<u32>,
}

fn main() -> Result<()> {
    match Arguments::parse().job {
        Job::Run(run) => run_rows(&run),
        Job::Write => report::write(),
        Job::List => {
            for row in &ROWS {
                println!("{:14} {}", row.name, row.title);
            }
            Ok(())
        }
        Job::Origin { port, pace } => origin::serve(port, pace),
        Job::Load(single) => run_load(&single),
    }
}

fn run_rows(run: &Run) -> Result<()> {
    let effort = Effort::new(run.rounds, run.quick);
    let known = |name: &String| ROWS.iter().any(|row| row.name == *name);
    if let Some(name) = run.rows.iter().find(|name| !known(name)) {
        anyhow::bail!("no row is called {name}; `list` names them");
    }
    programs::find()?;
    stay_on_core(LOAD_CORE)?;
    let picked = |row: &&Row| run.rows.is_empty() || run.rows.iter().any(|it| it == row.name);
    let place = Place {
        folder: PathBuf::from(FOLDER).join("run"),
        larder: run.larder.clone(),
        port: run.port,
    };
    for row in ROWS.iter().filter(picked) {
        if row.work.wants_wrk() && !wrk::is_installed() {
            eprintln!("{}: left out, wrk is not installed", row.name);
            continue;
        }
        let rounds = row.run(&place, effort).with_context(|| row.name)?;
        println!("{}", report::table(row, &rounds));
        if !run.quick {
            results::keep(row, rounds)?;
        }
    }
    if run.write && !run.quick {
        report::write()?;
    }
    Ok(())
}

fn run_load(single: &Single) -> Result<()> {
    stay_on_core(LOAD_CORE)?;
    let size = single.size;
    let (ask, expect) = match (single.unseen, single.upload) {
        (true, _) => (Ask::Unseen { size }, Expect::Stored(size)),
        (_, true) => (Ask::Upload { size }, Expect::Taken),
        _ => (Ask::Same { size, number: 1 }, Expect::Body(size)),
    };
    let group = Group::new(single.port, single.connections, ask, expect);
    let effort = Effort::once(Duration::from_secs_f64(single.seconds));
    let server = single
        .process
        .map_or(Ok(Processes::this()), Processes::below)?;
    let mut load = Load::start(&[group])?;
    let sample = rows::measure(&mut load, &server, effort)?;
    let mut rounds = Rounds::new(load.cache());
    rounds.samples.push(sample);
    print!("{}", report::lines(&[rounds]));
    Ok(())
}

/// Keeps this process, and what it starts, to one core.
fn stay_on_core(core: usize) -> Result<()> {
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
