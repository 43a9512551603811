//! Who goes first: the ranking and the index against models that know everything and are slow.

use proptest::collection::vec;
use proptest::prelude::*;

use super::index::{Index, Remembered, footprint};
use super::layout::{EntryName, Prefix, Serial};
use super::ranking::{HALF_LIFE, ROUND_TRIP, Ranking, Uses, halvings, worth};
use crate::artifact::KeyDigest;

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
/// When the process under test began.
const STARTED: u32 = 1_000_000;

/// All that is known of an entry; its rank is made anew each time it is asked for.
#[derive(Clone, Copy, Debug)]
struct Known {
    id: u32,
    worth: u16,
    uses: Uses,
    turn: u64,
    not_before: (u64, u64),
}

impl Known {
    fn rank(&self) -> (u64, u64) {
        let halvings = u64::from(self.worth) + u64::from(halvings(self.uses.count.into()));
        let second = u64::from(self.uses.last) + u64::from(HALF_LIFE) * halvings / 256;
        (second, self.turn).max(self.not_before)
    }
}

fn name(key: u8, length: u64, landed: u32) -> EntryName {
    EntryName {
        prefix: Prefix::of(&KeyDigest::from_bytes([key; 32])),
        serial: Serial::from_number(1),
        length,
        landed,
        millis: 0,
    }
}

fn index() -> Index {
    Index::new(u64::MAX, STARTED)
}

/// All entries in the order they go in.
fn order(mut index: Index) -> Vec<EntryName> {
    let mut order = Vec::new();
    while let Some(name) = index.candidate() {
        assert!(index.remove(&name));
        order.push(name);
    }
    order
}

/// Another index, begun at the second `started`, that found the same files; it knows what the first
/// one remembered.
fn restarted(index: &Index, names: &[EntryName], started: u32) -> Index {
    let remembered: Vec<Remembered> = (0..=u8::MAX)
        .flat_map(|shard| index.remembered(shard))
        .collect();
    let mut restarted = Index::new(u64::MAX, started);
    for name in names {
        let known = remembered.iter().find(|known| known.prefix == name.prefix);
        restarted.adopt(*name, known);
    }
    restarted
}

#[test]
fn worth_and_uses_are_time_in_halvings() {
    for (number, parts) in [(0, 0), (1, 0), (2, 256), (3, 384), (1 << 40, 40 * 256)] {
        assert_eq!(halvings(number), parts, "{number}");
    }
    assert_eq!(halvings(u64::MAX), 63 * 256 + 255);
    // As long as the round trip is, a byte costs two.
    assert_eq!(worth(ROUND_TRIP), 256);
    assert_eq!(worth(u64::MAX), 0);
    assert!((8 * 256..9 * 256).contains(&worth(4 * KIB)));
    assert_eq!(worth(0), worth(1));
}

#[test]
fn of_equals_the_least_recently_used_goes_first_even_within_a_second() {
    let mut index = index();
    let names = [1, 2, 3].map(|key| name(key, 1, STARTED));
    for name in names {
        index.insert(name);
    }
    index.find(&names[0].prefix, STARTED);
    assert_eq!(index.candidate(), Some(names[1]));
    index.touch(&names[1].prefix, STARTED);
    assert_eq!(order(index), [names[2], names[0], names[1]]);
}

#[test]
fn what_a_clock_set_since_remembers_of_the_future_is_the_past() {
    let (before, now) = (name(1, 1, STARTED), name(2, 1, STARTED));
    let mut index = index();
    let from_the_future = Remembered {
        prefix: before.prefix,
        used: u32::MAX,
        uses: 1,
    };
    index.adopt(before, Some(&from_the_future));
    index.insert(now);
    assert_eq!(order(index), [before, now]);
}

#[test]
fn a_small_entry_outlives_a_large_one_that_was_used_a_little_later() {
    let small = name(1, 4 * KIB, STARTED);
    let soon = name(2, 200 * MIB, STARTED + 8 * HALF_LIFE);
    let late = name(3, 200 * MIB, STARTED + 9 * HALF_LIFE);
    let mut index = index();
    for name in [small, soon, late] {
        index.insert(name);
    }
    assert_eq!(order(index), [soon, small, late]);
}

#[test]
fn an_entry_used_twice_outlives_one_used_once_a_little_later() {
    let often = name(1, MIB, STARTED);
    let soon = name(2, MIB, STARTED + HALF_LIFE - 1);
    let late = name(3, MIB, STARTED + HALF_LIFE + 1);
    let mut index = index();
    for name in [often, soon, late] {
        index.insert(name);
    }
    index.touch(&often.prefix, STARTED);
    assert_eq!(order(index), [soon, often, late]);
}

