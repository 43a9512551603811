//! Misses that are stored: small artifacts that nobody has asked for before.

use std::ops::Range;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::{Effort, KIB, measure, take_turns};
use crate::figures::{Metric, Rounds};
use crate::load::{Ask, Expect, Group, Load, compare, unseen};
use crate::servers::{Place, Server, Wish, larder, nginx, pause};

const SIZE: u64 = KIB;
/// Together enough for each of Larder's 256 folders; nginx has its own from the start.
const FIRST_CONNECTIONS: usize = 32;
const FIRST_REQUESTS: u64 = 200;
/// Of the artifacts of a turn that are asked for once more.
const SAMPLES: u64 = 50;
const PATIENCE: Duration = Duration::from_mins(1);
/// How long after a turn the last of its files may be made.
const FILES_PATIENCE: Duration = Duration::from_secs(2);
const MOMENT: Duration = Duration::from_millis(100);

/// Has a server make the folders that it keeps files in, which costs once what no later miss does.
fn make_folders(server: &Server) -> Result<()> {
    let ask = Ask::Unseen { size: SIZE };
    let mut group = Group::new(server.port, FIRST_CONNECTIONS, ask, Expect::Stored(SIZE));
    group.requests = FIRST_REQUESTS;
    Load::start(&[group])?.finish(PATIENCE)?;
    Ok(())
}

/// Waits until a server has made as many files as it said: who defers them further is done no sooner, and
/// who gives them up has stored nothing.
fn wait_for_files(server: &Server, number: u64) -> Result<()> {
    let began = Instant::now();
    loop {
        let made = server.files()?;
        if made >= number {
            return Ok(());
        }
        ensure!(
            began.elapsed() < FILES_PATIENCE,
            "{}: {made} files of {number}",
            server.name
        );
        pause(MOMENT);
    }
}

/// Asks for some of those that a turn asked for: what was said to be stored is there.
fn look_again(server: &Server, numbers: Range<u64>) -> Result<()> {
    let step = (numbers.end - numbers.start) / SAMPLES + 1;
    for number in numbers.step_by(step as usize) {
        compare(
            server.port,
            Ask::Same { size: SIZE, number },
            Expect::Hit(SIZE),
        )
        .with_context(|| format!("{}, once more", server.name))?;
    }
    Ok(())
}

/// Measures it; the origin itself is the first of the servers.
pub(super) fn run(place: &Place, effort: Effort, connections: usize) -> Result<Vec<Rounds>> {
    let origin = Server::origin(place, place.port(0), None)?;
    let port = origin.port;
    let wish = Wish::default();
    let servers = [
        origin,
        nginx::cache(place, nginx::NAME, place.port(2), port, wish)?,
        larder::start(place, place.port(4), port, wish)?,
    ];
    nginx::make_folders(&servers[1])?;
    for server in &servers[1..] {
        make_folders(server)?;
    }
    let mut rounds = take_turns(&servers, effort.rounds, |server| {
        let expect = if server.port == port {
            Expect::Body(SIZE)
        } else {
            Expect::Stored(SIZE)
        };
        let before = server.files()?;
        let first = unseen() + 1;
        let group = Group::new(server.port, connections, Ask::Unseen { size: SIZE }, expect);
        let sample = measure(&mut Load::start(&[group])?, &server.processes()?, effort)?;
        if server.port != port {
            // A request of each connection may be under way when a turn ends.
            let asked = unseen() - first - connections as u64;
            wait_for_files(server, before + asked)?;
            look_again(server, first..unseen())?;
        }
        Ok(sample)
    })?;
    if let [direct, through @ ..] = &mut rounds[..] {
        for (round, direct) in direct.samples.iter().enumerate() {
            for server in &mut *through {
                let sample = &mut server.samples[round];
                let added = sample[&Metric::Median] - direct[&Metric::Median];
                sample.insert(Metric::Added, added);
            }
        }
    }
    Ok(rounds)
}
