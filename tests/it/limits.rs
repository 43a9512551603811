//! When the upstream stops answering for reasons of its own: plans, outages, another upstream.

use crate::access::held;
use crate::support::{Larder, Origin, Request, Setup, artifact, bytes, script};

const PAUSED: &[u8] = br#"{"error":{"code":"remote_caching_paused","message":"paused"}}"#;

#[tokio::test]
async fn a_plan_limit_takes_nothing_from_the_accepted_however_it_is_met() {
    let origin = Origin::start();
    let larder = Larder::before(&origin).await;
    let body = held(&origin, &larder, "aa").await;
    for hash in ["aa", "zz"] {
        origin.always("HEAD", hash, script().head(403));
        origin.always("GET", hash, script().head(403).chunk(PAUSED));
    }
    let mut client = larder.client();
    for method in ["GET", "HEAD"] {
        let refused = client.ask(&Request::new(method, &artifact("zz"))).await;
        assert_eq!(refused.status, 403, "{method}");
        client.get(&artifact("aa")).await.assert_body(&body);
    }
    let stranger = larder.client_as("stranger").get(&artifact("aa")).await;
    assert_eq!((stranger.status, stranger.body.as_slice()), (403, PAUSED));
}

#[tokio::test]
async fn a_burst_of_hits_in_an_outage_waits_once() {
    let origin = Origin::start();
    let larder = Setup::before(&origin)
        .set("access.verdict_ttl", "1ns")
        .start()
        .await;
    let body = held(&origin, &larder, "aa").await;
    origin.always("HEAD", "aa", script().stall());
    let before = origin.seen("HEAD", "aa").len();
    let mut clients: Vec<_> = (0..8).map(|_| larder.client()).collect();
    for client in &mut clients {
        client
            .send_head(&Request::new("GET", &artifact("aa")))
            .await;
    }
    for client in &mut clients {
        client.reply().await.assert_body(&body);
    }
    assert_eq!(origin.seen("HEAD", "aa").len(), before + 1);
}

#[tokio::test]
async fn an_acceptance_by_another_upstream_counts_for_nothing() {
    let old = Origin::start();
    let larder = Larder::before(&old).await;
    held(&old, &larder, "aa").await;
    let setup = larder.setup().clone();
    assert_eq!(larder.stop().await.code, Some(0));

    let mut new = Origin::start();
    new.members(&["other"], 403);
    let larder = setup.set("upstream.url", &new.url()).start().await;
    let body = bytes(9, 5000);
    new.hold("aa", &body);
    let mut other = larder.client_as("other");
    other.get(&artifact("aa")).await.assert_body(&body);
    larder.settled().await;
    new.stop().await;
    let reply = larder.client().get(&artifact("aa")).await;
    assert_eq!((reply.status, reply.is_hit()), (404, false));
}
