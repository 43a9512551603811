//! Clients of every kind, each doing one thing after the other until the time is up.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::task::yield_now;
use tokio::time::{Instant, sleep};

use super::ledger::{KEYS, Ledger, Version, target};
use crate::support::{Client, Dice, Ended, Head, Reply, Request};

/// Bytes of an upload sent before the others have their turn.
const PIECE: usize = 32 << 10;
/// How many ask for the same thing at the same time.
const CROWD: u64 = 4;
/// Between two pieces that a slow reader takes.
const SLOWLY: Duration = Duration::from_millis(2);

/// The traffic of one process.
#[derive(Debug)]
pub struct Traffic<'a> {
    pub address: SocketAddr,
    pub ledger: &'a Ledger,
    pub until: Instant,
    pub tally: &'a Tally,
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Tally {
    whole: Cell<u64>,
    hits: Cell<u64>,
    cut: Cell<u64>,
    misses: Cell<u64>,
    accepted: Cell<u64>,
    undelivered: Cell<u64>,
    left: Cell<u64>,
    others: Cell<u64>,
}

/// One client and its luck.
struct Visitor {
    client: Client,
    dice: RefCell<Dice>,
}

// === impl Traffic ===

impl Traffic<'_> {
    /// Keeps one client busy until the time is up.
    pub async fn go_on(&self, seed: u64) {
        let mut visitor = Visitor {
            client: self.client(),
            dice: RefCell::new(Dice::new(seed)),
        };
        while Instant::now() < self.until {
            self.do_something(&mut visitor).await;
            yield_now().await;
        }
    }

    async fn do_something(&self, visitor: &mut Visitor) {
        let key = visitor.below(KEYS);
        match visitor.below(100) {
            0..46 => self.read(&mut visitor.client, key).await,
            46..52 => self.read_in_a_crowd(key).await,
            52..56 => self.read_slowly(&mut visitor.client, key).await,
            56..60 => self.leave_a_read(visitor, key).await,
            60..66 => self.head(&mut visitor.client, key).await,
            66..90 => self.upload(visitor, key).await,
            90..94 => self.leave_an_upload(visitor, key).await,
            _ => self.do_another_thing(visitor).await,
        }
    }

    async fn read(&self, client: &mut Client, key: u64) {
        let asked = self.ledger.ask(key);
        let reply = client.get(&target(key)).await;
        self.ledger.check(asked, &reply);
        self.tally.read(&reply);
    }

    async fn read_in_a_crowd(&self, key: u64) {
        let read = async || self.read(&mut self.client(), key).await;
        join_all((0..CROWD).map(|_| read())).await;
    }

    async fn read_slowly(&self, client: &mut Client, key: u64) {
        let asked = self.ledger.ask(key);
        client.send_head(&Request::new("GET", &target(key))).await;
        let Some(head) = client.read_head().await else {
            client.leave();
            return add(&self.tally.cut);
        };
        let mut body = Vec::new();
        for _ in 0..50 {
            body.extend(client.read_some(1).await);
            sleep(SLOWLY).await;
        }
        let (rest, ended) = client.read_rest().await;
        body.extend(rest);
        if ended == Ended::Cut || head.get("connection") == Some("close") {
            client.leave();
        }
        let reply = reply(head, body, ended);
        self.ledger.check(asked, &reply);
        self.tally.read(&reply);
    }

    /// Reads some of an answer, and leaves.
    async fn leave_a_read(&self, visitor: &mut Visitor, key: u64) {
        let asked = self.ledger.ask(key);
        let some = visitor.dice.borrow_mut().up_to(100_000);
        let client = &mut visitor.client;
        client.send_head(&Request::new("GET", &target(key))).await;
        if some.is_multiple_of(2) {
            let head = client.read_head().await.unwrap_or_default();
            let body = client.read_some(some).await;
            self.ledger.check(asked, &reply(head, body, Ended::Cut));
        }
        client.leave();
        add(&self.tally.left);
    }

    async fn head(&self, client: &mut Client, key: u64) {
        let asked = self.ledger.ask(key);
        let reply = client.head(&target(key)).await;
        self.ledger.check_head(asked, &reply);
        add(&self.tally.others);
    }

    async fn upload(&self, visitor: &mut Visitor, key: u64) {
        let version = self.ledger.begin(key);
        let body = version.body();
        self.send(visitor, version, &body).await;
        let reply = visitor.client.reply().await;
        match reply.status {
            202 => {
                self.ledger.accept(version);
                add(&self.tally.accepted);
            }
            403 | 424 => add(&self.tally.undelivered),
            status => {
                let told = (&reply.head, String::from_utf8_lossy(&reply.body));
                self.ledger
                    .complain(format!("{status} to an upload: {told:?}"));
            }
        }
    }

    /// Sends some of an upload, and leaves.
    async fn leave_an_upload(&self, visitor: &mut Visitor, key: u64) {
        let version = self.ledger.begin(key);
        let body = version.body();
        let some = visitor.dice.borrow_mut().up_to(body.len());
        self.send(visitor, version, &body[..some]).await;
        visitor.client.leave();
        add(&self.tally.left);
    }

    /// Sends an upload as far as there is a body; the last chunk where that is all of it.
    async fn send(&self, visitor: &mut Visitor, version: Version, body: &[u8]) {
        let (is_chunked, length) = (visitor.below(2) == 0, version.body().len());
        let client = &mut visitor.client;
        let request = version.upload();
        let request = if is_chunked {
            request.chunked()
        } else {
            request.header("content-length", &length.to_string())
        };
        client.send_head(&request).await;
        for piece in body.chunks(PIECE) {
            yield_now().await;
            if is_chunked {
                let size = format!("{:x}\r\n", piece.len());
                client.send(size.as_bytes()).await;
                client.send(&[piece, b"\r\n"].concat()).await;
            } else {
                client.send(piece).await;
            }
        }
        if is_chunked && body.len() == length {
            client.send(b"0\r\n\r\n").await;
        }
    }

    async fn do_another_thing(&self, visitor: &mut Visitor) {
        let way = visitor.below(3);
        let client = &mut visitor.client;
        match way {
            0 => {
                let hashes = br#"{"hashes":["key1","key2"]}"#;
                client.post("/v8/artifacts?slug=acme", hashes).await
            }
            1 => {
                let events =
                    br#"[{"event":"HIT","hash":"key1","source":"REMOTE","sessionId":"s"}]"#;
                client.post("/v8/artifacts/events?slug=acme", events).await
            }
            _ => client.get("/v8/artifacts/status?slug=acme").await,
        };
        add(&self.tally.others);
    }

    fn client(&self) -> Client {
        Client::new(self.address).token("member")
    }
}

// === impl Visitor ===

impl Visitor {
    fn below(&self, end: u64) -> u64 {
        self.dice.borrow_mut().below(end)
    }
}

// === impl Tally ===

impl Tally {
    fn read(&self, reply: &Reply) {
        add(match (reply.status, reply.ended) {
            (200, Ended::Whole) => &self.whole,
            (200 | 0, _) => &self.cut,
            _ => &self.misses,
        });
        if reply.is_hit() {
            add(&self.hits);
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reads = [&self.whole, &self.hits, &self.cut, &self.misses].map(Cell::get);
        let [whole, hits, cut, misses] = reads;
        write!(
            f,
            "{whole} whole bodies ({hits} hits), {cut} cut, {misses} misses; {} uploads accepted, \
             {} not; {} clients left early; {} other requests",
            self.accepted.get(),
            self.undelivered.get(),
            self.left.get(),
            self.others.get()
        )
    }
}

fn reply(head: Head, body: Vec<u8>, ended: Ended) -> Reply {
    Reply {
        status: head.word(1).parse().unwrap_or(0),
        head,
        body,
        ended,
    }
}

fn add(count: &Cell<u64>) {
    count.set(count.get() + 1);
}
