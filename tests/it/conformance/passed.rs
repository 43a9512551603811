//! What the origin has seen of a case. Nothing here knows in which protocol the client spoke.

use crate::support::{Ended, Origin, Seen};

/// The requests of one case, as the origin saw them.
#[derive(Clone, Debug)]
pub enum Passed {
    Nothing,
    /// Perhaps the beginning of one, and never the end.
    NothingWhole,
    /// One, whatever it says.
    Something,
    /// Perhaps one or more.
    Anything,
    /// Exactly these, whole, in any order.
    All(Vec<Request>),
}

/// One request.
#[derive(Clone, Debug)]
pub struct Request {
    /// Method and target; `{}` stands for the case's mark.
    line: &'static str,
    /// The names of all its header fields, in the alphabet's order.
    fields: String,
    body: &'static [u8],
}

/// An artifact that is asked for.
pub fn asked() -> Passed {
    one("GET /v8/artifacts/{}?slug=acme", "", b"")
}

/// An artifact that is uploaded with its length.
pub fn uploaded(body: &'static [u8]) -> Passed {
    one("PUT /v8/artifacts/{}?slug=acme", "content-length", body)
}

/// One request, with `fields` besides those that every request has.
pub fn one(line: &'static str, fields: &str, body: &'static [u8]) -> Passed {
    Passed::All(vec![request(line, fields, body)])
}

/// One of several requests.
pub fn request(line: &'static str, fields: &str, body: &'static [u8]) -> Request {
    // Of artifacts alone Larder wants no other encoding than none.
    let usual = if line.contains("/artifacts/") {
        "accept-encoding host via"
    } else {
        "host via"
    };
    let mut names: Vec<_> = usual.split(' ').chain(fields.split_whitespace()).collect();
    names.sort_unstable();
    Request {
        line,
        fields: names.join(" "),
        body,
    }
}

impl Passed {
    /// Asserts that this and nothing else is what `origin` has seen of the case with that mark.
    #[track_caller]
    pub fn check(&self, origin: &Origin, mark: &str) {
        let seen = origin.seen_where(|seen| seen.target().contains(mark));
        match self {
            Self::Nothing => assert!(seen.is_empty(), "reached the origin: {seen:?}"),
            Self::Anything => {}
            Self::Something => assert_eq!(seen.len(), 1, "at the origin: {seen:?}"),
            Self::NothingWhole => {
                let is_whole = |seen: &Seen| seen.ended == Some(Ended::Whole);
                assert!(!seen.iter().any(is_whole), "whole at the origin: {seen:?}");
            }
            Self::All(requests) => {
                let mut wanted: Vec<_> = requests.iter().map(|one| one.told(mark)).collect();
                let mut came: Vec<_> = seen.iter().map(told).collect();
                wanted.sort();
                came.sort();
                assert_eq!(came, wanted, "at the origin");
            }
        }
    }
}

/// Start line, names of fields, body, and whether that is all of it.
type Told = (String, String, String, bool);

impl Request {
    fn told(&self, mark: &str) -> Told {
        let line = self.line.replace("{}", mark);
        (line, self.fields.clone(), shown(self.body), true)
    }
}

fn told(seen: &Seen) -> Told {
    let line = format!("{} {}", seen.method(), seen.target());
    let mut names: Vec<_> = seen
        .head
        .headers
        .iter()
        .map(|(name, _)| name.as_str())
        .collect();
    names.sort_unstable();
    let is_whole = seen.ended == Some(Ended::Whole);
    (line, names.join(" "), shown(&seen.body), is_whole)
}

fn shown(body: &[u8]) -> String {
    body.escape_ascii().to_string()
}
