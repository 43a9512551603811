//! The figures as a page for people. Pure.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use bytesize::ByteSize;
use serde::Deserialize;

/// What of the answer is shown.
#[derive(Debug, Deserialize)]
pub(super) struct Stats {
    version: String,
    uptime_seconds: u64,
    state: String,
    upstream: Upstream,
    reads: Reads,
    bytes: Bytes,
    saved: Saved,
    tiers: Tiers,
    in_flight: InFlight,
    connections: u64,
    hints: Vec<Hint>,
}

#[derive(Debug, Deserialize)]
struct Upstream {
    url: Option<String>,
    breakers: BTreeMap<String, bool>,
    credential_refused: bool,
    requests: BTreeMap<String, BTreeMap<String, u64>>,
    seconds: BTreeMap<String, Seconds>,
}

#[derive(Debug, Deserialize)]
struct Seconds {
    p50: Option<f64>,
    p95: Option<f64>,
}

#[derive(Debug, Deserialize)]
struct Reads {
    asked: u64,
    memory: u64,
    disk: u64,
    missed: u64,
    rate: Option<f64>,
}

#[derive(Debug, Deserialize)]
struct Bytes {
    sent: u64,
    saved: u64,
}

#[derive(Debug, Deserialize)]
struct Saved {
    task_seconds: f64,
    waiting_seconds: Option<f64>,
}

#[derive(Debug, Deserialize)]
struct Tiers {
    memory: Tier,
    disk: Tier,
}

#[derive(Debug, Deserialize)]
struct Tier {
    bytes: u64,
    capacity_bytes: u64,
    entries: u64,
    oldest_seconds: Option<u64>,
    state: Option<String>,
}

#[derive(Debug, Deserialize)]
struct InFlight {
    fills: u64,
    uploads: u64,
    bytes: u64,
}

#[derive(Debug, Deserialize)]
struct Hint {
    text: String,
}

/// Draws the page.
pub(super) fn draw(stats: &Stats) -> String {
    let mut page = String::new();
    let mut line = |name: &str, text: String| {
        // Into a string, which takes everything.
        writeln!(page, "{name:<12}{text}").ok();
    };
    let up = time(stats.uptime_seconds);
    line(
        "larder",
        format!("{}, {}, up for {up}", stats.version, stats.state),
    );
    for (name, text) in saved(stats) {
        line(name, text);
    }
    line("memory", tier(&stats.tiers.memory));
    line("disk", tier(&stats.tiers.disk));
    for (name, text) in upstream(&stats.upstream) {
        line(name, text);
    }
    let InFlight {
        fills,
        uploads,
        bytes,
    } = stats.in_flight;
    let held = ByteSize::b(bytes);
    let connections = stats.connections;
    line(
        "in flight",
        format!("{fills} fills, {uploads} uploads, {held} of bodies in memory"),
    );
    line("connections", connections.to_string());
    for hint in &stats.hints {
        line("hint", hint.text.clone());
    }
    page
}

fn saved(stats: &Stats) -> Vec<(&'static str, String)> {
    let Reads {
        asked,
        memory,
        disk,
        missed,
        rate,
    } = &stats.reads;
    let rate = rate.map_or_else(|| "-".to_owned(), percent);
    let sent = ByteSize::b(stats.bytes.sent);
    let kept = ByteSize::b(stats.bytes.saved);
    let mut lines = vec![
        (
            "hit rate",
            format!(
                "{rate} of {asked} reads: {memory} from memory, {disk} from the disk, {missed} missed"
            ),
        ),
        (
            "sent",
            format!("{sent}, of which {kept} did not come from the upstream"),
        ),
    ];
    let mut tasks = format!("{} that hits stood for", spent(stats.saved.task_seconds));
    // Where this is the cache itself there is nothing to be nearer than.
    if stats.upstream.url.is_some() {
        let waiting = match stats.saved.waiting_seconds {
            Some(seconds) => format!("{} less than without hits (an estimate)", spent(seconds)),
            None => "not known yet: too few artifacts came from the upstream".to_owned(),
        };
        lines.push(("waiting", waiting));
        tasks += "; a direct hit upstream would have saved it too";
    }
    lines.push(("task time", tasks));
    lines
}

fn tier(tier: &Tier) -> String {
    if tier.capacity_bytes == 0 {
        return "turned off".to_owned();
    }
    let (bytes, capacity) = (ByteSize::b(tier.bytes), ByteSize::b(tier.capacity_bytes));
    let held = match tier.entries {
        1 => format!("{bytes} of {capacity}, 1 artifact"),
        many => format!("{bytes} of {capacity}, {many} artifacts"),
    };
    let oldest = tier
        .oldest_seconds
        .map(|age| format!(", the oldest from {} ago", time(age)));
    let state = tier.state.as_ref().map(|state| format!(", {state}"));
    held + &oldest.unwrap_or_default() + &state.unwrap_or_default()
}

