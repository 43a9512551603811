//! A Larder before an origin, what it weighs at rest, and whether it serves others meanwhile.

use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::future::LocalBoxFuture;
use tokio::time::Instant;

use super::bound::Bound;
use super::{real, say};
use crate::support::{Larder, Metrics, Origin, Setup, artifact, bytes, eventually};

/// Of what well-behaved clients ask for.
const SMALL: usize = 100_000;
/// How often each of them asks while it is crowded.
const TIMES: usize = 2;

/// Who is besieged.
pub struct Stage {
    pub origin: Origin,
    pub larder: Larder,
    base: u64,
    in_flight: u64,
    asked: AtomicUsize,
}

impl Stage {
    /// Sets one up as `change` says, with `in_flight` bytes for bodies on their way.
    pub async fn new(in_flight: u64, change: impl FnOnce(Setup) -> Setup) -> Self {
        Self::before(Origin::start(), in_flight, change).await
    }

    /// The same before this origin.
    pub async fn before(
        origin: Origin,
        in_flight: u64,
        change: impl FnOnce(Setup) -> Setup,
    ) -> Self {
        let setup = Setup::before(&origin)
            .set("tier.in_flight", &format!("{in_flight}B"))
            // What rests is no part of the sums here.
            .set("tier.memory.capacity", "4MiB")
            .set("log.level", "warn");
        let larder = change(setup).start().await;
        let mut stage = Self {
            origin,
            larder,
            base: 0,
            in_flight,
            asked: AtomicUsize::new(0),
        };
        stage.holds("rests", SMALL).await;
        stage.serves("at rest").await;
        stage.base = stage.larder.process().resident();
        stage
    }

    /// Has an artifact of that many bytes rest here, and this caller may read and write.
    pub async fn holds(&self, hash: &str, length: usize) {
        let (target, body) = (artifact(hash), bytes(0, length));
        let put = self.larder.client().put(&target, &body).await;
        assert_eq!(put.status, 202);
    }

    /// What memory may be, as long as nobody is there.
    pub fn bound(&self) -> Bound {
        Bound::new(self.base, self.in_flight)
    }

    /// Runs `story` and asserts that memory stays within `bound`, and that all is given back.
    pub fn withstands<'a>(
        &'a self,
        what: &'a str,
        bound: Bound,
        story: impl Future<Output = ()> + 'a,
    ) -> LocalBoxFuture<'a, ()> {
        // Stories are long.
        Box::pin(async move {
            let peak = self.larder.process().peak_during(story).await;
            bound.holds(what, peak);
            self.is_relieved().await;
            let (left, before) = (self.larder.process().resident() >> 20, self.base >> 20);
            say(&format!("{what}: {left} MiB behind it, {before} before"));
        })
    }

    /// Asserts that a hit, a miss and an upload of others are answered; prints how soon.
    pub async fn serves(&self, meanwhile: &str) {
        for _ in 0..TIMES {
            let hit = self.hit().await;
            let (miss, upload) = (self.miss().await, self.upload().await);
            say(&format!(
                "{meanwhile}: hit {hit} ms, miss {miss} ms, upload {upload} ms"
            ));
        }
    }

    /// The same of a hit and a miss.
    pub async fn serves_readers(&self, meanwhile: &str) {
        let (hit, miss) = (self.hit().await, self.miss().await);
        say(&format!("{meanwhile}: hit {hit} ms, miss {miss} ms"));
    }

    /// Milliseconds until a newcomer has had a hit.
    pub async fn hit(&self) -> u128 {
        let began = Instant::now();
        let hit = self.larder.client().get(&artifact("rests")).await;
        hit.assert_body(&bytes(0, SMALL));
        assert!(hit.is_hit());
        began.elapsed().as_millis()
    }

    /// The same of a miss.
    pub async fn miss(&self) -> u128 {
        let hash = self.another("miss");
        let body = bytes(1, SMALL);
        self.origin.hold(&hash, &body);
        let began = Instant::now();
        let miss = self.larder.client().get(&artifact(&hash)).await;
        miss.assert_body(&body);
        began.elapsed().as_millis()
    }

    /// The same of an upload.
    pub async fn upload(&self) -> u128 {
        let (hash, body) = (self.another("upload"), bytes(2, SMALL));
        let began = Instant::now();
        let put = self.larder.client().put(&artifact(&hash), &body).await;
        assert_eq!(put.status, 202, "{:?}", put.head);
        began.elapsed().as_millis()
    }

    /// Waits until a metric is at least so much.
    pub async fn until(&self, name: &str, labels: &[(&str, &str)], least: usize) {
        eventually(name, async || {
            self.larder.metrics().await.sum(name, labels) >= real(least)
        })
        .await;
    }

    /// How often a bound has held.
    pub async fn limited(&self, limit: &str) -> f64 {
        let metrics = self.larder.metrics().await;
        metrics.sum("larder_limits_total", &[("limit", limit)])
    }

    /// Waits until nobody is there, and nothing is left of whoever was.
    async fn is_relieved(&self) {
        let drafts = self.larder.setup().data_dir().join("v1/tmp");
        let is_nothing = |metrics: &Metrics, name| metrics.sum(name, &[]) == 0.0;
        eventually("relief", async || {
            let metrics = self.larder.metrics().await;
            is_nothing(&metrics, "larder_connections")
                && is_nothing(&metrics, "larder_in_flight_bytes")
                && fs::read_dir(&drafts).expect("a folder").next().is_none()
        })
        .await;
        // An upstream that took nothing is left alone for a moment.
        eventually("an upload to be taken", async || {
            let hash = self.another("upload");
            self.larder
                .client()
                .put(&artifact(&hash), b"body")
                .await
                .status
                == 202
        })
        .await;
        self.serves("afterwards").await;
    }

    fn another(&self, what: &str) -> String {
        let number = self.asked.fetch_add(1, Ordering::Relaxed);
        format!("{what}{number}")
    }
}
