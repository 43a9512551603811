//! Where cells are played: an origin that fails, a Larder before it, and what is well between two
//! faults.

use futures_util::future::join_all;

use super::axes::{Asker, Fault, Place, Protocol};
use super::cell::Cell;
use super::ledger::Ledger;
use super::rule::{After, Outcome};
use crate::support::{
    Client, Larder, Moment, Origin, Reply, Seen, Setup, Speech, artifact, bytes, eventually,
};

/// An artifact that has nothing to do with any fault.
const GOOD: &str = "good";

/// An origin, and a Larder before it.
pub struct Stage {
    pub origin: Origin,
    pub larder: Larder,
}

/// What one cell showed.
pub struct Sight {
    /// What whoever asked was told.
    pub replies: Vec<Reply>,
    /// What the origin was asked about the artifact, or how often it was connected to.
    pub seen: Vec<Seen>,
    pub connections: usize,
    /// What Larder counted meanwhile.
    pub counted: Ledger,
    /// The answer to the next `GET`, by a member, of a healthy origin.
    pub next: Reply,
    /// How often that one was asked for it.
    pub fetched: usize,
}

// === impl Stage ===

impl Stage {
    /// Sets the stage for cells of one kind.
    pub async fn set(cell: &Cell) -> Self {
        let speech = match cell.protocol {
            Protocol::Http1 => Speech::Http1,
            Protocol::Http1Tls => Speech::http1_tls(),
            Protocol::Http2Tls => Speech::http2_tls(),
        };
        let origin = Origin::narrow(speech);
        origin.hold(GOOD, &bytes(1, 100));
        if cell.place.is_before_requests() {
            // Every question is to need a connection.
            origin.keep_nobody();
        }
        let larder = settings(cell, &origin).start().await;
        Self { origin, larder }
    }

    /// Plays a cell from a healthy origin to a healthy origin.
    pub async fn play(&mut self, cell: &Cell, outcome: &Outcome) -> Sight {
        self.prepare(cell).await;
        let (before, connections) = (self.ledger().await, self.origin.accepted());
        let requests = self.about(cell).len();
        self.arm(cell).await;
        let replies = self.ask(cell).await;
        let counted = self.counted(cell, &before).await;
        let connections = self.origin.accepted() - connections;
        let seen = self.about(cell).split_off(requests);
        self.disarm(cell, outcome).await;
        let fetches = self.origin.gets(&cell.hash());
        let next = self.larder.client().get(&artifact(&cell.hash())).await;
        Sight {
            replies,
            seen,
            connections,
            counted,
            next,
            fetched: self.origin.gets(&cell.hash()) - fetches,
        }
    }

    /// Brings Larder to hold what the fault meets.
    async fn prepare(&self, cell: &Cell) {
        let (hash, older) = (cell.hash(), cell.older());
        let mut member = self.larder.client();
        // Where little patience is set for the fault, a busy machine may need another try.
        eventually("a member", async || {
            member.get(&artifact(GOOD)).await.status == 200
        })
        .await;
        match cell.asker {
            Asker::Get | Asker::Crowd | Asker::Head => {}
            Asker::Put | Asker::PutChunked => {
                assert_eq!(member.put(&artifact(&hash), &older).await.status, 202);
            }
            Asker::Lapsed | Asker::Stranger => {
                self.origin.hold(&hash, &older);
                member.get(&artifact(&hash)).await.assert_body(&older);
            }
        }
        self.larder.settled().await;
    }

    async fn arm(&mut self, cell: &Cell) {
        let script = cell.script();
        match (cell.place, cell.fault) {
            (Place::Connect, Fault::Refuse) => self.origin.stop().await,
            (Place::Connect, Fault::Stall) => self.origin.jam().await,
            (Place::Connect, _) => self.origin.greet(Moment::Accepted, script),
            (Place::Handshake, _) => self.origin.greet(Moment::Hello, script),
            _ => {
                let method = cell.asker.upstream_method();
                self.origin.always(method, &cell.hash(), script);
            }
        }
    }

    /// Makes the origin a healthy one that has what is asked for, and has Larder find that out.
    async fn disarm(&mut self, cell: &Cell, outcome: &Outcome) {
        self.origin.forget();
        self.origin.resume();
        if cell.asker.fetches() || cell.asker == Asker::Head {
            self.origin.hold(&cell.hash(), &cell.body());
        }
        if let After::Newer(_) = outcome.after {
            self.larder.settled().await;
        }
        eventually("a healthy origin", async || {
            let mut client = self.larder.client_as("nurse");
            client.head(&artifact(GOOD)).await.status == 200
        })
        .await;
        self.larder.settled().await;
    }

