//! The rows in the order of the document.

use super::{Aim, Bound, Client, KIB, MIB, Row, Work};
use crate::figures::Metric;

/// All of them.
pub(crate) const ROWS: [Row; 29] = [
    hits("hit-1k", "hit, 1 KiB", KIB, 64, &[rate(1.6), cpu(0.6)]),
    hits("log-1k", "hit, 1 KiB, logged", KIB, 64, &[rate(1.4)]).by(Client::Logged),
    hits("hit-64k", "hit, 64 KiB", 64 * KIB, 32, &[rate(1.3)]),
    hits(
        "hit-1m",
        "hit, 1 MiB",
        MIB,
        8,
        &[volume(1.05), gigabyte(1.0)],
    ),
    hits(
        "hit-16m",
        "hit, 16 MiB",
        16 * MIB,
        8,
        &[volume(1.05), gigabyte(1.0)],
    ),
    hits("hit-128m", "hit, 128 MiB", 128 * MIB, 8, &[volume(1.0)]),
    hits("wrk-1k", "hit, 1 KiB, copied", KIB, 64, &[]).by(Client::Wrk),
    hits("wrk-64k", "hit, 64 KiB, copied", 64 * KIB, 32, &[]).by(Client::Wrk),
    hits("wrk-1m", "hit, 1 MiB, copied", MIB, 8, &[]).by(Client::Wrk),
    hits("wrk-16m", "hit, 16 MiB, copied", 16 * MIB, 8, &[]).by(Client::Wrk),
    hits("tls-1k", "hit, 1 KiB, TLS", KIB, 64, TLS).by(Client::WrkTls),
    hits("tls-64k", "hit, 64 KiB, TLS", 64 * KIB, 32, TLS).by(Client::WrkTls),
    hits("tls-1m", "hit, 1 MiB, TLS", MIB, 8, TLS).by(Client::WrkTls),
    hits("tls-16m", "hit, 16 MiB, TLS", 16 * MIB, 8, TLS).by(Client::WrkTls),
    row(
        "miss-1k",
        "miss, 1 KiB, 32 connections",
        Work::Misses { connections: 32 },
        &[rate(3.0)],
    ),
    row(
        "miss-one",
        "miss, 1 KiB, one connection",
        Work::Misses { connections: 1 },
        &[aim(Metric::Added, Bound::TimesAtMost(1.0))],
    ),
    uploads("put-1m", "upload, 1 MiB", MIB, 8),
    uploads("put-16m", "upload, 16 MiB", 16 * MIB, 4),
    row(
        "beside",
        "hit, 1 KiB, beside 8 streams",
        Work::Beside,
        &[aim(Metric::Slowest, Bound::TimesAtMost(1.0))],
    ),
    row(
        "streams",
        "64 streams of 128 MiB",
        Work::Streams { pace: None },
        FLAT,
    ),
    row(
        "slow-readers",
        "64 streams read at 4 MiB/s",
        Work::Streams {
            pace: Some(4 * MIB),
        },
        FLAT,
    ),
    row(
        "askers",
        "100 askers, 16 MiB at 64 MiB/s",
        Work::Askers,
        &[aim(Metric::TimesDirect, Bound::AtMost(1.3))],
    ),
    idle("idle-1000", "1 000 idle connections", 1000),
    idle("idle-5000", "5 000 idle connections", 5000),
    hits("conns-1", "hit, 1 KiB, 1 connection", KIB, 1, &[]),
    hits("conns-8", "hit, 1 KiB, 8 connections", KIB, 8, &[]),
    hits("conns-512", "hit, 1 KiB, 512 connections", KIB, 512, &[]),
    hits("conns-4096", "hit, 1 KiB, 4096 connections", KIB, 4096, &[]),
    hits("hit-16k", "hit, 16 KiB", 16 * KIB, 64, &[]),
];

const TLS: &[Aim] = &[rate(1.35), gigabyte(0.55)];
const UPLOADS: &[Aim] = &[
    aim(Metric::Gigabytes, Bound::TimesAtLeast(0.9)),
    aim(Metric::Slowest, Bound::TimesAtMost(1.0)),
];
const SILENT: &[Aim] = &[aim(Metric::Connection, Bound::AtMost(16.0))];
/// 64 streams need no more memory than this, whoever reads them.
const FLAT: &[Aim] = &[aim(Metric::MemoryMost, Bound::AtMost(32.0))];

impl Row {
    /// The same hits asked for in another way.
    const fn by(mut self, client: Client) -> Self {
        if let Work::Hits { by, .. } = &mut self.work {
            *by = client;
        }
        self
    }
}

const fn row(name: &'static str, title: &'static str, work: Work, aims: &'static [Aim]) -> Row {
    Row {
        name,
        title,
        work,
        aims,
    }
}

const fn hits(
    name: &'static str,
    title: &'static str,
    size: u64,
    connections: usize,
    aims: &'static [Aim],
) -> Row {
    let by = Client::Load;
    let work = Work::Hits {
        size,
        connections,
        by,
    };
    row(name, title, work, aims)
}

const fn uploads(name: &'static str, title: &'static str, size: u64, connections: usize) -> Row {
    row(name, title, Work::Uploads { size, connections }, UPLOADS)
}

const fn idle(name: &'static str, title: &'static str, connections: usize) -> Row {
    row(name, title, Work::Idle { connections }, SILENT)
}

const fn aim(metric: Metric, bound: Bound) -> Aim {
    Aim { metric, bound }
}

const fn rate(times: f64) -> Aim {
    aim(Metric::Rate, Bound::TimesAtLeast(times))
}

/// Few large answers end in a turn, but their bytes are many.
const fn volume(times: f64) -> Aim {
    aim(Metric::Gigabytes, Bound::TimesAtLeast(times))
}

const fn cpu(times: f64) -> Aim {
    aim(Metric::CpuAnswer, Bound::TimesAtMost(times))
}

const fn gigabyte(times: f64) -> Aim {
    aim(Metric::CpuGigabyte, Bound::TimesAtMost(times))
}
