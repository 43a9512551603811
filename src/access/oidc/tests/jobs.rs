//! Jobs let in, and what is remembered of them.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};
use tempfile::NamedTempFile;
use tokio::time::{Duration, Instant, advance};

use super::super::keys::Keys;
use super::super::remembered::{MAX_AGE, Proven, Remembered};
use super::super::{Entry, Issuers, Means, Said, now};
use super::signer::{Signer, rsa};
use super::{RS256, claims, issuer, set, with};
use crate::access::evidence::Right;
use crate::access::tokens::Denial;
use crate::caller::{Caller, CallerDigest, Sealer};
use crate::config::{self, Issuer, KeySource, SigningAlgorithm};
use crate::metrics::Metrics;
use crate::tasks::Tasks;
use crate::upstream::Upstream;

fn caller(token: &str) -> Caller {
    Sealer::new(&[0; 32], Vec::new()).bearer(token).unwrap()
}

fn means() -> Means {
    let config = config::Config::built_in(Path::new("/nowhere"));
    let metrics = Arc::new(Metrics::new().unwrap());
    let upstream = Upstream::new(&config.upstream, Arc::clone(&metrics), Tasks::new()).unwrap();
    Means {
        upstream: Arc::new(upstream),
        metrics,
        tasks: Tasks::new(),
    }
}

/// A file of the keys' public halves, and an issuer that has it.
fn published(keys: &[Value]) -> (NamedTempFile, Issuer) {
    let file = NamedTempFile::new().unwrap();
    publish(file.path(), keys);
    let mut issuer = issuer(RS256);
    issuer.keys = KeySource::File(file.path().to_owned());
    (file, issuer)
}

fn publish(path: &Path, keys: &[Value]) {
    fs::write(path, json!({ "keys": keys }).to_string()).unwrap();
}

fn issuers(listed: &[Issuer]) -> Issuers {
    Issuers::new(listed, &Issuers::none(), &means())
}

async fn admit(issuers: &Issuers, token: &str, query: &str, right: Right) -> Result<(), Denial> {
    issuers.admit(&caller(token), query, right).await
}

fn job(reference: &str) -> String {
    rsa().token("RS256", "k1", &with(now(), "ref", json!(reference)))
}

#[tokio::test]
async fn main_writes_and_other_branches_read() {
    let (_file, issuer) = published(&[rsa().jwk("k1")]);
    let issuers = issuers(&[issuer]);
    let (main, pull) = (job("refs/heads/main"), job("refs/pull/1/merge"));
    let stranger = rsa().token("RS256", "k1", &with(now(), "owner", json!("evil")));
    // The second time from memory.
    for _ in 0..2 {
        for (token, query, right, expected) in [
            (&main, "slug=acme", Right::Write, Ok(())),
            (&main, "slug=acme", Right::Read, Ok(())),
            (&pull, "slug=acme", Right::Read, Ok(())),
            (&pull, "slug=acme", Right::Write, Err(Denial::ReadOnly)),
            (&pull, "slug=b", Right::Read, Err(Denial::OtherTeam)),
            (&stranger, "slug=acme", Right::Read, Err(Denial::NoGrant)),
        ] {
            assert_eq!(admit(&issuers, token, query, right).await, expected);
        }
    }
}

#[tokio::test]
async fn what_is_no_jobs_token_is_unknown() {
    let (_file, issuer) = published(&[rsa().jwk("k1")]);
    let issuers = issuers(&[issuer]);
    let expired = rsa().token("RS256", "k1", &claims(now() - 1000));
    let other_issuer = with(now(), "iss", json!("https://ci.example/"));
    let other_issuer = rsa().token("RS256", "k1", &other_issuer);
    let forged = Signer::new_rsa().token("RS256", "k1", &claims(now()));
    for token in ["plain", "a.b.c", &expired, &other_issuer, &forged] {
        let denied = admit(&issuers, token, "slug=acme", Right::Read).await;
        assert_eq!(denied, Err(Denial::UnknownToken), "{token}");
    }
    let nobody = Sealer::new(&[0; 32], Vec::new());
    let nobody = nobody.seal(&http::HeaderMap::new()).unwrap();
    let denied = issuers.admit(&nobody, "slug=acme", Right::Read).await;
    assert_eq!(denied, Err(Denial::UnknownToken));
}

#[tokio::test]
async fn the_first_entry_that_a_token_names_judges_it() {
    let (_file, first) = published(&[rsa().jwk("k1")]);
    let mut second = first.clone();
    "second".clone_into(&mut second.audience);
    second.grants.truncate(1);
    let issuers = issuers(&[first, second]);
    let token = |audience: Value| {
        let claims = with(now(), "aud", audience);
        let mut claims = claims;
        claims["ref"] = json!("refs/pull/1/merge");
        rsa().token("RS256", "k1", &claims)
    };
    let read = |token: String| {
        let issuers = &issuers;
        async move { admit(issuers, &token, "slug=acme", Right::Read).await }
    };
    let only_second = token(json!("second"));
    assert_eq!(read(only_second).await, Err(Denial::NoGrant));
    let both = token(json!(["second", super::AUDIENCE]));
    assert_eq!(read(both).await, Ok(()));
}

