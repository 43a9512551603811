//! What comes by one listener while something is under way, or was learned, by another.

use super::{COLLAPSED, House, ask, before, tokens};
use crate::access::assert_nothing_of;
use crate::support::{Origin, Setup, artifact, bytes, script};

#[tokio::test]
async fn what_an_open_listener_gave_and_took_proves_nothing_by_the_other() {
    let mut origin = Origin::start();
    let setup = before(&origin, &["member"], 403).set("upload.on_failure", "keep");
    let house = House::of_two(setup).await;
    let body = bytes(1, 5000);
    origin.hold("aa", &body);
    let mut open = house.local().token("member");
    open.get(&artifact("aa")).await.assert_body(&body);
    assert_eq!(open.put(&artifact("bb"), &body).await.status, 202);
    house.larder.settled().await;
    open.get(&artifact("aa")).await.assert_body(&body);

    // The upstream has accepted this very token, where it was not asked to judge.
    origin.stop().await;
    for hash in ["aa", "bb"] {
        let reply = house.office("member").get(&artifact(hash)).await;
        assert_eq!(reply.status, 404, "{hash}");
        assert_nothing_of(&reply, &body);
        house.local().get(&artifact(hash)).await.assert_body(&body);
    }
    // Nor that it may write: nothing is kept for it.
    for client in [&mut house.office("member"), &mut open] {
        assert_ne!(client.put(&artifact("cc"), &body).await.status, 202);
    }
    let metrics = house.larder.metrics().await;
    let accepted = metrics.sum("larder_verdicts_total", &[("result", "accepted")]);
    assert!(accepted < 0.5, "{accepted}");
}

#[tokio::test]
async fn an_account_of_larders_own_is_not_that_of_the_token_which_it_spoke_for() {
    let origin = Origin::start();
    let house = House::of_three(Setup::before(&origin)).await;
    let (own, other) = (bytes(1, 5000), bytes(2, 5000));
    origin.hold_for("own", "", "aa", &own);
    origin.hold_for("lan-ci", "", "aa", &other);
    for _ in 0..2 {
        let mut spoken_for = house.local().token("lan-ci");
        spoken_for.get("/v8/artifacts/aa").await.assert_body(&own);
        let mut itself = house.office("lan-ci");
        itself.get("/v8/artifacts/aa").await.assert_body(&other);
        house.larder.settled().await;
    }
    assert_eq!(tokens(&origin, "GET", "aa"), ["own", "lan-ci"]);
}

#[tokio::test]
async fn a_fetch_that_one_listener_began_is_followed_by_each_as_its_judge_has_it() {
    let origin = Origin::start();
    let house = House::of_two(before(&origin, &["member", "second"], 403)).await;
    let body = bytes(1, 40_000);
    origin.hold("aa", &body);
    let (first, rest) = body.split_at(20_000);
    let halved = script().head(200).length(body.len()).chunk(first);
    origin.once("GET", "aa", halved.hold("rest").chunk(rest));
    let mut leader = house.local().token("member");
    ask(&mut leader, "aa").await;
    let head = leader.read_head().await.expect("a head");

    let refused = house.office("garbage").get(&artifact("aa")).await;
    assert_eq!(refused.status, 403);
    assert_nothing_of(&refused, &body);
    let mut followers = [
        house.office("second"),
        house.local(),
        house.office("member"),
    ];
    for follower in &mut followers {
        ask(follower, "aa").await;
        let head = follower.read_head().await.expect("a head meanwhile");
        assert_eq!(head.get("cache-status"), Some(COLLAPSED));
    }
    // Each was asked about, but for the one by the open listener.
    let mut asked = tokens(&origin, "HEAD", "aa");
    asked.sort_unstable();
    assert_eq!(asked, ["garbage", "member", "second"]);
    origin.release("rest");
    leader.rest_of(head, Vec::new()).await.assert_body(&body);
    for follower in &mut followers {
        let (read, _) = follower.read_rest().await;
        assert_eq!(read.len(), body.len());
    }
}