#[test]
fn what_is_not_remembered_counts_as_used_before_all_that_was_used_since() {
    let mut index = index();
    // Landed after our beginning, by a clock that was set back since.
    let ahead = name(1, MIB, STARTED + 1000);
    let old = name(2, MIB, STARTED - 1000);
    let used = name(3, MIB, STARTED - 2000);
    for name in [ahead, old, used] {
        assert_eq!(index.adopt(name, None), None);
    }
    index.insert(name(4, MIB, STARTED - 5000));
    // So does a look-up's clock, here.
    index.find(&used.prefix, STARTED - 5000);
    let keys = order(index).into_iter().map(|name| name.landed);
    let keys: Vec<_> = keys.collect();
    assert_eq!(
        keys,
        [old.landed, ahead.landed, STARTED - 5000, used.landed]
    );
}

#[test]
fn an_entry_whose_file_stays_is_put_off_behind_all_others() {
    let mut index = index();
    let names = [1, 2, 3].map(|key| name(key, MIB, STARTED + u32::from(key)));
    for name in names {
        index.insert(name);
    }
    for expected in names {
        assert_eq!(index.candidate(), Some(expected));
        index.postpone(&expected);
    }
    assert_eq!(index.candidate(), Some(names[0]));
}

proptest! {
    #[test]
    fn who_goes_next_is_whom_a_naive_model_names(
        steps in vec((0..6_u8, 0..12_u32, 0..20_000_u32, 0..4000_u16), 0..200),
    ) {
        let mut ranking = Ranking::new(HALF_LIFE);
        let mut model: Vec<Known> = Vec::new();
        let (mut turn, mut latest, mut highest) = (0, 0, 0);
        for (step, id, second, worth) in steps {
            let place = model.iter().position(|known| known.id == id);
            match (step, place) {
                (0 | 1, None) => {
                    turn += 1;
                    highest = highest.max(worth);
                    latest = latest.max(second);
                    let uses = Uses { last: second, count: 1 };
                    ranking.insert(id, worth, uses);
                    model.push(Known { id, worth, uses, turn, not_before: (0, 0) });
                }
                (0, Some(place)) => {
                    ranking.remove(id);
                    model.remove(place);
                }
                (1, Some(place)) => {
                    turn += 1;
                    ranking.postpone(id);
                    let uses = Uses { last: latest, count: u8::MAX };
                    let behind = Known { id, worth: highest, uses, turn, not_before: (0, 0) };
                    let known = &mut model[place];
                    known.not_before = known.not_before.max(behind.rank());
                }
                (2 | 3, Some(place)) => {
                    turn += 1;
                    latest = latest.max(second);
                    ranking.touch(id, second);
                    let known = &mut model[place];
                    known.turn = turn;
                    known.uses.last = known.uses.last.max(second);
                    known.uses.count = known.uses.count.saturating_add(1);
                }
                (4, _) => {
                    ranking.settle(1);
                }
                (5, _) => {
                    let first = model.iter().min_by_key(|known| known.rank());
                    prop_assert_eq!(ranking.victim(), first.map(|known| known.id));
                }
                _ => {}
            }
            let known = model.iter().find(|known| known.id == id);
            prop_assert_eq!(ranking.uses(id), known.map(|known| known.uses));
        }
        model.sort_by_key(Known::rank);
        for known in model {
            prop_assert_eq!(ranking.victim(), Some(known.id));
            ranking.remove(known.id);
        }
    }

    #[test]
    fn entries_that_are_remembered_go_in_the_order_of_before_the_restart(
        lengths in vec(1..400 * MIB, 1..40),
        uses in vec(any::<prop::sample::Index>(), 0..200),
    ) {
        let mut index = index();
        let mut names = Vec::new();
        for (key, length) in (0_u8..).zip(&lengths) {
            names.push(name(key, *length, STARTED + u32::from(key)));
            index.insert(names[usize::from(key)]);
        }
        let mut now = STARTED + 100;
        for used in uses {
            // Seconds are told apart, uses within one are not.
            now += 60;
            index.find(&used.get(&names).prefix, now);
        }
        let mut restarted = restarted(&index, &names, now + 1000);
        let newest = name(200, 4 * KIB, now + 2000);
        index.insert(newest);
        restarted.insert(newest);
        let remembered: Vec<_> = (0..=200).flat_map(|shard| index.remembered(shard)).collect();
        // Which of two goes first that rank the same second is nobody's to remember.
        let second = |name: &EntryName| {
            let known = remembered.iter().find(|known| known.prefix == name.prefix).unwrap();
            let uses = Uses { last: known.used, count: known.uses };
            let worth = worth(footprint(name.length));
            Known { id: 0, worth, uses, turn: 0, not_before: (0, 0) }.rank()
        };
        let before: Vec<_> = order(index).iter().map(second).collect();
        let after: Vec<_> = order(restarted).iter().map(second).collect();
        prop_assert!(before.is_sorted());
        prop_assert_eq!(before, after);
    }
}
