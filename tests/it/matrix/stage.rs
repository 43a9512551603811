//! Where the cells are played: an origin and a Larder, brought to hold what each cell says.

use super::axes::{Accepted, Asker, Fate, Held};
use super::cell::{Cell, DURATION};
use crate::support::{Client, Ended, Larder, Origin, Reply, Request, Seen};
use crate::support::{Setup, Style, bytes, script};

/// The member who brings artifacts to Larder.
const KEEPER: &str = "keeper";
/// Another artifact of the team, by which a member becomes known to Larder.
const ANOTHER: &str = "another";
/// One that nobody has, about which Larder must ask.
const NOWHERE: &str = "nowhere";

/// What a Larder is configured to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ground {
    has_memory: bool,
    /// Acceptances are over as soon as they are given.
    forgets: bool,
}

/// An origin, and a Larder before it.
pub struct Stage {
    pub origin: Origin,
    pub larder: Larder,
}

/// What is under way while a cell's question is asked.
pub enum Holding {
    Resting,
    Filling(Client),
    Uploading(Client),
}

// === impl Ground ===

impl Ground {
    pub fn all() -> [Self; 4] {
        [(true, false), (false, false), (true, true), (false, true)].map(|(has_memory, forgets)| {
            Self {
                has_memory,
                forgets,
            }
        })
    }

    pub fn is_for(self, cell: &Cell) -> bool {
        let has_memory = cell.held != Held::Disk;
        let forgets = matches!(cell.asker, Asker::Lapsed(..));
        self == Self {
            has_memory,
            forgets,
        }
    }
}

// === impl Stage ===

impl Stage {
    /// Sets the stage, with everything at rest that the cells find in a tier.
    pub async fn set(style: Style, ground: Ground, cells: &[Cell]) -> Self {
        let origin = Origin::start();
        origin.guard(|guard| {
            guard.style = style;
            guard.admit(KEEPER, "acme");
        });
        let mut setup = Setup::before(&origin);
        if !ground.has_memory {
            setup = setup.set("tier.memory.capacity", "0");
        }
        if ground.forgets {
            setup = setup.set("access.verdict_ttl", "1ns");
        }
        let larder = setup.start().await;
        let mut keeper = larder.client_as(KEEPER);
        for cell in cells {
            let (query, home) = (cell.asker.query(), cell.asker.home());
            let own = cell.token().unwrap_or_default();
            origin.hold_for(&own, query, ANOTHER, &bytes(1, 100));
            if cell.held != Held::Uploading {
                origin.hold_for(KEEPER, home, &cell.hash(), cell.artifact());
            }
            if matches!(cell.held, Held::Memory | Held::Disk) {
                keeper.get(&cell.home()).await.assert_body(&cell.body());
            }
        }
        larder.settled().await;
        Self { origin, larder }
    }

    /// The cell's asker, before Larder.
    pub fn asker(&self, cell: &Cell) -> Client {
        cell.token().map_or_else(
            || self.larder.stranger(),
            |token| self.larder.client_as(&token),
        )
    }

    /// The cell's asker, before the origin.
    pub fn asker_alone(&self, cell: &Cell) -> Client {
        let client = Client::new(self.origin.address());
        cell.token()
            .into_iter()
            .fold(client, |client, token| client.token(&token))
    }

    /// Lets the origin know the asker's token, and Larder too where it is to have met it.
    pub async fn introduce(&self, cell: &Cell) {
        if let (Some(token), Some(team)) = (cell.token(), cell.asker.team()) {
            self.origin.guard(|guard| guard.admit(&token, team));
        }
        if cell.asker.accepted() == Some(Accepted::Before) {
            let read = self.asker(cell).get(&cell.target(ANOTHER)).await;
            read.assert_body(&bytes(1, 100));
        }
    }

    /// Brings Larder to hold what the cell says.
    pub async fn hold(&self, cell: &Cell) -> Holding {
        match cell.held {
            Held::Memory | Held::Disk => Holding::Resting,
            Held::Filling => Holding::Filling(self.fill_half(cell).await),
            Held::Uploading => Holding::Uploading(self.upload_half(cell).await),
        }
    }

    async fn fill_half(&self, cell: &Cell) -> Client {
        let body = cell.body();
        let (first, second) = body.split_at(body.len() / 2);
        let halves = script()
            .head(200)
            .header("x-artifact-tag", &cell.tag())
            .header("x-artifact-duration", DURATION)
            .length(body.len())
            .chunk(first)
            .hold(&cell.gate())
            .chunk(second);
        self.origin.once("GET", &cell.hash(), halves);
        let mut leader = match cell.asker.accepted() {
            Some(Accepted::Leading) => self.asker(cell),
            _ => self.larder.client_as(KEEPER),
        };
        leader.send_head(&Request::new("GET", &cell.home())).await;
        self.origin.wait_at(&cell.gate()).await;
        let head = leader.read_head().await.expect("the head of the fill");
        assert_eq!(head.word(1), "200", "the fill");
        leader
    }

    async fn upload_half(&self, cell: &Cell) -> Client {
        let body = cell.body();
        let request = Request::new("PUT", &cell.home())
            .header("x-artifact-tag", &cell.tag())
            .header("x-artifact-duration", DURATION)
            .header("content-length", &body.len().to_string());
        let half = body.len() / 2;
        let mut uploader = self.larder.client_as(KEEPER);
        uploader.send_head(&request).await;
        uploader.send(&body[..half]).await;
        let hash = cell.hash();
        let arrived = |seen: &Seen| seen.is("PUT", &hash) && seen.body.len() == half;
        self.origin.until("half an upload", arrived).await;
        uploader
    }

    /// Does to the asker's token what the cell says.
    pub fn befall(&self, cell: &Cell) {
        let Some(token) = cell.token() else { return };
        self.origin.guard(|guard| match cell.asker.fate() {
            Fate::Kept => {}
            Fate::Dismissed => guard.dismiss(&token),
            Fate::Expired => guard.expire(&token),
        });
    }

    /// Has the asker asked for something else, so that Larder hears what the origin thinks of it now.
    pub async fn let_it_be_heard(&self, cell: &Cell) {
        let answer = self.asker(cell).get(&cell.target(NOWHERE)).await;
        let status = answer.status;
        assert!(!answer.is_hit() && status >= 400, "{status}");
    }

    /// Lets what is under way come to its end, and says what was wrong with that.
    pub async fn end(&self, cell: &Cell, holding: Holding) -> Option<String> {
        let body = cell.body();
        match holding {
            Holding::Resting => {
                let reply = self.larder.client_as(KEEPER).get(&cell.home()).await;
                let is_well = reply.is_hit() && reply.body == body;
                (!is_well).then(|| format!("it does not rest: {}", reply.cache_status()))
            }
            Holding::Filling(mut leader) => {
                let is_whole = leader.read_rest().await == (body, Ended::Whole);
                (!is_whole).then(|| "the fill is not whole".to_owned())
            }
            Holding::Uploading(mut uploader) => {
                uploader.send(&body[body.len() / 2..]).await;
                let Reply { status, .. } = uploader.reply().await;
                (status != 202).then(|| format!("the upload ended with {status}"))
            }
        }
    }
}
