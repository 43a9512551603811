//! `larder stats`: how a Larder that runs is doing, for people or as the admin API says it.

mod page;

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use tokio::signal::ctrl_c;
use tokio::time::{MissedTickBehavior, interval};

use super::inquiry::{Inquiry, ProcessFlags, Told};
use super::{quick_runtime, unless_read_enough};
use crate::config::Config;

const PATH: &str = "/api/v1/stats";

/// Puts the next page in the place of the last, on a terminal.
const CLEAR: &str = "\x1b[H\x1b[2J";

/// What is shown, and how often.
#[derive(Args, Debug)]
pub(super) struct StatsFlags {
    #[command(flatten)]
    pub(super) process: ProcessFlags,
    /// Prints the answer of the admin API as it is, on one line
    #[arg(long)]
    json: bool,
    /// Asks again every so many seconds, until Ctrl-C
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "2")]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=3600))]
    watch: Option<u64>,
}

/// Asks and prints, once or until somebody has seen enough.
pub(super) fn run(config: &Config, flags: &StatsFlags) -> anyhow::Result<ExitCode> {
    let inquiry = Inquiry::of(config)?;
    let showing = async {
        match flags.watch {
            None => show(&inquiry, flags).await.map(drop),
            Some(seconds) => tokio::select! {
                ended = watch(&inquiry, flags, Duration::from_secs(seconds)) => ended,
                _ = ctrl_c() => Ok(()),
            },
        }
    };
    quick_runtime()?.block_on(showing)?;
    Ok(ExitCode::SUCCESS)
}

async fn watch(inquiry: &Inquiry, flags: &StatsFlags, every: Duration) -> anyhow::Result<()> {
    let mut turn = interval(every);
    turn.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        turn.tick().await;
        if !show(inquiry, flags).await? {
            return Ok(());
        }
    }
}

/// Asks and prints; returns whether somebody may want to read more.
async fn show(inquiry: &Inquiry, flags: &StatsFlags) -> anyhow::Result<bool> {
    let told = inquiry.get(PATH).await?;
    let text = if flags.json {
        told.successful()?.text + "\n"
    } else {
        page(told, flags.watch.is_some() && io::stdout().is_terminal())?
    };
    let mut stdout = io::stdout().lock();
    let written = stdout.write_all(text.as_bytes());
    let written = written.and_then(|()| stdout.flush());
    let is_read = written.is_ok();
    unless_read_enough(written)?;
    Ok(is_read)
}

fn page(told: Told, is_redrawn: bool) -> anyhow::Result<String> {
    let page = page::draw(&told.json()?);
    let before = if is_redrawn { CLEAR } else { "" };
    Ok(format!("{before}{page}"))
}
