//! The load: connections in a closed loop, one thread, one `epoll`. It is told what every answer must
//! be, and fails on the first that is not.

mod connection;
pub(crate) mod head;
mod histogram;
mod request;
mod whole;

pub(crate) use head::Expect;
pub(crate) use request::{Ask, TOKEN, path, unseen};
pub(crate) use whole::compare;

use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use rustix::event::{Timespec, epoll};

use connection::{Buffers, Connection, Known, Turn};
use histogram::Histogram;

/// How many connections are looked at before the clock is.
const EVENTS: usize = 256;
/// How often slow readers read.
const TICK: Duration = Duration::from_millis(10);

/// Connections that all do the same.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Group {
    /// Where to.
    pub(crate) port: u16,
    /// How many.
    pub(crate) connections: usize,
    /// What each asks for.
    pub(crate) ask: Ask,
    /// What each answer must be.
    pub(crate) expect: Expect,
    /// How often each asks; then it rests, and stays.
    pub(crate) requests: u64,
    /// The most bytes a second that each reads.
    pub(crate) pace: Option<u64>,
}

impl Group {
    /// Connections that ask without end, as fast as they are answered.
    pub(crate) fn new(port: u16, connections: usize, ask: Ask, expect: Expect) -> Self {
        Self {
            port,
            connections,
            ask,
            expect,
            requests: u64::MAX,
            pace: None,
        }
    }
}

/// What a group came to since it was last asked.
#[derive(Debug)]
pub(crate) struct Seen {
    /// Answers that ended.
    pub(crate) answers: u64,
    /// Bytes of bodies, of unfinished ones too.
    pub(crate) bytes: u64,
    /// How long the answers took.
    pub(crate) times: Histogram,
    /// The longest of them.
    pub(crate) longest: Duration,
}

/// A group at work.
#[derive(Debug)]
struct Working {
    group: Group,
    known: Known,
    seen: Seen,
}

/// Connections at work, in groups.
#[derive(Debug)]
pub(crate) struct Load {
    epoll: OwnedFd,
    groups: Vec<Working>,
    connections: Vec<(usize, Connection)>,
    buffers: Buffers,
    answers: u64,
}

impl Load {
    /// Connects all, and lets them begin.
    pub(crate) fn start(groups: &[Group]) -> Result<Self> {
        let mut load = Self {
            epoll: epoll::create(epoll::CreateFlags::CLOEXEC)?,
            groups: groups.iter().map(Working::new).collect(),
            connections: Vec::new(),
            buffers: Buffers::new(),
            answers: 0,
        };
        for (number, group) in groups.iter().enumerate() {
            for _ in 0..group.connections {
                let connection = Connection::open(group.port, group.ask, group.requests);
                let connection = connection.with_context(|| format!("port {}", group.port))?;
                load.connections.push((number, connection));
            }
        }
        for number in 0..load.connections.len() {
            let (group, connection) = &mut load.connections[number];
            if load.groups[*group].group.pace.is_none() {
                let data = epoll::EventData::new_u64(number as u64);
                epoll::add(&load.epoll, &*connection, data, epoll::EventFlags::IN)?;
            }
            let turn = connection.start(&load.buffers)?;
            load.note(number, &turn)?;
        }
        Ok(load)
    }

    /// Goes on for so long.
    pub(crate) fn run(&mut self, time: Duration) -> Result<()> {
        let end = Instant::now() + time;
        let mut tick = Instant::now();
        loop {
            let now = Instant::now();
            if now >= end {
                return Ok(());
            }
            if now >= tick {
                self.read_slowly()?;
                tick += TICK;
            }
            self.turn((end - now).min(TICK))?;
        }
    }

    /// Goes on until all connections rest, and says how long that took.
    pub(crate) fn finish(&mut self, most: Duration) -> Result<Duration> {
        let began = Instant::now();
        while !self.connections.iter().all(|(_, each)| each.rests()) {
            ensure!(began.elapsed() < most, "not done after {most:?}");
            self.turn(TICK)?;
        }
        Ok(began.elapsed())
    }

    /// What each group came to since this was last asked.
    pub(crate) fn seen(&mut self) -> Vec<Seen> {
        let groups = self.groups.iter_mut();
        groups
            .map(|it| std::mem::replace(&mut it.seen, Seen::none()))
            .collect()
    }

    /// All answers since the start.
    pub(crate) fn answers(&self) -> u64 {
        self.answers
    }

    /// What the cache said of itself in its last answer to the first group.
    pub(crate) fn cache(&self) -> &str {
        self.groups.first().map_or("", |first| &first.known.cache)
    }

    fn turn(&mut self, wait: Duration) -> Result<()> {
        let mut events = Vec::with_capacity(EVENTS);
        let wait = Timespec::try_from(wait)?;
        let ready = rustix::buffer::spare_capacity(&mut events);
        epoll::wait(&self.epoll, ready, Some(&wait))?;
        for event in events {
            let number = event.data.u64() as usize;
            let (group, connection) = &mut self.connections[number];
            let known = &mut self.groups[*group].known;
            let turn = connection.go_on(&mut self.buffers, known, usize::MAX)?;
            self.note(number, &turn)?;
            let flags = event.flags;
            if !turn.full && flags.contains(epoll::EventFlags::OUT) {
                self.watch(number, epoll::EventFlags::IN)?;
            }
        }
        Ok(())
    }

    /// Lets every slow reader read what one tick allows.
    fn read_slowly(&mut self) -> Result<()> {
        for number in 0..self.connections.len() {
            let (group, connection) = &mut self.connections[number];
            let Some(pace) = self.groups[*group].group.pace else {
                continue;
            };
            let most = (pace as f64 * TICK.as_secs_f64()) as usize;
            let known = &mut self.groups[*group].known;
            let turn = connection.go_on(&mut self.buffers, known, most)?;
            self.note(number, &turn)?;
        }
        Ok(())
    }

    fn note(&mut self, number: usize, turn: &Turn) -> Result<()> {
        let seen = &mut self.groups[self.connections[number].0].seen;
        seen.bytes += turn.bytes;
        if let Some(taken) = turn.ended {
            seen.answers += 1;
            self.answers += 1;
            seen.longest = seen.longest.max(taken);
            seen.times.add(taken);
        }
        if turn.full {
            self.watch(number, epoll::EventFlags::IN | epoll::EventFlags::OUT)?;
        }
        Ok(())
    }

    fn watch(&self, number: usize, flags: epoll::EventFlags) -> Result<()> {
        let data = epoll::EventData::new_u64(number as u64);
        epoll::modify(&self.epoll, &self.connections[number].1, data, flags)?;
        Ok(())
    }
}

impl Working {
    fn new(group: &Group) -> Self {
        Self {
            group: *group,
            known: Known::new(group.expect),
            seen: Seen::none(),
        }
    }
}

impl Seen {
    fn none() -> Self {
        Self {
            answers: 0,
            bytes: 0,
            times: Histogram::new(),
            longest: Duration::ZERO,
        }
    }
}
