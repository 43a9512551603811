//! `GET` and `DELETE /api/v1/entries`: what rests in the tiers, page by page, and what an operator wants gone.

use std::io;
use std::sync::Arc;

use data_encoding::HEXLOWER;
use http::StatusCode;
use serde::Serialize;
use tracing::info;

use super::answer::{Answer, refusal};
use super::query::{Unclear, Wish};
use crate::artifact::{Tier, Uploader};
use crate::tiers::{Filter, Listed, Place, Tiers};
use crate::transfer::Flights;

/// Longest text of a client's that is told, in bytes; teams and commits have shorter names.
const LONGEST_TEXT: usize = 256;

/// What rests, and what is on its way there.
#[derive(Clone, Debug)]
pub struct Holdings {
    /// Where artifacts rest.
    pub tiers: Arc<Tiers>,
    /// The fills under way.
    pub flights: Arc<Flights>,
}

/// Why a wish is not answered.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unanswered {
    /// It is none.
    #[error(transparent)]
    Unclear(#[from] Unclear),
    /// Not everything that is meant can be seen.
    #[error(
        "the disk tier is off: what it has can be neither listed nor removed until it works again"
    )]
    DiskOff,
    /// The disk cannot be read, or not in time.
    #[error("the disk tier cannot be read: {0}")]
    Disk(#[from] io::Error),
}

/// A page of entries.
#[derive(Serialize)]
struct Report<'a> {
    entries: Vec<Told<'a>>,
    next: Option<String>,
    looked_at: u64,
    unreadable: u64,
    without_disk: bool,
}

/// One entry.
#[derive(Serialize)]
struct Told<'a> {
    key: String,
    hash: &'a str,
    team: Option<&'a str>,
    bytes: u64,
    landed: String,
    age_seconds: u64,
    last_used: Option<String>,
    tiers: Vec<&'static str>,
    task_ms: Option<u64>,
    sha: Option<&'a str>,
    uploader: Option<ToldUploader<'a>>,
}

/// Who uploaded it.
#[derive(Serialize)]
struct ToldUploader<'a> {
    name: Option<&'a str>,
    digest: Option<String>,
    address: Option<String>,
    user_agent: Option<&'a str>,
}

/// What was removed, or would be.
#[derive(Serialize)]
struct Gone {
    removed: usize,
    bytes: u64,
    dry_run: bool,
    next: Option<String>,
    unreadable: u64,
}

// === impl Holdings ===

impl Holdings {
    /// A page of what a query means, as JSON.
    pub(super) async fn list(&self, query: &str) -> Result<Vec<u8>, Unanswered> {
        let wish = Wish::to_list(query)?;
        let page = self
            .tiers
            .list(&wish.filter, wish.after, wish.limit)
            .await?;
        let report = Report {
            entries: page.entries.iter().map(Told::of).collect(),
            next: page.next.map(|place| place.to_string()),
            looked_at: page.looked_at,
            unreadable: page.unreadable,
            without_disk: page.without_disk,
        };
        Ok(encoded(&report)?)
    }

    /// Removes a page of what a query means, or says what that would be.
    pub(super) async fn remove(&self, query: &str) -> Result<Vec<u8>, Unanswered> {
        let wish = Wish::to_remove(query)?;
        if !self.tiers.can_list_all() {
            return Err(Unanswered::DiskOff);
        }
        // What lands behind the first page's back would be missed, and only what is new can.
        let is_first = wish.after == Place::default();
        if !wish.is_dry && is_first && !wish.filter.is_for_old_ones() {
            self.tiers.outdate_all().await?;
            self.flights.supersede_all();
        }
        let page = self
            .tiers
            .list(&wish.filter, wish.after, wish.limit)
            .await?;
        // What that has was passed over, and nobody would go back to it.
        if page.without_disk {
            return Err(Unanswered::DiskOff);
        }
        let entries = if wish.is_dry {
            page.entries
        } else {
            self.removed(page.entries).await
        };
        let removed = Gone {
            removed: entries.len(),
            bytes: entries.iter().map(|listed| listed.meta.size).sum(),
            dry_run: wish.is_dry,
            next: page.next.map(|place| place.to_string()),
            unreadable: page.unreadable,
        };
        if !wish.is_dry && (removed.removed > 0 || removed.next.is_none()) {
            log(&wish.filter, &removed);
        }
        Ok(encoded(&removed)?)
    }

    /// Those of them that are gone.
    async fn removed(&self, mut entries: Vec<Listed>) -> Vec<Listed> {
        let mut gone = self.tiers.remove(&entries).await;
        for key in &gone {
            self.flights.supersede(key);
        }
        gone.sort_unstable();
        entries.retain(|listed| gone.binary_search(&listed.key).is_ok());
        entries
    }
}

// === impl Unanswered ===

impl Unanswered {
    /// The answer in its place.
    pub(super) fn refusal(&self) -> Answer {
        let (status, code) = match self {
            Self::Unclear(_) => (StatusCode::BAD_REQUEST, "bad_request"),
            Self::DiskOff => (StatusCode::SERVICE_UNAVAILABLE, "disk_off"),
            Self::Disk(_) => (StatusCode::SERVICE_UNAVAILABLE, "disk_unreadable"),
        };
        refusal(status, code, &self.to_string())
    }
}

fn encoded(report: &impl Serialize) -> io::Result<Vec<u8>> {
    serde_json::to_vec(report).map_err(io::Error::from)
}

fn log(filter: &Filter, removed: &Gone) {
    info!(
        hash = filter.hash.as_ref().map(tracing::field::display),
        team = filter.team.as_deref(),
        older_than = filter.older_than.map(tracing::field::debug),
        newer_than = filter.newer_than.map(tracing::field::debug),
        min_size = filter.min_size,
        max_size = filter.max_size,
        entries = removed.removed,
        bytes = removed.bytes,
        unreadable = removed.unreadable,
        is_last = removed.next.is_none(),
        "entries were purged by the admin API"
    );
}

// === impl Told ===

impl<'a> Told<'a> {
    fn of(listed: &'a Listed) -> Self {
        let (meta, label) = (&listed.meta, &listed.meta.label);
        let tiers = [
            (listed.in_memory, Tier::Memory),
            (listed.is_on_disk(), Tier::Disk),
        ];
        let millis = |duration: std::time::Duration| u64::try_from(duration.as_millis()).ok();
        Self {
            key: HEXLOWER.encode(listed.key.as_bytes()),
            hash: label.hash.as_str(),
            team: label.team.as_deref().map(shortened),
            bytes: meta.size,
            landed: meta.landed.to_string(),
            age_seconds: meta.landed.age().as_secs(),
            last_used: listed.used.map(|used| used.to_string()),
            tiers: tiers
                .iter()
                .filter(|(is_there, _)| *is_there)
                .map(|(_, tier)| tier.as_str())
                .collect(),
            task_ms: label.fields.duration().and_then(millis),
            sha: label.fields.sha().map(shortened),
            uploader: label.uploader.as_deref().map(ToldUploader::of),
        }
    }
}

// === impl ToldUploader ===

impl<'a> ToldUploader<'a> {
    fn of(uploader: &'a Uploader) -> Self {
        Self {
            name: uploader.name.as_deref(),
            digest: uploader.digest.map(|digest| digest.to_string()),
            address: uploader.address.map(|address| address.to_string()),
            user_agent: uploader.user_agent.as_deref(),
        }
    }
}

fn shortened(text: &str) -> &str {
    let end = text.floor_char_boundary(LONGEST_TEXT);
    text.get(..end).unwrap_or_default()
}
