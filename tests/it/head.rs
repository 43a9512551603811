//! Existence: from what is known here, else from the upstream; never a fill.

use crate::support::{Artifact, Larder, Origin, artifact, bytes};

const MEMORY: &str = "larder; hit; detail=memory";
const ABSENT: &str = "larder; fwd=uri-miss; fwd-status=404";

#[tokio::test]
async fn a_head_of_a_known_artifact_needs_no_upstream() {
    let origin = Origin::start();
    origin.hold(
        "aa",
        Artifact::from(&bytes(1, 5000)).field("x-artifact-tag", "sig"),
    );
    let larder = Larder::before(&origin).await;
    let mut client = larder.client();
    client.get(&artifact("aa")).await;
    larder.settled().await;
    let head = client.head(&artifact("aa")).await;
    assert_eq!((head.status, head.cache_status()), (200, MEMORY));
    assert_eq!(head.header("content-length"), Some("5000"));
    assert_eq!(head.header("x-artifact-tag"), Some("sig"));
    assert_eq!(origin.requests().len(), 1);
}

#[tokio::test]
async fn a_head_of_an_unknown_artifact_is_asked_upstream_and_fetches_nothing() {
    let origin = Origin::start();
    origin.hold(
        "aa",
        Artifact::from(&bytes(1, 5000)).field("x-artifact-tag", "sig"),
    );
    let larder = Larder::before(&origin).await;
    let mut client = larder.client();
    let found = client.head(&artifact("aa")).await;
    assert_eq!(
        (found.status, found.header("content-length")),
        (200, Some("5000"))
    );
    assert_eq!(found.header("x-artifact-tag"), Some("sig"));
    let absent = client.head(&artifact("bb")).await;
    assert_eq!((absent.status, absent.cache_status()), (404, ABSENT));
    let asked: Vec<_> = origin
        .requests()
        .iter()
        .map(|seen| seen.method().to_owned())
        .collect();
    assert_eq!(asked, ["HEAD", "HEAD"]);
}
