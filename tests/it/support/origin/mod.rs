//! An origin that does exactly what a test tells it to, byte by byte, and remembers what it was asked.
//!
//! Without a script it behaves as a small Vercel: see [`store`].

mod connection;
mod door;
mod greeting;
mod guard;
mod http2;
mod link;
mod script;
mod speech;
mod store;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use parking_lot::Mutex;
use tokio::net::TcpSocket;
use tokio::sync::watch;

use super::gates::Gates;
use super::wire::{Ended, Head};
use super::within;
use door::{Door, Manner, bind};
pub use greeting::Moment;
use guard::Guard;
pub use guard::Style;
pub use script::{Script, script};
use speech::Certificate;
pub use speech::{Demand, NAME, Speech};
pub use store::Artifact;
use store::Store;

/// A running origin; gone when dropped.
#[derive(Debug)]
pub struct Origin {
    address: SocketAddr,
    shared: Arc<Shared>,
    manner: Manner,
    door: Door,
    /// Never listens: it keeps others from the port while the door is shut.
    _place: TcpSocket,
}

/// One request as it arrived.
#[derive(Clone, Debug)]
pub struct Seen {
    pub connection: usize,
    pub head: Head,
    pub body: Vec<u8>,
    /// How its body ended, once it has.
    pub ended: Option<Ended>,
}

/// What the connections share.
#[derive(Debug, Default)]
struct Shared {
    seen: watch::Sender<Vec<Seen>>,
    open: watch::Sender<usize>,
    accepted: AtomicUsize,
    /// Handshakes in which a client showed a certificate.
    shown: AtomicUsize,
    /// Every answer is the last on its connection.
    closes: AtomicBool,
    gates: Gates,
    greeting: Mutex<Option<(Moment, Script)>>,
    plans: Mutex<Vec<Plan>>,
    store: Mutex<Store>,
}

#[derive(Debug)]
struct Plan {
    method: String,
    name: String,
    script: Script,
    once: bool,
}

// === impl Origin ===

impl Origin {
    /// Listens on a port of its own.
    pub fn start() -> Self {
        Self::speaking(Speech::Http1)
    }

    /// The same, speaking this.
    pub fn speaking(speech: Speech) -> Self {
        Self::listen(Manner {
            speech,
            is_narrow: false,
        })
    }

    /// The same, speaking this, and with little room for what has come and is not read.
    pub fn narrow(speech: Speech) -> Self {
        Self::listen(Manner {
            speech,
            is_narrow: true,
        })
    }

    fn listen(manner: Manner) -> Self {
        let place = bind("127.0.0.1:0".parse().expect("an address"));
        let address = place.local_addr().expect("a bound socket");
        let shared = Arc::new(Shared::default());
        let door = Door::listen(address, &manner, &shared);
        Self {
            address,
            shared,
            manner,
            door,
            _place: place,
        }
    }

    pub fn url(&self) -> String {
        format!("{}://{}", self.manner.speech.scheme(), self.address)
    }

