//! What many connections take of memory: streams that are read fast or slowly, and silence.

use std::time::Duration;

use anyhow::Result;

use super::hits::fill;
use super::{Effort, KIB, MIB, take_turns};
use crate::figures::{Metric, Rounds, Sample};
use crate::load::{Ask, Expect, Group, Load, unseen};
use crate::servers::{Place, Server, Wish, larder, nginx};
use crate::usage::Processes;

const LARGE: u64 = 128 * MIB;
const STREAMS: usize = 64;
/// How often memory is looked at while streams run.
const LOOKS: u32 = 20;
/// Until what a server does after an answer is done.
const CALM: Duration = Duration::from_millis(500);
const PATIENCE: Duration = Duration::from_secs(30);

/// Measures many streams of one artifact.
pub(super) fn streams(place: &Place, effort: Effort, rate: Option<u64>) -> Result<Vec<Rounds>> {
    let origin = Server::origin(place, place.port(0), None)?;
    let wish = Wish::default();
    let servers = [
        nginx::cache(place, nginx::NAME, place.port(2), origin.port, wish)?,
        larder::start(place, place.port(4), origin.port, wish)?,
    ];
    let number = unseen();
    for server in &servers {
        fill(server.port, LARGE, number)?;
    }
    take_turns(&servers, effort.rounds, |server| {
        let ask = Ask::Same {
            size: LARGE,
            number,
        };
        let mut group = Group::new(server.port, STREAMS, ask, Expect::Hit(LARGE));
        group.pace = rate;
        let processes = server.processes()?;
        let before = processes.memory()?;
        let mut load = Load::start(&[group])?;
        let mut most = before;
        for _ in 0..LOOKS {
            load.run(effort.window / LOOKS)?;
            most = most.max(processes.memory()?);
        }
        let seconds = effort.window.as_secs_f64();
        Ok(Sample::from([
            (
                Metric::Gigabytes,
                load.seen()[0].bytes as f64 / 1e9 / seconds,
            ),
            (Metric::MemoryBefore, before as f64 / MIB as f64),
            (Metric::MemoryMost, most as f64 / MIB as f64),
        ]))
    })
}

/// Measures connections that made one request each and stay. Each turn has a server of its own: what
/// others have left behind would serve the next.
pub(super) fn idle(place: &Place, effort: Effort, connections: usize) -> Result<Vec<Rounds>> {
    let origin = Server::origin(place, place.port(0), None)?;
    let wish = Wish {
        connections,
        ..Wish::default()
    };
    let mut rounds = [Rounds::new(nginx::NAME), Rounds::new("Larder")];
    for _ in 0..effort.rounds {
        let port = place.port(2);
        let server = nginx::cache(place, nginx::NAME, port, origin.port, wish)?;
        rounds[0].samples.push(hold(&server, connections)?);
        drop(server);
        let server = larder::start(place, port, origin.port, wish)?;
        rounds[1].samples.push(hold(&server, connections)?);
    }
    Ok(rounds.into())
}

fn hold(server: &Server, connections: usize) -> Result<Sample> {
    let number = unseen();
    fill(server.port, KIB, number)?;
    let processes = server.processes()?;
    let before = settled(&processes)?;
    let ask = Ask::Same { size: KIB, number };
    let mut group = Group::new(server.port, connections, ask, Expect::Hit(KIB));
    group.requests = 1;
    let mut load = Load::start(&[group])?;
    load.finish(PATIENCE)?;
    let after = settled(&processes)?;
    load.run(Duration::from_millis(1))?;
    let grown = after.saturating_sub(before) as f64;
    Ok(Sample::from([
        (Metric::MemoryBefore, before as f64 / MIB as f64),
        (Metric::MemoryMost, after as f64 / MIB as f64),
        (Metric::Connection, grown / KIB as f64 / connections as f64),
    ]))
}

fn settled(processes: &Processes) -> Result<u64> {
    crate::servers::pause(CALM);
    processes.memory()
}
