//! What Linux knows of this process, under the names every Prometheus client library uses.
//!
//! The library's own collector counts CPU time in whole seconds. Elsewhere than on Linux, and where
//! a file cannot be read, the figure is absent.

use std::fs;
use std::sync::OnceLock;

use rustix::process::{Resource, getrlimit};

/// Ticks a second in `/proc`: fixed by the kernel's interface, whatever its own clock.
const TICKS: f64 = 100.0;

const START_TIME: &str = "process_start_time_seconds";

/// Bytes in the kibibytes of `/proc/self/status`.
const KIB: f64 = 1024.0;

/// When the process started, as the system first told it: its word for the time it was booted shifts by a
/// second now and then, and that would look like a start.
static START: OnceLock<f64> = OnceLock::new();

/// One figure.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Figure {
    /// The metric's name.
    pub(super) name: &'static str,
    /// What it means.
    pub(super) help: &'static str,
    /// Its value.
    pub(super) value: f64,
}

/// Reads every figure the system gives.
pub(super) fn read() -> Vec<Figure> {
    let text = |path| fs::read_to_string(path).unwrap_or_default();
    let mut figures = from_stat(&text("/proc/self/stat"), &text("/proc/stat"));
    let mut starts = figures.iter_mut();
    if let Some(start) = starts.find(|figure| figure.name == START_TIME) {
        start.value = *START.get_or_init(|| start.value);
    }
    figures.extend(from_status(&text("/proc/self/status")));
    figures.extend(descriptors());
    figures
}

/// CPU time and start, from `/proc/self/stat` and the boot time in `/proc/stat`.
fn from_stat(own: &str, system: &str) -> Vec<Figure> {
    // The second field is the command, which may hold spaces and parentheses; what is numbered 3 in
    // proc(5) comes first after it.
    let fields: Vec<&str> = own
        .rsplit_once(')')
        .map(|(_, rest)| rest.split_ascii_whitespace().collect())
        .unwrap_or_default();
    let number = |field: usize| -> Option<f64> { fields.get(field - 3)?.parse().ok() };
    let boot = system
        .lines()
        .find_map(|line| line.strip_prefix("btime ")?.parse::<f64>().ok());
    let cpu = number(14).zip(number(15)).map(|(user, kernel)| Figure {
        name: "process_cpu_seconds_total",
        help: "Seconds of processor time spent, in the process and in the kernel for it.",
        value: (user + kernel) / TICKS,
    });
    let start = number(22).zip(boot).map(|(since_boot, boot)| Figure {
        name: START_TIME,
        help: "When the process started, in seconds since 1970.",
        value: boot + since_boot / TICKS,
    });
    cpu.into_iter().chain(start).collect()
}

/// Memory and threads, from `/proc/self/status`.
fn from_status(status: &str) -> Vec<Figure> {
    let number = |key: &str| -> Option<f64> {
        let line = status.lines().find_map(|line| line.strip_prefix(key))?;
        line.split_ascii_whitespace().next()?.parse().ok()
    };
    let figure = |name, help, value: Option<f64>| value.map(|value| Figure { name, help, value });
    [
        figure(
            "process_virtual_memory_bytes",
            "Bytes of address space, most of which takes no memory.",
            number("VmSize:").map(|size| size * KIB),
        ),
        figure(
            "process_resident_memory_bytes",
            "Bytes of memory in use, mapped files that are in memory included.",
            number("VmRSS:").map(|size| size * KIB),
        ),
        figure(
            "process_threads",
            "Threads of the process.",
            number("Threads:"),
        ),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// File descriptors open and allowed.
#[expect(
    clippy::cast_precision_loss,
    reason = "counts of descriptors are far below 2^52"
)]
fn descriptors() -> Vec<Figure> {
    let Ok(entries) = fs::read_dir("/proc/self/fd") else {
        return Vec::new();
    };
    // The folder itself is open while it is read.
    let open = entries.count().saturating_sub(1);
    let most = getrlimit(Resource::Nofile).current;
    let open = Figure {
        name: "process_open_fds",
        help: "File descriptors that are open: files, and a connection each.",
        value: open as f64,
    };
    let most = most.map(|most| Figure {
        name: "process_max_fds",
        help: "File descriptors that may be open at once.",
        value: most as f64,
    });
    [Some(open), most].into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_time_has_fractions_and_the_command_may_hold_anything() {
        let stat = "42 (a) b (c) S 1 42 42 0 -1 4194560 100 0 0 0 123 4 0 0 20 0 9 0 500 1 1";
        let figures = from_stat(stat, "cpu 1 2 3\nbtime 1700000000\nprocesses 5\n");
        let values: Vec<_> = figures
            .iter()
            .map(|figure| (figure.name, figure.value))
            .collect();
        assert_eq!(
            values,
            [
                ("process_cpu_seconds_total", 1.27),
                ("process_start_time_seconds", 1_700_000_005.0)
            ]
        );
    }

    #[test]
    fn memory_is_in_bytes() {
        let figures = from_status("Name:\tx\nVmSize:\t  2048 kB\nVmRSS:\t  1024 kB\nThreads:\t9\n");
        let values: Vec<_> = figures.iter().map(|figure| figure.value).collect();
        assert_eq!(values, [2_097_152.0, 1_048_576.0, 9.0]);
    }

    #[test]
    fn what_cannot_be_read_is_absent() {
        for text in ["", "42 (a", "42 (a) S 1", ")", "VmRSS:\nThreads: many"] {
            assert_eq!(from_stat(text, text), [], "{text:?}");
            assert_eq!(from_status(text), [], "{text:?}");
        }
    }
}
