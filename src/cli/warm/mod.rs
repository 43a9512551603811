//! `larder warm`: has a Larder that runs fetch artifacts ahead, so that the next build hits.
//!
//! It is a client like any other: what it may have, and what stays in the tiers, is decided there.

mod ending;
mod fetching;
mod hashes;
mod place;
mod tally;

use std::fs::File;
use std::io::{IsTerminal, Read, stdin};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Args;
use futures_util::future::join_all;
use http::Uri;
use tokio::signal::ctrl_c;
use tokio::time::{Duration, Instant};

use self::fetching::Fetching;
use self::hashes::MAX_INPUT;
use self::tally::{Stop, Tally};
use super::credential::{Credential, CredentialFlags};
use super::inquiry::ProcessFlags;
use super::progress::Progress;
use super::{USAGE, complain, quick_runtime, unless_read_enough};
use crate::artifact::ArtifactHash;
use crate::config::{self, Asker, Environment, Loaded, Target, parse_size};
use crate::upstream::{UpstreamError, Way};

/// What a Larder takes to say that it has a head, its upstream's further try included, and some more.
const HEAD: Duration = Duration::from_secs(30);

/// What is warmed, where, and as whom.
#[derive(Args, Debug)]
pub(super) struct WarmFlags {
    #[command(flatten)]
    pub(super) whose: ProcessFlags,
    #[command(flatten)]
    pub(super) warming: WarmingFlags,
}

/// The same, but for the configuration.
#[derive(Args, Debug)]
pub(super) struct WarmingFlags {
    /// Reads hashes from here, a line each, or what `turbo run … --dry=json` prints; `-` or nothing
    /// for standard input
    file: Option<PathBuf>,
    #[command(flatten)]
    credential: CredentialFlags,
    /// Asks for so many at once
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u8).range(1..=64))]
    concurrency: u8,
    /// Fetches no more than this, such as 2GiB
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    budget: Option<u64>,
    /// Warms the Larder that clients reach here, instead of the one of the data directory
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// Prints the summary as JSON
    #[arg(long)]
    json: bool,
}

/// Warms and prints a summary; 1 where something was refused or failed, 2 where the input is wrong.
pub(super) fn run(
    loaded: &Loaded,
    flags: &WarmingFlags,
    environment: &Environment,
) -> anyhow::Result<ExitCode> {
    // Larder's own token is for the upstream, and nobody else.
    let prepared = flags.credential.read(None, Asker::of(environment));
    let prepared = prepared.and_then(|credential| Ok((credential, input(flags.file.as_deref())?)));
    let (credential, hashes) = match prepared {
        Ok(prepared) => prepared,
        Err(error) => {
            complain(&[format!("larder: {error:#}")]);
            return Ok(ExitCode::from(USAGE));
        }
    };
    let runtime = quick_runtime()?;
    let tally = runtime.block_on(warm(loaded, flags, &credential, &hashes));
    // A look-up of a name that hangs is left to hang.
    runtime.shutdown_background();
    let tally = tally?;
    unless_read_enough(tally.print(flags.json))?;
    Ok(if tally.is_well() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// The hashes in a file, or in standard input.
fn input(file: Option<&Path>) -> anyhow::Result<Vec<ArtifactHash>> {
    let mut read = Vec::new();
    match file.filter(|file| *file != Path::new("-")) {
        Some(file) => {
            let opened = File::open(file).with_context(|| format!("reading {}", file.display()))?;
            opened.take(MAX_INPUT + 1).read_to_end(&mut read)?;
        }
        None if stdin().is_terminal() => {
            bail!(
                "nothing to warm: name a file of hashes, or pipe `turbo run build --dry=json` here"
            )
        }
        None => {
            stdin().lock().take(MAX_INPUT + 1).read_to_end(&mut read)?;
        }
    }
    if read.len() as u64 > MAX_INPUT {
        bail!("the input is longer than 64 MiB");
    }
    hashes::read(&read).map_err(|unusable| anyhow::anyhow!("{unusable}"))
}

async fn warm(
    loaded: &Loaded,
    flags: &WarmingFlags,
    credential: &Credential,
    hashes: &[ArtifactHash],
) -> anyhow::Result<Tally> {
    let begun = Instant::now();
    let url = place::find(flags.url.as_deref(), &loaded.config).await?;
    let way = Way::new(&ways(url, flags.concurrency, &loaded.config.upstream));
    let way = way.map_err(|error| match error {
        // It is no upstream that whoever calls has written.
        UpstreamError::Url(why) => anyhow::anyhow!("--url: {why}"),
        error => error.into(),
    });
    let Some(way) = way? else {
        bail!("there is no way to no Larder");
    };
    let progress = (!flags.json).then(|| Progress::of_artifacts(hashes.len() as u64));
    let fetching = Fetching::new((&way, credential), hashes, flags.budget, progress);
    let askers = (0..flags.concurrency).map(|_| fetching.run());
    tokio::select! {
        _ = join_all(askers) => {}
        // What cannot be listened for does not end it.
        Ok(()) = ctrl_c() => fetching.stop(Stop::Interrupted),
    }
    Ok(Tally {
        seconds: begun.elapsed().as_secs_f64(),
        ..fetching.tally()
    })
}

/// The way to a Larder: straight, with nothing of Larder's own.
fn ways(url: Uri, concurrency: u8, upstream: &config::Upstream) -> config::Upstream {
    config::Upstream {
        target: Target::Http(url),
        token: None,
        ca_file: None,
        identity: None,
        proxy: config::Proxy::default(),
        resolve: Vec::new(),
        max_concurrent: usize::from(concurrency),
        first_byte_timeout: HEAD,
        http2: false,
        ..upstream.clone()
    }
}
