//! Downloads: misses, hits from either tier, and what of a request reaches the upstream.

use crate::support::{
    Artifact, Larder, Origin, Request, Setup, artifact, bytes, eventually, script,
};

const FILLED: &str = "larder; fwd=uri-miss; fwd-status=200; stored";
const MEMORY: &str = "larder; hit; detail=memory";
const DISK: &str = "larder; hit; detail=disk";
const ABSENT: &str = "larder; fwd=uri-miss; fwd-status=404";

#[tokio::test]
async fn a_cold_artifact_is_fetched_once_and_then_a_memory_hit() {
    let origin = Origin::start();
    let body = bytes(1, 5000);
    let described = Artifact::from(&body)
        .field("x-artifact-duration", "1038")
        .field(
            "x-artifact-tag",
            "dFKdVkmUJ40KsQD0lBFwEWF/L8ExwucoZI8LstsMXwk=",
        )
        .field("x-artifact-from-the-future", "yes, and more")
        .field("x-other", "not replayed")
        .field("set-cookie", "not=replayed");
    origin.hold("aa", described);
    let larder = Larder::before(&origin).await;
    let mut client = larder.client();

    let cold = client.get(&artifact("aa")).await;
    cold.assert_body(&body);
    assert_eq!(cold.cache_status(), FILLED);
    larder.settled().await;
    let warm = client.get(&artifact("aa")).await;
    warm.assert_body(&body);
    assert_eq!(warm.cache_status(), MEMORY);
    for reply in [&cold, &warm] {
        assert_eq!(
            reply.header("content-type"),
            Some("application/octet-stream")
        );
        assert_eq!(reply.header("x-artifact-duration"), Some("1038"));
        assert_eq!(
            reply.header("x-artifact-tag"),
            Some("dFKdVkmUJ40KsQD0lBFwEWF/L8ExwucoZI8LstsMXwk=")
        );
        assert_eq!(
            reply.header("x-artifact-from-the-future"),
            Some("yes, and more")
        );
    }
    assert_eq!(
        (warm.header("x-other"), warm.header("set-cookie")),
        (None, None)
    );
    assert_eq!(origin.requests().len(), 1, "no probe, no second fetch");
}

#[tokio::test]
async fn an_artifact_nobody_has_is_a_404_each_time() {
    let origin = Origin::start();
    let larder = Larder::before(&origin).await;
    let mut client = larder.client();
    for asked in 1..=2 {
        let reply = client.get(&artifact("aa")).await;
        assert_eq!((reply.status, reply.cache_status()), (404, ABSENT));
        assert_eq!(origin.gets("aa"), asked, "an absence is not remembered");
    }
    origin.hold("aa", &bytes(1, 10));
    client.get(&artifact("aa")).await.assert_body(&bytes(1, 10));
}

#[tokio::test]
async fn an_artifact_outlives_a_restart_and_is_promoted() {
    let origin = Origin::start();
    let body = bytes(1, 5000);
    origin.hold("aa", Artifact::from(&body).field("x-artifact-tag", "sig"));
    let larder = Larder::before(&origin).await;
    larder
        .client()
        .get(&artifact("aa"))
        .await
        .assert_body(&body);
    let larder = larder.restart().await;

    let mut client = larder.client();
    let first = client.get(&artifact("aa")).await;
    first.assert_body(&body);
    assert_eq!(first.cache_status(), DISK);
    assert_eq!(first.header("x-artifact-tag"), Some("sig"));
    eventually("the promotion", async || {
        client.get(&artifact("aa")).await.cache_status() == MEMORY
    })
    .await;
    assert_eq!(origin.gets("aa"), 1);
}

#[tokio::test]
async fn a_malformed_duration_is_never_replayed() {
    let origin = Origin::start();
    let larder = Larder::before(&origin).await;
    let mut client = larder.client();
    for (number, malformed) in ["1.5", "abc", "-1", "99999999999999999999999"]
        .iter()
        .enumerate()
    {
        let hash = format!("fetched{number}");
        let described = Artifact::from(&bytes(1, 10)).field("x-artifact-duration", malformed);
        origin.hold(&hash, described.field("x-artifact-tag", "sig"));
        client
            .get(&artifact(&hash))
            .await
            .assert_body(&bytes(1, 10));
        larder.settled().await;
        let uploaded = format!("uploaded{number}");
        let upload = Request::new("PUT", &artifact(&uploaded)).header("x-artifact-tag", "sig");
        client
            .ask(
                &upload
                    .header("x-artifact-duration", malformed)
                    .body(b"body"),
            )
            .await;
        for hash in [hash, uploaded] {
            let hit = client.get(&artifact(&hash)).await;
            assert_eq!(hit.cache_status(), MEMORY, "{malformed}");
            assert_eq!(hit.header("x-artifact-duration"), None, "{malformed}");
            assert_eq!(hit.header("x-artifact-tag"), Some("sig"));
        }
    }
}

