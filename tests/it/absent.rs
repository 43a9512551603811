//! Absences that are remembered, where the operator wants that.

use crate::support::{Larder, Origin, Setup, artifact, bytes};

const ABSENT: &str = "larder; fwd=uri-miss; fwd-status=404";

async fn remembering(origin: &Origin) -> Larder {
    let setup = Setup::before(origin).set("upstream.absent_ttl", "10m");
    setup.start().await
}

#[tokio::test]
async fn the_second_question_of_a_caller_is_answered_here() {
    let origin = Origin::start();
    let larder = remembering(&origin).await;
    let mut client = larder.client();
    let first = client.get(&artifact("aa")).await;
    let second = client.get(&artifact("aa")).await;
    assert_eq!(first.body, second.body, "in the origin's own words");
    for reply in [first, second] {
        assert_eq!((reply.status, reply.cache_status()), (404, ABSENT));
    }
    assert_eq!(client.head(&artifact("aa")).await.status, 404);
    assert_eq!(origin.requests().len(), 1);
    // Of another artifact, and of the same name in another team, nothing is known.
    client.get(&artifact("bb")).await;
    client.get("/v8/artifacts/aa?slug=other").await;
    assert_eq!(origin.requests().len(), 3);
}

#[tokio::test]
async fn an_upload_ends_it_at_once() {
    let origin = Origin::start();
    let larder = remembering(&origin).await;
    let mut client = larder.client();
    assert_eq!(client.get(&artifact("aa")).await.status, 404);
    assert_eq!(client.put(&artifact("aa"), b"body").await.status, 202);
    client.get(&artifact("aa")).await.assert_body(b"body");
    // Also where nothing of it stays here.
    let setup = larder.setup().clone();
    larder.stop().await;
    let nowhere = setup
        .set("tier.memory.capacity", "0")
        .set("tier.disk.capacity", "0");
    let larder = nowhere.start().await;
    let mut client = larder.client();
    assert_eq!(client.get(&artifact("bb")).await.status, 404);
    assert_eq!(client.put(&artifact("bb"), b"body").await.status, 202);
    client.get(&artifact("bb")).await.assert_body(b"body");
}

#[tokio::test]
async fn what_the_upstream_gives_somebody_ends_it_for_all() {
    let origin = Origin::start();
    origin.members(&["member", "other"], 404);
    let larder = Setup::before(&origin)
        .set("upstream.absent_ttl", "10m")
        .set("tier.memory.capacity", "0")
        .set("tier.disk.capacity", "0")
        .start()
        .await;
    let (mut member, mut other) = (larder.client(), larder.client_as("other"));
    assert_eq!(member.get(&artifact("aa")).await.status, 404);
    origin.hold("aa", &bytes(1, 100));
    other.get(&artifact("aa")).await.assert_body(&bytes(1, 100));
    member
        .get(&artifact("aa"))
        .await
        .assert_body(&bytes(1, 100));
}

#[tokio::test]
async fn a_strangers_absence_is_never_a_members() {
    let origin = Origin::start();
    origin.members(&["member"], 404);
    origin.hold("aa", &bytes(1, 100));
    let larder = remembering(&origin).await;
    assert_eq!(
        larder
            .client_as("stranger")
            .get(&artifact("aa"))
            .await
            .status,
        404
    );
    larder
        .client()
        .get(&artifact("aa"))
        .await
        .assert_body(&bytes(1, 100));
}

#[tokio::test]
async fn members_share_what_the_upstream_has_not() {
    let origin = Origin::start();
    origin.members(&["member", "other"], 403);
    origin.hold("known", &bytes(1, 100));
    let larder = remembering(&origin).await;
    let (mut member, mut other) = (larder.client(), larder.client_as("other"));
    // Proven for the team, both of them.
    for client in [&mut member, &mut other] {
        assert_eq!(client.get(&artifact("known")).await.status, 200);
    }
    let before = origin.gets("aa");
    assert_eq!(member.get(&artifact("aa")).await.status, 404);
    assert_eq!(other.get(&artifact("aa")).await.status, 404);
    assert_eq!(origin.gets("aa"), before + 1);
}
