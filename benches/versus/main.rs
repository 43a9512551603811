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
mod run;
mod servers;
mod usage;
mod wrk;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use clap::{Parser, Subcommand};

use figures::Rounds;
use load::{Ask, Expect, Group, Load};
use rows::{Effort, ROWS};
use servers::LOAD_CORE;
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
        Job::Run(run) => run::rows(&run),
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

fn run_load(single: &Single) -> Result<()> {
    run::open_many_files()?;
    run::stay_on_core(LOAD_CORE)?;
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
