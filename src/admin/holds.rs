//! `/api/v1/holds`: which artifacts are held back, and to hold and release them.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body::Body;
use http_body_util::{BodyExt, Limited};
use serde::{Deserialize, Serialize};
use tracing::{error, info};

use super::answer::{Answer, refusal};
use super::{Admin, Sources};
use crate::artifact::{ArtifactHash, InvalidHash, form_decoded, parameters};
use crate::holds::{Held, Holds, NotHeld};

/// Bytes of a wish: the longest hash, the longest team and the form it has, each character escaped.
const MAX_WISH: usize = 8 * 1024;

/// What is held back.
pub struct HeldBack {
    /// The list.
    pub holds: Arc<Holds>,
    /// Makes a change of it so: nothing under way lands that may be held now, and a restart knows of it. Blocks.
    /// An error says why a restart may not.
    pub settle: Box<dyn Fn() -> Result<(), String> + Send + Sync>,
}

/// What is asked to be held.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wish {
    hash: String,
    team: Option<String>,
}

/// The whole list.
#[derive(Serialize)]
struct Report<'a> {
    holds: Vec<Told<'a>>,
}

/// One hold.
#[derive(Serialize)]
struct Told<'a> {
    hash: &'a str,
    team: Option<&'a str>,
    since: String,
    healed: usize,
}

/// Why nothing is held, or released.
#[derive(Debug, thiserror::Error)]
enum Unclear {
    /// It is too long, or did not come whole.
    #[error("the body is longer than eight kibibytes, or did not come whole")]
    Unread,
    /// It is in another form.
    #[error("this wants {{\"hash\":\"HASH\",\"team\":\"TEAM\" or null}}: {0}")]
    Form(#[from] serde_json::Error),
    /// It is no hash.
    #[error(transparent)]
    Hash(#[from] InvalidHash),
    /// It cannot be held.
    #[error(transparent)]
    NotHeld(#[from] NotHeld),
    /// It is not clear what to release.
    #[error("this wants ?hash=HASH, and &team=TEAM where the hold is of one team, each once")]
    Query,
}

// === impl HeldBack ===

impl fmt::Debug for HeldBack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HeldBack")
            .field("holds", &self.holds)
            .finish_non_exhaustive()
    }
}

// === impl Admin ===

impl Admin {
    /// Tells what is held back, or changes it.
    pub(super) async fn tell_holds<B>(&self, request: Request<B>) -> Answer
    where
        B: Body<Data = Bytes>,
    {
        let holds = &self.sources.held_back.holds;
        match *request.method() {
            Method::PUT => match hold(request.into_body(), holds).await {
                Ok(held) => self.settled(serde_json::to_vec(&Told::of(&held))).await,
                Err(unclear) => unclear.told(),
            },
            Method::DELETE => match release(request.uri().query().unwrap_or_default(), holds) {
                Ok(released) => {
                    let told = serde_json::json!({ "released": u8::from(released) });
                    self.settled(serde_json::to_vec(&told)).await
                }
                Err(unclear) => unclear.told(),
            },
            _ => self.tell(encode(holds)),
        }
    }

    /// Answers once a change of what is held is so.
    async fn settled(&self, told: serde_json::Result<Vec<u8>>) -> Answer {
        let sources: Arc<Sources> = Arc::clone(&self.sources);
        let settled = tokio::task::spawn_blocking(move || (sources.held_back.settle)()).await;
        let why = match settled {
            Ok(Ok(())) => return self.tell(told),
            Ok(Err(why)) => why,
            Err(lost) => lost.to_string(),
        };
        error!(error = %why, "what is held back cannot be written down");
        refusal(
            StatusCode::INTERNAL_SERVER_ERROR,
            "not_written_down",
            &format!("this holds until the process ends, and a restart may not know of it: {why}"),
        )
    }
}

/// Encodes what is held, newest first.
fn encode(holds: &Holds) -> serde_json::Result<Vec<u8>> {
    let list = holds.list();
    serde_json::to_vec(&Report {
        holds: list.iter().map(Told::of).collect(),
    })
}

async fn hold<B: Body<Data = Bytes>>(body: B, holds: &Holds) -> Result<Held, Unclear> {
    let limited = Limited::new(body.map_err(|_| Unclear::Unread), MAX_WISH);
    let read = limited.collect().await.map_err(|_| Unclear::Unread)?;
    let wish: Wish = serde_json::from_slice(&read.to_bytes())?;
    let held = holds.hold(ArtifactHash::parse(&wish.hash)?, wish.team)?;
    info!(hash = %held.hash, team = held.team, "an artifact is held back until a new upload of it is accepted");
    Ok(held)
}

fn release(query: &str, holds: &Holds) -> Result<bool, Unclear> {
    let (mut hash, mut team) = (None, None);
    for (name, value) in parameters(query) {
        let value = String::from_utf8_lossy(&form_decoded(value)).into_owned();
        let slot = match name {
            "hash" => &mut hash,
            "team" => &mut team,
            _ => return Err(Unclear::Query),
        };
        if slot.replace(value).is_some() {
            return Err(Unclear::Query);
        }
    }
    let hash = ArtifactHash::parse(&hash.ok_or(Unclear::Query)?)?;
    let released = holds.release(&hash, team.as_deref());
    if released {
        info!(%hash, team, "an artifact is held back no more");
    }
    Ok(released)
}

// === impl Unclear ===

impl Unclear {
    fn told(&self) -> Answer {
        let (status, code) = match self {
            Self::NotHeld(NotHeld::TooMany) => (StatusCode::CONFLICT, "too_many_holds"),
            _ => (StatusCode::BAD_REQUEST, "bad_request"),
        };
        refusal(status, code, &self.to_string())
    }
}

// === impl Told ===

impl<'a> Told<'a> {
    fn of(held: &'a Held) -> Self {
        Self {
            hash: held.hash.as_str(),
            team: held.team.as_deref(),
            since: held.since.to_string(),
            healed: held.healed,
        }
    }
}
