//! The upstream against real sockets.

mod documents;
mod frames;
mod h2_origin;
mod http2;
mod http2_endings;
mod http2_uploads;
mod odd;
mod origin;
mod passed;
mod reads;
mod redirects;
mod routes;
mod uploads;

use std::future::pending;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::{HeaderMap, HeaderValue, Request};
use http_body_util::{BodyExt, Empty};

use super::{ArtifactRequest, Backing, Fetch, Fetched, Hush, Source, Standing, Supply, Upstream};
use crate::artifact::Failure;
use crate::config::{self, OnReadFailure, Proxy, Target};
use crate::metrics::Metrics;
use crate::tasks::Tasks;

/// Long enough that it is never what ends a test that passes.
const LONG: Duration = Duration::from_secs(30);
/// Short enough to wait for.
const SHORT: Duration = Duration::from_millis(100);

pub(super) fn config(url: &str) -> config::Upstream {
    config::Upstream {
        token: None,
        target: Target::Http(url.parse().unwrap()),
        ca_file: None,
        identity: None,
        proxy: Proxy::default(),
        resolve: Vec::new(),
        connect_timeout: LONG,
        first_byte_timeout: LONG,
        idle_timeout: LONG,
        min_rate: 1024,
        head_timeout: Duration::from_secs(15),
        probe_timeout: Duration::from_secs(2),
        answer_timeout: LONG,
        exchange_timeout: LONG,
        breaker: config::Breaker {
            failures: 0,
            cooldown: LONG,
        },
        absent_ttl: Duration::ZERO,
        max_concurrent: 4,
        http2: false,
        forward_headers: Vec::new(),
        on_read_failure: OnReadFailure::Miss,
    }
}

fn at(address: SocketAddr) -> config::Upstream {
    config(&format!("http://{address}/base"))
}

fn upstream(config: &config::Upstream) -> Upstream {
    Upstream::new(config, Arc::new(Metrics::new().unwrap()), Tasks::new()).unwrap()
}

fn artifact() -> ArtifactRequest {
    let mut headers = HeaderMap::new();
    let mut token = HeaderValue::from_static("Bearer secret");
    token.set_sensitive(true);
    headers.insert("authorization", token);
    headers.insert("user-agent", HeaderValue::from_static("turbo"));
    headers.insert("x-artifact-client-ci", HeaderValue::from_static("CI"));
    ArtifactRequest {
        path_and_query: "/v8/artifacts/a?slug=t%20x&b=".parse().unwrap(),
        headers,
    }
}

/// For uploads of which nobody need hear, and that keep their place.
fn backing() -> Backing {
    Backing {
        hush: Hush {
            after: LONG,
            tell: Arc::default(),
        },
        supply: here(),
    }
}

/// A body that stands where it stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Standstill(pub(super) Standing);

impl Source for Standstill {
    fn standing(&self) -> Standing {
        self.0
    }

    fn turned(&self) -> BoxFuture<'_, ()> {
        Box::pin(pending())
    }
}

/// A body that is here.
pub(super) fn here() -> Supply {
    Supply::new(Standstill(Standing::Here))
}

fn found(fetched: Fetched) -> Fetch {
    match fetched {
        Fetched::Found(fetch) => fetch,
        other => panic!("{other:?}"),
    }
}

fn failed(fetched: &Fetched) -> Failure {
    match fetched {
        Fetched::Failed(failure) => *failure,
        other => panic!("{other:?}"),
    }
}

async fn whole(fetch: Fetch) -> Result<Bytes, Failure> {
    Ok(fetch.body.collect().await?.to_bytes())
}

#[tokio::test]
async fn without_an_upstream_nothing_is_reachable() {
    let mut none = config("http://unused");
    none.target = Target::None;
    let none = upstream(&none);
    assert!(none.is_none());
    assert_eq!(none.origin_id(), crate::artifact::OriginId::new("none"));
    assert_eq!(failed(&none.fetch(&artifact()).await), Failure::Unreachable);
}

#[tokio::test]
async fn every_exchange_can_run_in_a_task_of_its_own() {
    fn assert_send(_: impl Send) {}
    let upstream = upstream(&config("http://unused"));
    assert_send(upstream.fetch(&artifact()));
    assert_send(upstream.stat(artifact()));
    assert_send(upstream.store(artifact(), Some(0), Empty::new(), backing()));
    assert_send(upstream.ask(Request::default()));
    assert_send(upstream.pass(Request::new(Empty::new())));
}
