//! The document's figures: a line for each aim, a table for each row.

use std::fmt::Write;
use std::fs;

use anyhow::{Context, Result};

use crate::figures::{Figure, Metric, Rounds};
use crate::results::{self, Kept};
use crate::rows::{Aim, Bound, ROWS, Row};
use crate::servers::nginx;
use crate::{machine, plot};

const DOCUMENT: &str = "docs/performance.md";
const BEGIN: &str = "<!-- figures: written by `just versus` -->";
const END: &str = "<!-- end of the figures -->";

/// Every column there is, in the order of the tables.
const COLUMNS: [Metric; 16] = [
    Metric::Rate,
    Metric::Gigabytes,
    Metric::Median,
    Metric::Slowest,
    Metric::Added,
    Metric::CpuAnswer,
    Metric::CpuGigabyte,
    Metric::Busy,
    Metric::LoadBusy,
    Metric::LastByte,
    Metric::TimesDirect,
    Metric::MemoryBefore,
    Metric::MemoryMost,
    Metric::Connection,
    Metric::Lines,
    Metric::Others,
];

/// Writes what was measured last into the document, and the plot beside it.
pub(crate) fn write() -> Result<()> {
    let mut measured = Vec::new();
    for row in &ROWS {
        if let Some(kept) = results::kept(row)? {
            measured.push((row, kept));
        }
    }
    let text = fs::read_to_string(DOCUMENT).context(DOCUMENT)?;
    let (before, rest) = text.split_once(BEGIN).context("where figures begin")?;
    let (_, after) = rest.split_once(END).context("where figures end")?;
    let figures = figures(&measured)?;
    fs::write(
        DOCUMENT,
        format!("{before}{BEGIN}\n\n{figures}{END}{after}"),
    )?;
    plot::write(&measured)
}

fn figures(measured: &[(&Row, Kept)]) -> Result<String> {
    let mut commits: Vec<_> = measured
        .iter()
        .map(|(_, kept)| kept.commit.as_str())
        .collect();
    commits.dedup();
    let mut text = format!(
        "{}; Larder {}.\n\n",
        machine::describe(),
        commits.join(", ")
    );
    text.push_str("| work | figure | aim | reached | rounds between |\n|---|---|--:|--:|--:|\n");
    for (row, kept) in measured {
        for aim in row.aims {
            if let Some(line) = aim_line(row, *aim, &kept.rounds) {
                text.push_str(&line);
            }
        }
    }
    text.push('\n');
    for (row, kept) in measured {
        writeln!(text, "{}", table(row, &kept.rounds))?;
    }
    Ok(text)
}

/// A row's table, under its title.
pub(crate) fn table(row: &Row, rounds: &[Rounds]) -> String {
    let lines = lines(rounds);
    format!("**{}** (`{}`)\n\n{lines}", row.title, row.name)
}

/// The servers, a line each; behind a figure what the rounds lay between.
pub(crate) fn lines(rounds: &[Rounds]) -> String {
    let is_measured = |column: &Metric| rounds.iter().any(|it| it.figure(*column).is_some());
    let columns: Vec<_> = COLUMNS.into_iter().filter(is_measured).collect();
    let heads: Vec<_> = columns.iter().map(|column| column.head()).collect();
    let rule = "--:|".repeat(columns.len());
    let mut lines = vec![
        format!("| | {} |", heads.join(" | ")),
        format!("|---|{rule}"),
    ];
    for server in rounds {
        let cell = |column: &Metric| server.figure(*column).map_or_else(String::new, spread);
        let cells: Vec<_> = columns.iter().map(cell).collect();
        lines.push(format!("| {} | {} |", server.server, cells.join(" | ")));
    }
    lines.join("\n") + "\n"
}

fn aim_line(row: &Row, aim: Aim, rounds: &[Rounds]) -> Option<String> {
    let ours = rounds
        .iter()
        .find(|each| each.server.starts_with("Larder"))?;
    let theirs = rounds.iter().find(|each| each.server == nginx::NAME)?;
    let (wanted, figure) = match aim.bound {
        Bound::TimesAtLeast(times) => (format!("≥ {times} ×"), ours.times(theirs, aim.metric)?),
        Bound::TimesAtMost(times) => (format!("≤ {times} ×"), ours.times(theirs, aim.metric)?),
        Bound::AtMost(most) => (format!("≤ {most}"), ours.figure(aim.metric)?),
    };
    Some(format!(
        "| {} | {} | {wanted} | {:.2} | {:.2}-{:.2} |\n",
        row.title,
        aim.metric.head(),
        figure.median,
        figure.least,
        figure.most,
    ))
}

fn spread(figure: Figure) -> String {
    let [median, least, most] = [figure.median, figure.least, figure.most].map(short);
    if least == most {
        return median;
    }
    format!("{median} ({least}-{most})")
}

/// Three digits that count.
fn short(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        size if size >= 1.0 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}