#[tokio::test]
async fn a_strangers_404_by_one_listener_is_no_members_miss_by_another() {
    let origin = Origin::start();
    let setup = before(&origin, &["member", "own"], 404).set("upstream.absent_ttl", "60s");
    let house = House::of_three(setup).await;
    let body = bytes(1, 5000);
    // The last one is the same token, for which another one speaks by the other listener.
    for (hash, mut stranger, mut member) in [
        ("aa", house.office("garbage"), house.local()),
        ("bb", house.office("garbage"), house.ci("lan-ci")),
        ("cc", house.office("lan-ci"), house.ci("lan-ci")),
    ] {
        origin.hold(hash, &body);
        origin.once("GET", hash, script().hold(hash).usual());
        ask(&mut stranger, hash).await;
        origin.wait_at(hash).await;
        ask(&mut member, hash).await;
        origin.release(hash);
        assert_eq!(stranger.reply().await.status, 404, "{hash}");
        member.reply().await.assert_body(&body);
    }
    // And what is remembered is remembered for whoever spoke.
    let (mut stranger, mut member) = (house.office("garbage"), house.local());
    assert_eq!(stranger.get(&artifact("dd")).await.status, 404);
    origin.hold("dd", &body);
    member.get(&artifact("dd")).await.assert_body(&body);
}

#[tokio::test]
async fn a_strangers_404_by_an_open_listener_is_no_members_miss_where_the_upstream_judges() {
    let origin = Origin::start();
    let setup = before(&origin, &["member"], 404).set("upstream.absent_ttl", "60s");
    let house = House::of_two(setup).await;
    let body = bytes(1, 5000);
    origin.hold("known", &body);
    let mut member = house.office("member");
    member.get(&artifact("known")).await.assert_body(&body);
    for round in 0..5 {
        let hash = format!("aa{round}");
        origin.hold(&hash, &body);
        origin.once("GET", &hash, script().hold(&hash).usual());
        let mut stranger = house.local().token("garbage");
        ask(&mut stranger, &hash).await;
        origin.wait_at(&hash).await;
        ask(&mut member, &hash).await;
        origin.release(&hash);
        member.reply().await.assert_body(&body);
        // It may be told of what the member brought: by an open listener it may have it.
        assert!(matches!(stranger.reply().await.status, 200 | 404));
    }
    origin.hold("later", &body);
    origin.once("GET", "later", script().usual());
    let absent = house.local().token("garbage").get(&artifact("later")).await;
    assert_eq!(absent.status, 404);
    member.get(&artifact("later")).await.assert_body(&body);
}

#[tokio::test]
async fn a_refused_credential_of_larders_own_is_no_trouble_of_who_speaks_for_itself() {
    let origin = Origin::start();
    let house = House::of_three(before(&origin, &["member"], 403)).await;
    let body = bytes(1, 5000);
    origin.hold("aa", &body);
    origin.once("GET", "aa", script().hold("refusal").usual());
    let (mut leader, mut member) = (house.ci("lan-ci"), house.office("member"));
    ask(&mut leader, "aa").await;
    origin.wait_at("refusal").await;
    ask(&mut member, "aa").await;
    origin.release("refusal");
    let missed = leader.reply().await;
    assert_eq!(
        missed.cache_status(),
        "larder; fwd=uri-miss; detail=upstream-credential"
    );
    member.reply().await.assert_body(&body);
}

#[tokio::test]
async fn a_refusal_by_one_listener_is_not_remembered_against_who_is_spoken_for_by_another() {
    let origin = Origin::start();
    let house = House::of_three(before(&origin, &["own"], 401)).await;
    let body = bytes(1, 5000);
    origin.hold("aa", &body);
    assert_eq!(
        house.office("lan-ci").get(&artifact("aa")).await.status,
        401
    );
    house
        .ci("lan-ci")
        .get(&artifact("aa"))
        .await
        .assert_body(&body);
}