#[tokio::test]
async fn another_list_counts_at_once_and_its_files_are_read_anew() {
    let (file, issuer) = published(&[rsa().jwk("k1")]);
    let listed = [issuer.clone()];
    let before = issuers(&listed);
    let token = job("refs/heads/main");
    let write = |issuers: Issuers| {
        let token = &token;
        async move { admit(&issuers, token, "slug=acme", Right::Write).await }
    };
    assert_eq!(
        admit(&before, &token, "slug=acme", Right::Write).await,
        Ok(())
    );
    let mut lesser = issuer;
    lesser.grants.remove(0);
    let after = Issuers::new(&[lesser], &before, &means());
    assert_eq!(write(after).await, Err(Denial::ReadOnly));
    publish(file.path(), &[rsa().jwk("k2")]);
    let after = Issuers::new(&listed, &before, &means());
    assert_eq!(write(after).await, Err(Denial::UnknownToken));
    fs::write(file.path(), "no keys").unwrap();
    let after = Issuers::new(&listed, &before, &means());
    assert_eq!(write(after).await, Err(Denial::UnknownToken));
    let nobody = Issuers::new(&[], &before, &means());
    assert!(nobody.is_empty());
    assert_eq!(write(nobody).await, Err(Denial::UnknownToken));
}

#[tokio::test]
async fn fetched_keys_stay_over_another_list_where_they_come_from_the_same_place() {
    let mut one = issuer(RS256);
    one.keys = KeySource::Url("http://127.0.0.1:1/jwks".parse().unwrap());
    let mut two = one.clone();
    "second".clone_into(&mut two.audience);
    let mut three = one.clone();
    three.algorithm = SigningAlgorithm::Ps256;
    let before = Issuers::new(&[one.clone(), two.clone()], &Issuers::none(), &means());
    let after = Issuers::new(&[two, three], &before, &means());
    let keys = |issuers: &Issuers, index: usize| Arc::clone(&issuers.entries[index].keys);
    assert!(Arc::ptr_eq(&keys(&before, 0), &keys(&before, 1)));
    assert!(Arc::ptr_eq(&keys(&before, 0), &keys(&after, 0)));
    assert!(!Arc::ptr_eq(&keys(&before, 0), &keys(&after, 1)));
}

async fn proven(lifetime: u64) -> Proven {
    let keys = Keys::fixed(set(&[rsa().jwk("k1")], RS256));
    let issuer = issuer(RS256);
    let entry = Arc::new(Entry { issuer, keys });
    let claims = with(now(), "exp", json!(now() + lifetime));
    let token = rsa().token("RS256", "k1", &claims);
    let said = Said::read(token.as_bytes()).unwrap();
    entry.prove(&said).await.unwrap()
}

#[tokio::test]
async fn a_token_is_remembered_for_minutes_and_never_beyond_its_end() {
    let before = now();
    let proven = proven(100).await;
    assert!((before + 100..=now() + 100).contains(&proven.expires));
    assert!(proven.until <= Instant::now() + MAX_AGE);
    let (remembered, digest) = (Remembered::new(), caller("token").digest());
    let ended = Proven {
        expires: now(),
        ..proven.clone()
    };
    remembered.note(digest, &ended);
    assert!(remembered.recall(digest).is_none());
    remembered.note(digest, &proven);
    assert!(remembered.recall(digest).is_some());
}

#[tokio::test(start_paused = true)]
async fn what_is_remembered_ends_at_its_time_and_with_its_keys() {
    let remembered = Remembered::new();
    let digest = caller("token").digest();
    let proven = proven(3000).await;
    remembered.note(digest, &proven);
    assert!(remembered.recall(digest).is_some());
    assert!(remembered.recall(caller("other").digest()).is_none());
    advance(Duration::from_mins(5)).await;
    assert!(remembered.recall(digest).is_none());
    let until = Instant::now() + Duration::from_secs(1);
    let outdated = Proven {
        edition: proven.edition + 1,
        until,
        ..proven
    };
    remembered.note(digest, &outdated);
    assert!(remembered.recall(digest).is_none());
}

#[tokio::test]
async fn a_bounded_number_of_tokens_is_remembered() {
    let remembered = Remembered::new();
    let proven = proven(3000).await;
    let digest = |number: u32| {
        let mut bytes = [0; 32];
        bytes[..4].copy_from_slice(&number.to_le_bytes());
        CallerDigest::from_bytes(bytes)
    };
    for number in 0..5000 {
        remembered.note(digest(number), &proven);
    }
    let known = (0..5000).filter(|number| remembered.recall(digest(*number)).is_some());
    assert_eq!(known.count(), 4096);
}
