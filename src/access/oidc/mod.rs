//! Jobs of a CI, known by the signed token (JWT, RFC 7519) that their CI gave them.
//!
//! An issuer's word on whose job it is counts as far as its keys prove it; what such a job may do is the
//! operator's. A token that nothing proves is an unknown one; which doubt it was, the log is told alone.

mod claims;
mod key_set;
mod keys;
mod remembered;
mod renewal;
mod verify;

use std::path::Path;
use std::sync::Arc;

use jsonwebtoken::crypto::aws_lc::DEFAULT_PROVIDER;
use tokio::time::Instant;

pub use claims::judge_job;

use self::key_set::KeySet;
use self::keys::Keys;
use self::remembered::{MAX_AGE, Proven, Remembered};
use self::renewal::Health;
use self::verify::{Refused, Said, Verified};
use super::evidence::Right;
use super::tokens::{Denial, now};
use crate::caller::Caller;
use crate::config::{self, KeySource, MAX_KEY_SET, SigningAlgorithm};
use crate::metrics::Metrics;
use crate::tasks::Tasks;
use crate::upstream::{Document, Upstream};

/// The CIs whose tokens count.
pub(super) struct Issuers {
    entries: Vec<Arc<Entry>>,
    remembered: Remembered,
}

/// One of them, and its keys.
struct Entry {
    issuer: config::Issuer,
    keys: Arc<Keys>,
}

/// What it takes to have keys.
#[derive(Clone)]
pub(super) struct Means {
    pub(super) upstream: Arc<Upstream>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) tasks: Tasks,
}

// === impl Issuers ===

impl Issuers {
    /// Nobody.
    pub(super) fn none() -> Self {
        Self {
            entries: Vec::new(),
            remembered: Remembered::new(),
        }
    }

    /// Those that are `listed`. Keys that were fetched `before` stay, so that a new list costs nobody
    /// their access while an issuer cannot be reached; those that nobody needs any more are dropped with
    /// the old list. Files are read anew.
    pub(super) fn new(listed: &[config::Issuer], before: &Self, means: &Means) -> Self {
        // Named, not left to the library: with a second provider in the process it would find none.
        DEFAULT_PROVIDER.install_default().ok();
        let mut entries: Vec<Arc<Entry>> = Vec::new();
        for issuer in listed {
            let mut known = before.entries.iter().chain(&entries);
            let keys = match known.find(|entry| entry.shares_keys_with(issuer)) {
                Some(entry) => Arc::clone(&entry.keys),
                None => means.keys(issuer),
            };
            let issuer = issuer.clone();
            entries.push(Arc::new(Entry { issuer, keys }));
        }
        Self {
            entries,
            remembered: Remembered::new(),
        }
    }

    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Lets a job in, for one request with this raw query.
    pub(super) async fn admit(
        &self,
        caller: &Caller,
        query: &str,
        right: Right,
    ) -> Result<(), Denial> {
        let proven = match self.remembered.recall(caller.digest()) {
            Some(proven) => proven,
            None => self.prove(caller).await?,
        };
        let grants = &proven.entry.issuer.grants;
        let applying = proven.grants.iter().filter_map(|index| grants.get(*index));
        claims::judge(applying, query, right)
    }

    /// Proves what a caller's token is worth, and remembers it for a while.
    ///
    /// The first entry whose issuer and audience the token names is the one that judges it.
    async fn prove(&self, caller: &Caller) -> Result<Proven, Denial> {
        let token = caller.bearer().unwrap_or_default();
        let said = Said::read(token).ok_or(Denial::UnknownToken)?;
        let mut entries = self.entries.iter();
        let entry = entries.find(|entry| said.is_of(&entry.issuer));
        let entry = entry.ok_or(Denial::UnknownToken)?;
        let proven = entry.prove(&said).await.map_err(|reason| {
            let issuer = entry.issuer.issuer.as_str();
            tracing::debug!(issuer, %reason, "a job's token is refused");
            Denial::UnknownToken
        })?;
        self.remembered.note(caller.digest(), &proven);
        Ok(proven)
    }
}

impl std::fmt::Debug for Issuers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names = self.entries.iter().map(|entry| &entry.issuer.issuer);
        f.debug_list().entries(names).finish()
    }
}

// === impl Entry ===

impl Entry {
    /// Whether its keys are fetched from where those of `issuer` are.
    fn shares_keys_with(&self, issuer: &config::Issuer) -> bool {
        let is_url = matches!(issuer.keys, KeySource::Url(_));
        is_url
            && self.issuer.keys == issuer.keys
            && self.issuer.algorithm == issuer.algorithm
            && self.issuer.issuer == issuer.issuer
    }

    async fn prove(self: &Arc<Self>, said: &Said<'_>) -> Result<Proven, Refused> {
        let found = self.keys.find(said.key_id(&self.issuer)?).await?;
        let Verified { claims, expires } = said.verify(&self.issuer, &found.key, now())?;
        let grants = self.issuer.grants.iter().enumerate();
        let applying = grants.filter(|(_, grant)| claims::applies(grant, &claims));
        let until = Instant::now() + MAX_AGE;
        Ok(Proven {
            entry: Arc::clone(self),
            grants: applying.map(|(index, _)| index).collect(),
            edition: found.edition,
            expires,
            until: found.until.map_or(until, |keys| until.min(keys)),
        })
    }
}

// === impl Means ===

impl Means {
    fn keys(&self, issuer: &config::Issuer) -> Arc<Keys> {
        match &issuer.keys {
            KeySource::File(path) => Keys::fixed(read(issuer, path)),
            KeySource::Url(url) => {
                let document = Arc::new(self.upstream.document(url.clone()));
                let algorithm = issuer.algorithm;
                let health = Health::new(&issuer.issuer, Arc::clone(&self.metrics));
                let fetch = move || fetch(Arc::clone(&document), algorithm);
                Keys::renewed(fetch, health, &self.tasks)
            }
        }
    }
}

/// A file was fine when the configuration was read; where it no longer is, its issuer has no keys.
fn read(issuer: &config::Issuer, path: &Path) -> KeySet {
    let read = config::key_file(path).and_then(|keys| {
        let set = KeySet::new(&keys, issuer.algorithm);
        set.map_err(|mistake| format!("{}: {mistake}", path.display()))
    });
    read.unwrap_or_else(|mistake| {
        tracing::error!(issuer = issuer.issuer, "this issuer has no keys: {mistake}");
        KeySet::default()
    })
}

async fn fetch(document: Arc<Document>, algorithm: SigningAlgorithm) -> Result<KeySet, String> {
    let fetched = document.fetch(MAX_KEY_SET).await;
    let text = fetched.map_err(|error| error.to_string())?;
    let keys = config::key_set(&text).map_err(|mistake| format!("it {mistake}"))?;
    KeySet::new(&keys, algorithm).map_err(str::to_owned)
}

#[cfg(test)]
mod tests;
