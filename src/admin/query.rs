//! What a query says of entries: text from outside becomes a wish here, or a mistake that names what there is.

use std::str::FromStr;

use crate::artifact::{ArtifactHash, form_decoded, parameters};
use crate::config::{parse_duration, parse_size};
use crate::tiers::{Filter, Place};

/// Entries on a page, where nothing is said.
const USUAL: usize = 100;
/// And at most: a megabyte of text or a few.
const MOST: usize = 1000;

/// What is said of entries to be listed.
const LISTING: [&str; 8] = [
    "team",
    "hash",
    "older_than",
    "newer_than",
    "min_size",
    "max_size",
    "limit",
    "after",
];
/// And of those to be removed, besides.
const REMOVING: [&str; 2] = ["all", "dry_run"];

/// Which entries are meant, and where to begin.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Wish {
    pub(super) filter: Filter,
    pub(super) limit: usize,
    pub(super) after: Place,
    pub(super) is_dry: bool,
    is_for_all: bool,
}

/// What is wrong with a query.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unclear {
    /// There is no such parameter.
    #[error("there is no parameter {0:?}: there are {1}")]
    Unknown(String, String),
    /// It comes twice.
    #[error("{0:?} comes more than once; of {1} each may come once")]
    Repeated(String, String),
    /// Its value is none.
    #[error("{0}: {1}")]
    Value(&'static str, String),
    /// All entries would be removed, and nobody said so.
    #[error("this would remove every entry: say which, or all=true")]
    Boundless,
    /// All, and some.
    #[error("all=true is not said together with which")]
    AllAndSome,
}

// === impl Wish ===

impl Wish {
    /// Reads which entries are to be listed.
    pub(super) fn to_list(query: &str) -> Result<Self, Unclear> {
        Self::read(query, &LISTING, USUAL)
    }

    /// Reads which are to be removed.
    pub(super) fn to_remove(query: &str) -> Result<Self, Unclear> {
        let wish = Self::read(query, &[&LISTING[..], &REMOVING].concat(), MOST)?;
        match (wish.is_for_all, wish.filter.is_for_all()) {
            (true, true) | (false, false) => Ok(wish),
            (false, true) => Err(Unclear::Boundless),
            (true, false) => Err(Unclear::AllAndSome),
        }
    }

    fn read(query: &str, known: &[&'static str], limit: usize) -> Result<Self, Unclear> {
        let mut wish = Self {
            limit,
            ..Self::default()
        };
        let mut said: Vec<&str> = Vec::new();
        for (name, value) in parameters(query) {
            let decoded = decoded(name);
            let Some(name) = known.iter().find(|known| **known == decoded) else {
                return Err(Unclear::Unknown(decoded, known.join(", ")));
            };
            if said.contains(name) {
                return Err(Unclear::Repeated(decoded, known.join(", ")));
            }
            said.push(name);
            let read = wish.take(name, &self::decoded(value));
            read.map_err(|mistake| Unclear::Value(name, mistake))?;
        }
        Ok(wish)
    }

    fn take(&mut self, name: &str, value: &str) -> Result<(), String> {
        let filter = &mut self.filter;
        match name {
            "team" => filter.team = Some(value.to_owned()),
            "hash" => filter.hash = Some(ArtifactHash::parse(value).map_err(as_text)?),
            "older_than" => filter.older_than = Some(parse_duration(value)?),
            "newer_than" => filter.newer_than = Some(parse_duration(value)?),
            "min_size" => filter.min_size = Some(parse_size(value)?),
            "max_size" => filter.max_size = Some(parse_size(value)?),
            "after" => self.after = Place::from_str(value).map_err(as_text)?,
            "all" => self.is_for_all = truth(value)?,
            "dry_run" => self.is_dry = truth(value)?,
            _ => self.limit = limit(value)?,
        }
        Ok(())
    }
}

fn limit(value: &str) -> Result<usize, String> {
    let limit = value.parse().ok();
    let limit = limit.filter(|limit| (1..=MOST).contains(limit));
    limit.ok_or_else(|| format!("a number from 1 to {MOST}"))
}

fn truth(value: &str) -> Result<bool, String> {
    value.parse().map_err(|_| "true or false".to_owned())
}

fn decoded(text: &str) -> String {
    String::from_utf8_lossy(&form_decoded(text)).into_owned()
}

fn as_text(error: impl std::error::Error) -> String {
    error.to_string()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn every_parameter_is_read() {
        let query = "team=a%20b&hash=aa&older_than=7d&newer_than=30d&min_size=10MiB&max_size=1GB&limit=7\
                     &after=000000000000000000000000000000ff";
        let wish = Wish::to_list(query).unwrap();
        let day = 24 * 60 * 60;
        let filter = Filter {
            hash: Some(ArtifactHash::parse("aa").unwrap()),
            team: Some("a b".to_owned()),
            older_than: Some(Duration::from_secs(7 * day)),
            newer_than: Some(Duration::from_secs(30 * day)),
            min_size: Some(10 << 20),
            max_size: Some(1_000_000_000),
        };
        assert_eq!((wish.filter, wish.limit), (filter, 7));
        assert_eq!(wish.after.to_string(), "000000000000000000000000000000ff");
        assert_eq!(Wish::to_list("").unwrap().limit, USUAL);
    }

    #[test]
    fn what_is_unclear_is_refused_with_what_there_is() {
        let mistake = |query| Wish::to_list(query).unwrap_err().to_string();
        assert!(mistake("hsah=a").contains("there are team, hash, older_than"));
        assert!(mistake("dry_run=true").contains("no parameter \"dry_run\""));
        assert!(mistake("team=a&hash=b&team=c").contains("more than once"));
        for (query, word) in [
            ("older_than=7", "older_than:"),
            ("min_size=x", "min_size:"),
            ("hash=a/b", "hash:"),
            ("limit=0", "from 1 to 1000"),
            ("limit=1001", "from 1 to 1000"),
            ("after=0", "after:"),
        ] {
            assert!(mistake(query).contains(word), "{}", mistake(query));
        }
    }

    #[test]
    fn all_is_removed_only_where_that_is_said_and_nothing_else() {
        for query in ["", "limit=5", "dry_run=true", "all=false"] {
            assert_eq!(Wish::to_remove(query), Err(Unclear::Boundless), "{query}");
        }
        assert_eq!(Wish::to_remove("all=true&team=a"), Err(Unclear::AllAndSome));
        assert!(Wish::to_remove("all=true").unwrap().filter.is_for_all());
        assert!(Wish::to_remove("team=&dry_run=true").unwrap().is_dry);
        assert!(Wish::to_remove("all=yes").is_err());
    }
}
