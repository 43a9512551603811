//! What processes take: time of processors and memory of their own, from `/proc`.

use std::collections::BTreeMap;
use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

/// `/proc/PID/stat` counts hundredths of a second; a difference of two counts may be off by as much twice,
/// once for each of its two parts.
pub(crate) const TICK: Duration = Duration::from_millis(10);
const BLUR: Duration = Duration::from_millis(40);

/// A process and all below it.
#[derive(Clone, Debug)]
pub(crate) struct Processes(Vec<u32>);

/// What they have taken so far, at one moment.
#[derive(Debug)]
pub(crate) struct Taken {
    at: Instant,
    threads: BTreeMap<u32, Duration>,
    ticks: Duration,
}

/// What they took between two moments.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spent {
    /// Time that went by.
    pub(crate) passed: Duration,
    /// Time of processors.
    pub(crate) busy: Duration,
}

impl Processes {
    /// Those at or below this one, now.
    pub(crate) fn below(root: u32) -> Result<Self> {
        let mut found = vec![root];
        let mut parents = BTreeMap::new();
        for entry in fs::read_dir("/proc")? {
            let name = entry?.file_name();
            let Some(process) = name.to_str().and_then(|name| name.parse::<u32>().ok()) else {
                continue;
            };
            // A process may end meanwhile.
            if let Ok(fields) = stat(process) {
                parents.insert(process, fields[1].parse::<u32>()?);
            }
        }
        let mut next = 0;
        while let Some(parent) = found.get(next).copied() {
            next += 1;
            let children = parents.iter().filter(|(_, its)| **its == parent);
            found.extend(children.map(|(child, _)| *child));
        }
        Ok(Self(found))
    }

    /// This process alone.
    pub(crate) fn this() -> Self {
        Self(vec![std::process::id()])
    }

    /// What they have taken so far.
    pub(crate) fn taken(&self) -> Result<Taken> {
        let mut taken = Taken {
            at: Instant::now(),
            threads: BTreeMap::new(),
            ticks: Duration::ZERO,
        };
        for process in &self.0 {
            for entry in fs::read_dir(format!("/proc/{process}/task"))? {
                let entry = entry?;
                // A thread may end meanwhile.
                let Ok(text) = fs::read_to_string(entry.path().join("schedstat")) else {
                    continue;
                };
                let nanos = text.split(' ').next().unwrap_or_default().parse()?;
                let thread = entry.file_name().to_string_lossy().parse()?;
                taken.threads.insert(thread, Duration::from_nanos(nanos));
            }
            let fields = stat(*process)?;
            let ticks = fields[11].parse::<u32>()? + fields[12].parse::<u32>()?;
            taken.ticks += TICK * ticks;
        }
        Ok(taken)
    }

    /// The same to a hundredth of a second, with what children took that have ended.
    pub(crate) fn ticks(&self) -> Result<Duration> {
        let mut ticks = 0;
        for process in &self.0 {
            // One that ended meanwhile is counted by its parent.
            let fields = stat(*process).unwrap_or_default();
            for field in fields.iter().skip(11).take(4) {
                ticks += field.parse::<u32>()?;
            }
        }
        Ok(TICK * ticks)
    }

    /// Bytes of memory that are theirs alone and come from no file.
    pub(crate) fn memory(&self) -> Result<u64> {
        self.0.iter().map(|process| memory(*process)).sum()
    }
}

impl Taken {
    /// What was taken since `before`.
    pub(crate) fn since(&self, before: &Self) -> Spent {
        let of_threads: Duration = self
            .threads
            .iter()
            .map(|(thread, taken)| {
                let before = before.threads.get(thread).copied();
                taken.saturating_sub(before.unwrap_or_default())
            })
            .sum();
        let ticks = self.ticks.saturating_sub(before.ticks);
        Spent {
            passed: self.at - before.at,
            // Threads that ended took their count along; the coarser one has them.
            busy: if ticks > of_threads + BLUR {
                ticks
            } else {
                of_threads
            },
        }
    }
}

impl Spent {
    /// The share of one core.
    pub(crate) fn share(&self) -> f64 {
        self.busy.as_secs_f64() / self.passed.as_secs_f64()
    }
}

/// The fields of `/proc/PID/stat` that follow the name: the state is the first.
fn stat(process: u32) -> Result<Vec<String>> {
    let text = fs::read_to_string(format!("/proc/{process}/stat"))?;
    let rest = text.rsplit_once(") ").context("a name in brackets")?.1;
    Ok(rest.split_whitespace().map(str::to_owned).collect())
}

/// The kernel's exact word, or where that is not for us to read its estimate.
fn memory(process: u32) -> Result<u64> {
    let exact = fs::read_to_string(format!("/proc/{process}/smaps_rollup"));
    let (text, field) = match exact {
        Ok(text) => (text, "Anonymous:"),
        Err(_) => (
            fs::read_to_string(format!("/proc/{process}/status"))?,
            "RssAnon:",
        ),
    };
    let line = text.lines().find_map(|line| line.strip_prefix(field));
    let kilobytes = line
        .context("a line for memory")?
        .trim()
        .trim_end_matches(" kB");
    Ok(kilobytes.trim().parse::<u64>()? << 10)
}
