//! A hundred clients at once for an artifact that only the origin has, behind a line that is slower than
//! they are.

use std::time::Duration;

use anyhow::Result;

use super::{Effort, MIB, take_turns};
use crate::figures::{Metric, Rounds, Sample};
use crate::load::{Ask, Expect, Group, Load, unseen};
use crate::servers::{Place, Server, Wish, larder, nginx};

const SIZE: u64 = 16 * MIB;
const ASKERS: usize = 100;
/// The line to the origin, bytes a second: half a gigabit.
const LINE: u64 = 64 * MIB;
const PATIENCE: Duration = Duration::from_secs(30);

/// Measures it; one download straight from the origin is the first of the servers.
pub(super) fn run(place: &Place, effort: Effort) -> Result<Vec<Rounds>> {
    let origin = Server::origin(place, place.port(0), Some(LINE))?;
    let port = origin.port;
    let wish = Wish {
        collapse: true,
        ..Wish::default()
    };
    let servers = [
        origin,
        nginx::cache(place, nginx::NAME, place.port(2), port, wish)?,
        larder::start(place, place.port(4), port, wish)?,
    ];
    let mut rounds = take_turns(&servers, effort.rounds, |server| {
        turn(server, if server.port == port { 1 } else { ASKERS })
    })?;
    if let [direct, through @ ..] = &mut rounds[..] {
        for (round, direct) in direct.samples.iter().enumerate() {
            for server in &mut *through {
                let sample = &mut server.samples[round];
                let times = sample[&Metric::LastByte] / direct[&Metric::LastByte];
                sample.insert(Metric::TimesDirect, times);
            }
        }
    }
    Ok(rounds)
}

fn turn(server: &Server, askers: usize) -> Result<Sample> {
    let ask = Ask::Same {
        size: SIZE,
        number: unseen(),
    };
    let mut group = Group::new(server.port, askers, ask, Expect::Body(SIZE));
    group.requests = 1;
    let processes = server.processes()?;
    let before = processes.taken()?;
    let mut load = Load::start(&[group])?;
    load.finish(PATIENCE)?;
    let spent = processes.taken()?.since(&before);
    let seen = &load.seen()[0];
    Ok(Sample::from([
        (Metric::LastByte, seen.longest.as_secs_f64()),
        (
            Metric::CpuGigabyte,
            spent.busy.as_secs_f64() / (seen.bytes as f64 / 1e9),
        ),
    ]))
}
