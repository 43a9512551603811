//! From what this machine has to what is said of it. Values only.

use std::io;
use std::path::Path;
use std::time::Duration;

use bytesize::ByteSize;

use super::finding::Finding;

/// Bytes a second of a line of 100 Mbit/s: a slower disk gains nothing over an upstream behind one.
const LINE: f64 = 12_500_000.0;
/// Open files besides the connections of clients: those to the upstream, spools, files being served.
const OTHER_FILES: u64 = 512;

/// What the disk tier may have, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Room {
    /// What the file system gives to whoever asks.
    pub(super) available: Option<u64>,
    /// What the tier has taken already.
    pub(super) held: u64,
    pub(super) capacity: u64,
    pub(super) min_free: u64,
}

/// How much was written and read, and how long that took.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rates {
    pub(super) written: u64,
    pub(super) writing: Duration,
    pub(super) read: u64,
    pub(super) reading: Duration,
}

// === impl Room ===

impl Room {
    /// What can be taken now.
    pub(super) fn spare(&self) -> u64 {
        self.available.unwrap_or(0).saturating_sub(self.min_free)
    }
}

/// Whether files can be made in the data directory, or where it will be made.
pub(super) fn directory(
    data_dir: &Path,
    is_there: bool,
    tried: Result<&(), &io::Error>,
) -> Finding {
    let shown = data_dir.display();
    match tried {
        Ok(()) if is_there => Finding::ok(format!("{shown} can be written to")),
        Ok(()) => Finding::ok(format!("{shown} is not there yet and can be made")),
        Err(error) => Finding::failure(
            format!("{shown}: {error}"),
            "let the user that Larder runs as write there, or name another directory (--data-dir)",
        ),
    }
}

/// Whether a Larder runs on the data directory, and where it is asked about itself.
pub(super) fn process(owner: Option<u32>, admin: Option<String>) -> Finding {
    let admin = admin.map(|address| format!("; its admin listener is at {address}"));
    match owner {
        None => Finding::ok("no Larder runs on this directory"),
        Some(0) => Finding::ok(format!(
            "a Larder runs on this directory{}",
            admin.unwrap_or_default()
        )),
        Some(id) => Finding::ok(format!(
            "a Larder runs on this directory (process {id}){}",
            admin.unwrap_or_default()
        )),
    }
}

/// Whether the disk tier can have what it was promised.
pub(super) fn room(room: &Room) -> Finding {
    if room.capacity == 0 {
        return Finding::ok("the disk tier is off (tier.disk.capacity is 0)");
    }
    let Some(available) = room.available else {
        return Finding::not_tried("the system does not say how much room there is");
    };
    let (capacity, free) = (ByteSize::b(room.capacity), ByteSize::b(room.min_free));
    let (held, left) = (ByteSize::b(room.held), ByteSize::b(available));
    let detail = format!("{left} left and {held} held, for {capacity} (tier.disk.capacity)");
    if available <= room.min_free {
        return Finding::warning(
            format!("{detail}; {free} are left to others"),
            "nothing can be stored: make room, or lower tier.disk.min_free",
        );
    }
    if room.spare().saturating_add(room.held) < room.capacity {
        return Finding::warning(
            format!("{detail}; {free} are left to others"),
            "artifacts are evicted sooner than tier.disk.capacity says: make room, or lower it",
        );
    }
    Finding::ok(detail)
}

/// How fast the disk is.
pub(super) fn speed(measured: Result<&Rates, &io::Error>) -> Finding {
    let rates = match measured {
        Ok(rates) => rates,
        Err(error) => {
            let advice =
                "the disk fails or hangs: hits from it would too; look at the system's log";
            return Finding::failure(error.to_string(), advice);
        }
    };
    let (write, read) = (
        rate(rates.written, rates.writing),
        rate(rates.read, rates.reading),
    );
    let detail = format!("writes {} a second, reads {}", shown(write), shown(read));
    if write.min(read) < LINE {
        let advice = "slower than a line of 100 Mbit/s: hits may be slower than the upstream; use another disk";
        return Finding::warning(detail, advice);
    }
    Finding::ok(detail)
}

#[expect(clippy::cast_precision_loss, reason = "a figure for people")]
pub(super) fn rate(bytes: u64, time: Duration) -> f64 {
    // The clock may not have moved.
    bytes as f64 / time.as_secs_f64().max(1e-9)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a figure for people, never below 0, and a cast saturates"
)]
fn shown(rate: f64) -> String {
    ByteSize::b(rate as u64).to_string()
}

/// Whether `bodies`, the most that bodies may take of it, fit the memory that the process may have.
pub(super) fn memory(bodies: u64, limit: Option<u64>) -> Finding {
    let taken = ByteSize::b(bodies);
    let Some(limit) = limit else {
        return Finding::ok(format!(
            "bodies take up to {taken}, and nobody bounds the process"
        ));
    };
    let detail = format!("bodies take up to {taken} of {}", ByteSize::b(limit));
    // Connections, the index and the program itself want theirs.
    if bodies > limit / 4 * 3 {
        let advice = "the system may kill Larder when it is busy: lower tier.memory.capacity or tier.in_flight, \
                      or give it more";
        return Finding::warning(detail, advice);
    }
    Finding::ok(detail)
}

/// Whether the limit of open files is enough for so many connections.
pub(super) fn open_files(limit: Option<u64>, connections: usize) -> Finding {
    let wanted = (connections as u64).saturating_add(OTHER_FILES);
    match limit {
        None => Finding::ok("as many as Larder likes"),
        Some(limit) if limit >= wanted => {
            Finding::ok(format!("{limit}, for {connections} connections"))
        }
        Some(limit) => Finding::warning(
            format!("{limit}, for {connections} connections (server.max_connections)"),
            format!(
                "raise the hard limit to {wanted} (LimitNOFILE= under systemd), or lower server.max_connections"
            ),
        ),
    }
}
