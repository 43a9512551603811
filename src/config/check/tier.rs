//! The tiers and their sizes.

use std::path::Path;

use super::super::raw::Raw;
use super::super::units::{self, Amount};
use super::super::{DiskTier, MemoryTier, Tier, Verify, value};

/// What the disk tier leaves free at most, where nobody says.
const MIN_FREE: u64 = bytesize::GIB;

/// The same, in hundredths of a per cent of the file system: small disks give less.
const MIN_FREE_SHARE: Amount = Amount::Share(500);

/// Checks `tier.…`.
pub(super) fn tier(raw: &mut Raw, data_dir: &Path) -> Tier {
    let tier = Tier {
        memory: memory(raw),
        disk: disk(raw, units::file_system_size(data_dir)),
    };
    if tier.memory.capacity == 0 && tier.disk.capacity == 0 {
        raw.warn(
            "tier.disk.capacity",
            "is 0, as is tier.memory.capacity: nothing is kept",
        );
    }
    tier
}

fn memory(raw: &mut Raw) -> MemoryTier {
    let capacity = raw
        .take("tier.memory.capacity", units::size)
        .unwrap_or_default();
    let max_artifact = raw
        .take("tier.memory.max_artifact", units::size)
        .unwrap_or_default();
    MemoryTier {
        capacity,
        max_artifact: fitting(raw, "tier.memory.max_artifact", max_artifact, capacity),
    }
}

fn disk(raw: &mut Raw, file_system: Option<u64>) -> DiskTier {
    let capacity = bytes(raw, "tier.disk.capacity", file_system).unwrap_or_default();
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
