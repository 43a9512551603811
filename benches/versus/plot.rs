//! The plot: how a hit's cost grows with connections and with size, a line a server.

use std::fmt::Write;
use std::fs;

use anyhow::Result;

use crate::figures::{Metric, Rounds};
use crate::results::Kept;
use crate::rows::Row;

const FILE: &str = "docs/performance/growth.svg";
const WIDTH: f64 = 250.0;
const HEIGHT: f64 = 170.0;
const GAP: f64 = 45.0;

const LINES: [(&str, &str); 3] = [
    ("nginx", "#1f5fbf"),
    ("Varnish", "#b8860b"),
    ("Larder", "#c00030"),
];

const CONNECTIONS: &[(&str, &str)] = &[
    ("1", "conns-1"),
    ("8", "conns-8"),
    ("64", "hit-1k"),
    ("512", "conns-512"),
    ("4096", "conns-4096"),
];
const SIZES: &[(&str, &str)] = &[
    ("1 KiB", "hit-1k"),
    ("16 KiB", "hit-16k"),
    ("64 KiB", "hit-64k"),
    ("1 MiB", "hit-1m"),
    ("16 MiB", "hit-16m"),
    ("128 MiB", "hit-128m"),
];

/// What is drawn beside each other: a figure by what varies.
const PANELS: [Panel; 4] = [
    Panel::new(
        "answers/s of 1 KiB, by connections",
        Metric::Rate,
        CONNECTIONS,
    ),
    Panel::new(
        "CPU µs/answer of 1 KiB, by connections",
        Metric::CpuAnswer,
        CONNECTIONS,
    ),
    Panel::new("GB/s, by size", Metric::Gigabytes, SIZES),
    Panel::new(
        "CPU µs/answer, by size, each line ten times the last",
        Metric::CpuAnswer,
        SIZES,
    )
    .in_decades(),
];

struct Panel {
    title: &'static str,
    metric: Metric,
    /// What stands below, and the row that was measured so.
    points: &'static [(&'static str, &'static str)],
    decades: bool,
}

/// The values that a panel shows, and where they lie.
struct Scale {
    left: f64,
    top: f64,
    least: f64,
    most: f64,
}

/// Writes it.
pub(crate) fn write(measured: &[(&Row, Kept)]) -> Result<()> {
    let (width, height) = (GAP + 2.0 * (WIDTH + GAP), 2.0 * (HEIGHT + GAP) + GAP);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
         font-family=\"sans-serif\" font-size=\"11\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
    );
    for (number, panel) in PANELS.iter().enumerate() {
        let left = GAP + (number % 2) as f64 * (WIDTH + GAP);
        let top = (GAP * 0.7).round() + (number / 2) as f64 * (HEIGHT + GAP);
        panel.draw(&mut svg, (left, top), measured)?;
    }
    for (number, (name, colour)) in LINES.into_iter().enumerate() {
        let (x, y) = (GAP + number as f64 * 125.0, height - 12.0);
        writeln!(
            svg,
            "<path d=\"M{x} {y}h18\" stroke=\"{colour}\" stroke-width=\"2\"/>\
             <text x=\"{}\" y=\"{}\">{name}</text>",
            x + 22.0,
            y + 4.0,
        )?;
    }
    svg.push_str("</svg>\n");
    fs::create_dir_all("docs/performance")?;
    fs::write(FILE, svg)?;
    Ok(())
}

impl Panel {
    const fn new(
        title: &'static str,
        metric: Metric,
        points: &'static [(&'static str, &'static str)],
    ) -> Self {
        Self {
            title,
            metric,
            points,
            decades: false,
        }
    }

    /// The same on a scale where ten times as much is one line further up.
    const fn in_decades(mut self) -> Self {
        self.decades = true;
        self
    }

    fn draw(&self, svg: &mut String, at: (f64, f64), measured: &[(&Row, Kept)]) -> Result<()> {
        let lines = LINES.map(|(name, colour)| (colour, self.values(name, measured)));
        let values = lines.iter().flat_map(|(_, values)| values.iter().flatten());
        let most = values.clone().copied().fold(0.0, f64::max);
        let least = values.copied().fold(most, f64::min);
        let scale = self.scale(at, least, most);
        self.frame(svg, &scale)?;
        for (colour, values) in lines {
            let points = values.iter().enumerate().filter_map(|(number, value)| {
                let y = scale.y((*value)?);
                Some(format!("{:.1},{y:.1}", self.x(&scale, number)))
            });
            let points: Vec<_> = points.collect();
            writeln!(
                svg,
                "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>",
                points.join(" "),
            )?;
        }
        Ok(())
    }

    fn values(&self, server: &str, measured: &[(&Row, Kept)]) -> Vec<Option<f64>> {
        let value = |name: &str| {
            let (_, kept) = measured.iter().find(|(row, _)| row.name == name)?;
            let is_meant = |each: &&Rounds| each.server.starts_with(server);
            let rounds = kept.rounds.iter().find(is_meant)?;
            let median = rounds.figure(self.metric)?.median;
            Some(if self.decades { median.log10() } else { median })
        };
        self.points.iter().map(|(_, name)| value(name)).collect()
    }

    fn scale(&self, (left, top): (f64, f64), least: f64, most: f64) -> Scale {
        if self.decades {
            return Scale {
                left,
                top,
                least: least.floor(),
                most: most.ceil(),
            };
        }
        // The next round number above.
        let step = 10_f64.powf(most.max(1e-9).log10().floor()) / 2.0;
        Scale {
            left,
            top,
            least: 0.0,
            most: (most / step).ceil().max(1.0) * step,
        }
    }

    fn x(&self, scale: &Scale, number: usize) -> f64 {
        scale.left + WIDTH * number as f64 / (self.points.len() - 1) as f64
    }

    fn frame(&self, svg: &mut String, scale: &Scale) -> Result<()> {
        let (left, top, below) = (scale.left, scale.top, scale.top + HEIGHT);
        writeln!(
            svg,
            "<text x=\"{left}\" y=\"{}\" font-weight=\"bold\">{}</text>\
             <path d=\"M{left} {top}V{below}h{WIDTH}\" fill=\"none\" stroke=\"#444\"/>",
            top - 8.0,
            self.title,
        )?;
        let lines = if self.decades {
            scale.most - scale.least
        } else {
            4.0
        };
        for number in 0..=lines as u32 {
            let value = scale.least + (scale.most - scale.least) * f64::from(number) / lines;
            let y = scale.y(value);
            let value = if self.decades {
                10_f64.powf(value)
            } else {
                value
            };
            writeln!(
                svg,
                "<path d=\"M{left} {y:.1}h{WIDTH}\" stroke=\"#eee\"/>\
                 <text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
                left - 5.0,
                y + 4.0,
                thousands(value),
            )?;
        }
        for (number, (label, _)) in self.points.iter().enumerate() {
            writeln!(
                svg,
                "<text x=\"{:.1}\" y=\"{}\" text-anchor=\"middle\">{label}</text>",
                self.x(scale, number),
                below + 14.0,
            )?;
        }
        Ok(())
    }
}

impl Scale {
    fn y(&self, value: f64) -> f64 {
        self.top + HEIGHT * (self.most - value) / (self.most - self.least)
    }
}

fn thousands(value: f64) -> String {
    if value >= 1000.0 {
        format!("{}k", value / 1000.0)
    } else {
        format!("{value}")
    }
}
