//! The sums of an index and who replaces whom.

use std::collections::HashMap;

use proptest::collection::vec;
use proptest::prelude::*;

use super::index::{Index, Shortage, footprint};
use super::layout::{EntryName, Prefix, Serial};
use crate::artifact::KeyDigest;

const UNIT: u64 = 4096;

fn name(key: u8, serial: u64, length: u64) -> EntryName {
    EntryName {
        prefix: Prefix::of(&KeyDigest::from_bytes([key; 32])),
        serial: Serial::from_number(serial),
        length,
        landed: u32::try_from(serial).unwrap(),
        millis: 0,
    }
}

#[test]
fn a_late_removal_cannot_take_a_newer_entry() {
    let mut index = Index::new(10 * UNIT, 1);
    index.insert(name(1, 1, 1));
    assert_eq!(index.insert(name(1, 2, 1)), Some(name(1, 1, 1)));
    assert!(!index.remove(&name(1, 1, 1)));
    assert!(index.remove(&name(1, 2, 1)));
    assert_eq!((index.used(), index.len(), index.oldest()), (0, 0, None));
}

#[test]
fn of_two_found_entries_of_a_key_the_higher_serial_wins() {
    for (first, second) in [(1, 2), (2, 1)] {
        let mut index = Index::new(10 * UNIT, 1);
        assert_eq!(index.adopt(name(1, first, 1), None), None);
        assert_eq!(index.adopt(name(1, second, 1), None), Some(name(1, 1, 1)));
        assert!(index.holds(&name(1, 2, 1)));
        assert_eq!((index.used(), index.len()), (UNIT, 1));
    }
}

#[test]
fn drafts_share_half_the_capacity_unless_one_is_alone() {
    let mut index = Index::new(100 * UNIT, 1);
    assert_eq!(index.reserve(0, 80 * UNIT), Ok(()));
    assert_eq!(index.reserve(80 * UNIT, 20 * UNIT), Ok(()));
    assert_eq!(index.reserve(100 * UNIT, UNIT), Err(Shortage::Crowded));
    index.release(60 * UNIT);
    assert_eq!(index.reserve(0, 10 * UNIT), Ok(()));
    assert_eq!(index.reserve(0, UNIT), Err(Shortage::Crowded));
    index.release(20 * UNIT);
    index.insert(name(1, 1, 60 * UNIT));
    assert_eq!(index.reserve(0, 15 * UNIT), Err(Shortage::Full));
}

proptest! {
    #[test]
    fn the_sums_are_those_of_the_entries(
        steps in vec((0..4_u8, 0..6_u8, 1..6_u64, 1..20_000_u64), 0..80),
    ) {
        let mut index = Index::new(u64::MAX, 1);
        let mut model: HashMap<Prefix, EntryName> = HashMap::new();
        for (step, key, serial, length) in steps {
            let name = name(key, serial, length);
            let known = model.get(&name.prefix).copied();
            match step {
                0 => {
                    prop_assert_eq!(index.insert(name), known);
                    model.insert(name.prefix, name);
                }
                1 => {
                    index.adopt(name, None);
                    if known.is_none_or(|known| known.serial < name.serial) {
                        model.insert(name.prefix, name);
                    }
                }
                2 => {
                    let is_held = known.is_some_and(|known| known.serial == name.serial);
                    prop_assert_eq!(index.remove(&name), is_held);
                    if is_held {
                        model.remove(&name.prefix);
                    }
                }
                _ => index.touch(&name.prefix, 1),
            }
            let used: u64 = model.values().map(|name| footprint(name.length)).sum();
            prop_assert_eq!(index.used(), used);
            prop_assert_eq!(index.len(), model.len());
            let oldest = model.values().map(EntryName::landed).min();
            prop_assert_eq!(index.oldest(), oldest);
        }
    }
}
