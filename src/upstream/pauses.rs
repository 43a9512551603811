//! Callers whom the upstream has asked to wait: one caller's limit must not be everybody's.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use hashlink::LruCache;
use http::HeaderMap;
use parking_lot::Mutex;
use tokio::time::Instant;

use super::gates::Class;
use super::setback::Setback;
use crate::artifact::Failure;

/// Callers remembered; one that is forgotten costs a request, and is told again.
const MOST: usize = 1024;

/// Who is to wait until when.
pub(super) struct Pauses {
    table: Mutex<LruCache<(Class, u64), Instant>>,
    /// Keyed anew in each process: a credential stays where it is.
    hasher: RandomState,
}

impl Pauses {
    pub(super) fn new() -> Self {
        Self {
            table: Mutex::new(LruCache::new(MOST)),
            hasher: RandomState::new(),
        }
    }

    /// Whether the upstream wants nothing of the kind now from whoever sends these headers.
    pub(super) fn check(&self, class: Class, headers: &HeaderMap) -> Result<(), Setback> {
        let who = self.who(class, headers);
        let mut table = self.table.lock();
        match table.get(&who) {
            Some(until) if Instant::now() < *until => Err(Setback::spared(Failure::Limited)),
            Some(_) => {
                table.remove(&who);
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// Takes note of what it wants.
    pub(super) fn note(&self, class: Class, headers: &HeaderMap, rest: Duration) {
        let who = self.who(class, headers);
        self.table.lock().insert(who, Instant::now() + rest);
    }

    /// Whoever sends the same credential, whatever headers it consists of: those are marked.
    fn who(&self, class: Class, headers: &HeaderMap) -> (Class, u64) {
        let credential = headers.iter().filter(|(_, value)| value.is_sensitive());
        let digests = credential.map(|field| self.hasher.hash_one(field));
        // In whatever order they come.
        (class, digests.fold(0, u64::wrapping_add))
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use tokio::time::advance;

    use super::*;

    fn headers(name: &'static str, secret: &'static str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let mut value = HeaderValue::from_static(secret);
        value.set_sensitive(true);
        headers.insert(name, value);
        headers.insert("user-agent", HeaderValue::from_static("turbo"));
        headers
    }

    #[tokio::test(start_paused = true)]
    async fn one_caller_waits_for_one_kind_of_request_until_its_time_is_up() {
        let (pauses, rest) = (Pauses::new(), Duration::from_secs(3));
        pauses.note(Class::Reads, &headers("authorization", "one"), rest);
        assert!(
            pauses
                .check(Class::Reads, &headers("authorization", "one"))
                .is_err()
        );
        assert!(
            pauses
                .check(Class::Uploads, &headers("authorization", "one"))
                .is_ok()
        );
        assert!(
            pauses
                .check(Class::Reads, &headers("authorization", "other"))
                .is_ok()
        );
        assert!(
            pauses
                .check(Class::Reads, &headers("x-api-key", "one"))
                .is_ok()
        );
        assert!(pauses.check(Class::Reads, &HeaderMap::new()).is_ok());
        advance(rest).await;
        assert!(
            pauses
                .check(Class::Reads, &headers("authorization", "one"))
                .is_ok()
        );
    }
}
