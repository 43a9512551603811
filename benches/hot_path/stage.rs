//! A proxy without sockets: everybody may read, there is no upstream and no disk tier.

use std::hint::black_box;
use std::sync::Arc;

use bytes::Bytes;
use http::Request;
use http::header::{AUTHORIZATION, HOST, HeaderName, HeaderValue, USER_AGENT};
use http::request::Parts;
use larder::access::Access;
use larder::artifact::{ArtifactHash, ArtifactKey, Fields, KeyDigest, Label, OriginId, Scope};
use larder::caller::{CallerDigest, Sealer};
use larder::config::{AccessMode, Config};
use larder::metrics::Metrics;
use larder::proxy::{Proxy, Stations};
use larder::tasks::Tasks;
use larder::tiers::{Landing, LandingBody, Tiers};
use larder::upstream::Upstream;
use tokio::runtime::Runtime;

/// A body's length in bytes.
const BODY: usize = 16;
const QUERY: &str = "slug=acme";

pub(crate) struct Stage {
    pub(crate) proxy: Arc<Proxy>,
    pub(crate) tiers: Arc<Tiers>,
    _runtime: Runtime,
    _dir: tempfile::TempDir,
}

impl Stage {
    /// With `entries` artifacts in memory.
    pub(crate) fn new(entries: u64) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut config = Config::built_in(dir.path());
        config.access.mode = AccessMode::Open;
        config.tier.disk.capacity = 0;
        config.tier.memory.capacity = 1 << 40;
        let runtime = Runtime::new().unwrap();
        let guard = runtime.enter();
        let (metrics, tasks) = (Arc::new(Metrics::new().unwrap()), Tasks::new());
        let opening = Tiers::open(
            &config.tier,
            dir.path(),
            Arc::clone(&metrics),
            tasks.clone(),
        );
        let tiers = runtime.block_on(opening).unwrap();
        runtime.block_on(fill(&tiers, entries));
        let upstream = Upstream::new(&config.upstream, Arc::clone(&metrics), tasks.clone());
        let upstream = Arc::new(upstream.unwrap());
        let access = Access::new(
            &config,
            None,
            Arc::clone(&upstream),
            Arc::clone(&metrics),
            tasks.clone(),
        );
        let stations = Stations {
            sealer: Arc::new(Sealer::new(&[7; 32], Vec::new())),
            tiers: Arc::clone(&tiers),
            upstream,
            access,
            metrics,
            tasks,
            tracer: None,
        };
        let proxy = Proxy::new(config, stations);
        drop(guard);
        Self {
            proxy,
            tiers,
            _runtime: runtime,
            _dir: dir,
        }
    }

    /// Looks up `calls` times, among `entries` that are there.
    pub(crate) fn look_up(&self, entries: u64, calls: u64) {
        // The order has nothing to do with that of landing.
        let mut number = 0;
        let digests: Vec<_> = (0..calls)
            .map(|_| {
                number = (number + 0x9e37_79b9) % entries;
                key(number).digest
            })
            .collect();
        self.look_up_each(&digests);
    }

    // A call of its own, so that a tool can count what is in it and nothing else.
    #[inline(never)]
    fn look_up_each(&self, digests: &[KeyDigest]) {
        for digest in digests {
            assert!(black_box(self.tiers.lookup_in_memory(digest)).is_some());
        }
    }
}

async fn fill(tiers: &Tiers, entries: u64) {
    for number in 0..entries {
        let key = key(number);
        let fields = [(
            HeaderName::from_static("x-artifact-duration"),
            HeaderValue::from_static("1234"),
        )];
        let landing = Landing {
            label: Label::new(&key, Fields::from_pairs(fields)),
            key,
            size: BODY as u64,
            body: LandingBody::Memory(vec![Bytes::from(vec![b'a'; BODY])]),
        };
        tiers.publish(landing).await.unwrap();
    }
    tiers.report();
}

/// What a request for `/v8/artifacts/<number>?slug=acme` asks for where there is no upstream.
pub(crate) fn key(number: u64) -> ArtifactKey {
    let hash = ArtifactHash::parse(&format!("{number:016x}")).unwrap();
    let scope = Scope::new(QUERY, CallerDigest::from_bytes([0; 32]));
    ArtifactKey::new(&OriginId::new("none"), scope, hash)
}

/// The head of such a request.
pub(crate) fn head(number: u64) -> Parts {
    let request = Request::get(format!("/v8/artifacts/{number:016x}?{QUERY}"))
        .header(HOST, "127.0.0.1:8585")
        .header(USER_AGENT, "turbo 2.11.11")
        .header(AUTHORIZATION, "Bearer token");
    request.body(()).unwrap().into_parts().0
}
