//! A cell of the table: an artifact and a token of its own, and the question.

use std::fmt;

use super::axes::{Asked, Asker, Held};
use crate::support::{Artifact, Request, Style};

/// Stands in every body and every tag, a few times where there is room.
pub const MARK: &str = "a-members-eyes-only";
/// What the table's artifacts say of their task's time.
pub const DURATION: &str = "1038";

/// One cell of the table, with a hash and a token of its own.
#[derive(Clone, Copy)]
pub struct Cell {
    pub style: Style,
    pub held: Held,
    pub asked: Asked,
    pub asker: Asker,
    number: usize,
}

// === impl Cell ===

impl Cell {
    /// Every cell of an origin's part of the table.
    pub fn all(style: Style) -> Vec<Self> {
        let mut all = Vec::new();
        for held in [Held::Memory, Held::Disk, Held::Filling, Held::Uploading] {
            for asked in [Asked::Get, Asked::Head, Asked::Batch] {
                for asker in Asker::all(held) {
                    let number = all.len();
                    all.push(Self {
                        style,
                        held,
                        asked,
                        asker,
                        number,
                    });
                }
            }
        }
        all
    }

    pub fn hash(&self) -> String {
        format!("cell{}", self.number)
    }

    /// The asker's token, where it has one.
    pub fn token(&self) -> Option<String> {
        let number = self.number;
        (self.asker != Asker::NoToken).then(|| format!("token{number}"))
    }

    /// Where the origin waits in the middle of the fill.
    pub fn gate(&self) -> String {
        format!("gate{}", self.number)
    }

    pub fn body(&self) -> Vec<u8> {
        let number = self.number;
        format!("{MARK}, {number}; ")
            .repeat(100 + number % 100)
            .into_bytes()
    }

    pub fn tag(&self) -> String {
        format!("{MARK}-{}", self.number)
    }

    pub fn artifact(&self) -> Artifact {
        Artifact::from(&self.body())
            .field("x-artifact-tag", &self.tag())
            .field("x-artifact-duration", DURATION)
    }

    /// The question.
    pub fn request(&self) -> Request {
        let hash = self.hash();
        match self.asked {
            Asked::Get => Request::new("GET", &self.target(&hash)),
            Asked::Head => Request::new("HEAD", &self.target(&hash)),
            Asked::Batch => Request::new("POST", &target("", self.asker.query()))
                .header("content-type", "application/json")
                .body(format!("{{\"hashes\":[\"{hash}\"]}}").as_bytes()),
        }
    }

    /// Where the asker would look for an artifact, or for the status.
    pub fn target(&self, name: &str) -> String {
        target(&format!("/{name}"), self.asker.query())
    }

    /// Where those look for it whose it is.
    pub fn home(&self) -> String {
        target(&format!("/{}", self.hash()), self.asker.home())
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            style,
            held,
            asked,
            asker,
            ..
        } = self;
        write!(f, "{style:?} × {held:?} × {asked:?} × {asker:?}")
    }
}

fn target(below: &str, query: &str) -> String {
    let mark = if query.is_empty() { "" } else { "?" };
    format!("/v8/artifacts{below}{mark}{query}")
}
