//! `larder why HASH`: what a Larder that runs knows of an artifact, and what happened to its last requests.
//!
//! Everything is asked of the admin listener; what it means is said in `story`.

mod story;

use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::bail;
use clap::Args;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use tokio::time::Instant;

use self::story::{Known, story};
use super::inquiry::{Inquiry, ProcessFlags, Told};
use super::{quick_runtime, unless_read_enough};
use crate::artifact::{ArtifactHash, InvalidHash};
use crate::config::Config;

/// Longest search for entries: a page looks at some of them, and a large disk has many.
const SEARCH: Duration = Duration::from_secs(10);

/// Requests that are asked for: as many as the admin listener tells.
const REQUESTS: usize = 500;

/// Which artifact, and where the running process is.
#[derive(Args, Debug)]
pub(super) struct WhyFlags {
    /// The client's name for the artifact, as turbo prints it
    #[arg(value_parser = hash)]
    hash: ArtifactHash,
    /// Tells of this team's requests only, and whether it is here under that name
    #[arg(long)]
    team: Option<String>,
    /// Prints what is known as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    pub(super) process: ProcessFlags,
}

/// What comes of looking for entries.
#[derive(Debug, PartialEq)]
enum Looked {
    /// A page of them.
    At(Value),
    /// This Larder does not tell of them.
    Nowhere,
    /// It cannot see them just now, and says why.
    InVain(String),
}

/// Asks and prints; 1 where nothing is known.
pub(super) fn run(config: &Config, flags: &WhyFlags) -> anyhow::Result<ExitCode> {
    let inquiry = Inquiry::of(config)?;
    let known = quick_runtime()?.block_on(ask(&inquiry, flags))?;
    let text = if flags.json {
        format!("{}\n", as_json(&known))
    } else {
        story(&known)?
    };
    unless_read_enough(io::stdout().lock().write_all(text.as_bytes()))?;
    Ok(if known.is_nothing() {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

async fn ask(inquiry: &Inquiry, flags: &WhyFlags) -> anyhow::Result<Known> {
    let WhyFlags { hash, team, .. } = flags;
    let query = format!("hash={hash}");
    let of_team = team.as_ref().map_or_else(String::new, |team| {
        format!("&team={}", utf8_percent_encode(team, NON_ALPHANUMERIC))
    });
    let requests = format!("/api/v1/requests?{query}{of_team}&limit={REQUESTS}");
    let requests = list(inquiry.get(&requests).await?.json()?, "requests")?;
    let holds = inquiry.get("/api/v1/holds").await?;
    let mut holds = list(holds.json()?, "holds")?;
    holds.retain(|hold| says(hold, "hash", hash.as_str()));
    let (entries, unseen) = entries(inquiry, &query).await?;
    Ok(Known {
        hash: hash.to_string(),
        team: team.clone(),
        entries,
        unseen,
        holds,
        requests,
    })
}

/// Every entry of the hash, whatever team it is of, and why there may be more, where there may; none where this
/// Larder does not tell of entries.
async fn entries(
    inquiry: &Inquiry,
    query: &str,
) -> anyhow::Result<(Option<Vec<Value>>, Option<String>)> {
    let until = Instant::now() + SEARCH;
    let (mut found, mut after) = (Vec::new(), None::<String>);
    loop {
        let from = after.map_or_else(String::new, |cursor| {
            format!("&after={}", utf8_percent_encode(&cursor, NON_ALPHANUMERIC))
        });
        let told = inquiry
            .get(&format!("/api/v1/entries?{query}{from}"))
            .await?;
        let page = match looked(told)? {
            Looked::At(page) => page,
            Looked::Nowhere => return Ok((None, None)),
            Looked::InVain(why) => return Ok((Some(found), Some(why))),
        };
        let next = page.get("next").and_then(Value::as_str);
        after = next.map(str::to_owned);
        found.append(&mut list(page, "entries")?);
        if after.is_none() || Instant::now() > until {
            let unseen = after.map(|_| "the search took too long".to_owned());
            return Ok((Some(found), unseen));
        }
    }
}

fn looked(told: Told) -> anyhow::Result<Looked> {
    match told.status {
        404 => Ok(Looked::Nowhere),
        // A disk that does not work is when somebody asks why.
        503 => {
            let refused = told.json().map(Looked::At);
            Ok(refused.unwrap_or_else(|refusal| Looked::InVain(refusal.to_string())))
        }
        _ => Ok(Looked::At(told.json()?)),
    }
}

fn says(told: &Value, name: &str, text: &str) -> bool {
    told.get(name).and_then(Value::as_str) == Some(text)
}

fn list(mut page: Value, name: &str) -> anyhow::Result<Vec<Value>> {
    match page.get_mut(name).map(Value::take) {
        Some(Value::Array(list)) => Ok(list),
        _ => bail!("the answer has no list {name}"),
    }
}

fn as_json(known: &Known) -> Value {
    json!({
        "hash": known.hash,
        "team": known.team,
        "entries": known.entries,
        "entries_are_all": known.unseen.is_none(),
        "holds": known.holds,
        "requests": known.requests,
    })
}

fn hash(text: &str) -> Result<ArtifactHash, InvalidHash> {
    ArtifactHash::parse(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(status: u16, text: &str) -> Told {
        let text = text.to_owned();
        Told { status, text }
    }

    #[test]
    fn a_disk_that_cannot_be_read_keeps_nobody_from_hearing_the_rest() {
        let broken =
            r#"{"error":{"code":"disk_unreadable","message":"the disk tier cannot be read: EIO"}}"#;
        let why = "503: the disk tier cannot be read: EIO".to_owned();
        assert_eq!(looked(told(503, broken)).unwrap(), Looked::InVain(why));
        assert_eq!(looked(told(404, "")).unwrap(), Looked::Nowhere);
        assert_eq!(looked(told(200, "{}")).unwrap(), Looked::At(json!({})));
        assert!(looked(told(401, broken)).is_err());
    }
}