fn upstream(upstream: &Upstream) -> Vec<(&'static str, String)> {
    let Some(url) = &upstream.url else {
        return vec![("upstream", "none: this is the cache itself".to_owned())];
    };
    let open = upstream.breakers.iter().filter(|(_, is_open)| **is_open);
    let open: Vec<_> = open.map(|(class, _)| class.as_str()).collect();
    let mut state = url.clone();
    if !open.is_empty() {
        write!(state, ", left alone for now ({})", open.join(", ")).ok();
    }
    if upstream.credential_refused {
        state += ", refuses Larder's own credential";
    }
    let mut lines = vec![("upstream", state)];
    lines.extend(upstream.requests.iter().map(|(operation, results)| {
        let counts = results
            .iter()
            .map(|(result, count)| format!("{count} {result}"));
        let counts = counts.collect::<Vec<_>>().join(", ");
        let seconds = upstream.seconds.get(operation);
        let half = seconds.and_then(|seconds| Some((seconds.p50?, seconds.p95?)));
        let times = half.map(|(p50, p95)| {
            format!(
                "; half within {}, 19 of 20 within {}",
                spent(p50),
                spent(p95)
            )
        });
        (
            "",
            format!("{operation}: {counts}{}", times.unwrap_or_default()),
        )
    }));
    lines
}

fn percent(rate: f64) -> String {
    format!("{:.1} %", rate * 100.0)
}

/// Whole seconds, in two units at most.
fn time(seconds: u64) -> String {
    const DAY: u64 = 24 * 60 * 60;
    let rough = match seconds {
        0..3600 => seconds,
        3600..DAY => seconds - seconds % 60,
        _ => seconds - seconds % 3600,
    };
    humantime::format_duration(Duration::from_secs(rough)).to_string()
}

/// Seconds and parts of one.
fn spent(seconds: f64) -> String {
    let duration = Duration::try_from_secs_f64(seconds).unwrap_or_default();
    match duration.as_millis() {
        0..1000 => format!("{:.1} ms", seconds * 1000.0),
        1000..60_000 => format!("{seconds:.1} s"),
        _ => time(duration.as_secs()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stats() -> Stats {
        let told = serde_json::json!({
            "version": "0.1.0", "uptime_seconds": 90_061, "state": "ready",
            "upstream": {
                "url": "https://vercel.com/api", "credential_refused": false,
                "breakers": {"reads": true, "uploads": false, "others": false},
                "requests": {"get": {"ok": 12, "timeout": 1}},
                "seconds": {"get": {"count": 13, "sum": 1.0, "p50": 0.03, "p95": 2.0}},
            },
            "reads": {"asked": 10, "memory": 5, "disk": 2, "missed": 3, "rate": 0.7},
            "bytes": {"sent": 4096, "saved": 2048},
            "saved": {"task_seconds": 7384.5, "waiting_seconds": 12.34},
            "tiers": {
                "memory": {"bytes": 1024, "capacity_bytes": 1_048_576, "entries": 3, "oldest_seconds": 65},
                "disk": {"bytes": 0, "capacity_bytes": 0, "entries": 0, "oldest_seconds": null, "state": "off"},
            },
            "in_flight": {"fills": 1, "uploads": 2, "bytes": 0}, "connections": 4,
            "hints": [{"code": "disk-off", "text": "turn it on"}],
            "a_member_of_a_newer_version": {},
        });
        serde_json::from_value(told).unwrap()
    }

    #[test]
    fn everything_is_said_as_what_it_is() {
        let page = draw(&stats());
        for line in [
            "larder      0.1.0, ready, up for 1day 1h",
            "hit rate    70.0 % of 10 reads: 5 from memory, 2 from the disk, 3 missed",
            "sent        4.0 KiB, of which 2.0 KiB did not come from the upstream",
            "waiting     12.3 s less than without hits (an estimate)",
            "task time   2h 3m that hits stood for; a direct hit upstream would have saved it too",
            "memory      1.0 KiB of 1.0 MiB, 3 artifacts, the oldest from 1m 5s ago",
            "disk        turned off",
            "upstream    https://vercel.com/api, left alone for now (reads)",
            "            get: 12 ok, 1 timeout; half within 30.0 ms, 19 of 20 within 2.0 s",
            "in flight   1 fills, 2 uploads, 0 B of bodies in memory",
            "connections 4",
            "hint        turn it on",
        ] {
            assert!(page.lines().any(|drawn| drawn == line), "{line}\n{page}");
        }
    }

    #[test]
    fn what_is_not_known_is_not_made_up() {
        let mut stats = stats();
        stats.reads.rate = None;
        stats.saved.waiting_seconds = None;
        let page = draw(&stats);
        assert!(page.contains("hit rate    - of 10 reads"), "{page}");
        assert!(page.contains("not known yet"), "{page}");
        stats.upstream.url = None;
        let page = draw(&stats);
        assert!(
            !page.contains("waiting") && !page.contains("direct hit"),
            "{page}"
        );
        assert!(page.contains("none: this is the cache itself"), "{page}");
        assert!(!page.contains("get:"), "{page}");
    }
}
