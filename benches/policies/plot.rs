//! A small plot: what each order saves of the wait and of the bytes, a panel a trace.

use std::fmt::Write;
use std::fs;

use crate::report::{FOLDER, MEASURES, Measure, level};
use crate::trace::KINDS;
use crate::{BASE, BOUND, CAPACITIES, Row, SHIPPED};

const WIDTH: f64 = 250.0;
const HEIGHT: f64 = 170.0;
const GAP: f64 = 45.0;

/// What is drawn, and how.
const LINES: [(&str, &str); 7] = [
    (BOUND, "#bbbbbb"),
    ("FIFO", "#b8860b"),
    (BASE, "#1f5fbf"),
    ("S3-FIFO", "#2e8b57"),
    ("SIEVE", "#8a5fbf"),
    ("GDSF, fetch", "#d2691e"),
    (SHIPPED, "#c00030"),
];

/// Writes the plot.
pub(crate) fn write(rows: &[Row]) {
    let width = GAP + KINDS.len() as f64 * (WIDTH + GAP);
    let height = 2.0 * (HEIGHT + GAP) + GAP;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
         font-family=\"sans-serif\" font-size=\"11\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
    );
    let panels = [(&MEASURES[3], "wait"), (&MEASURES[1], "bytes")];
    for (line, (measure, what)) in panels.into_iter().enumerate() {
        for (column, kind) in KINDS.iter().enumerate() {
            let left = GAP + column as f64 * (WIDTH + GAP);
            let top = GAP * 0.7 + line as f64 * (HEIGHT + GAP);
            let of_kind: Vec<_> = rows.iter().filter(|row| row.trace == kind.name).collect();
            let title = format!("{}: {what} saved, %", kind.name);
            panel(&mut svg, (left, top), &title, &of_kind, measure);
        }
    }
    for (number, (name, colour)) in LINES.into_iter().enumerate() {
        let x = GAP + number as f64 * 125.0;
        let y = height - 12.0;
        writeln!(
            svg,
            "<path d=\"M{x} {y}h18\" stroke=\"{colour}\" stroke-width=\"2\"/>\
             <text x=\"{}\" y=\"{}\">{name}</text>",
            x + 22.0,
            y + 4.0,
        )
        .expect("a string grows");
    }
    svg.push_str("</svg>\n");
    fs::write(format!("{FOLDER}/saved.svg"), svg).expect("the plot is written");
}

fn panel(svg: &mut String, (left, top): (f64, f64), title: &str, rows: &[&Row], of: &Measure) {
    let below = top + HEIGHT;
    let across = |number: usize| left + WIDTH * number as f64 / (CAPACITIES.len() - 1) as f64;
    writeln!(
        svg,
        "<text x=\"{left}\" y=\"{}\" font-weight=\"bold\">{title}</text>\
         <path d=\"M{left} {top}V{below}h{WIDTH}\" fill=\"none\" stroke=\"#444\"/>",
        top - 8.0,
    )
    .expect("a string grows");
    for percent in (0..=100).step_by(25) {
        let y = below - HEIGHT * f64::from(percent) / 100.0;
        writeln!(
            svg,
            "<path d=\"M{left} {y}h{WIDTH}\" stroke=\"#eee\"/>\
             <text x=\"{}\" y=\"{}\" text-anchor=\"end\">{percent}</text>",
            left - 5.0,
            y + 4.0,
        )
        .expect("a string grows");
    }
    for (number, capacity) in CAPACITIES.iter().enumerate() {
        writeln!(
            svg,
            "<text x=\"{}\" y=\"{}\" text-anchor=\"middle\">{capacity} %</text>",
            across(number),
            below + 14.0,
        )
        .expect("a string grows");
    }
    for (name, colour) in LINES {
        let points = rows.iter().filter(|row| row.order == name).enumerate();
        let points = points.map(|(number, row)| {
            let y = below - HEIGHT * level(row, of) / 100.0;
            format!("{:.1},{y:.1}", across(number))
        });
        let points: Vec<_> = points.collect();
        writeln!(
            svg,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>",
            points.join(" "),
        )
        .expect("a string grows");
    }
}
