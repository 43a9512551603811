//! Every interleaving of a few askers of one cold artifact, as a model of what the code does; that
//! the code does it is tested beside it.
//!
//! The order a fill keeps is easily undone by accident: look again before fetching, land before
//! leaving the table. Here both are taken away in turn, to see what each is for.
#![expect(clippy::indexing_slicing, reason = "a test may fail loudly")]

use std::collections::HashSet;

/// Where one asker stands, and with it the fill it leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Step {
    LookUp,
    Join,
    LookAgain,
    Fetch,
    LandOrLeave,
    LeaveOrLand,
    Following(usize),
    Served,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct World {
    landed: bool,
    /// Who leads the flight in the table.
    table: Option<usize>,
    fetches: usize,
    askers: Vec<Step>,
}

#[derive(Clone, Copy, Debug)]
struct Rules {
    look_again: bool,
    land_before_leaving: bool,
}

impl World {
    /// What the world is after `asker` takes one step; `None` where it has to wait.
    fn after(&self, asker: usize, rules: Rules) -> Option<Self> {
        let mut next = self.clone();
        next.askers[asker] = match self.askers[asker] {
            Step::Served => return None,
            Step::LookUp if self.landed => Step::Served,
            Step::LookUp => Step::Join,
            Step::Join => {
                let leader = *next.table.get_or_insert(asker);
                if leader == asker {
                    Step::LookAgain
                } else {
                    Step::Following(leader)
                }
            }
            Step::LookAgain if rules.look_again && self.landed => {
                next.table = None;
                Step::LookUp
            }
            Step::LookAgain => Step::Fetch,
            Step::Fetch => {
                next.fetches += 1;
                Step::LandOrLeave
            }
            Step::LandOrLeave => {
                next.land_or_leave(rules.land_before_leaving);
                Step::LeaveOrLand
            }
            Step::LeaveOrLand => {
                next.land_or_leave(!rules.land_before_leaving);
                Step::Served
            }
            Step::Following(leader) => match self.askers[leader] {
                // The bytes are there as soon as they are fetched.
                Step::LandOrLeave | Step::LeaveOrLand | Step::Served => Step::Served,
                // The lead was given up because the tiers had it.
                Step::LookUp | Step::Join | Step::Following(_) => Step::LookUp,
                Step::LookAgain | Step::Fetch => return None,
            },
        };
        Some(next)
    }

    fn land_or_leave(&mut self, land: bool) {
        if land {
            self.landed = true;
        } else {
            self.table = None;
        }
    }
}

/// The most fetches that any order of steps leads to; fails where an order ends with an asker unserved.
fn most_fetches(askers: usize, rules: Rules) -> usize {
    let start = World {
        landed: false,
        table: None,
        fetches: 0,
        askers: vec![Step::LookUp; askers],
    };
    let (mut seen, mut open, mut most) = (HashSet::new(), vec![start], 0);
    while let Some(world) = open.pop() {
        if !seen.insert(world.clone()) {
            continue;
        }
        most = most.max(world.fetches);
        let next: Vec<World> = (0..askers)
            .filter_map(|asker| world.after(asker, rules))
            .collect();
        if next.is_empty() {
            assert!(
                world.askers.iter().all(|step| *step == Step::Served),
                "stuck: {world:?}"
            );
        }
        open.extend(next);
    }
    most
}

#[test]
fn with_both_orders_kept_one_artifact_is_fetched_once() {
    for askers in 2..=4 {
        let rules = Rules {
            look_again: true,
            land_before_leaving: true,
        };
        assert_eq!(most_fetches(askers, rules), 1, "{askers} askers");
    }
}

#[test]
fn without_either_order_every_asker_may_fetch() {
    for askers in 2..=4 {
        let no_look = Rules {
            look_again: false,
            land_before_leaving: true,
        };
        let no_order = Rules {
            look_again: true,
            land_before_leaving: false,
        };
        assert_eq!(most_fetches(askers, no_look), askers);
        assert_eq!(most_fetches(askers, no_order), askers);
    }
}
