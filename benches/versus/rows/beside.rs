//! Small hits while large artifacts stream from the same core.

use anyhow::Result;

use super::hits::fill;
use super::{Effort, KIB, MIB, measure_all, take_turns};
use crate::figures::{Metric, Rounds, Sample};
use crate::load::{Ask, Expect, Group, Load, unseen};
use crate::servers::{Place, Server, Wish, larder, nginx};

const SMALL: u64 = KIB;
const LARGE: u64 = 128 * MIB;
const ASKERS: usize = 4;
const STREAMS: usize = 8;

/// Measures it: the figures are those of the small hits, but for the bytes, which are the streams'.
pub(super) fn run(place: &Place, effort: Effort) -> Result<Vec<Rounds>> {
    let origin = Server::origin(place, place.port(0), None)?;
    let wish = Wish::default();
    let servers = [
        nginx::cache(place, nginx::NAME, place.port(2), origin.port, wish)?,
        nginx::cache(place, nginx::AGAIN, place.port(3), origin.port, wish)?,
        larder::start(place, place.port(4), origin.port, wish)?,
    ];
    let number = unseen();
    for server in &servers {
        fill(server.port, SMALL, number)?;
        fill(server.port, LARGE, number)?;
    }
    take_turns(&servers, effort.rounds, |server| {
        turn(server, number, effort)
    })
}

fn turn(server: &Server, number: u64, effort: Effort) -> Result<Sample> {
    let group = |connections, size| {
        let ask = Ask::Same { size, number };
        Group::new(server.port, connections, ask, Expect::Hit(size))
    };
    let mut load = Load::start(&[group(ASKERS, SMALL), group(STREAMS, LARGE)])?;
    let (mut sample, streamed) = measure_all(&mut load, &server.processes()?, effort)?;
    // What the server spends on both is no figure of one.
    for metric in [Metric::CpuAnswer, Metric::CpuGigabyte] {
        sample.remove(&metric);
    }
    let seconds = effort.window.as_secs_f64();
    sample.insert(Metric::Gigabytes, streamed as f64 / 1e9 / seconds);
    Ok(sample)
}
