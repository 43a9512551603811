//! A Larder that has seen requests of every kind.

use super::page::{Family, families};
use crate::support::{
    Certificate, Larder, Origin, Request, Setup, artifact, bytes, eventually, script,
};
use std::collections::BTreeMap;

/// One request for each route and each thing that comes of them, counted; by TLS, so that a certificate
/// is shown.
pub(super) async fn seen_everything() -> (Larder, Origin) {
    let mut origin = Origin::start();
    let setup = Setup::before(&origin).secured(&Certificate::new());
    let larder = setup.set("access.mode", "upstream").start().await;
    hits_and_misses(&larder, &origin).await;
    uploads(&larder, &origin).await;
    let mut client = larder.client();
    for (method, target) in [
        ("POST", "/v8/artifacts?slug=acme"),
        ("POST", "/v8/artifacts/events?slug=acme"),
        ("GET", "/v8/artifacts/status?slug=acme"),
        ("OPTIONS", "/v8/artifacts/aa?slug=acme"),
        ("GET", "/v2/user"),
        ("GET", "/v8/artifacts/a.b?slug=acme"),
    ] {
        client.ask(&Request::new(method, target).body(b"{}")).await;
    }
    origin.stop().await;
    client.get(&artifact("unreachable")).await;
    eventually("requests to be counted", async || {
        larder.metrics().await.sum("larder_requests_total", &[]) >= 14.0
    })
    .await;
    (larder, origin)
}

async fn hits_and_misses(larder: &Larder, origin: &Origin) {
    let mut client = larder.client();
    for (hash, size) in [("small", 2000), ("large", 4 << 20)] {
        origin.hold(hash, &bytes(1, size));
        for _ in 0..2 {
            let reply = client.get(&artifact(hash)).await;
            reply.assert_body(&bytes(1, size));
            larder.settled().await;
        }
        client.head(&artifact(hash)).await;
    }
    client.get(&artifact("absent")).await;
}

async fn uploads(larder: &Larder, origin: &Origin) {
    let mut client = larder.client();
    client.put(&artifact("stored"), b"body").await;
    let no = script().head(403).length(0);
    origin.once("PUT", "refused", no);
    client.put(&artifact("refused"), b"body").await;
}

/// The page of such a Larder, and its families.
pub(super) async fn page() -> (String, BTreeMap<String, Family>) {
    let (larder, _origin) = seen_everything().await;
    let page = larder.metrics().await.text().to_owned();
    let families = families(&page);
    (page, families)
}
