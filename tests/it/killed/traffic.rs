//! Writers and readers that go on until the process dies, and the moment at which it does.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::net::SocketAddr;

use futures_util::future::join_all;
use tokio::sync::watch;
use tokio::task::yield_now;

use super::stock::{Item, Stock, Version};
use crate::support::{Client, Dice, Ended, Larder, Reply, Request, within};

const WRITERS: u64 = 4;
const READERS: u64 = 3;
/// Bytes of a body sent before the others have their turn.
const PIECE: usize = 64 << 10;

/// What has happened since a process was started.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    begun: u64,
    sent: u64,
    whole: u64,
    accepted: u64,
    read: u64,
}

/// When to kill: so many of these later.
#[derive(Clone, Copy, Debug)]
pub enum Moment {
    /// Uploads of which only the head was sent.
    Begun(u64),
    /// Bytes of bodies sent.
    Sent(u64),
    /// Uploads sent to their last byte and not answered yet.
    Whole(u64),
    /// Uploads whose success the client has heard of.
    Accepted(u64),
    /// Bytes of bodies read.
    Read(u64),
}

/// What a story demands of every answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Demand {
    /// An accepted upload is there, unless others uploaded the key at the same time.
    Kept,
    /// An accepted upload may have given way; an upload may find no room.
    MayGiveWay,
    /// An accepted upload is here or upstream; one without room here is accepted all the same.
    Upstream,
}

/// Sums over a whole story.
#[derive(Debug, Default)]
pub struct Tally {
    accepted: Cell<u64>,
    refused: Cell<u64>,
    answers: Cell<u64>,
    bytes: Cell<u64>,
    /// Answers cut by a kill, which are held against what they should have become too.
    cut: Cell<u64>,
    fills: Cell<u64>,
    /// Misses of what was accepted once.
    gone: Cell<u64>,
}

/// The traffic of one process.
#[derive(Debug)]
pub struct Traffic<'a> {
    stock: &'a Stock,
    tally: &'a Tally,
    demand: Demand,
    address: SocketAddr,
    counts: watch::Sender<Counts>,
    was_killed: Cell<bool>,
    only_small: bool,
    dice: RefCell<Dice>,
}

// === impl Traffic ===

impl<'a> Traffic<'a> {
    pub fn new(
        larder: &Larder,
        stock: &'a Stock,
        tally: &'a Tally,
        demand: Demand,
        round: u64,
    ) -> Self {
        Self {
            stock,
            tally,
            demand,
            address: larder.address(),
            counts: watch::Sender::default(),
            was_killed: Cell::new(false),
            only_small: is_hasty(round),
            dice: RefCell::new(Dice::new(round)),
        }
    }

    /// Reads every key and holds the answers against what may be there.
    pub async fn check_all(&self) {
        let mut client = self.client();
        for item in self.stock.items() {
            self.read(&mut client, item).await;
        }
    }

    /// Keeps every writer and reader busy until the process is killed.
    pub async fn go_on(&self) {
        let writers = (0..WRITERS).map(|writer| self.keep_writing(writer));
        let readers = (0..READERS).map(|_| self.keep_reading());
        tokio::join!(join_all(writers), join_all(readers));
    }

    /// Waits for the moment to kill; whatever ends from now on may have been ended by that.
    pub async fn until(&self, moment: Moment) {
        let mut counts = self.counts.subscribe();
        let start = *counts.borrow();
        let has_come = |now: &Counts| moment.has_come(start, *now);
        within(&format!("{moment:?}"), counts.wait_for(has_come))
            .await
            .expect("the counts live");
        self.was_killed.set(true);
    }

    async fn keep_writing(&self, writer: u64) {
        let mut client = self.client();
        while !self.was_killed.get() {
            let item = {
                let mut dice = self.dice.borrow_mut();
                self.stock.of_writer(writer, WRITERS, &mut dice)
            };
            if self.only_small && !item.is_small() {
                continue;
            }
            let version = item.begin();
            let reply = self.upload(&mut client, item, &version).await;
            match reply.status {
                202 => {
                    item.accept(&version);
                    add(&self.tally.accepted, 1);
                    self.count(|counts| counts.accepted += 1);
                }
                0 => assert!(self.was_killed.get(), "no answer to an upload"),
                refusal => {
                    assert_eq!(self.demand, Demand::MayGiveWay, "{refusal}");
                    add(&self.tally.refused, 1);
                }
            }
            yield_now().await;
        }
    }

    async fn keep_reading(&self) {
        let mut client = self.client();
        while !self.was_killed.get() {
            let item = self.stock.any(&mut self.dice.borrow_mut());
            if self.only_small && !item.is_small() {
                continue;
            }
            self.read(&mut client, item).await;
            yield_now().await;
        }
    }

