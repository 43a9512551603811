//! The tiers and their sizes.

use std::path::Path;

use super::super::raw::Raw;
use super::super::units::{self, Amount};
use super::super::{DiskTier, MemoryTier, Tier, Verify, value};

/// What the disk tier leaves free at most, where nobody says.
const MIN_FREE: u64 = bytesize::GIB;

/// The same, in hundredths of a per cent of the file system: small disks give less.
const MIN_FREE_SHARE: Amount = Amount::Share(500);

/// Largest artifact held in memory, where nobody says.
const MAX_IN_MEMORY: u64 = bytesize::MIB;

/// The same where files leave without a copy: what is larger leaves faster from its file, and would take
/// the room of many that are small.
const MAX_BESIDE_FILES: u64 = 64 * bytesize::KIB;

/// Bytes held in memory, where nobody says: what many teams' small artifacts of a week fit in.
const MEMORY: u64 = 256 * bytesize::MIB;

/// The part of the memory that the process may have, where that is less: bodies on their way, connections
/// and the index want theirs too.
const MEMORY_SHARE: u64 = 4;

/// Bytes of bodies on their way, where nobody says: what a hundred take at full speed.
const IN_FLIGHT: u64 = 128 * bytesize::MIB;

/// The same part for those; windows of HTTP/2 may have as much again.
const IN_FLIGHT_SHARE: u64 = 8;

/// What is written of the memory tier; the rest follows from how files leave.
struct AskedOfMemory {
    capacity: u64,
    max_artifact: Option<u64>,
}

/// Checks `tier.…`, on a machine with that data directory and as much memory as the process may have.
pub(super) fn tier(
    raw: &mut Raw,
    (data_dir, memory_limit): (&Path, Option<u64>),
    is_secured: bool,
) -> Tier {
    let memory = memory(raw, memory_limit);
    let disk = disk(raw, units::file_system_size(data_dir));
    // What is encrypted has to be copied. Where some listeners speak TLS and some do not, a larger artifact
    // in memory costs those in clear text a copy; one that is not there costs those with TLS the
    // reading of its file for each of its clients, and the copy too.
    let leaves_uncopied = cfg!(target_os = "linux") && disk.capacity > 0 && !is_secured;
    let default = if leaves_uncopied {
        MAX_BESIDE_FILES
    } else {
        MAX_IN_MEMORY
    };
    let tier = Tier {
        memory: memory.with_default(default, raw),
        disk,
        in_flight: raw
            .take("tier.in_flight", units::size)
            .unwrap_or_else(|| at_most(IN_FLIGHT, memory_limit, IN_FLIGHT_SHARE)),
    };
    if tier.memory.capacity == 0 && tier.disk.capacity == 0 {
        raw.warn(
            "tier.disk.capacity",
            "is 0, as is tier.memory.capacity: nothing is kept",
        );
    }
    tier
}

fn memory(raw: &mut Raw, limit: Option<u64>) -> AskedOfMemory {
    let asked = raw.take("tier.memory.capacity", units::size);
    if let (Some(asked), Some(limit)) = (asked, limit)
        && asked >= limit
    {
        let (asked, limit) = (units::show_size(asked), units::about(limit));
        let message = format!("is {asked}, and the process may have {limit} of memory in all");
        raw.warn("tier.memory.capacity", &message);
    }
    AskedOfMemory {
        capacity: asked.unwrap_or_else(|| at_most(MEMORY, limit, MEMORY_SHARE)),
        max_artifact: raw.take("tier.memory.max_artifact", units::size),
    }
}

fn disk(raw: &mut Raw, file_system: Option<u64>) -> DiskTier {
    let capacity = bytes(raw, "tier.disk.capacity", file_system).unwrap_or_default();
    if let Some(there) = file_system.filter(|there| capacity > *there)
        && !raw.is_preset("tier.disk.capacity")
    {
        let (capacity, there) = (units::show_size(capacity), units::about(there));
        let message = format!("is {capacity}, and the file system has {there}: it is never full");
        raw.warn("tier.disk.capacity", &message);
    }
    let max_artifact = bytes(raw, "tier.disk.max_artifact", file_system).unwrap_or_default();
    let words = [
        ("first-read", Verify::FirstRead),
        ("always", Verify::Always),
    ];
    DiskTier {
        capacity,
        max_artifact: fitting(raw, "tier.disk.max_artifact", max_artifact, capacity),
        verify: raw
            .take("tier.disk.verify", |value| value::choice(value, &words))
            .unwrap_or(Verify::FirstRead),
        max_age: raw
            .take("tier.disk.max_age", units::period)
            .unwrap_or_default(),
        min_free: bytes(raw, "tier.disk.min_free", file_system).unwrap_or_else(|| {
            let share = resolve(MIN_FREE_SHARE, file_system);
            share.map_or(MIN_FREE, |share| share.min(MIN_FREE))
        }),
        scrub_rate: raw
            .take("tier.disk.scrub_rate", units::size)
            .unwrap_or_default(),
    }
}

impl AskedOfMemory {
    fn with_default(self, default: u64, raw: &mut Raw) -> MemoryTier {
        let (capacity, asked) = (self.capacity, self.max_artifact.unwrap_or(default));
        MemoryTier {
            capacity,
            max_artifact: fitting(raw, "tier.memory.max_artifact", asked, capacity),
        }
    }
}

/// So much, or a share of what the process may have, where that is less.
fn at_most(usually: u64, limit: Option<u64>, share: u64) -> u64 {
    limit.map_or(usually, |limit| usually.min(limit / share))
}

/// No artifact larger than its tier is admitted, whatever was asked for.
fn fitting(raw: &mut Raw, key: &str, max_artifact: u64, capacity: u64) -> u64 {
    if max_artifact > capacity && raw.is_set(key) {
        let capacity = units::show_size(capacity);
        raw.warn(
            key,
            &format!("is more than the tier's capacity: {capacity} holds"),
        );
    }
    max_artifact.min(capacity)
}

fn bytes(raw: &mut Raw, key: &str, file_system: Option<u64>) -> Option<u64> {
    raw.take(key, |value| {
        resolve(units::amount(value)?, file_system).ok_or_else(|| {
            "is a share of a file system whose size cannot be told: write a size".to_owned()
        })
    })
}

fn resolve(amount: Amount, file_system: Option<u64>) -> Option<u64> {
    match amount {
        Amount::Bytes(bytes) => Some(bytes),
        Amount::Share(share) => {
            let bytes = u128::from(file_system?) * u128::from(share) / 10_000;
            u64::try_from(bytes).ok()
        }
    }
}
