//! `GET` and `PUT /api/v1/log`: from which level on the process writes its log, until it is told otherwise.

use bytes::Bytes;
use http_body::Body;
use http_body_util::{BodyExt, Limited};
use serde::{Deserialize, Serialize};

use crate::config::{InEffect, LogLevel};

/// Bytes of a wish: a word, and the form it has.
const MAX_WISH: usize = 1024;

/// The key that says so.
const KEY: &str = "log.level";

/// Whence its value comes once it was set here.
const SOURCE: &str = "the admin API";

/// Lets the log begin at another level.
pub type SetLevel = Box<dyn Fn(LogLevel) + Send + Sync>;

/// What is asked for, and what is answered.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Level {
    level: String,
}

/// What is wrong with a wish.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unclear {
    /// It is too long, or did not come whole.
    #[error("the body is longer than a kibibyte, or did not come whole")]
    Unread,
    /// It is in another form.
    #[error("this wants {{\"level\":\"LEVEL\"}}: {0}")]
    Form(#[from] serde_json::Error),
    /// There is no such level.
    #[error("there is no such level: one of {}", names())]
    Unknown,
}

/// Encodes the level in effect.
pub(super) fn encode(config: &InEffect) -> serde_json::Result<Vec<u8>> {
    let values = config.get();
    let row = values.iter().find(|row| row.key == KEY);
    let level = row.and_then(|row| row.value.as_deref()).unwrap_or_default();
    serde_json::to_vec(&Level {
        level: level.trim_matches('"').to_owned(),
    })
}

/// Reads which level is wanted, and lets it be.
pub(super) async fn change<B>(body: B, config: &InEffect, set: &SetLevel) -> Result<(), Unclear>
where
    B: Body<Data = Bytes>,
{
    let limited = Limited::new(body.map_err(|_| Unclear::Unread), MAX_WISH);
    let read = limited.collect().await.map_err(|_| Unclear::Unread)?;
    let wish: Level = serde_json::from_slice(&read.to_bytes())?;
    let mut known = LogLevel::ALL.into_iter();
    let level = known.find(|level| level.as_str() == wish.level);
    let level = level.ok_or(Unclear::Unknown)?;
    set(level);
    config.put(KEY, format!("\"{}\"", level.as_str()), SOURCE);
    tracing::info!(level = level.as_str(), "the log begins at another level");
    Ok(())
}

fn names() -> String {
    LogLevel::ALL.map(LogLevel::as_str).join(", ")
}