    async fn upload(&self, client: &mut Client, item: &Item, version: &Version) -> Reply {
        let is_chunked = self.dice.borrow_mut().below(2) == 0;
        client.send_head(&version.request(item, is_chunked)).await;
        self.count(|counts| counts.begun += 1);
        for piece in version.body.chunks(PIECE) {
            yield_now().await;
            if is_chunked {
                let size = format!("{:x}\r\n", piece.len());
                client
                    .send(&[size.as_bytes(), piece, b"\r\n"].concat())
                    .await;
            } else {
                client.send(piece).await;
            }
            self.count(|counts| counts.sent += piece.len() as u64);
        }
        if is_chunked {
            client.send(b"0\r\n\r\n").await;
        }
        self.count(|counts| counts.whole += 1);
        client.reply().await
    }

    /// Reads a key and holds the answer against what may be there.
    async fn read(&self, client: &mut Client, item: &Item) {
        // What holds when it is asked for; more may hold when it is answered.
        let (floor, was_accepted, is_owed) = (item.floor(), item.is_accepted(), self.owes(item));
        let reply = self.fetch(client, item).await;
        match reply.status {
            200 => {
                item.assert_is_a_version(floor, &reply, self.was_killed.get());
                add(&self.tally.fills, u64::from(!reply.is_hit()));
            }
            404 => {
                let told = reply.header("cache-status");
                assert!(
                    !is_owed,
                    "{} was accepted and is gone: {told:?}",
                    item.target()
                );
                add(&self.tally.gone, u64::from(was_accepted));
            }
            status => {
                assert!(status == 0 && self.was_killed.get(), "{status}");
                return;
            }
        }
        add(&self.tally.answers, 1);
        add(&self.tally.cut, u64::from(reply.ended == Ended::Cut));
        add(&self.tally.bytes, reply.body.len() as u64);
    }

    /// Like `get`, counting every piece as it arrives.
    async fn fetch(&self, client: &mut Client, item: &Item) -> Reply {
        client.send_head(&Request::new("GET", &item.target())).await;
        let head = client.read_head().await.unwrap_or_default();
        let mut body = Vec::new();
        let ended = loop {
            let piece = client.read_some(1).await;
            self.count(|counts| counts.read += piece.len() as u64);
            if piece.is_empty() {
                break client.read_rest().await.1;
            }
            body.extend_from_slice(&piece);
        };
        if ended == Ended::Cut || head.get("connection") == Some("close") {
            client.leave();
        }
        Reply {
            status: head.word(1).parse().unwrap_or(0),
            head,
            body,
            ended,
        }
    }

    fn client(&self) -> Client {
        Client::new(self.address).token("member")
    }

    /// Whether a miss would break a promise.
    fn owes(&self, item: &Item) -> bool {
        item.is_accepted()
            && match self.demand {
                Demand::Kept => !item.is_contested(),
                Demand::MayGiveWay => false,
                Demand::Upstream => true,
            }
    }

    fn count(&self, change: impl FnOnce(&mut Counts)) {
        self.counts.send_modify(change);
    }
}

// === impl Tally ===

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            accepted,
            refused,
            answers,
            bytes,
            cut,
            fills,
            gone,
        } = self;
        write!(
            f,
            "{} uploads accepted, {} refused; {} answers checked ({} cut, {} fills, {} gone), {} bytes",
            accepted.get(),
            refused.get(),
            answers.get(),
            cut.get(),
            fills.get(),
            gone.get(),
            bytes.get()
        )
    }
}

// === impl Moment ===

impl Moment {
    /// The moment of a round: each kind in turn, within what a second of traffic brings.
    pub fn of_round(number: u64) -> Self {
        let mut dice = Dice::new(number);
        let most = if is_hasty(number) { 300 } else { 30 };
        let (some, bytes) = (1 + dice.below(most), 1 + dice.below(6 << 20));
        match number % 5 {
            0 => Self::Begun(some),
            1 => Self::Sent(bytes),
            2 => Self::Whole(some),
            3 => Self::Accepted(some),
            _ => Self::Read(bytes),
        }
    }

    fn has_come(self, start: Counts, now: Counts) -> bool {
        match self {
            Self::Begun(more) => now.begun >= start.begun + more,
            Self::Sent(more) => now.sent >= start.sent + more,
            Self::Whole(more) => now.whole >= start.whole + more,
            Self::Accepted(more) => now.accepted >= start.accepted + more,
            Self::Read(more) => now.read >= start.read + more,
        }
    }
}

fn add(sum: &Cell<u64>, more: u64) {
    sum.set(sum.get() + more);
}

/// Whether a round's uploads are many and small: then more kills meet one that is just landing.
fn is_hasty(round: u64) -> bool {
    (round / 4).is_multiple_of(2)
}
