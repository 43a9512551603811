//! Uploads under names that are new: nginx keeps them as files, Larder keeps them and hands them on, and
//! once more keeps them only.

use anyhow::Result;

use super::{Effort, measure};
use crate::figures::Rounds;
use crate::load::{Ask, Expect, Group, Load};
use crate::noise::undisturbed;
use crate::servers::{Place, Server, Wish, larder, nginx};

/// Measures it. Each turn has a server of its own, so that what a turn wrote is gone before the next.
pub(super) fn run(
    place: &Place,
    effort: Effort,
    size: u64,
    connections: usize,
) -> Result<Vec<Rounds>> {
    let origin = Server::origin(place, place.port(0), None)?;
    let store = |port| nginx::store(place, port);
    let keep = |port| larder::start(place, port, origin.port, Wish::default());
    let alone = |port| larder::alone(place, port);
    let starts: [&dyn Fn(u16) -> Result<Server>; 3] = [&store, &keep, &alone];
    // A store says nothing of itself.
    let expects = [Expect::Taken, Expect::Kept, Expect::Kept];
    let mut rounds = [nginx::NAME, "Larder", "Larder, alone"].map(Rounds::new);
    for round in 0..effort.rounds {
        for turn in 0..starts.len() {
            let number = (round + turn) % starts.len();
            let sample = undisturbed(|| {
                let server = starts[number](place.port(2))?;
                let ask = Ask::Upload { size };
                let group = Group::new(server.port, connections, ask, expects[number]);
                measure(&mut Load::start(&[group])?, &server.processes()?, effort)
            })?;
            rounds[number].samples.push(sample);
        }
    }
    Ok(rounds.into())
}
