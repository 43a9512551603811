//! `larder purge`: removes entries from a Larder that runs, after saying what that would be.

mod wish;

#[cfg(test)]
mod tests;

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use std::time::Duration;

use bytesize::ByteSize;
use clap::{ArgGroup, Args};
use serde::{Deserialize, Serialize};

use self::wish::{held, wishes};
use super::inquiry::{Inquiry, ProcessFlags};
use super::{USAGE, complain, quick_runtime, unless_read_enough};
use crate::config::Config;

const HOLDS: &str = "/api/v1/holds";

/// Longest time for one page: removing its files waits for a disk that may be slow.
const PATIENCE: Duration = Duration::from_mins(1);

/// What is to go.
#[derive(Args, Debug, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag of the command line"
)]
#[command(group = ArgGroup::new("which").required(true).multiple(true)
    .args(["hash", "team", "older_than", "min_size", "all"]))]
pub(super) struct PurgeFlags {
    #[command(flatten)]
    pub(super) process: ProcessFlags,
    /// Artifacts with this hash; may be given more than once
    #[arg(long, value_name = "HASH", num_args = 1..)]
    hash: Vec<String>,
    /// Artifacts of this team: what stands behind `teamId` or `slug`
    #[arg(long, value_name = "TEAM")]
    team: Option<String>,
    /// Artifacts that landed so long ago or longer, such as 7d
    #[arg(long, value_name = "DURATION")]
    older_than: Option<String>,
    /// Artifacts of so many bytes or more, such as 10MiB
    #[arg(long, value_name = "SIZE")]
    min_size: Option<String>,
    /// Every artifact
    #[arg(long, conflicts_with_all = ["hash", "team", "older_than", "min_size"])]
    all: bool,
    /// Does not ask; without a terminal nobody could answer
    #[arg(long)]
    yes: bool,
    /// Answers 404 for these hashes from now on, until an upload of them is accepted
    #[arg(long, requires = "hash")]
    hold: bool,
    /// Prints what was removed as JSON
    #[arg(long)]
    json: bool,
}

/// What a page of the admin API says, and what all of them come to.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
struct Page {
    removed: u64,
    bytes: u64,
    next: Option<String>,
    /// Entries of which it is not known whether they are meant.
    #[serde(default)]
    unreadable: u64,
}

/// What is printed for programs.
#[derive(Serialize)]
struct Report {
    removed: u64,
    bytes: u64,
    unreadable: u64,
    held: usize,
}

/// What somebody says to a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Said {
    Yes,
    No,
    /// There is nobody.
    Nothing,
}

/// Says what would go, asks, and lets it go.
pub(super) fn run(config: &Config, flags: &PurgeFlags) -> anyhow::Result<ExitCode> {
    let inquiry = Inquiry::of(config)?.with_patience(PATIENCE);
    quick_runtime()?.block_on(purge(&inquiry, flags, ask))
}

async fn purge(
    inquiry: &Inquiry,
    flags: &PurgeFlags,
    ask: impl FnOnce(&str) -> anyhow::Result<Said>,
) -> anyhow::Result<ExitCode> {
    let wishes = wishes(flags);
    let would = remove(inquiry, &wishes, true).await?;
    complain(&[format!("{} would be removed", sum(&would))]);
    // Where nothing rests there is nothing to ask about; what is on its way is not to land all the same.
    if !flags.yes && (would.removed > 0 || flags.hold) {
        match ask(&question(flags))? {
            Said::Yes => {}
            Said::No => return Ok(ExitCode::FAILURE),
            Said::Nothing => {
                let text = "larder: there is no terminal to ask at: say --yes to remove them";
                complain(&[text.to_owned()]);
                return Ok(ExitCode::from(USAGE));
            }
        }
    }
    let holds = if flags.hold { held(flags) } else { Vec::new() };
    for hold in &holds {
        inquiry.put(HOLDS, hold).await?.successful()?;
    }
    let removed = remove(inquiry, &wishes, false).await?;
    print(&removed, holds.len(), flags.json)?;
    if removed.unreadable == 0 {
        return Ok(ExitCode::SUCCESS);
    }
    complain(&[format!(
        "larder: {} could not be read and may be meant: see the log, and purge again",
        entries(removed.unreadable)
    )]);
    Ok(ExitCode::FAILURE)
}

/// Goes through every page of every wish.
async fn remove(inquiry: &Inquiry, wishes: &[String], is_dry: bool) -> anyhow::Result<Page> {
    let mut all = Page::default();
    for wish in wishes {
        let mut after = String::new();
        loop {
            let path = format!("{wish}&dry_run={is_dry}{after}");
            let page: Page = inquiry.delete(&path).await?.json()?;
            all.removed += page.removed;
            all.bytes += page.bytes;
            all.unreadable += page.unreadable;
            match page.next {
                Some(next) => after = format!("&after={next}"),
                None => break,
            }
        }
    }
    Ok(all)
}

fn question(flags: &PurgeFlags) -> String {
    let held = match (flags.hold, flags.hash.len()) {
        (false, _) => String::new(),
        (true, 1) => " and hold this hash".to_owned(),
        (true, hashes) => format!(" and hold these {hashes} hashes"),
    };
    format!("Remove them{held}? [y/N] ")
}

/// Asks at a terminal, if there is one.
fn ask(question: &str) -> anyhow::Result<Said> {
    if !io::stdin().is_terminal() {
        return Ok(Said::Nothing);
    }
    let mut stderr = io::stderr().lock();
    stderr.write_all(question.as_bytes())?;
    stderr.flush()?;
    let mut line = String::new();
    io::stdin().read_line(&mut line)?;
    let is_yes = matches!(line.trim().to_ascii_lowercase().as_str(), "y" | "yes");
    Ok(if is_yes { Said::Yes } else { Said::No })
}

fn print(removed: &Page, held: usize, as_json: bool) -> anyhow::Result<()> {
    let text = if as_json {
        serde_json::to_string(&Report {
            removed: removed.removed,
            bytes: removed.bytes,
            unreadable: removed.unreadable,
            held,
        })?
    } else {
        format!("{} removed{}", sum(removed), holding(held))
    };
    let mut stdout = io::stdout().lock();
    unless_read_enough(writeln!(stdout, "{text}").and_then(|()| stdout.flush()))?;
    Ok(())
}

fn holding(held: usize) -> String {
    match held {
        0 => String::new(),
        1 => ", 1 hash held until a new upload of it is accepted".to_owned(),
        number => format!(", {number} hashes held until a new upload of each is accepted"),
    }
}

fn sum(page: &Page) -> String {
    format!("{} ({})", entries(page.removed), ByteSize::b(page.bytes))
}

fn entries(number: u64) -> String {
    match number {
        1 => "1 entry".to_owned(),
        number => format!("{number} entries"),
    }
}
