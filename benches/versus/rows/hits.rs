//! Hits: the same artifact again and again, on connections that are kept.

use std::time::Duration;

use anyhow::{Context, Result};

use super::{Client, Effort, measure, take_turns};
use crate::figures::{Metric, Rounds, Sample};
use crate::load::{Ask, Expect, Group, Load, compare, unseen};
use crate::servers::{Place, Server, Wish, larder, nginx, pause, varnish};
use crate::usage::Processes;
use crate::wrk;

/// Until a log's last lines are written.
const WRITTEN: Duration = Duration::from_millis(100);
/// No first answer takes as long.
const PATIENCE: Duration = Duration::from_secs(20);

/// A row of hits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hits {
    pub(super) size: u64,
    pub(super) connections: usize,
    pub(super) by: Client,
}

impl Hits {
    /// Measures it: nginx twice, Larder, and Varnish where it is installed.
    pub(super) fn run(self, place: &Place, effort: Effort) -> Result<Vec<Rounds>> {
        let origin = Server::origin(place, place.port(0), None)?;
        let servers = self.servers(place, origin.port)?;
        let number = unseen();
        for server in &servers {
            if self.is_tls() {
                self.wrk(server, number).fill().context(server.name)?;
            } else {
                fill(server.port, self.size, number)?;
            }
        }
        let rounds = take_turns(&servers, effort.rounds, |server| {
            self.turn(server, number, effort)
        });
        let mut rounds = rounds?;
        if !self.is_tls() {
            name_tier(&mut rounds, &servers, self.size, number)?;
        }
        Ok(rounds)
    }

    fn is_tls(self) -> bool {
        self.by == Client::WrkTls
    }

    fn servers(self, place: &Place, origin: u16) -> Result<Vec<Server>> {
        let wish = Wish {
            log: self.by == Client::Logged,
            tls: self.is_tls(),
            connections: self.connections,
            ..Wish::default()
        };
        let mut servers = vec![
            nginx::cache(place, nginx::NAME, place.port(2), origin, wish)?,
            nginx::cache(place, nginx::AGAIN, place.port(3), origin, wish)?,
            larder::start(place, place.port(4), origin, wish)?,
        ];
        // It speaks no TLS, and logs through another process.
        if varnish::is_installed() && !wish.tls && !wish.log {
            servers.push(varnish::start(place, place.port(6), origin)?);
        }
        Ok(servers)
    }

    fn wrk(self, server: &Server, number: u64) -> wrk::Run {
        wrk::Run {
            tls: self.is_tls(),
            port: server.port,
            connections: self.connections,
            size: self.size,
            number,
        }
    }

    fn turn(self, server: &Server, number: u64, effort: Effort) -> Result<Sample> {
        let processes = server.processes()?;
        match self.by {
            Client::Load | Client::Logged => {
                let ask = Ask::Same {
                    size: self.size,
                    number,
                };
                let expect = Expect::Hit(self.size);
                let group = Group::new(server.port, self.connections, ask, expect);
                let mut load = Load::start(&[group])?;
                if self.by == Client::Load {
                    return measure(&mut load, &processes, effort);
                }
                logged(&mut load, server, &processes, effort)
            }
            Client::Wrk | Client::WrkTls => self.wrk(server, number).measure(&processes, effort),
        }
        .with_context(|| server.name)
    }
}

/// A turn, and whether the log has a line for each answer: one that loses lines is no faster.
fn logged(
    load: &mut Load,
    server: &Server,
    processes: &Processes,
    effort: Effort,
) -> Result<Sample> {
    let before = server.lines()?;
    let mut sample = measure(load, processes, effort)?;
    pause(WRITTEN);
    let lines = server.lines()? - before;
    sample.insert(Metric::Lines, lines as f64 / load.answers() as f64);
    Ok(sample)
}

/// Has a server fetch an artifact, and makes sure that it found it the next time, whole.
pub(super) fn fill(port: u16, size: u64, number: u64) -> Result<String> {
    let ask = Ask::Same { size, number };
    for expect in [Expect::Body(size), Expect::Hit(size)] {
        let mut group = Group::new(port, 1, ask, expect);
        // Some count a hit only once they have served one.
        group.requests = 2;
        let mut load = Load::start(&[group])?;
        load.finish(PATIENCE)?;
        if let Expect::Hit(_) = expect {
            compare(port, ask, expect)?;
            return Ok(load.cache().to_owned());
        }
    }
    Ok(String::new())
}

/// Says beside a server's name from which tier the hits came, where it tells.
fn name_tier(rounds: &mut [Rounds], servers: &[Server], size: u64, number: u64) -> Result<()> {
    for (rounds, server) in rounds.iter_mut().zip(servers) {
        let cache = fill(server.port, size, number)?;
        if let Some((_, tier)) = cache.split_once("detail=") {
            rounds.server = format!("{}, {tier}", rounds.server);
        }
    }
    Ok(())
}
