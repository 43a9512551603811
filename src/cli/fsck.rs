//! `larder fsck`: looks over a data directory that no process uses, and removes what is damaged.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use bytesize::ByteSize;
use clap::Args;

use super::progress::Progress;
use super::{USAGE, complain, unless_read_enough};
use crate::artifact::Label;
use crate::config::{Flags, Loaded};
use crate::tiers::{Damage, Failure, Findings, Fsck, FsckError, OpenError, Repair, Sum, Told};

/// Where the directory is, and what is done about what is found.
#[derive(Args, Debug)]
pub(super) struct FsckFlags {
    /// Reads this file, as `serve` would, to know where the data is
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The data is here
    #[arg(long, value_name = "DIR")]
    data_dir: Option<String>,
    /// Removes nothing; exits with 1 where something would be removed
    #[arg(long)]
    dry_run: bool,
}

/// Looks over the directory and prints what was found to standard output, the progress to a terminal
/// at standard error.
pub(super) fn run(loaded: &Loaded, repair: Repair) -> anyhow::Result<ExitCode> {
    let data_dir = &loaded.config.data_dir;
    let fsck = match Fsck::open(data_dir, repair) {
        Ok(fsck) => fsck,
        Err(error) => return Ok(refuse(&error)),
    };
    let progress = Progress::of_bytes(fsck.bytes());
    let found = fsck.run(&|bytes| progress.advance(bytes));
    drop(progress);
    unless_read_enough(print(data_dir, &found, repair))?;
    Ok(verdict(&found, repair))
}

/// 1 where something is left that should not be.
fn verdict(found: &Findings, repair: Repair) -> ExitCode {
    let is_left = repair == Repair::TellOnly && found.unwanted() > 0;
    if is_left || found.failures.count > 0 {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    }
}

/// One line, and 2 where the mistake is in what was asked for, 1 where it is in the world.
fn refuse(error: &FsckError) -> ExitCode {
    complain(&[format!("larder: {error}")]);
    match error {
        FsckError::NotThere(_) | FsckError::Open(OpenError::AlreadyOwned { .. }) => {
            ExitCode::from(USAGE)
        }
        FsckError::Open(_) => ExitCode::FAILURE,
    }
}

fn print(data_dir: &Path, found: &Findings, repair: Repair) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "data        {}", data_dir.display())?;
    writeln!(out, "entries     {}", files(found.entries))?;
    writeln!(out, "intact      {}", files(found.intact))?;
    writeln!(out, "damaged     {}", found.damaged.count)?;
    told(&mut out, &found.damaged, damage)?;
    writeln!(out, "outdated    {}", files(found.older))?;
    writeln!(out, "drafts      {}", files(found.drafts))?;
    match repair {
        Repair::Remove => writeln!(out, "removed     {}", files(found.removed))?,
        Repair::TellOnly => writeln!(out, "removed     nothing: a dry run")?,
    }
    writeln!(out, "quarantine  {}, left alone", files(found.quarantined))?;
    writeln!(out, "foreign     {}, left alone", found.foreign)?;
    for other in &found.other_versions {
        let size = ByteSize::b(other.bytes);
        writeln!(out, "version     {}: {size}, left alone", other.name)?;
    }
    if found.failures.count > 0 {
        writeln!(out, "failed      {}", found.failures.count)?;
        told(&mut out, &found.failures, failure)?;
    }
    out.flush()
}

fn told<T>(out: &mut impl Write, told: &Told<T>, show: fn(&T) -> String) -> io::Result<()> {
    for one in &told.first {
        writeln!(out, "  {}", show(one))?;
    }
    match told.count - told.first.len() as u64 {
        0 => Ok(()),
        more => writeln!(out, "  and {more} more"),
    }
}

fn damage(damage: &Damage) -> String {
    let name = damage.path.file_name().unwrap_or_default();
    let held = damage.label.as_ref().map(held).unwrap_or_default();
    format!("{}: {}{held}", name.display(), damage.how)
}

fn held(label: &Label) -> String {
    let team = label.team.as_deref().unwrap_or("-");
    format!(
        "; artifact {} of team {}",
        label.hash.as_str(),
        team.escape_debug()
    )
}

fn failure(failure: &Failure) -> String {
    format!("{}: {}", failure.path.display(), failure.error)
}

fn files(sum: Sum) -> String {
    format!("{} ({})", sum.files, ByteSize::b(sum.bytes))
}

// === impl FsckFlags ===

impl FsckFlags {
    /// What is to be done about what is found.
    pub(super) fn repair(&self) -> Repair {
        if self.dry_run {
            Repair::TellOnly
        } else {
            Repair::Remove
        }
    }
}

impl From<FsckFlags> for Flags {
    fn from(flags: FsckFlags) -> Self {
        Self {
            config: flags.config,
            data_dir: flags.data_dir,
            ..Self::default()
        }
    }
}
