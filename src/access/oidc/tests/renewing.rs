//! How keys come, stay and go; time is paused.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::FutureExt;
use futures_util::future::join_all;
use tokio::sync::Semaphore;
use tokio::time::{Duration, Instant, advance, sleep};

use super::super::key_set::KeySet;
use super::super::keys::Keys;
use super::super::renewal::Health;
use super::super::verify::Refused;
use super::signer::rsa;
use super::{RS256, set};
use crate::metrics::Metrics;
use crate::tasks::Tasks;

/// An issuer that can be told what it publishes.
struct Publisher {
    ids: parking_lot::Mutex<Option<Vec<&'static str>>>,
    fetches: AtomicUsize,
    /// How many fetches may end.
    gate: Semaphore,
    metrics: Arc<Metrics>,
    tasks: Tasks,
}

impl Publisher {
    fn new(ids: &[&'static str]) -> Arc<Self> {
        Arc::new(Self {
            ids: parking_lot::Mutex::new(Some(ids.to_vec())),
            fetches: AtomicUsize::new(0),
            gate: Semaphore::new(Semaphore::MAX_PERMITS),
            metrics: Arc::new(Metrics::new().unwrap()),
            tasks: Tasks::new(),
        })
    }

    fn keys(self: &Arc<Self>) -> Arc<Keys> {
        let health = Health::new("https://ci.example", Arc::clone(&self.metrics));
        let publisher = Arc::clone(self);
        let fetch = move || Arc::clone(&publisher).publish();
        Keys::renewed(fetch, health, &self.tasks)
    }

    async fn publish(self: Arc<Self>) -> Result<KeySet, String> {
        self.fetches.fetch_add(1, Ordering::Relaxed);
        self.gate.acquire().await.unwrap().forget();
        let ids = self.ids.lock().clone().ok_or("down")?;
        let keys: Vec<_> = ids.into_iter().map(|id| rsa().jwk(id)).collect();
        Ok(set(&keys, RS256))
    }

    fn says(&self, ids: &[&'static str]) {
        *self.ids.lock() = Some(ids.to_vec());
    }

    fn is_down(&self) {
        *self.ids.lock() = None;
    }

    /// Lets no fetch end any more.
    fn hangs(&self) {
        self.gate.forget_permits(Semaphore::MAX_PERMITS);
    }

    fn fetches(&self) -> usize {
        self.fetches.load(Ordering::Relaxed)
    }

    fn stale(&self) -> i64 {
        self.metrics.oidc_keys_stale.get()
    }
}

async fn has(keys: &Keys, id: &str) -> bool {
    keys.find(Some(id)).await.is_ok()
}

/// Whether the answer is there without any waiting.
fn has_now(keys: &Keys, id: &str) -> Option<bool> {
    has(keys, id).now_or_never()
}

/// Time passes, and whatever is due meanwhile is done.
async fn pass(time: Duration) {
    sleep(time).await;
}

#[tokio::test(start_paused = true)]
async fn whoever_comes_before_the_first_keys_waits_for_them() {
    let publisher = Publisher::new(&["a"]);
    let keys = publisher.keys();
    assert_eq!(has_now(&keys, "a"), None);
    assert!(has(&keys, "a").await);
    assert_eq!(has_now(&keys, "a"), Some(true));
    assert_eq!(publisher.fetches(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_unknown_key_is_asked_for_once_by_all_who_name_it_and_then_not_for_a_while() {
    let publisher = Publisher::new(&["a"]);
    let keys = publisher.keys();
    assert!(has(&keys, "a").await);
    publisher.says(&["a", "b"]);
    let all = join_all((0..100).map(|_| has(&keys, "b"))).await;
    assert!(all.into_iter().all(|has| has));
    assert_eq!(publisher.fetches(), 2);
    assert!(has(&keys, "a").await, "the old one still counts");
    for _ in 0..100 {
        assert_eq!(has_now(&keys, "garbage"), Some(false));
    }
    pass(Duration::from_secs(29)).await;
    assert_eq!(has_now(&keys, "garbage"), Some(false));
    assert_eq!(publisher.fetches(), 2);
    pass(Duration::from_secs(1)).await;
    assert!(!has(&keys, "garbage").await);
    assert_eq!(publisher.fetches(), 3);
}

#[tokio::test(start_paused = true)]
async fn keys_are_renewed_before_they_are_an_hour_old_and_a_withdrawn_one_counts_no_more() {
    let publisher = Publisher::new(&["a", "b"]);
    let keys = publisher.keys();
    let edition = keys.find(Some("a")).await.unwrap().edition;
    pass(Duration::from_mins(51)).await;
    assert_eq!(publisher.fetches(), 2);
    assert!(keys.is_at(edition), "the same keys are the same edition");
    publisher.says(&["b"]);
    pass(Duration::from_mins(51)).await;
    assert!(!keys.is_at(edition));
    assert!(!has(&keys, "a").await);
    assert!(has(&keys, "b").await);
}

#[tokio::test(start_paused = true)]
async fn keys_outlive_their_issuer_by_a_day_and_no_more() {
    let publisher = Publisher::new(&["a"]);
    let keys = publisher.keys();
    assert!(has(&keys, "a").await);
    let since = Instant::now();
    publisher.is_down();
    pass(Duration::from_hours(1)).await;
    assert_eq!(publisher.stale(), 1);
    pass(Duration::from_hours(23) - Duration::from_secs(1)).await;
    assert_eq!(has_now(&keys, "a"), Some(true));
    let until = keys.find(Some("a")).await.unwrap().until.unwrap();
    assert_eq!(until, since + Duration::from_hours(24));
    pass(Duration::from_secs(1)).await;
    assert!(!has(&keys, "a").await);
    publisher.says(&["a"]);
    pass(Duration::from_mins(1)).await;
    assert!(has(&keys, "a").await);
    assert_eq!(publisher.stale(), 0);
}

#[tokio::test(start_paused = true)]
async fn an_issuer_that_is_down_is_tried_again_soon_and_then_less_often() {
    let publisher = Publisher::new(&["a"]);
    publisher.is_down();
    let keys = publisher.keys();
    assert!(!has(&keys, "a").await);
    assert_eq!(publisher.stale(), 1);
    pass(Duration::from_secs(8)).await;
    let soon = publisher.fetches();
    assert_eq!(soon, 4, "at once, and after 1, 3 and 7 seconds");
    pass(Duration::from_hours(1)).await;
    let later = publisher.fetches() - soon;
    assert!((55..=65).contains(&later), "{later}");
    publisher.says(&["a"]);
    pass(Duration::from_mins(1)).await;
    assert_eq!(has_now(&keys, "a"), Some(true));
}

#[tokio::test(start_paused = true)]
async fn a_fetch_that_hangs_holds_up_strangers_for_a_moment_and_known_keys_not_at_all() {
    let publisher = Publisher::new(&["a"]);
    let keys = publisher.keys();
    assert!(has(&keys, "a").await);
    publisher.hangs();
    let since = Instant::now();
    let found = keys.find(Some("b")).await;
    assert_eq!(found.unwrap_err(), Refused::Key);
    assert_eq!(since.elapsed(), Duration::from_secs(5));
    assert_eq!(has_now(&keys, "a"), Some(true));
    assert_eq!(publisher.fetches(), 2);
}

#[tokio::test(start_paused = true)]
async fn whoever_gives_up_waiting_takes_nothing_from_the_others() {
    let publisher = Publisher::new(&["a"]);
    let keys = publisher.keys();
    assert!(has(&keys, "a").await);
    publisher.says(&["b"]);
    assert_eq!(has_now(&keys, "b"), None, "dropped while it waits");
    assert!(has(&keys, "b").await);
    assert_eq!(publisher.fetches(), 2);
}

#[tokio::test(start_paused = true)]
async fn keys_that_nobody_holds_are_fetched_no_more() {
    let publisher = Publisher::new(&["a"]);
    publisher.is_down();
    let (one, keys) = (publisher.keys(), publisher.keys());
    assert!(!has(&one, "a").await && !has(&keys, "a").await);
    assert_eq!(publisher.stale(), 2);
    let other = Arc::clone(&keys);
    drop((one, keys));
    pass(Duration::from_mins(10)).await;
    assert_eq!(publisher.stale(), 1);
    drop(other);
    assert_eq!(publisher.tasks.drain(Duration::from_secs(1)).await, 0);
    let fetches = publisher.fetches();
    advance(Duration::from_hours(2)).await;
    assert_eq!((publisher.fetches(), publisher.stale()), (fetches, 0));
}

#[tokio::test(start_paused = true)]
async fn a_stop_waits_for_no_fetch() {
    let publisher = Publisher::new(&["a"]);
    publisher.hangs();
    let keys = publisher.keys();
    pass(Duration::from_secs(1)).await;
    publisher.tasks.stop();
    assert_eq!(publisher.tasks.drain(Duration::from_secs(1)).await, 0);
    assert_eq!(has_now(&keys, "a"), Some(false));
}