    /// Puts the question, to whom the cell says, and lets the origin fail under it.
    async fn ask(&self, cell: &Cell) -> Vec<Reply> {
        let mut clients: Vec<_> = (0..cell.asker.heads()).map(|_| self.asker(cell)).collect();
        if cell.is_begun() {
            return self.ask_for_a_beginning(cell, clients).await;
        }
        if cell.asker != Asker::Crowd {
            self.origin.release(&cell.gate());
            return vec![clients[0].ask(&cell.request()).await];
        }
        for client in &mut clients {
            client.send_whole(&cell.request()).await;
        }
        if !cell.is_unheard() {
            self.gathered(cell).await;
        }
        self.origin.release(&cell.gate());
        join_all(clients.iter_mut().map(Client::reply)).await
    }

    /// Waits until the origin is about to fail, and everybody who asks is here.
    async fn gathered(&self, cell: &Cell) {
        self.origin.wait_at(&cell.gate()).await;
        eventually("a crowd", async || {
            let metrics = self.larder.metrics().await;
            metrics.sum("larder_connections", &[]) >= 21.0
        })
        .await;
    }

    /// The same where the answer begins: everybody is to have read what there is.
    async fn ask_for_a_beginning(&self, cell: &Cell, clients: Vec<Client>) -> Vec<Reply> {
        let begun = clients.into_iter().map(|mut client| async {
            client.send_whole(&cell.request()).await;
            let head = client.read_head().await.expect("a head");
            let body = client.read_some(cell.before_gate()).await;
            (client, head, body)
        });
        let begun = join_all(begun).await;
        self.origin.release(&cell.gate());
        let ended = begun
            .into_iter()
            .map(|(mut client, head, body)| async move { client.rest_of(head, body).await });
        join_all(ended).await
    }

    /// Who asks: a member of the team, or somebody whom Larder has never met.
    fn asker(&self, cell: &Cell) -> Client {
        match cell.asker {
            Asker::Stranger => self.larder.client_as("stranger"),
            _ => self.larder.client(),
        }
    }

    /// What has been counted since, once that has been done with every answer.
    async fn counted(&self, cell: &Cell, before: &Ledger) -> Ledger {
        let mut counted = Ledger::default();
        eventually("every answer to be counted", async || {
            counted = self.ledger().await.since(before);
            let route = ("route", cell.asker.method());
            let route = (route.0, &*route.1.to_ascii_lowercase());
            counted.by("larder_requests_total", "outcome", route).sum() >= cell.asker.heads() as u64
        })
        .await;
        counted
    }

    async fn ledger(&self) -> Ledger {
        Ledger::read(&self.larder.metrics().await)
    }

    /// What the origin has been asked about the cell's artifact.
    fn about(&self, cell: &Cell) -> Vec<Seen> {
        let hash = cell.hash();
        self.origin
            .seen_where(|seen| seen.path().ends_with(&format!("/{hash}")))
    }
}

/// The configuration in which a cell is played; the only place for what keeps faults apart.
fn settings(cell: &Cell, origin: &Origin) -> Setup {
    // What one fault begins is not to be felt by the next; `breaker` has tests of its own.
    let mut setup = Setup::before(origin).set("upstream.breaker_failures", "0");
    if cell.protocol == Protocol::Http2Tls {
        setup = setup.toml("upstream.http2", "true");
    }
    if cell.fault == Fault::Stall {
        // The others stay long: nothing but the fault is to take its time.
        let (key, patience) = match cell.place {
            // Less than the 2 s for which a hit waits for its question.
            Place::Connect | Place::Handshake => ("upstream.connect_timeout", "1500ms"),
            Place::Head => ("upstream.first_byte_timeout", "2s"),
            Place::Body(_) | Place::End => ("upstream.idle_timeout", "2s"),
        };
        setup = setup.set(key, patience);
    }
    if cell.asker.is_upload() && (cell.place, cell.fault) == (Place::Head, Fault::Stall) {
        setup = setup.set("upload.timeout", "3s");
    }
    if cell.asker == Asker::Lapsed {
        setup = setup.set("access.verdict_ttl", "1ns");
    }
    setup
}