    /// The certificate that makes it trusted, as PEM, where it speaks TLS.
    pub fn authority(&self) -> Option<&str> {
        self.manner.speech.certificate().map(Certificate::pem)
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Breaks every connection and refuses new ones.
    pub async fn stop(&mut self) {
        if let Door::Open(serving) = &mut self.door {
            serving.shutdown().await;
            let mut open = self.shared.open.subscribe();
            within("connections to close", open.wait_for(|open| *open == 0))
                .await
                .expect("ours");
            self.door = Door::Shut;
        }
    }

    /// Breaks every connection and keeps new ones waiting for ever.
    pub async fn jam(&mut self) {
        self.stop().await;
        self.door = Door::jam(self.address).await;
    }

    /// Listens again at the same address.
    pub fn resume(&mut self) {
        if !matches!(self.door, Door::Open(_)) {
            // Nobody else is to be in the queue.
            self.door = Door::Shut;
            self.door = Door::listen(self.address, &self.manner, &self.shared);
        }
    }

    /// Closes every connection behind its first answer, and says so in it.
    pub fn keep_nobody(&self) {
        self.shared.closes.store(true, Ordering::Relaxed);
    }

    /// Has every new connection meet `script` at that moment, until [`forget`](Self::forget).
    pub fn greet(&self, moment: Moment, script: Script) {
        *self.shared.greeting.lock() = Some((moment, script));
    }

    /// How many connections there have been.
    pub fn accepted(&self) -> usize {
        self.shared.accepted.load(Ordering::Relaxed)
    }

    /// In how many handshakes a client's certificate was shown.
    pub fn shown(&self) -> usize {
        self.shared.shown.load(Ordering::Relaxed)
    }

    /// Answers the next such request by `script`; several are used up in order. `name` is a path,
    /// or its last segment; `*` is any artifact's.
    pub fn once(&self, method: &str, name: &str, script: Script) {
        self.plan(method, name, script, true);
    }

    /// Answers all such requests by `script`, until [`forget`](Self::forget).
    pub fn always(&self, method: &str, name: &str, script: Script) {
        self.plan(method, name, script, false);
    }

    /// Forgets every script.
    pub fn forget(&self) {
        *self.shared.greeting.lock() = None;
        self.shared.plans.lock().clear();
    }

    /// Holds an artifact of the team `acme`.
    pub fn hold(&self, hash: &str, artifact: impl Into<Artifact>) {
        self.hold_at("slug=acme", hash, artifact);
    }

    /// Holds an artifact under exactly this query.
    pub fn hold_at(&self, query: &str, hash: &str, artifact: impl Into<Artifact>) {
        self.hold_for("", query, hash, artifact);
    }

    /// The same; where the query names no team, it is this token's own.
    pub fn hold_for(&self, token: &str, query: &str, hash: &str, artifact: impl Into<Artifact>) {
        let mut store = self.shared.store.lock();
        store.hold(token, query, hash, artifact.into());
    }

    /// Only these tokens may use the team `acme` from now on; others get `refusal`.
    pub fn members(&self, tokens: &[&str], refusal: u16) {
        self.guard(|guard| {
            guard.style = Style::OneTeam(refusal);
            guard.clear();
            for token in tokens {
                guard.admit(token, "acme");
            }
        });
    }

    /// Changes whom it lets in, from now on.
    pub fn guard(&self, change: impl FnOnce(&mut Guard)) {
        change(&mut self.shared.store.lock().guard);
    }

    /// Waits until an answer has come to the gate of that name.
    pub async fn wait_at(&self, gate: &str) {
        self.shared.gates.reached(gate).await;
    }

    /// Opens a gate.
    pub fn release(&self, gate: &str) {
        self.shared.gates.open(gate);
    }

    /// Every such request so far. `name` is a path, or its last segment.
    pub fn seen(&self, method: &str, name: &str) -> Vec<Seen> {
        self.seen_where(|seen| seen.is(method, name))
    }

    /// Every request so far that fits, in the order of their arrival.
    pub fn seen_where(&self, fits: impl Fn(&Seen) -> bool) -> Vec<Seen> {
        let all = self.shared.seen.borrow();
        all.iter().filter(|seen| fits(seen)).cloned().collect()
    }

    /// Every request so far.
    pub fn requests(&self) -> Vec<Seen> {
        self.shared.seen.borrow().clone()
    }

    /// Forgets every request; only while [stopped](Self::stop), for each connection adds to its own.
    pub fn forget_requests(&self) {
        self.shared.seen.send_modify(Vec::clear);
    }

    /// How often an artifact was fetched.
    pub fn gets(&self, hash: &str) -> usize {
        self.seen("GET", hash).len()
    }

    /// Waits until a request that fits has been seen, and returns it.
    pub async fn until(&self, what: &str, fits: impl Fn(&Seen) -> bool) -> Seen {
        let mut seen = self.shared.seen.subscribe();
        let all = within(what, seen.wait_for(|all| all.iter().any(&fits)))
            .await
            .expect("ours");
        all.iter()
            .find(|seen| fits(seen))
            .cloned()
            .expect("just seen")
    }

    fn plan(&self, method: &str, name: &str, script: Script, once: bool) {
        let (method, name) = (method.to_owned(), name.to_owned());
        self.shared.plans.lock().push(Plan {
            method,
            name,
            script,
            once,
        });
    }
}

// === impl Seen ===

impl Seen {
    pub fn method(&self) -> &str {
        self.head.word(0)
    }

    pub fn target(&self) -> &str {
        self.head.word(1)
    }

    pub fn path(&self) -> &str {
        self.target().split('?').next().unwrap_or_default()
    }

    pub fn query(&self) -> &str {
        self.target().split_once('?').map_or("", |(_, query)| query)
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.get(name)
    }

    /// The bearer token, empty where there is none.
    pub fn token(&self) -> &str {
        self.header("authorization")
            .and_then(|value| value.strip_prefix("Bearer "))
            .unwrap_or("")
    }

    /// Whether it is a request of this method to this path, or to one that ends in this segment.
    pub fn is(&self, method: &str, name: &str) -> bool {
        let last = self.path().rsplit('/').next();
        let is_any = name == "*" && !matches!(last, Some("artifacts" | "events" | "status"));
        self.method() == method && (self.path() == name || last == Some(name) || is_any)
    }
}

// === impl Shared ===

impl Shared {
    /// What a connection meets at that moment instead of the origin.
    fn greeting(&self, moment: Moment) -> Option<Script> {
        let greeting = self.greeting.lock();
        let (at, script) = greeting.as_ref()?;
        (*at == moment).then(|| script.clone())
    }

    /// The script for a request, if one was written for it.
    fn script(&self, seen: &Seen) -> Option<Script> {
        let mut plans = self.plans.lock();
        let found = plans
            .iter()
            .position(|plan| seen.is(&plan.method, &plan.name))?;
        if plans[found].once {
            Some(plans.remove(found).script)
        } else {
            Some(plans[found].script.clone())
        }
    }
}