#[tokio::test]
async fn an_artifact_is_asked_for_as_it_is() {
    let origin = Origin::start();
    origin.hold("aa", &bytes(1, 10));
    let larder = Larder::before(&origin).await;
    let request = Request::new("GET", &artifact("aa"))
        .header("accept-encoding", "gzip, br")
        .header("range", "bytes=0-3")
        .header("if-none-match", "*")
        .header("x-unknown", "1")
        .header("x-artifact-unknown", "1")
        .header("user-agent", "turbo 2.11.11");
    larder
        .client()
        .ask(&request)
        .await
        .assert_body(&bytes(1, 10));
    let seen = &origin.seen("GET", "aa")[0];
    assert_eq!(seen.header("accept-encoding"), Some("identity"));
    assert_eq!(seen.header("user-agent"), Some("turbo 2.11.11"));
    assert_eq!(seen.header("x-artifact-unknown"), Some("1"));
    assert_eq!(seen.header("authorization"), Some("Bearer member"));
    assert_eq!(
        seen.header("host"),
        Some(origin.address().to_string().as_str())
    );
    for dropped in ["range", "if-none-match", "x-unknown"] {
        assert_eq!(seen.header(dropped), None, "{dropped}");
    }
}

#[tokio::test]
async fn an_encoded_answer_is_neither_passed_on_nor_stored() {
    let origin = Origin::start();
    let encoded = script()
        .head(200)
        .header("content-encoding", "gzip")
        .chunk(b"\x1f\x8b encoded");
    origin.always("GET", "aa", encoded);
    let larder = Larder::before(&origin).await;
    let mut client = larder.client();
    assert!(!client.get(&artifact("aa")).await.is_clean());
    larder.settled().await;
    origin.forget();
    origin.hold("aa", &bytes(1, 10));
    let fresh = client.get(&artifact("aa")).await;
    fresh.assert_body(&bytes(1, 10));
    assert_eq!(fresh.cache_status(), FILLED);
}

#[tokio::test]
async fn the_query_goes_upstream_as_it_came() {
    let origin = Origin::start();
    let larder = Larder::before(&origin).await;
    let target = "/v8/artifacts/aa?x=2&teamId=team_a&slug=a%2Fb+c%C3%BC&&x=1&empty=&flag";
    larder.client().get(target).await;
    assert_eq!(origin.requests()[0].target(), target);
}

#[tokio::test]
async fn every_spelling_of_the_path_is_one_artifact() {
    let origin = Origin::start();
    let larder = Setup::before(&origin).set("upstream.url", &format!("{}/base/", origin.url()));
    let larder = larder.start().await;
    origin.hold("aa", &bytes(1, 10));
    let mut client = larder.client();
    client.get(&artifact("aa")).await.assert_body(&bytes(1, 10));
    larder.settled().await;
    assert_eq!(
        origin.requests()[0].target(),
        format!("/base{}", artifact("aa"))
    );
    let absolute = format!("http://{}{}", larder.address(), artifact("aa"));
    let spellings = [
        format!("/api{}", artifact("aa")),
        format!("/{}", artifact("aa")),
        format!("//api{}", artifact("aa")),
        absolute,
        artifact("%61a"),
    ];
    for spelling in spellings {
        assert_eq!(
            client.get(&spelling).await.cache_status(),
            MEMORY,
            "{spelling}"
        );
    }
    assert_eq!(origin.requests().len(), 1);
    client.get(&format!("/api{}", artifact("bb"))).await;
    assert_eq!(
        origin.requests()[1].target(),
        format!("/base{}", artifact("bb"))
    );
}

#[tokio::test]
async fn an_artifact_too_large_for_memory_is_served_from_disk() {
    let origin = Origin::start();
    let body = bytes(1, 300_000);
    origin.hold("aa", &body);
    let larder = Setup::before(&origin)
        .set("tier.memory.max_artifact", "64KiB")
        .start()
        .await;
    let mut client = larder.client();
    client.get(&artifact("aa")).await.assert_body(&body);
    larder.settled().await;
    for _ in 0..2 {
        let hit = client.get(&artifact("aa")).await;
        hit.assert_body(&body);
        assert_eq!(hit.cache_status(), DISK);
    }
    assert_eq!(origin.gets("aa"), 1);
}

#[tokio::test]
async fn an_artifact_too_large_for_every_tier_is_passed_on_and_not_kept() {
    let origin = Origin::start();
    let body = bytes(1, 300_000);
    origin.hold("aa", &body);
    let small = Setup::before(&origin)
        .set("tier.memory.max_artifact", "64KiB")
        .set("tier.disk.max_artifact", "64KiB");
    let larder = small.start().await;
    let mut client = larder.client();
    for asked in 1..=2 {
        let reply = client.get(&artifact("aa")).await;
        reply.assert_body(&body);
        assert_eq!(reply.cache_status(), "larder; fwd=bypass; detail=too-large");
        larder.settled().await;
        assert_eq!(origin.gets("aa"), asked);
    }
}
