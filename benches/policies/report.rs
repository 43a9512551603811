//! The figures as tables: Markdown on the terminal, CSV beside the document.

use std::fmt::Write;
use std::fs;

use crate::replay::Saved;
use crate::trace::Trace;
use crate::{BASE, ORDERS, Row};

pub(crate) const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/eviction");

/// Larger capacities differ too little to be printed; the table beside the document has them.
const PRINTED: u64 = 10;

/// One figure of what was saved.
pub(crate) struct Measure {
    pub(crate) name: &'static str,
    pub(crate) of: fn(&Saved) -> f64,
}

pub(crate) const MEASURES: [Measure; 4] = [
    Measure {
        name: "hits",
        of: |saved| saved.hits,
    },
    Measure {
        name: "bytes",
        of: |saved| saved.bytes,
    },
    Measure {
        name: "task",
        of: |saved| saved.task,
    },
    Measure {
        name: "wait",
        of: |saved| saved.wait,
    },
];

/// Says how large a trace is.
pub(crate) fn describe(name: &str, traces: &[Trace]) {
    let count = traces.len();
    let sum = |of: fn(&Trace) -> u64| traces.iter().map(of).sum::<u64>() / count as u64;
    println!(
        "{name}: {} requests, {} artifacts, {} GiB (means of {count} seeds)",
        sum(|trace| trace.events.len() as u64),
        sum(|trace| trace.artifacts.len() as u64),
        sum(Trace::bytes) >> 30,
    );
}

/// Mean and standard deviation over the seeds, in percent.
fn mean(values: &[f64]) -> (f64, f64) {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let squares = values.iter().map(|value| (value - mean).powi(2));
    let spread = (squares.sum::<f64>() / (count - 1.0).max(1.0)).sqrt();
    (mean * 100.0, spread * 100.0)
}

/// The mean of one measure over the seeds, in percent.
pub(crate) fn level(row: &Row, measure: &Measure) -> f64 {
    let values: Vec<_> = row.saved.iter().map(measure.of).collect();
    mean(&values).0
}

/// By how much more an order saves than LRU does with the same seed.
fn over(row: &Row, base: &Row, measure: &Measure) -> (f64, f64) {
    let pairs = row.saved.iter().zip(&base.saved);
    let gains: Vec<_> = pairs
        .map(|(own, base)| (measure.of)(own) - (measure.of)(base))
        .collect();
    mean(&gains)
}

fn base<'a>(rows: &'a [Row], row: &Row) -> &'a Row {
    let mut bases = rows.iter().filter(|other| other.order == BASE);
    bases
        .find(|other| other.trace == row.trace && other.capacity == row.capacity)
        .expect("everything is compared with LRU")
}

/// Prints a table a measure: LRU's level, and what others save beyond it.
pub(crate) fn print(rows: &[Row]) {
    let is_shown = |row: &&Row| row.capacity <= PRINTED;
    for measure in [&MEASURES[3], &MEASURES[1], &MEASURES[2]] {
        let columns = rows.iter().filter(is_shown);
        let columns: Vec<_> = columns
            .filter(|row| row.order == BASE)
            .map(|row| format!("{} {} %", row.trace, row.capacity))
            .collect();
        println!("\n| {} | {} |", measure.name, columns.join(" | "));
        println!("|---|{}", "--:|".repeat(columns.len()));
        for order in &ORDERS {
            let own = rows.iter().filter(is_shown);
            let own = own.filter(|row| row.order == order.name);
            let cells: Vec<_> = own.map(|row| cell(rows, row, measure)).collect();
            println!("| {} | {} |", order.name, cells.join(" | "));
        }
    }
}

fn cell(rows: &[Row], row: &Row, measure: &Measure) -> String {
    if row.order == BASE {
        return format!("{:.1}", level(row, measure));
    }
    let (gain, spread) = over(row, base(rows, row), measure);
    format!("{gain:+.1} ±{spread:.1}")
}

/// Writes every figure.
pub(crate) fn write(rows: &[Row]) {
    let mut text = "trace,capacity_percent,order,measure,saved_percent,spread,\
                    points_over_lru,spread_of_points\n"
        .to_owned();
    for row in rows {
        for measure in &MEASURES {
            let values: Vec<_> = row.saved.iter().map(measure.of).collect();
            let (level, spread) = mean(&values);
            let (gain, gain_spread) = over(row, base(rows, row), measure);
            writeln!(
                text,
                "{},{},\"{}\",{},{level:.2},{spread:.2},{gain:.2},{gain_spread:.2}",
                row.trace, row.capacity, row.order, measure.name,
            )
            .expect("a string grows");
        }
    }
    fs::create_dir_all(FOLDER).expect("the document's folder");
    fs::write(format!("{FOLDER}/saved.csv"), text).expect("the table is written");
}
